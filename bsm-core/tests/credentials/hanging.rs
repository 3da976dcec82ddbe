//! Sources that hang: everybody gets an error within the limit, and the next call starts afresh.

use std::future::pending;
use std::time::{Duration, Instant};

use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, future};
use bsm_core::{BotoSesManager, Builder, Error, ErrorKind};
use bsm_local_aws::Fault;
use futures_util::future::join_all;

use crate::raw_server::RawServer;
use crate::sso::Center;
use crate::support::{ACCESS_KEY_ID, ADMIN, SECRET, builder, playground};

const LIMIT: Duration = Duration::from_millis(300);

/// More than any limit here.
const FOREVER: Duration = Duration::from_secs(3_600);

/// The time in which a limited call must end, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn limited(builder: Builder) -> Builder {
    builder
        .timeout_config(TimeoutConfig::builder().operation_timeout(LIMIT).build())
        .process_timeout(LIMIT)
        .credentials_provider_timeout(LIMIT)
}

/// Returns the error that eight callers get.
async fn error_of_all(bsm: &BotoSesManager) -> Error {
    let before = Instant::now();
    let outcomes = join_all((0..8).map(|_| bsm.credentials())).await;
    assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
    let errors: Vec<_> = outcomes.into_iter().map(Result::unwrap_err).collect();
    let first = errors[0].clone();
    for error in errors {
        assert_eq!(error.to_string(), first.to_string());
    }
    first
}

#[tokio::test]
async fn a_request_that_is_never_answered_ends_for_all_and_the_next_call_starts_afresh() {
    for (operation, step) in [
        ("GetCallerIdentity", "ask STS for the caller identity"),
        ("AssumeRole", "assume the role"),
        ("GetSessionToken", "get a session token"),
    ] {
        let playground = playground();
        let dev = limited(playground.builder()).profile_name("dev");
        let bsm = match operation {
            "GetCallerIdentity" => dev.expect_account("111111111111").build(),
            "AssumeRole" => dev.build().assume_role(ADMIN).build(),
            _ => dev.build().session_token().build(),
        };
        let fault = Fault::latency(FOREVER).operation(operation);
        playground.aws.faults().add(fault);
        let error = error_of_all(&bsm).await;
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{operation}: {error}");
        assert!(error.to_string().contains(step), "{operation}: {error}");
        assert_eq!(
            playground.aws.call_count("sts", operation),
            1,
            "{operation}"
        );
        playground.aws.faults().clear();
        playground.aws.clock().advance(Duration::from_secs(5));
        bsm.credentials().await.unwrap();
    }
}

#[tokio::test]
async fn an_identity_that_is_never_answered_is_asked_for_again() {
    let playground = playground();
    let bsm = limited(playground.builder()).profile_name("dev").build();
    playground.aws.faults().add(Fault::latency(FOREVER));
    let before = Instant::now();
    let errors = join_all((0..8).map(|_| bsm.aws_account_id())).await;
    assert!(before.elapsed() < SOON);
    assert!(
        errors
            .iter()
            .all(|error| error.as_ref().unwrap_err().is_unreachable())
    );
    playground.aws.faults().clear();
    assert_eq!(bsm.aws_account_id().await.unwrap(), "111111111111");
}

#[tokio::test]
async fn an_answer_of_one_byte_at_a_time_ends_too() {
    let slow = RawServer::with_pause(Duration::from_millis(100));
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "a.web.identity").unwrap();
    let config = format!(
        "[profile web]\nrole_arn = {ADMIN}\nweb_identity_token_file = {}\n",
        token.display()
    );
    std::fs::write(dir.path().join("config"), config).unwrap();
    std::fs::write(dir.path().join("credentials"), "").unwrap();
    let web = limited(builder(dir.path()))
        .region("us-east-1")
        .profile_name("web");
    let guarded = limited(builder(dir.path()))
        .region("us-east-1")
        .keys(ACCESS_KEY_ID, SECRET)
        .expect_account("111111111111");
    for builder in [web, guarded] {
        let bsm = builder.service_endpoint_url("sts", slow.url()).build();
        let error = error_of_all(&bsm).await;
        assert!(error.is_unreachable(), "{error}");
    }
}

#[tokio::test]
async fn every_source_that_accepts_a_request_and_never_answers_ends_for_all() {
    let silent = RawServer::with_pause(FOREVER);
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "a.web.identity").unwrap();
    let config = format!(
        "[profile web]\nrole_arn = {ADMIN}\nweb_identity_token_file = {}\nregion = us-east-1\n",
        token.display()
    );
    std::fs::write(dir.path().join("config"), config).unwrap();
    std::fs::write(dir.path().join("credentials"), "").unwrap();
    let machine = |variables: &[(&str, &str)]| {
        let variables = variables.iter().copied();
        limited(builder(dir.path()).environment(variables))
    };
    let web = limited(builder(dir.path()))
        .profile_name("web")
        .service_endpoint_url("sts", silent.url());
    let container = machine(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", silent.url())]);
    let instance = machine(&[
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", silent.url()),
        ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "2"),
    ]);
    for (source, builder) in [
        ("web identity", web),
        ("container", container),
        ("instance", instance),
    ] {
        let error = error_of_all(&builder.build()).await;
        let kind = match source {
            // A machine that is no instance drops such requests, so there is no role to hope for.
            "instance" => ErrorKind::NoCredentials,
            _ => ErrorKind::Unreachable,
        };
        assert_eq!(error.kind(), kind, "{source}: {error}");
    }
    for (service, expires_in) in [("sso", 3_600), ("sso-oidc", -60)] {
        let center = Center::start();
        center.token(expires_in);
        let fault = Fault::latency(FOREVER).service(service);
        center.aws.faults().add(fault);
        let error = error_of_all(&limited(center.builder()).build()).await;
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{service}: {error}");
    }
}

#[derive(Debug)]
struct Never;

impl ProvideCredentials for Never {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(pending())
    }
}

#[tokio::test]
async fn a_provider_that_never_returns_is_abandoned() {
    let dir = tempfile::tempdir().unwrap();
    let given = limited(builder(dir.path()))
        .credentials_provider(Never)
        .build();
    let config = aws_config::SdkConfig::builder().credentials_provider(
        aws_credential_types::provider::SharedCredentialsProvider::new(Never),
    );
    let of_config = limited(builder(dir.path()))
        .sdk_config(config.build())
        .build();
    for bsm in [given, of_config] {
        let error = error_of_all(&bsm).await;
        assert!(error.is_timed_out(), "{error}");
        assert_eq!(
            error.to_string(),
            "timed out after 0.3 s waiting for the credentials provider that the manager was built with"
        );
    }
}

#[cfg(unix)]
mod processes {
    use std::path::Path;

    use bsm_core::ProcessStdio;

    use super::*;

    const KEYS: &str = r#"{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "s"}"#;

    /// A manager whose process runs a script in a directory.
    fn process(dir: &Path, script: &str) -> Builder {
        std::fs::write(dir.join("script"), script).unwrap();
        let config = format!(
            "[profile p]\ncredential_process = sh {}/script\n",
            dir.display()
        );
        std::fs::write(dir.join("config"), config).unwrap();
        std::fs::write(dir.join("credentials"), "").unwrap();
        builder(dir)
            .profile_name("p")
            .process_stdin(ProcessStdio::Detached)
            .process_stderr(ProcessStdio::Detached)
    }

    /// Returns the ids of processes that a script has written.
    fn ids(dir: &Path) -> Vec<String> {
        let ids = std::fs::read_to_string(dir.join("ids")).unwrap();
        ids.lines().map(str::to_owned).collect()
    }

    fn is_running(id: &str) -> bool {
        let state = std::fs::read_to_string(format!("/proc/{id}/stat"));
        // A process that has ended stays in the table until its parent looks.
        state.is_ok_and(|state| !state.contains(") Z "))
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_process_that_hangs_is_killed_with_the_programs_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let script = format!("sleep 3600 & echo $! > {path}/ids; echo $$ >> {path}/ids; wait");
        // Time for the shell to start on a busy machine.
        let bsm = process(dir.path(), &script)
            .process_timeout(Duration::from_secs(2))
            .build();
        let error = error_of_all(&bsm).await;
        assert!(error.is_timed_out(), "{error}");
        let message = r#"waiting for the credential_process "sh" of profile "p""#;
        assert!(error.to_string().contains(message), "{error}");
        let until = Instant::now() + SOON;
        while ids(dir.path()).iter().any(|id| is_running(id)) {
            assert!(Instant::now() < until, "a process is left");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_process_is_done_when_it_has_exited_whoever_holds_its_pipes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let script = format!("sleep 3600 & echo $! > {path}/ids\ncat <<EOF\n{KEYS}\nEOF\n");
        let bsm = process(dir.path(), &script).build();
        let before = Instant::now();
        let credentials: Credentials = bsm.credentials().await.unwrap();
        assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
        assert_eq!(credentials.access_key_id(), "AKIA");
        // It was left behind on purpose, as an agent is.
        for id in ids(dir.path()) {
            assert!(cfg!(not(target_os = "linux")) || is_running(&id));
            let killed = std::process::Command::new("kill").arg(id).status().unwrap();
            assert!(killed.success());
        }
    }

    #[tokio::test]
    async fn the_next_call_runs_the_process_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let script = format!(
            "test -e {path}/second || {{ touch {path}/second; sleep 3600; }}\ncat <<EOF\n{KEYS}\nEOF\n"
        );
        let clock = bsm_local_aws::Clock::new();
        let bsm = process(dir.path(), &script)
            .process_timeout(Duration::from_secs(2))
            .time_source(clock.clone())
            .build();
        assert!(error_of_all(&bsm).await.is_timed_out());
        clock.advance(Duration::from_secs(5));
        bsm.credentials().await.unwrap();
    }
}
