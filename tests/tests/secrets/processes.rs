//! Programs that print credentials, and children that get some.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use bsm_core::{BotoSesManager, ErrorKind, ProcessStdio};

use crate::seen::Seen;
use crate::stub::{ECHO, Stub};

const SECRET: &str = "MARKER-of-the-process";
const ARGUMENT: &str = "MARKER-of-an-argument";

/// A manager of a profile whose `credential_process` is this script.
fn process(dir: &tempfile::TempDir, script: &str) -> bsm_core::Builder {
    let program = dir.path().join("the-helper");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a file");
    let executable = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&program, executable).expect("a program");
    let program = program.display();
    let config = format!("[profile p]\ncredential_process = {program} --key {ARGUMENT}\n");
    std::fs::write(dir.path().join("config"), config).expect("a file");
    BotoSesManager::builder()
        .profile_name("p")
        .region("us-east-1")
        .config_file(dir.path().join("config"))
        .shared_credentials_file(dir.path().join("credentials"))
        .environment([])
        .process_stderr(ProcessStdio::Detached)
        .process_stdin(ProcessStdio::Detached)
}

#[tokio::test]
async fn a_credential_process_gets_the_variables_of_the_builder() {
    crate::seen::subscribe();
    let dir = tempfile::tempdir().expect("a folder");
    let script = "echo \"{\\\"Version\\\": 1, \\\"AccessKeyId\\\": \\\"$OURS\\\", \
                  \\\"SecretAccessKey\\\": \\\"hush\\\"}\"";
    let bsm = process(&dir, script)
        .process_env("OURS", "AKIAOURS")
        .build();
    let credentials = bsm.credentials().await.expect("credentials");
    assert_eq!(credentials.access_key_id(), "AKIAOURS");
}

#[tokio::test]
async fn nothing_that_a_credential_process_prints_is_shown() {
    let seen = Seen::default();
    let _log = seen.log_everything();
    let json = |more: &str| {
        format!(
            "echo '{{\"Version\": 1, \"AccessKeyId\": \"AKIA\", \"SecretAccessKey\": \
             \"{SECRET}\"{more}}}'"
        )
    };
    for script in [
        format!("echo {SECRET}"),
        format!("echo {SECRET} >&2; exit 1"),
        format!("set -x; KEY={SECRET}; exit 7"),
        format!("echo {SECRET}; echo {SECRET} >&2; kill -9 $$"),
        json("").replace('}', ""),
        json(", \"Expiration\": \"MARKER-of-the-process\""),
        json(", \"SessionToken\": \"MARKER-of-the-process \""),
        json(", \"AccountId\": \"MARKER-of-the-process\""),
        json(", \"Version\": \"MARKER-of-the-process\""),
        json("") + "; exit 1",
        format!("while :; do echo {SECRET}; done"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let bsm = process(&dir, &script).build();
        let error = bsm.credentials().await.expect_err(&script);
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{script}");
        let message = error.to_string();
        assert!(
            message.contains("\"the-helper\" of profile \"p\""),
            "{message}"
        );
        seen.error(&error);
    }
    seen.assert_with(&["running a credential_process"]);
    seen.assert_without(&[SECRET, ARGUMENT]);
}

#[tokio::test]
async fn the_end_of_its_standard_error_is_there_for_whoever_asks() {
    crate::seen::subscribe();
    let dir = tempfile::tempdir().expect("a folder");
    let script = "head -c 200000 /dev/zero | tr '\\0' x >&2; echo please sign in >&2; exit 3";
    let bsm = process(&dir, script).build();
    let error = bsm.credentials().await.expect_err("a failure");

    assert!(error.to_string().contains("exit status: 3"), "{error}");
    assert!(!error.to_string().contains("sign in"), "{error}");
    let stderr = error.process_stderr().expect("it was captured").expose();
    assert!(stderr.ends_with("please sign in\n"), "{stderr}");
    assert!(stderr.len() <= 8 * 1024, "{}", stderr.len());

    let shared = process(&dir, "exit 3").process_stderr(ProcessStdio::Inherit);
    let error = shared.build().credentials().await.expect_err("a failure");
    assert!(error.process_stderr().is_none());
}

#[tokio::test]
async fn a_detached_process_has_nothing_to_read() {
    crate::seen::subscribe();
    let dir = tempfile::tempdir().expect("a folder");
    let bsm = process(&dir, "read -r line || exit 42; exit 1").build();
    let error = bsm.credentials().await.expect_err("a failure");
    assert!(error.to_string().contains("exit status: 42"), "{error}");
}

/// The container's variables are read from the process's own environment, so this runs in a child.
#[test]
fn a_container_that_responds_with_anything_shows_no_secret() {
    crate::seen::subscribe();
    let stub = Stub::start();
    let seen = Seen::default();
    let token = "MARKER-of-the-container-token";
    let issued = |expiration: &str| {
        format!(
            "{{\"AccessKeyId\": \"ASIA\", \"SecretAccessKey\": \"{SECRET}\", \"Token\": \
             \"{SECRET}\", \"Expiration\": {expiration}}}"
        )
    };
    let whole = issued("\"2030-01-01T00:00:00Z\"");
    for (status, body) in [
        (200, issued("\"tomorrow\"")),
        (200, issued("7")),
        (200, whole[..whole.len() - 30].to_owned()),
        (200, format!("<html>{SECRET}{ECHO}</html>")),
        (
            400,
            format!("{{\"code\": \"X\", \"message\": \"no '{SECRET}'\"}}"),
        ),
        (
            200,
            format!("{{\"code\": \"Denied\", \"message\": \"the token {SECRET} is unknown\"}}"),
        ),
        (403, SECRET.to_owned()),
    ] {
        stub.respond(status, &body);
        seen.text(&child(&[
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                &format!("{}/get", stub.url()),
            ),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", token),
        ]));
    }
    for url in [
        "localhost:1",
        "http://",
        "http//x",
        "http://me:MARKER-of-the-password@x y",
    ] {
        let printed = child(&[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", token),
        ]);
        let named = printed.contains("InvalidConfig: AWS_CONTAINER_CREDENTIALS_FULL_URI \"");
        assert!(named, "{printed}");
        seen.text(&printed);
    }
    let printed = child(&[
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{}/get", stub.url()),
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            &format!("{token}\n{token}"),
        ),
    ]);
    let named = printed.contains("InvalidConfig: AWS_CONTAINER_AUTHORIZATION_TOKEN begins or ends");
    assert!(named, "{printed}");
    seen.text(&printed);
    let printed = child(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "127.0.0.1:1")]);
    let named = printed.contains("InvalidConfig: AWS_EC2_METADATA_SERVICE_ENDPOINT \"");
    assert!(named, "{printed}");
    let printed = child(&[
        ("HTTP_PROXY", "http://me:MARKER-of-the-password@proxy:port"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ]);
    let named = printed.contains("InvalidConfig: HTTP_PROXY \"http://***@proxy:port\" has a port");
    assert!(named, "{printed}");
    seen.text(&printed);
    seen.assert_with(&["CredentialsUnavailable", "TRACE"]);
    seen.assert_without(&[SECRET, token, "MARKER-of-the-password"]);
}

/// Runs `in_the_child` in a process with these variables, and returns all that it printed.
fn child(variables: &[(&str, &str)]) -> String {
    let program = std::env::current_exe().expect("this test");
    let output = Command::new(program)
        .args([
            "--exact",
            "processes::in_the_child",
            "--ignored",
            "--nocapture",
        ])
        .env_clear()
        .env("HOME", "/nowhere")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_REGION", "us-east-1")
        .envs(variables.iter().copied())
        .output()
        .expect("a child");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
#[ignore = "run by a_container_that_responds_with_anything_shows_no_secret"]
async fn in_the_child() {
    crate::seen::subscribe();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let bsm = BotoSesManager::new();
    match bsm.credentials().await {
        Ok(credentials) => println!("{credentials:?}"),
        Err(error) => {
            println!("{:?}: {error}", error.kind());
            println!("{error:?} {error:#?}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                println!("{error} {error:?} {error:#?}");
                cause = error.source();
            }
        }
    }
}
