//! A home directory with profiles of a local AWS, and the command in it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bsm_local_aws::LocalAws;
use serde_json::Value;
use tempfile::TempDir;

/// A command that takes longer hangs. Builds without optimization share their cores with others.
const DEADLINE: Duration = Duration::from_secs(60);

/// A home directory, with or without a local AWS behind its profiles.
pub(crate) struct Home {
    dir: TempDir,
    endpoint: String,
}

/// An endpoint at which nothing listens: no test reaches AWS.
const NOWHERE: &str = "http://127.0.0.1:9";

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    /// Creates a home directory without any file.
    pub(crate) fn empty() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            endpoint: NOWHERE.to_owned(),
        }
    }

    /// Creates a home directory with the profiles of a local AWS.
    pub(crate) fn of(aws: &LocalAws) -> Self {
        let home = Self {
            endpoint: aws.endpoint_url().to_owned(),
            ..Self::empty()
        };
        aws.write_profiles(home.aws_dir()).unwrap();
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn aws_dir(&self) -> PathBuf {
        self.path().join(".aws")
    }

    /// Adds text to the config file.
    pub(crate) fn add_config(&self, text: &str) {
        std::fs::create_dir_all(self.aws_dir()).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let file = options.append(true).create(true);
        let mut file = file.open(self.aws_dir().join("config")).unwrap();
        writeln!(file, "{text}").unwrap();
    }

    /// Writes a file into the home directory and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Returns a command that sees this home directory and nothing else of the environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let bin = Path::new(BSM).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("HOME", self.path())
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn bsm(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(BSM);
        command.args(arguments);
        command
    }

    /// Runs `bsm` to its end.
    /// Returns the variables that give a process the credentials of a profile.
    pub(crate) fn variables_of(&self, profile: &str) -> BTreeMap<String, String> {
        let export = ["export", "-p", profile, "--format", "env-no-export"];
        let variables = self.run(&export).ok();
        let variables = variables.lines().filter_map(|line| line.split_once('='));
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(self.bsm(arguments))
    }
}

pub(crate) const BSM: &str = env!("CARGO_BIN_EXE_bsm");

impl Ran {
    /// Returns the standard output of a command that must succeed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.stdout
    }

    /// Returns the standard output, which must be JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// Returns the standard error of a command that must fail with this exit code, and print nothing.
    #[track_caller]
    pub(crate) fn fails_with(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        self.stderr
    }
}

/// Runs a command to its end, or kills it at the deadline.
pub(crate) fn run(mut command: Command) -> Ran {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let stdout = thread::spawn(move || {
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).map(|_| text)
    });
    let stderr = thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).map(|_| text)
    });
    let status = wait(&mut child);
    let text = |read: thread::JoinHandle<std::io::Result<Vec<u8>>>| read.join().unwrap().unwrap();
    let output = Output {
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    };
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits for a child until the deadline.
pub(crate) fn wait(child: &mut Child) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("a command did not end within {DEADLINE:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command on a terminal, where the answers are typed once their prompts are shown: pairs of a
/// prompt and an answer. The terminal shows no colours, unless the command sets `TERM`. `None` without
/// Python.
pub(crate) fn on_terminal(home: &Home, script: &[&str], command: &[&str]) -> Option<Ran> {
    const TERMINAL: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/peers/command_terminal.py"
    );
    if !is_installed("python3") {
        return None;
    }
    let mut python = home.command("python3");
    python.arg(TERMINAL).args(script).arg("--").args(command);
    python.env("TERM", "dumb");
    Some(run(python))
}

/// Returns `true` if a program is installed. A test that needs one says that it is skipped.
pub(crate) fn is_installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    let found = version.is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}
