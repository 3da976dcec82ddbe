use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bsm_core::{Error, ErrorKind, mfa};

use crate::support::{ADMIN, AUDIT, SERIAL, USER, WITH_MFA, playground, request};

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
