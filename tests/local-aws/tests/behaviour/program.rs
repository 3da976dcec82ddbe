//! The program: its output, its profile files, its control API and its shutdown.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, SystemTime};

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
    /// Its temporary folder, because one that is killed leaves its files.
    _temporary: tempfile::TempDir,
}

impl Program {
    async fn start(arguments: &[&str]) -> Self {
        Self::run(Command::new(PROGRAM).args(arguments)).await
    }

    async fn run(command: &mut Command) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        // A test can have a folder of its own.
        let is_set = command
            .as_std()
            .get_envs()
            .any(|(name, _)| name == "TMPDIR");
        if !is_set {
            command.env("TMPDIR", temporary.path());
        }
        let command = command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let endpoint = first.strip_prefix("endpoint=").unwrap().to_owned();
        Self {
            child,
            lines,
            endpoint,
            _temporary: temporary,
        }
    }

    /// Returns the shell commands in the output.
    async fn shell_commands(&mut self) -> Vec<String> {
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

    /// Sends a request to the control API.
    async fn control(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
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

/// On Windows, `kill` does not exist, and another variable names the temporary directory.
#[cfg(unix)]
#[tokio::test]
async fn what_a_killed_program_has_left_is_deleted_by_the_next_one() {
    let temporary = tempfile::tempdir().unwrap();
    let start = async || Program::run(Command::new(PROGRAM).env("TMPDIR", temporary.path())).await;
    let folders = || {
        let entries = std::fs::read_dir(temporary.path()).unwrap();
        let paths: BTreeSet<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths
    };
    let running = start().await;
    let in_use = folders();
    start().await.stop("-KILL").await;
    let left = folders();
    assert!(left.len() > in_use.len(), "{left:?}");
    // A folder of a few minutes may be one that is being created.
    for folder in left {
        let lock = File::options().append(true).open(folder.join("lock"));
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        lock.unwrap().set_modified(hour_ago).unwrap();
    }
    assert!(start().await.stop("-TERM").await.success());
    assert_eq!(folders(), in_use);
    assert!(running.stop("-TERM").await.success());
    assert!(folders().is_empty());
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
async fn unmodified_clients_reach_every_account_by_its_profile() {
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
async fn every_run_uses_a_new_role_session_name() {
    // The AWS CLI would use a cached session of an earlier run, whose server is gone.
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
async fn the_output_sets_the_environment_of_a_shell() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mut program = Program::start(&["--aws-dir", path]).await;
    let commands = program.shell_commands().await;
    assert_eq!(
        commands[0],
        format!("export AWS_ENDPOINT_URL={}", program.endpoint)
    );
    assert_eq!(
        commands[1],
        format!("export AWS_CONFIG_FILE='{path}/config'")
    );
    let credentials = format!("export AWS_SHARED_CREDENTIALS_FILE='{path}/credentials'");
    assert_eq!(commands[2], credentials);
}

#[tokio::test]
async fn a_signal_stops_the_program_and_deletes_its_temporary_files() {
    for signal in ["-INT", "-TERM"] {
        let mut program = Program::start(&[]).await;
        let commands = program.shell_commands().await;
        let config = commands[1]
            .strip_prefix("export AWS_CONFIG_FILE='")
            .unwrap();
        let config = Path::new(config.strip_suffix('\'').unwrap()).to_owned();
        assert!(config.exists());
        assert!(program.stop(signal).await.success());
        assert!(!config.exists());
    }
}

#[tokio::test]
async fn profile_files_in_a_given_directory_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let program = Program::start(&["--aws-dir", path.to_str().unwrap()]).await;
    assert!(program.stop("-TERM").await.success());
    assert!(path.join("config").exists() && path.join("credentials").exists());
}

#[tokio::test]
async fn files_that_the_program_did_not_write_are_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let config = directory.path().join("config");
    std::fs::write(&config, "[default]\nregion = mars\n").unwrap();
    let message = String::from_utf8(failing(&["--aws-dir", path]).await.stderr).unwrap();
    let expected = format!(
        "error: {path}/config was not written by bsm-local-aws and is not overwritten; \
         choose another directory\n"
    );
    assert_eq!(message, expected);
    assert!(!directory.path().join("credentials").exists());

    std::fs::remove_file(&config).unwrap();
    for _ in 0..2 {
        let program = Program::start(&["--aws-dir", path]).await;
        assert!(program.stop("-TERM").await.success());
    }
}

#[tokio::test]
async fn a_port_in_use_is_reported_and_a_free_one_is_used() {
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
async fn accounts_are_read_from_a_file() {
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
async fn an_invalid_accounts_file_is_reported_with_its_problem() {
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
            "account id \"12\" does not consist of twelve digits",
        ),
        (
            format!("{account}{account}"),
            "account 111111111111 occurs twice",
        ),
        (
            format!("{account}[[profile]]\nname = \"p\"\nuser = \"nobody\"\n"),
            "profile p: no user nobody with an access key exists",
        ),
    ] {
        std::fs::write(file, text).unwrap();
        let message = String::from_utf8(failing(&["--accounts", file]).await.stderr).unwrap();
        assert!(message.contains(problem), "{message}");
    }
    std::fs::remove_file(file).unwrap();
    let message = String::from_utf8(failing(&["--accounts", file]).await.stderr).unwrap();
    assert!(
        message.starts_with(&format!("error: cannot read {file}\n  caused by: ")),
        "{message}"
    );
}

#[tokio::test]
async fn the_control_api_returns_calls_and_sessions_injects_faults_and_moves_the_clock() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(&["--aws-dir", directory.path().to_str().unwrap()]).await;
    let fault = r#"{"effect": "unavailable", "service": "sts", "times": 1}"#;
    assert_eq!(
        program.control("POST", "faults", fault).await,
        (200, json!({ "id": 1 }))
    );
    // The SDK retries and succeeds.
    assert_eq!(account(directory.path(), "default").await, "111111111111");
    let (_, calls) = program.control("GET", "calls", "").await;
    assert_eq!(calls[0]["status"], 503);
    assert_eq!(calls[1]["status"], 200);
    assert_eq!(
        calls[1]["principal_arn"],
        "arn:aws:iam::111111111111:user/dev"
    );

    program.control("DELETE", "calls", "").await;
    assert_eq!(program.control("GET", "calls", "").await, (200, json!([])));
    program
        .control("POST", "faults", r#"{"effect": "unavailable"}"#)
        .await;
    program.control("DELETE", "faults", "").await;
    assert_eq!(account(directory.path(), "staging").await, "222222222222");
    let (_, sessions) = program.control("GET", "sessions", "").await;
    assert_eq!(
        sessions[0]["role_arn"],
        "arn:aws:iam::222222222222:role/Staging"
    );

    let (_, before) = program.control("GET", "clock", "").await;
    let (_, after) = program
        .control("POST", "clock", r#"{"advance_seconds": 86400}"#)
        .await;
    assert_ne!(
        before["now"].as_str().unwrap()[..10],
        after["now"].as_str().unwrap()[..10]
    );
}

#[tokio::test]
async fn the_control_api_rejects_invalid_requests() {
    let program = Program::start(&[]).await;
    let (status, response) = program
        .control("POST", "faults", r#"{"effect": "explosion"}"#)
        .await;
    assert_eq!(status, 400);
    assert!(
        response["error"].as_str().unwrap().contains("explosion"),
        "{response}"
    );
    let too_far = r#"{"advance_seconds": 18446744073709551615}"#;
    let (status, response) = program.control("POST", "clock", too_far).await;
    assert_eq!(status, 400);
    assert!(
        response["error"].as_str().unwrap().contains("at most"),
        "{response}"
    );
    let (status, response) = program.control("PUT", "moon", "").await;
    assert_eq!(
        (status, response),
        (404, json!({ "error": "unknown route PUT /_local/moon" }))
    );
}

/// Runs the program with arguments that make it fail, and returns its output.
async fn failing(arguments: &[&str]) -> Output {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    output
}
