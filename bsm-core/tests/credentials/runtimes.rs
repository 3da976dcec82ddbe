//! Several runtimes in one process, and code of the user that uses sessions itself.

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, future};
use bsm_core::{BotoSesManager, Error, mfa};
use bsm_local_aws::Fault;
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::raw_server::RawServer;
use crate::support::{
    ACCESS_KEY_ID, SECRET, SERIAL, WITH_MFA, assume_role_calls, builder, playground,
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Asks for credentials on several runtimes at once.
fn ask_on_runtimes(count: usize, bsm: &BotoSesManager) -> Vec<Result<Credentials, Error>> {
    let barrier = Barrier::new(count);
    thread::scope(|threads| {
        let asked: Vec<_> = (0..count)
            .map(|_| {
                threads.spawn(|| {
                    barrier.wait();
                    runtime().block_on(bsm.credentials())
                })
            })
            .collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn eight_runtimes_assume_a_role_once() {
    let playground = playground();
    let bsm = playground.profile("admin");
    for credentials in ask_on_runtimes(8, &bsm) {
        credentials.unwrap();
    }
    assert_eq!(assume_role_calls(&playground), 1);
}

#[test]
fn sixteen_runtimes_make_the_calls_of_one_when_sts_is_down() {
    let playground = playground();
    playground
        .aws
        .faults()
        .add(Fault::unavailable().operation("AssumeRole"));
    let bsm = playground.profile("admin");
    for _ in 0..4 {
        for outcome in ask_on_runtimes(16, &bsm) {
            outcome.unwrap_err();
        }
    }
    // Three attempts, and a pause before the next ones by the manager's clock, which stands nearly still.
    let assumed = assume_role_calls(&playground);
    assert!((3..=6).contains(&assumed), "{assumed} calls");
}

#[test]
fn eight_runtimes_prompt_once() {
    let playground = playground();
    let prompts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&prompts);
    let person = mfa::from_fn(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok::<_, Error>("135790".to_owned())
        }
    });
    let bsm = playground
        .builder()
        .profile_name("mfa")
        .mfa_token_provider(person)
        .build();
    for credentials in ask_on_runtimes(8, &bsm) {
        credentials.unwrap();
    }
    assert_eq!(
        (
            prompts.load(Ordering::SeqCst),
            assume_role_calls(&playground)
        ),
        (1, 1)
    );
}

/// A provider that notes how often it is called.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<AtomicUsize>);

impl ProvideCredentials for Counting {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.0.fetch_add(1, Ordering::SeqCst);
        let keys = Credentials::new(ACCESS_KEY_ID, SECRET, None, None, "test");
        future::ProvideCredentials::ready(Ok(keys))
    }
}

#[test]
fn a_runtime_that_stands_still_holds_up_nobody_for_more_than_a_few_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let provider = Counting::default();
    let bsm = builder(dir.path())
        .credentials_provider(provider.clone())
        .build();
    let still = runtime();
    // The first look starts the work, and then nothing runs there any more.
    still.block_on(async {
        for _ in 0..100 {
            assert!(bsm.credentials().now_or_never().is_none());
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(provider.0.load(Ordering::SeqCst), 0);
    let before = Instant::now();
    runtime().block_on(bsm.credentials()).unwrap();
    assert!(
        before.elapsed() < Duration::from_secs(15),
        "{:?}",
        before.elapsed()
    );
    // The late result is discarded.
    still.block_on(bsm.credentials()).unwrap();
    assert!((1..=2).contains(&provider.0.load(Ordering::SeqCst)));
}

#[test]
fn thirty_three_runtimes_reuse_their_connections() {
    let server = RawServer::start();
    let dir = tempfile::tempdir().unwrap();
    let bsm = builder(dir.path())
        .keys(ACCESS_KEY_ID, SECRET)
        .region("us-east-1")
        .endpoint_url(server.url())
        .build();
    let runtimes: Vec<_> = (0..33).map(|_| runtime()).collect();
    for _ in 0..3 {
        for runtime in &runtimes {
            runtime.block_on(async {
                let sts = bsm.client(aws_sdk_sts::Client::new).await.unwrap();
                sts.get_caller_identity().send().await.unwrap();
            });
        }
    }
    assert_eq!(server.connections(), 33);
}

/// A provider that uses the manager it serves, or another one.
#[derive(Clone, Debug, Default)]
struct AsksBack(Arc<OnceLock<BotoSesManager>>);

impl ProvideCredentials for AsksBack {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let bsm = self.0.get().unwrap();
            Ok(bsm.credentials().await?)
        })
    }
}

#[tokio::test]
async fn a_provider_that_asks_the_manager_it_serves_gets_an_error_at_once() {
    let playground = playground();
    let back = AsksBack::default();
    let itself = playground
        .builder()
        .credentials_provider(back.clone())
        .build();
    back.0.set(itself.clone()).unwrap();

    let through_a_role = AsksBack::default();
    let base = playground.builder().region("us-east-1");
    let base = base.credentials_provider(through_a_role.clone()).build();
    let role = base.assume_role(crate::support::ADMIN).build();
    through_a_role.0.set(role.clone()).unwrap();

    let other = AsksBack::default();
    other.0.set(playground.profile("dev")).unwrap();
    let served = playground.builder().credentials_provider(other).build();

    for bsm in [itself, base, role] {
        let before = Instant::now();
        let error = bsm.credentials().await.unwrap_err();
        assert!(
            before.elapsed() < Duration::from_secs(10),
            "{:?}",
            before.elapsed()
        );
        let message = "waits for the session that it serves";
        assert!(error.to_string().contains(message), "{error}");
    }
    served.credentials().await.unwrap();
}

#[tokio::test]
async fn an_mfa_provider_that_asks_the_manager_it_serves_gets_an_error_at_once() {
    let playground = playground();
    let served = Arc::new(OnceLock::<BotoSesManager>::new());
    let asked = Arc::clone(&served);
    let provider = mfa::from_fn(move |_| {
        let bsm = asked.get().unwrap().clone();
        async move { Ok::<_, Error>(bsm.credentials().await?.access_key_id().to_owned()) }
    });
    let bsm = playground
        .builder()
        .profile_name("mfa")
        .mfa_token_provider(provider)
        .build();
    served.set(bsm.clone()).unwrap();
    let error = bsm.credentials().await.unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    let message = "waits for the session that it serves";
    assert!(
        cause.as_ref().is_some_and(|cause| cause.contains(message)),
        "{error} {cause:?}"
    );
}

#[tokio::test]
async fn a_client_can_be_created_from_another_one() {
    #[derive(Clone)]
    struct Wrapped(aws_sdk_sts::Client);

    let playground = playground();
    let bsm = playground.profile("dev");
    bsm.sdk_config().await.unwrap();
    let wrapped = bsm.client(|_| {
        let sts = bsm.client(aws_sdk_sts::Client::new).now_or_never();
        Wrapped(sts.unwrap().unwrap())
    });
    let wrapped = wrapped.await.unwrap();
    wrapped.0.get_caller_identity().send().await.unwrap();
    // The same type is no deadlock either.
    let again = bsm.client(|_| {
        let inner = bsm.client(|config| Wrapped(aws_sdk_sts::Client::new(config)));
        inner.now_or_never().unwrap().unwrap()
    });
    again.await.unwrap();
}

#[tokio::test]
async fn each_name_has_a_client_of_its_own() {
    let playground = playground();
    let bsm = playground.profile("dev");
    let made = std::cell::RefCell::new(Vec::new());
    let client = async |name: &'static str| {
        let new = |config: &_| {
            made.borrow_mut().push(name);
            aws_sdk_sts::Client::new(config)
        };
        bsm.named_client(name, new).await.unwrap()
    };
    for name in ["one", "two", "one", "two"] {
        client(name)
            .await
            .get_caller_identity()
            .send()
            .await
            .unwrap();
    }
    // The client without a name is another one, and a name counts for its type only.
    bsm.client(|config| {
        made.borrow_mut().push("");
        aws_sdk_sts::Client::new(config)
    })
    .await
    .unwrap();
    bsm.named_client("one", |_| made.borrow_mut().push("type"))
        .await
        .unwrap();
    assert_eq!(*made.borrow(), ["one", "two", "", "type"]);
    bsm.clear_cache();
    client("one").await;
    assert_eq!(made.borrow().last(), Some(&"one"));
}

#[test]
fn shutdown_ends_the_work_and_the_next_use_starts_it_again() {
    // In a process of its own: the engine is shared with all other tests of this one.
    if std::env::var_os("BSM_TEST_SHUTDOWN").is_none() {
        let this = std::env::current_exe().unwrap();
        let child = std::process::Command::new(this)
            .args([
                "--exact",
                "runtimes::shutdown_ends_the_work_and_the_next_use_starts_it_again",
            ])
            .env("BSM_TEST_SHUTDOWN", "1")
            .output()
            .unwrap();
        assert!(
            child.status.success(),
            "{}",
            String::from_utf8_lossy(&child.stdout)
        );
        return;
    }
    let playground = playground();
    playground
        .aws
        .faults()
        .add(Fault::latency(Duration::from_secs(3_600)));
    let bsm = playground.profile("admin");
    runtime().block_on(async {
        let waiting = tokio::spawn({
            let bsm = bsm.clone();
            async move { bsm.credentials().await }
        });
        while assume_role_calls(&playground) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bsm_core::shutdown(Duration::from_secs(5)).await;
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), bsm_core::ErrorKind::Runtime, "{error}");
        // Twice is no error.
        bsm_core::shutdown(Duration::ZERO).await;
        playground.aws.faults().clear();
        bsm.credentials().await.unwrap();
    });
}

/// A provider that records the session in whose scope it runs.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn record(&self) {
        let current = BotoSesManager::current().to_string();
        self.0.lock().unwrap().push(current);
    }
}

impl ProvideCredentials for Recorder {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.record();
        let keys = Credentials::new(ACCESS_KEY_ID, SECRET, None, None, "recorder");
        future::ProvideCredentials::ready(Ok(keys))
    }
}

/// The work is shared by callers of several scopes, so it belongs to none of them.
#[test]
fn closures_and_providers_run_outside_of_the_callers_scope() {
    let default = BotoSesManager::current().to_string();
    for is_guard in [false, true] {
        let playground = playground();
        let other = playground.profile("reader");
        let recorder = Recorder::default();
        let (codes, refreshes) = (recorder.clone(), recorder.clone());
        let (refreshed, events) = std::sync::mpsc::channel();
        let base = playground
            .builder()
            .profile_name("dev")
            .credentials_provider(recorder.clone())
            .mfa_token_provider(mfa::from_fn(move |_| {
                codes.record();
                std::future::ready(Ok::<_, std::io::Error>("135790".to_owned()))
            }))
            .on_refresh(move |_| {
                refreshes.record();
                refreshed.send(()).unwrap();
            })
            .build();
        let role = base.assume_role(WITH_MFA).mfa_serial(SERIAL).build();
        if is_guard {
            let _env = other.awsenv();
            runtime().block_on(role.credentials()).unwrap();
        } else {
            runtime().block_on(other.scope(role.credentials())).unwrap();
        }
        // The refresh of the keys and of the role.
        for _ in 0..2 {
            events.recv_timeout(PATIENCE).unwrap();
        }
        let recorded = recorder.0.lock().unwrap().clone();
        // These two, the provider and the code.
        assert!(recorded.len() >= 4, "{recorded:?}");
        assert!(
            recorded.iter().all(|current| *current == default),
            "{recorded:?}"
        );
    }
}

/// Records the messages of events, each with the spans that it is in.
#[derive(Clone, Default)]
struct Messages(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Messages {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let spans = context.event_scope(event).into_iter().flatten();
        let spans: Vec<_> = spans.map(|span| span.name()).collect();
        let line = format!("{}: {}", spans.join(" < "), message.0);
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn what_the_engine_logs_is_in_the_span_and_the_log_of_the_caller() {
    let playground = playground();
    let messages = Messages::default();
    let log = tracing_subscriber::registry().with(messages.clone());
    tracing::subscriber::with_default(log, || {
        let _span = tracing::info_span!("request").entered();
        runtime()
            .block_on(playground.profile("admin").credentials())
            .unwrap();
    });
    let messages = messages.0.lock().unwrap().clone();
    let assuming = messages
        .iter()
        .find(|line| line.ends_with("assuming a role"));
    let assuming = assuming.unwrap_or_else(|| panic!("{messages:?}"));
    assert!(assuming.contains("request: "), "{assuming}");
}
