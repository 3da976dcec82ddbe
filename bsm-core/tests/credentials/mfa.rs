use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bsm_core::{Error, mfa};
use futures_util::future::join_all;

use crate::support::{AUDIT, READER, SERIAL, WITH_MFA, assume_role_calls, playground, request};

/// Somebody who types the codes in turn, and who counts how often they are asked.
fn prompting(codes: &'static [&'static str]) -> (impl mfa::MfaTokenProvider, Arc<AtomicUsize>) {
    let prompts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&prompts);
    let provider = mfa::from_fn(move |request| {
        assert_eq!(request.serial(), SERIAL);
        let prompt = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            codes
                .get(prompt)
                .map(|code| (*code).to_owned())
                .ok_or("there are no more codes")
        }
    });
    (provider, prompts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_waiters_make_one_prompt_and_the_next_refresh_makes_another() {
    let playground = playground();
    let (provider, prompts) = prompting(&["135790", "246802"]);
    let bsm = playground
        .builder()
        .profile_name("mfa")
        .mfa_token_provider(provider)
        .build();
    let ask_all = || {
        join_all((0..100).map(|_| {
            let bsm = bsm.clone();
            tokio::spawn(async move { bsm.credentials().await.unwrap() })
        }))
    };
    ask_all()
        .await
        .into_iter()
        .for_each(|task| drop(task.unwrap()));
    assert_eq!(
        (
            prompts.load(Ordering::SeqCst),
            assume_role_calls(&playground)
        ),
        (1, 1)
    );

    playground.aws.clock().advance(Duration::from_secs(3_600));
    ask_all()
        .await
        .into_iter()
        .for_each(|task| drop(task.unwrap()));
    assert_eq!(
        (
            prompts.load(Ordering::SeqCst),
            assume_role_calls(&playground)
        ),
        (2, 2)
    );
    assert!(
        playground
            .aws
            .sessions()
            .iter()
            .all(|session| session.mfa_authenticated)
    );
}

#[tokio::test]
async fn no_prompt_appears_in_the_background() {
    let playground = playground();
    let (provider, prompts) = prompting(&["135790", "246802"]);
    let bsm = playground
        .builder()
        .profile_name("mfa")
        .mfa_token_provider(provider)
        .build();
    let reader = bsm.assume_role(READER).build();
    request(&reader).await;
    playground.aws.clock().advance(Duration::from_secs(3_500));
    for _ in 0..20 {
        request(&bsm).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
    // In the last minute there is a caller to ask.
    playground.aws.clock().advance(Duration::from_secs(50));
    request(&reader).await;
    assert_eq!(prompts.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_wrong_code_is_a_typed_error_and_the_next_call_asks_again() {
    let playground = playground();
    let (provider, prompts) = prompting(&["999999", "135790"]);
    let bsm = playground
        .builder()
        .profile_name("mfa")
        .mfa_token_provider(provider)
        .build();
    let error = bsm.credentials().await.unwrap_err();
    assert!(error.is_mfa_code_rejected(), "{error:?}");
    assert!(error.to_string().contains(SERIAL), "{error}");
    assert!(!format!("{error:?} {error}").contains("999999"));
    bsm.credentials().await.unwrap();
    assert_eq!(
        (
            prompts.load(Ordering::SeqCst),
            assume_role_calls(&playground)
        ),
        (2, 2)
    );
}

#[tokio::test]
async fn a_code_is_not_sent_again_when_the_answer_got_lost() {
    let playground = playground();
    let lost = bsm_local_aws::Fault::dropped_response()
        .operation("AssumeRole")
        .times(1);
    playground.aws.faults().add(lost);
    let (provider, _) = prompting(&["135790", "246802"]);
    let bsm = playground
        .builder()
        .profile_name("mfa")
        .mfa_token_provider(provider)
        .build();
    assert!(bsm.credentials().await.unwrap_err().is_unreachable());
    assert_eq!(assume_role_calls(&playground), 1);
    playground.aws.clock().advance(Duration::from_secs(5));
    bsm.credentials().await.unwrap();
}

#[tokio::test]
async fn nobody_to_ask_is_a_typed_error_that_says_what_to_do() {
    let playground = playground();
    let silent = playground.profile("mfa");
    let error = silent.credentials().await.unwrap_err();
    assert!(error.is_mfa_code_unavailable(), "{error:?}");
    assert!(error.to_string().contains("mfa_token_provider"), "{error}");

    let failing = mfa::from_fn(|_| async { Err::<String, _>("gone") });
    let assumed = playground
        .profile("dev")
        .assume_role(WITH_MFA)
        .mfa_serial(SERIAL);
    let error = assumed
        .mfa_token_provider(failing)
        .load()
        .await
        .unwrap_err();
    assert!(error.is_mfa_code_unavailable(), "{error:?}");
    assert_eq!(assume_role_calls(&playground), 0);
}

#[tokio::test]
async fn children_inherit_who_is_asked() {
    let playground = playground();
    let (provider, prompts) = prompting(&["135790", "246802"]);
    let dev = playground
        .builder()
        .profile_name("dev")
        .mfa_token_provider(provider)
        .build();
    for role in [WITH_MFA, AUDIT] {
        dev.assume_role(role)
            .mfa_serial(SERIAL)
            .load()
            .await
            .unwrap();
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_error_of_ones_own_provider_comes_out_as_it_is() {
    struct Locked;
    impl mfa::MfaTokenProvider for Locked {
        fn token_code<'a>(
            &'a self,
            _: &'a mfa::TokenRequest,
        ) -> mfa::BoxFuture<'a, Result<String, Error>> {
            let error = Error::new(
                bsm_core::ErrorKind::MfaCodeUnavailable,
                "unlock the keychain",
            );
            Box::pin(async { Err(error) })
        }
    }
    let playground = playground();
    let bsm = playground
        .builder()
        .profile_name("mfa")
        .mfa_token_provider(Locked)
        .build();
    assert_eq!(
        bsm.credentials().await.unwrap_err().to_string(),
        "unlock the keychain"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_terminal_is_asked_and_the_code_is_not_shown() {
    let version = Command::new("python3").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("skipped: python3 is not installed");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/peers/terminal.py");
    let mut person = Command::new("python3")
        .args([script, "135790"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(person.stdout.take().unwrap()).lines();
    let terminal = printed.next().unwrap().unwrap();

    let playground = playground();
    let prompt = mfa::TerminalPrompt::on(terminal);
    let builder = playground.builder().profile_name("mfa");
    builder
        .mfa_token_provider(prompt)
        .build()
        .credentials()
        .await
        .unwrap();

    let shown = printed.next().unwrap().unwrap();
    assert!(
        shown.contains(&format!("Enter MFA code for {SERIAL}: ")),
        "{shown}"
    );
    assert!(!shown.contains("135790"), "{shown}");
    person.wait().unwrap();
}
