use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::super::testing::Clock;
use super::codes::LIMIT;
use super::*;

const SERIAL: &str = "arn:aws:iam::111122223333:mfa/me";
const ROLE: &str = "arn:aws:iam::111122223333:role/Admin";

/// A request for a code. The endpoint is the clock's own, because the process remembers codes.
fn request(clock: &Clock) -> TokenRequest {
    request_for(SERIAL, clock.shared(), &clock.endpoint())
}

fn request_for(serial: &str, time: SharedTimeSource, endpoint: &str) -> TokenRequest {
    let sts = SdkConfig::builder()
        .time_source(time)
        .endpoint_url(endpoint);
    TokenRequest::new(serial, Some(ROLE), &sts.build())
}

/// Returns a provider that does not wait for the prompts of other tests.
fn codes_of(provider: impl MfaTokenProvider) -> TokenCodes {
    TokenCodes::with_lock(provider, Arc::default())
}

/// Returns a provider with a list of codes, and a record of which requests were repeats.
fn scripted(codes: &[&str]) -> (TokenCodes, Arc<Mutex<Vec<bool>>>) {
    let repeats = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&repeats);
    let codes: Vec<_> = codes.iter().map(|code| (*code).to_owned()).collect();
    let provider = from_fn(move |request| {
        let mut noted = noted.lock().unwrap();
        let code = codes.get(noted.len()).cloned();
        noted.push(request.is_repeat());
        async move { code.ok_or("the list is over") }
    });
    (codes_of(provider), repeats)
}

#[tokio::test(start_paused = true)]
async fn a_code_is_not_given_twice() {
    let clock = Clock::new();
    let (codes, repeats) = scripted(&["111111", "111111", "222222"]);
    assert_eq!(codes.code(request(&clock)).await.unwrap(), "111111");
    let before = tokio::time::Instant::now();
    assert_eq!(codes.code(request(&clock)).await.unwrap(), "222222");
    assert_eq!(*repeats.lock().unwrap(), [false, false, true]);
    // The device shows another code only in its next step.
    let waited = before.elapsed();
    assert!(waited > Duration::ZERO && waited <= STEP, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_knows_one_code_only_ends_in_an_error() {
    let clock = Clock::new();
    let (codes, repeats) = scripted(&["111111"; 10]);
    codes.code(request(&clock)).await.unwrap();
    let error = codes.code(request(&clock)).await.unwrap_err();
    assert!(error.is_mfa_code_rejected(), "{error}");
    assert_eq!(repeats.lock().unwrap().len(), 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_no_code_new() {
    let clock = Clock::new();
    let (codes, repeats) = scripted(&["111111", "111111", "222222"]);
    codes.code(request(&clock)).await.unwrap();
    clock.set_back(86_400);
    assert_eq!(codes.code(request(&clock)).await.unwrap(), "222222");
    assert_eq!(*repeats.lock().unwrap(), [false, false, true]);
}

#[tokio::test]
async fn an_sdk_error_of_a_callback_is_not_printed() {
    use aws_sdk_sts::error::SdkError;
    use aws_sdk_sts::operation::get_session_token::GetSessionTokenError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;

    let failed = || -> SdkError<GetSessionTokenError, HttpResponse> {
        let response = HttpResponse::new(400.try_into().unwrap(), SdkBody::from("SECRET"));
        SdkError::service_error(GetSessionTokenError::unhandled("SECRET"), response)
    };
    assert!(format!("{:?}", failed()).contains("SECRET"));
    let codes = codes_of(from_fn(move |_| async move { Err::<String, _>(failed()) }));
    let error = codes.code(request(&Clock::new())).await.unwrap_err();
    assert!(error.is_mfa_code_unavailable(), "{error}");
    let mut next: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(error) = next {
        assert!(
            !format!("{error} {error:?}").contains("SECRET"),
            "{error:?}"
        );
        next = error.source();
    }
    assert_eq!(error.source().unwrap().to_string(), "service error");
}

#[tokio::test]
async fn another_device_may_show_the_same_code() {
    let clock = Clock::new();
    let (codes, _) = scripted(&["111111", "111111"]);
    codes.code(request(&clock)).await.unwrap();
    let other = request_for("GAHT12345678", clock.shared(), &clock.endpoint());
    codes.code(other).await.unwrap();
}

#[tokio::test]
async fn a_code_may_come_again_when_aws_has_forgotten_it() {
    let clock = Clock::new();
    let (codes, repeats) = scripted(&["111111", "111111"]);
    codes.code(request(&clock)).await.unwrap();
    clock.advance(codes::CODE_MEMORY.as_secs());
    codes.code(request(&clock)).await.unwrap();
    assert_eq!(*repeats.lock().unwrap(), [false, false]);
}

#[tokio::test]
async fn blanks_do_not_matter_and_anything_but_six_digits_is_refused() {
    let clock = Clock::new();
    let (codes, _) = scripted(&[" 123 456\n", "12345", "1234567", "abcdef", "", "١٢٣٤٥٦"]);
    assert_eq!(codes.code(request(&clock)).await.unwrap(), "123456");
    for kind in [
        ErrorKind::MfaCodeRejected,
        ErrorKind::MfaCodeRejected,
        ErrorKind::MfaCodeRejected,
        ErrorKind::MfaCodeUnavailable,
        ErrorKind::MfaCodeRejected,
        // The list is over.
        ErrorKind::MfaCodeUnavailable,
    ] {
        let error = codes.code(request(&clock)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!format!("{error} {error:?}").contains("abcdef"));
    }
}

#[tokio::test]
async fn one_code_is_asked_for_at_a_time_in_the_process() {
    let clock = Clock::new();
    let [asking, most, next] = [0, 0, 100_000].map(|n| Arc::new(AtomicUsize::new(n)));
    let peak = Arc::clone(&most);
    let ask = move |_: TokenRequest| {
        let (asking, most) = (Arc::clone(&asking), Arc::clone(&most));
        let code = next.fetch_add(1, Ordering::SeqCst);
        async move {
            let now = asking.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            tokio::task::yield_now().await;
            asking.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, Error>(code.to_string())
        }
    };
    // Each has a provider of its own.
    let managers: Vec<_> = (0..50)
        .map(|_| TokenCodes::new(from_fn(ask.clone())))
        .collect();
    let asked = managers.iter().map(|codes| codes.code(request(&clock)));
    for code in futures_util::future::join_all(asked).await {
        code.unwrap();
    }
    assert_eq!(peak.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_person_who_does_not_answer_holds_up_nobody_forever() {
    let codes = codes_of(from_fn(|_| std::future::pending::<Result<String, Error>>()));
    let clock = Clock::new();
    let before = tokio::time::Instant::now();
    let (one, other) = tokio::join!(codes.code(request(&clock)), codes.code(request(&clock)));
    assert!(before.elapsed() <= 2 * LIMIT);
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert!(error.is_mfa_code_unavailable(), "{error}");
        assert!(error.to_string().contains(SERIAL), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unattended_provider_is_asked_for_the_next_code_until_the_limit() {
    struct Stuck;
    impl MfaTokenProvider for Stuck {
        fn token_code<'a>(&'a self, _: &'a TokenRequest) -> BoxFuture<'a, Result<String, Error>> {
            Box::pin(async { Ok("111111".to_owned()) })
        }

        fn is_interactive(&self) -> bool {
            false
        }
    }
    let (codes, clock) = (codes_of(Stuck), Clock::new());
    codes.code(request(&clock)).await.unwrap();
    let before = tokio::time::Instant::now();
    let error = codes.code(request(&clock)).await.unwrap_err();
    assert!(error.is_mfa_code_unavailable(), "{error}");
    assert_eq!(before.elapsed(), LIMIT);
}

#[tokio::test]
async fn a_prompt_without_a_terminal_is_a_typed_error() {
    let clock = Clock::new();
    for no_terminal in ["/no/such/terminal", "/dev/null/tty"] {
        let codes = codes_of(TerminalPrompt::on(no_terminal));
        let error = codes.code(request(&clock)).await.unwrap_err();
        assert!(error.is_mfa_code_unavailable(), "{error}");
        assert!(error.to_string().contains("no terminal"), "{error}");
    }
}

#[cfg(unix)]
mod command {
    use super::*;

    fn sh(script: &str) -> TokenCommand {
        TokenCommand::new("sh").args(["-c", script])
    }

    async fn outcome(command: TokenCommand) -> Result<String, Error> {
        let codes = codes_of(command);
        codes.code(request(&Clock::new())).await
    }

    #[tokio::test]
    async fn the_program_prints_the_code_of_the_device_in_its_environment() {
        let script = format!("test \"$BSM_MFA_SERIAL\" = {SERIAL} && echo 123456");
        assert_eq!(outcome(sh(&script)).await.unwrap(), "123456");
    }

    #[tokio::test]
    async fn a_program_that_fails_hangs_or_is_not_there_is_a_typed_error() {
        let slow = sh("sleep 60").timeout(Duration::from_millis(50));
        let missing = TokenCommand::new("/no/such/program");
        for command in [sh("echo 123456; exit 3"), sh("true"), slow, missing] {
            let error = outcome(command).await.unwrap_err();
            assert!(error.is_mfa_code_unavailable(), "{error}");
            assert!(!format!("{error} {error:?}").contains("123456"));
        }
    }
}

#[cfg(feature = "totp")]
mod totp {
    use super::*;

    /// The secret of RFC 6238, appendix B.
    const SECRET: &str = "GEZD GNBV gy3t qojq GEZDGNBVGY3TQOJQ====";

    #[tokio::test(start_paused = true)]
    async fn the_codes_are_those_of_rfc_6238() {
        // Appendix B lists eight digits; the last six are the six-digit code.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (2_000_000_000, "279037"),
        ] {
            let time = aws_smithy_async::time::StaticTimeSource::from_secs(seconds);
            let endpoint = format!("rfc 6238 {seconds}");
            let request = request_for(SERIAL, SharedTimeSource::new(time), &endpoint);
            let codes = codes_of(Totp::new(SECRET).unwrap());
            assert_eq!(codes.code(request).await.unwrap(), code);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_used_code_is_followed_by_the_next_one_after_the_rest_of_its_time() {
        let clock = Clock::new();
        clock.advance(12);
        let codes = codes_of(Totp::new(SECRET).unwrap());
        let before = tokio::time::Instant::now();
        let first = codes.code(request(&clock)).await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);
        let second = codes.code(request(&clock)).await.unwrap();
        assert_eq!(before.elapsed(), Duration::from_secs(18));
        assert_ne!(first, second);
        clock.advance(30);
        let third = codes.code(request(&clock)).await.unwrap();
        assert!(![first, second].contains(&third));
    }

    /// The time of the test's runtime, so that the device advances while a caller waits.
    #[derive(Debug)]
    struct RuntimeTime(tokio::time::Instant);

    impl aws_smithy_async::time::TimeSource for RuntimeTime {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.elapsed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn four_profiles_over_one_device_get_the_codes_of_four_steps() {
        let time = SharedTimeSource::new(RuntimeTime(tokio::time::Instant::now()));
        let profiles = [(); 4].map(|()| TokenCodes::new(Totp::new(SECRET).unwrap()));
        let before = tokio::time::Instant::now();
        let asked = profiles
            .iter()
            .map(|codes| codes.code(request_for(SERIAL, time.clone(), "four profiles")));
        let given = futures_util::future::join_all(asked).await;
        let given: std::collections::BTreeSet<_> = given.into_iter().map(Result::unwrap).collect();
        assert_eq!(given.len(), 4);
        assert!(before.elapsed() <= 4 * STEP, "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_stops_nothing() {
        let clock = Clock::new();
        let codes = codes_of(Totp::new(SECRET).unwrap());
        codes.code(request(&clock)).await.unwrap();
        clock.set_back(86_400);
        let before = tokio::time::Instant::now();
        codes.code(request(&clock)).await.unwrap();
        assert!(before.elapsed() <= STEP);
    }

    #[test]
    fn a_secret_that_is_not_base32_is_refused_and_not_shown() {
        for secret in ["", "0189!", "1nvalid"] {
            let error = Totp::new(secret).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(secret.is_empty() || !format!("{error:?}").contains(secret));
        }
        let shown = format!("{:?}", Totp::new(SECRET).unwrap());
        assert_eq!(shown, "Totp { .. }");
    }
}
