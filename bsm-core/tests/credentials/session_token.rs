use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bsm_core::{CliCache, Error, ErrorKind, mfa};

use crate::support::{
    ACCESS_KEY_ID, ADMIN, AUDIT, OTHER_KEY, SECRET, SERIAL, USER, WITH_MFA, playground, request,
};

fn person() -> (impl mfa::MfaTokenProvider, Arc<AtomicUsize>) {
    let prompts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&prompts);
    let provider = mfa::from_fn(move |request| {
        assert_eq!((request.serial(), request.role_arn()), (SERIAL, None));
        let prompt = counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, Error>(["135790", "246802"][prompt].to_owned()) }
    });
    (provider, prompts)
}

#[tokio::test]
async fn one_code_is_enough_for_many_roles() {
    let playground = playground();
    let (provider, prompts) = person();
    let dev = playground.profile("dev").session_token();
    let token = dev.mfa_serial(SERIAL).mfa_token_provider(provider).build();
    for role in [WITH_MFA, AUDIT, ADMIN] {
        token.assume_role(role).load().await.unwrap();
    }
    assert_eq!(request(&token).await, USER);
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
    assert_eq!(playground.aws.call_count("sts", "GetSessionToken"), 1);

    // Refreshed as a role is: not in the background, because it prompts, but for the next caller.
    playground
        .aws
        .clock()
        .advance(Duration::from_secs(12 * 3_600));
    token.credentials().await.unwrap();
    assert_eq!(prompts.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_session_token_inherits_and_is_cleared_with_its_parent() {
    let playground = playground();
    let dev = playground.profile("dev");
    let token = dev
        .session_token()
        .duration(Duration::from_secs(900))
        .build();
    assert_eq!(token.to_string(), "session token of profile \"dev\"");
    assert_eq!(token.aws_region().await.unwrap(), "us-east-1");
    assert_eq!(token.aws_account_id().await.unwrap(), "111111111111");
    let source = token.credentials_source().unwrap();
    assert!(
        source.starts_with("a session token, with keys of profile"),
        "{source}"
    );
    let [session] = &playground.aws.sessions()[..] else {
        panic!("one session was expected");
    };
    assert_eq!(session.duration(), Duration::from_secs(900));
    dev.clear_cache();
    token.credentials().await.unwrap();
    assert_eq!(playground.aws.call_count("sts", "GetSessionToken"), 2);
}

#[tokio::test]
async fn a_role_made_with_a_session_token_is_no_chained_one() {
    let playground = playground();
    let token = playground.profile("dev").session_token().build();
    let admin = token
        .assume_role(ADMIN)
        .duration(Duration::from_secs(7_200));
    let admin = admin.load().await.unwrap();
    let error = admin.session_token().load().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn a_wrong_code_is_a_typed_error() {
    let playground = playground();
    let token = playground.profile("dev").session_token().mfa_serial(SERIAL);
    let error = token.clone().load().await.unwrap_err();
    assert!(error.is_mfa_code_unavailable(), "{error}");
    let wrong = mfa::from_fn(|_| async { Ok::<_, Error>("999999".to_owned()) });
    let error = token.mfa_token_provider(wrong).load().await.unwrap_err();
    assert!(error.is_mfa_code_rejected(), "{error}");
    let message = "for the session token: it was mistyped";
    assert!(error.to_string().contains(message), "{error}");
}

#[tokio::test]
async fn a_session_token_in_the_cache_needs_no_other_code_and_serves_what_it_was_issued_for() {
    let playground = playground();
    let directory = playground.dir().join("cache");
    let keys = |(id, secret): (&str, &str)| {
        let builder = playground.builder().keys(id, secret);
        let builder = builder
            .region("us-east-1")
            .endpoint_url(playground.aws.endpoint_url());
        let cache = CliCache::new().directory(&directory);
        builder.cli_cache(cache).build()
    };
    let dev = (ACCESS_KEY_ID, SECRET);
    let (provider, prompts) = person();
    let first = keys(dev).session_token().mfa_serial(SERIAL);
    let first = first.mfa_token_provider(provider).load().await.unwrap();
    let key = first.credentials().await.unwrap();
    assert_eq!(prompts.load(Ordering::SeqCst), 1);

    // As in another process, which has no source of codes.
    let second = keys(dev).session_token().mfa_serial(SERIAL);
    let found = second.load().await.unwrap().credentials().await.unwrap();
    assert_eq!(found.access_key_id(), key.access_key_id());
    assert_eq!(found.expiry(), key.expiry());
    let calls = || playground.aws.call_count("sts", "GetSessionToken");
    assert_eq!(calls(), 1);

    let half_an_hour = Duration::from_secs(1_800);
    for (call, other) in [
        keys(OTHER_KEY).session_token(),
        keys(dev).session_token(),
        keys(dev).session_token().duration(half_an_hour),
    ]
    .into_iter()
    .enumerate()
    {
        for _ in 0..2 {
            other.clone().load().await.unwrap();
            assert_eq!(calls(), call + 2, "{other:?}");
        }
    }
    // Less than 15 minutes are left of that one, and 11 hours of the first.
    playground.aws.clock().advance(Duration::from_secs(1_000));
    let short = keys(dev).session_token().duration(half_an_hour);
    short.load().await.unwrap();
    assert_eq!(calls(), 5);
    keys(dev).session_token().load().await.unwrap();
    assert_eq!(calls(), 5);
}

#[cfg(unix)]
#[tokio::test]
async fn the_entry_of_a_session_token_is_for_the_user_alone_and_is_replaced_if_it_is_another_ones()
{
    use std::os::unix::fs::PermissionsExt as _;

    let playground = playground();
    let directory = playground.dir().join("cache");
    let token = |seconds| {
        let cache = CliCache::new().directory(&directory);
        let dev = playground.builder().profile_name("dev").cli_cache(cache);
        let token = dev.build().session_token();
        token.duration(Duration::from_secs(seconds)).load()
    };
    let entries = || {
        let files = std::fs::read_dir(&directory).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let mut entries: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|it| it == "json"))
            .collect();
        entries.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
        entries
    };
    token(3_600).await.unwrap();
    token(7_200).await.unwrap();
    let [hour, two_hours] = &entries()[..] else {
        panic!("two entries were expected");
    };
    for path in [hour, two_hours] {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("bsm-session-token-"), "{name}");
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let calls = || playground.aws.call_count("sts", "GetSessionToken");
    let good = std::fs::read_to_string(two_hours).unwrap();
    for foreign in [&std::fs::read_to_string(hour).unwrap(), "", &good[..80]] {
        std::fs::write(two_hours, foreign).unwrap();
        let before = calls();
        token(7_200).await.unwrap();
        assert_eq!(calls(), before + 1, "{foreign}");
        token(7_200).await.unwrap();
        assert_eq!(calls(), before + 1, "{foreign}");
    }
}

#[cfg(unix)]
mod processes {
    use std::env;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};

    use bsm_core::{CliCache, Error, mfa};

    use crate::playground::builder;
    use crate::support::{SERIAL, playground};

    const CHILD: &str = "BSM_SESSION_TOKEN_CHILD";

    /// Run by [`four_processes_on_a_cold_cache_prompt_once`], in processes of its own.
    #[tokio::test]
    async fn child() {
        let Some(directory) = env::var_os(CHILD).map(PathBuf::from) else {
            return;
        };
        let cache = CliCache::new().directory(directory.join("cache"));
        let dev = builder(&directory).profile_name("dev").cli_cache(cache);
        let token = dev.build().session_token().mfa_serial(SERIAL);
        let token = token.mfa_token_provider(mfa::from_fn(|_| async {
            println!("prompted");
            Ok::<_, Error>("135790".to_owned())
        }));
        let token = token.load().await.unwrap().credentials().await.unwrap();
        println!("key={}", token.access_key_id());
    }

    #[tokio::test]
    async fn four_processes_on_a_cold_cache_prompt_once() {
        let playground = playground();
        let children: Vec<_> = (0..4)
            .map(|_| {
                Command::new(env::current_exe().unwrap())
                    .args(["--exact", "session_token::processes::child", "--nocapture"])
                    .env(CHILD, playground.dir())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let mut prompts = 0;
        for child in children {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{text}");
            assert!(text.contains("key="), "{text}");
            prompts += text.matches("prompted").count();
        }
        assert_eq!(prompts, 1);
        assert_eq!(playground.aws.call_count("sts", "GetSessionToken"), 1);
    }
}
