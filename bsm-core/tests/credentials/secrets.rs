use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Mutex;
use std::time::Duration;

use bsm_core::{CliCache, mfa};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::support::{SECRET, SERIAL, WITH_MFA, playground};

thread_local! {
    /// Whether the events of this thread are logged. A test runs on one thread, and so does its runtime.
    static IS_LOGGED: Cell<bool> = const { Cell::new(false) };
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Returns `true` on the thread of the test, and on the engine's, which works for all tests: nobody's
/// secret may be in its log.
fn is_logged() -> bool {
    let thread = std::thread::current();
    let is_engine = thread
        .name()
        .is_some_and(|name| name.starts_with("bsm-engine"));
    is_engine || IS_LOGGED.get()
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_secrets_nor_codes_are_logged_or_shown() {
    // One subscriber for the process: with one for the thread, an event that another thread meets first
    // can stay disabled for all.
    let layer = tracing_subscriber::fmt::layer().with_writer(|| Log);
    tracing_subscriber::registry()
        .with(layer.with_filter(dynamic_filter_fn(|_, _| is_logged())))
        .init();
    IS_LOGGED.set(true);

    let playground = playground();
    let codes = ["864209", "135790", "246802"];
    let next = std::sync::atomic::AtomicUsize::new(0);
    let provider = mfa::from_fn(move |_| {
        let code = codes[next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)];
        async move { Ok::<_, io::Error>(code.to_owned()) }
    });
    let cache = CliCache::new().directory(playground.dir().join("cache"));
    let builder = playground
        .builder()
        .profile_name("dev")
        .mfa_token_provider(provider);
    let dev = builder.cli_cache(cache).build();
    let role = dev.assume_role(WITH_MFA).mfa_serial(SERIAL);

    let error = role.clone().load().await.unwrap_err();
    let bsm = role.clone().load().await.unwrap();
    let credentials = bsm.credentials().await.unwrap();
    playground.aws.clock().advance(Duration::from_secs(3_550));
    let again = bsm.credentials().await.unwrap();
    let found = role.clone().load().await;

    let mut shown = format!("{error:?} {error} {bsm:?} {dev:?} {role:?} {credentials:?}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        shown += &format!(" {error:?} {error}");
        cause = error.source();
    }
    shown += &format!("{again:?} {found:?}");
    shown += &String::from_utf8_lossy(&LOG.lock().unwrap());
    for logged in [
        "asking for an MFA code",
        "refreshed credentials",
        "aws_smithy",
    ] {
        assert!(shown.contains(logged), "{logged} is not in the log");
    }
    let (first, second) = (credentials.secret_access_key(), again.secret_access_key());
    let token = credentials.session_token().unwrap();
    for secret in [SECRET, first, second, token].into_iter().chain(codes) {
        if let Some(at) = shown.find(secret) {
            let before = shown[..at].rfind('\n').unwrap_or(0);
            panic!(
                "{secret} is shown: {}",
                &shown[before..(at + 100).min(shown.len())]
            );
        }
    }
}
