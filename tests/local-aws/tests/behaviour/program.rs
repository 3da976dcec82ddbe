//! The program: its output, its files, its interface for other languages, its end.

use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bsm-local-aws");

/// A running program.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    endpoint: String,
}

impl Program {
    async fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        let command = command
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let endpoint = first.strip_prefix("endpoint=").unwrap().to_owned();
        Self {
            child,
            lines,
            endpoint,
        }
    }

    /// Returns what is set or unset in a shell that reads the output, one line each.
    async fn announced(&mut self) -> Vec<String> {
        let mut announced = Vec::new();
        while announced
            .last()
            .is_none_or(|line: &String| !line.starts_with("unset "))
        {
            announced.push(self.lines.next_line().await.unwrap().unwrap());
        }
        announced
    }

    async fn stop(mut self, signal: &str) -> ExitStatus {
        let id = self.child.id().unwrap().to_string();
        Command::new("kill")
            .args([signal, &id])
            .status()
            .await
            .unwrap();
        self.child.wait().await.unwrap()
    }

    /// Calls the program's own interface.
    async fn local(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} /_local/{path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}

/// Loads a profile as an SDK user would, from the files alone.
async fn profile(directory: &Path, name: &str) -> aws_config::SdkConfig {
    let files = EnvConfigFiles::builder()
        .with_file(EnvConfigFileKind::Config, directory.join("config"))
        .with_file(
            EnvConfigFileKind::Credentials,
            directory.join("credentials"),
        )
        .build();
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .empty_test_environment()
        .profile_files(files)
        .profile_name(name)
        .load()
        .await
}

async fn account(directory: &Path, name: &str) -> String {
    let client = aws_sdk_sts::Client::new(&profile(directory, name).await);
    client
        .get_caller_identity()
        .send()
        .await
        .unwrap()
        .account
        .unwrap()
}

#[tokio::test]
async fn the_profiles_it_writes_lead_plain_clients_to_every_account() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let _program = Program::start(&["--aws-dir", path]).await;
    assert_eq!(account(directory.path(), "default").await, "111111111111");
    assert_eq!(account(directory.path(), "staging").await, "222222222222");
    assert_eq!(
        account(directory.path(), "production").await,
        "333333333333"
    );
}

#[tokio::test]
async fn every_run_has_role_sessions_of_its_own_name() {
    // The AWS CLI would take up those of an earlier run, which nobody knows any more.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mut names = Vec::new();
    for _ in 0..2 {
        let program = Program::start(&["--aws-dir", path]).await;
        let client = aws_sdk_sts::Client::new(&profile(directory.path(), "staging").await);
        names.push(
            client
                .get_caller_identity()
                .send()
                .await
                .unwrap()
                .arn
                .unwrap(),
        );
        assert!(program.stop("-TERM").await.success());
    }
    assert!(names[0].starts_with("arn:aws:sts::222222222222:assumed-role/Staging/local-"));
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn it_says_what_a_shell_needs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mut program = Program::start(&["--aws-dir", path]).await;
    let announced = program.announced().await;
    assert_eq!(
        announced[0],
        format!("export AWS_ENDPOINT_URL={}", program.endpoint)
    );
    assert_eq!(
        announced[1],
        format!("export AWS_CONFIG_FILE='{path}/config'")
    );
    let credentials = format!("export AWS_SHARED_CREDENTIALS_FILE='{path}/credentials'");
    assert_eq!(announced[2], credentials);
}

#[tokio::test]
async fn a_signal_stops_it_cleanly_and_its_temporary_files_are_gone() {
    for signal in ["-INT", "-TERM"] {
        let mut program = Program::start(&[]).await;
        let announced = program.announced().await;
        let config = announced[1]
            .strip_prefix("export AWS_CONFIG_FILE='")
            .unwrap();
        let config = Path::new(config.strip_suffix('\'').unwrap()).to_owned();
        assert!(config.exists());
        assert!(program.stop(signal).await.success());
        assert!(!config.exists());
    }
}

#[tokio::test]
async fn the_files_in_a_given_directory_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let program = Program::start(&["--aws-dir", path.to_str().unwrap()]).await;
    assert!(program.stop("-TERM").await.success());
    assert!(path.join("config").exists() && path.join("credentials").exists());
}

#[tokio::test]
async fn files_of_someone_else_are_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let config = directory.path().join("config");
    std::fs::write(&config, "[default]\nregion = mars\n").unwrap();
    let message = String::from_utf8(failing(&["--aws-dir", path]).await.stderr).unwrap();
    let expected = format!("error: {path}/config is not from bsm-local-aws and is left as it is\n");
    assert_eq!(message, expected);
    assert!(!directory.path().join("credentials").exists());

    std::fs::remove_file(&config).unwrap();
    for _ in 0..2 {
        let program = Program::start(&["--aws-dir", path]).await;
        assert!(program.stop("-TERM").await.success());
    }
}

#[tokio::test]
async fn a_port_can_be_chosen_and_a_taken_one_is_named() {
    let first = Program::start(&[]).await;
    let port = first.endpoint.rsplit_once(':').unwrap().1.to_owned();
    let second = failing(&["--port", &port]).await;
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(
        message.starts_with(&format!("error: cannot listen on 127.0.0.1:{port}\n")),
        "{message}"
    );
    assert!(first.stop("-TERM").await.success());
    let third = Program::start(&["--port", &port]).await;
    assert_eq!(third.endpoint, format!("http://127.0.0.1:{port}"));
}

#[tokio::test]
async fn accounts_can_come_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("accounts.toml");
    let text = r#"
        [[account]]
        id = "777777777777"
        user = [{ name = "ci", access_key_id = "AKIALOCALCIUSER00001", secret_access_key = "s" }]

        [[profile]]
        name = "ci"
        user = "arn:aws:iam::777777777777:user/ci"
        region = "eu-west-1"
    "#;
    std::fs::write(&file, text).unwrap();
    let aws = directory.path().join("aws");
    let arguments = [
        "--accounts",
        file.to_str().unwrap(),
        "--aws-dir",
        aws.to_str().unwrap(),
    ];
    let _program = Program::start(&arguments).await;
    assert_eq!(account(&aws, "ci").await, "777777777777");
    assert_eq!(
        profile(&aws, "ci").await.region().unwrap().as_ref(),
        "eu-west-1"
    );
}

#[tokio::test]
async fn a_bad_accounts_file_is_named_with_its_problem() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("accounts.toml");
    let file = file.to_str().unwrap();
    let account = "[[account]]\nid = \"111111111111\"\n";
    for (text, problem) in [
        (
            "[[account]]\nalais = 1\n".to_owned(),
            "unknown field `alais`",
        ),
        ("[[account\n".to_owned(), "line 1"),
        (
            "[[account]]\nid = \"12\"\n".to_owned(),
            "account id \"12\" is not twelve digits",
        ),
        (
            format!("{account}{account}"),
            "account 111111111111 is described twice",
        ),
        (
            format!("{account}[[profile]]\nname = \"p\"\nuser = \"nobody\"\n"),
            "profile p: there is no user nobody with an access key",
        ),
    ] {
        std::fs::write(file, text).unwrap();
        let message = String::from_utf8(failing(&["--accounts", file]).await.stderr).unwrap();
        assert!(message.contains(problem), "{message}");
    }
    std::fs::remove_file(file).unwrap();
    let message = String::from_utf8(failing(&["--accounts", file]).await.stderr).unwrap();
    assert!(
        message.starts_with(&format!("error: cannot read {file}\n  because: ")),
        "{message}"
    );
}

#[tokio::test]
async fn other_languages_can_watch_it_break_it_and_move_its_clock() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(&["--aws-dir", directory.path().to_str().unwrap()]).await;
    let fault = r#"{"effect": "unavailable", "service": "sts", "times": 1}"#;
    assert_eq!(
        program.local("POST", "faults", fault).await,
        (200, json!({ "id": 1 }))
    );
    // The SDK tries again and gets through.
    assert_eq!(account(directory.path(), "default").await, "111111111111");
    let (_, calls) = program.local("GET", "calls", "").await;
    assert_eq!(calls[0]["status"], 503);
    assert_eq!(calls[1]["status"], 200);
    assert_eq!(
        calls[1]["principal_arn"],
        "arn:aws:iam::111111111111:user/dev"
    );

    program.local("DELETE", "calls", "").await;
    assert_eq!(program.local("GET", "calls", "").await, (200, json!([])));
    program
        .local("POST", "faults", r#"{"effect": "unavailable"}"#)
        .await;
    program.local("DELETE", "faults", "").await;
    assert_eq!(account(directory.path(), "staging").await, "222222222222");
    let (_, sessions) = program.local("GET", "sessions", "").await;
    assert_eq!(
        sessions[0]["role_arn"],
        "arn:aws:iam::222222222222:role/Staging"
    );

    let (_, before) = program.local("GET", "clock", "").await;
    let (_, after) = program
        .local("POST", "clock", r#"{"advance_seconds": 86400}"#)
        .await;
    assert_ne!(
        before["now"].as_str().unwrap()[..10],
        after["now"].as_str().unwrap()[..10]
    );
}

#[tokio::test]
async fn what_its_interface_does_not_understand_it_refuses() {
    let program = Program::start(&[]).await;
    let (status, answer) = program
        .local("POST", "faults", r#"{"effect": "explosion"}"#)
        .await;
    assert_eq!(status, 400);
    assert!(
        answer["error"].as_str().unwrap().contains("explosion"),
        "{answer}"
    );
    let eternity = r#"{"advance_seconds": 18446744073709551615}"#;
    let (status, answer) = program.local("POST", "clock", eternity).await;
    assert_eq!(status, 400);
    assert!(
        answer["error"].as_str().unwrap().contains("at most"),
        "{answer}"
    );
    let (status, answer) = program.local("PUT", "moon", "").await;
    assert_eq!(
        (status, answer),
        (404, json!({ "error": "there is no PUT /_local/moon" }))
    );
}

/// Runs the program to its early end.
async fn failing(arguments: &[&str]) -> Output {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    output
}
