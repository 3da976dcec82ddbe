//! The program `bsm-local-aws`: a local AWS for the AWS CLI, boto3 and other clients.

use std::error::Error as StdError;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bsm_local_aws::{Layout, LocalAws};
use clap::Parser;

const AFTER_HELP: &str = r#"USE
  The output sets the environment variables of a shell. Start the program in the background, run its
  output in the shell, and use any AWS client:

    bsm-local-aws >/tmp/local-aws.env & sleep 1; . /tmp/local-aws.env
    aws sts get-caller-identity --profile staging

ACCOUNTS FILE
  [[account]]
  id = "111111111111"
  user = [{ name = "dev", access_key_id = "AKIALOCALEXAMPLE0001", secret_access_key = "not-a-secret" }]

  [[account]]
  id = "222222222222"
  role = [{ name = "App", trust = [{ principals = ["arn:aws:iam::111111111111:user/dev"], external_id = "blue-moon" }] }]

  [[profile]]
  name = "default"
  user = "arn:aws:iam::111111111111:user/dev"
  region = "us-east-1"

  [[profile]]
  name = "app"
  role_arn = "arn:aws:iam::222222222222:role/App"
  source_profile = "default"
  region = "us-east-1"

CONTROL API (unsigned JSON, at the endpoint)
  GET, DELETE  /_local/calls      the calls so far: account, caller, operation, result
  POST, DELETE /_local/faults     inject failures: {"effect": "unavailable", "service": "sts", "times": 3}
  GET, POST    /_local/clock      the server's time; move it forward: {"advance_seconds": 3600}
  GET          /_local/sessions   the temporary credentials issued so far, without secrets"#;

/// Runs a local AWS with several accounts, for tests.
///
/// Emulates DynamoDB, and the parts of STS, IAM, IAM Identity Center and Organizations that programs with
/// several accounts need. Listens on 127.0.0.1, keeps items in memory, and serves until it is interrupted with
/// Ctrl-C.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    /// Port to listen on; 0 means any free port.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Directory for the profile files `config` and `credentials`. Files that this program did not
    /// write are never overwritten. [default: a temporary directory, deleted at the end]
    #[arg(long, value_name = "DIR")]
    aws_dir: Option<PathBuf>,

    /// TOML file with the accounts and profiles. [default: three accounts with the profiles `default`,
    /// `staging` and `production`]
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn StdError>> {
    // Before the endpoint is printed, so that no later signal is missed.
    let shutdown = shutdown_signal()?;
    let builder = match &arguments.accounts {
        Some(file) => LocalAws::builder().layout(Layout::from_file(file)?),
        None => LocalAws::standard(),
    };
    // A new name for every run, so that no client uses a cached role session of an earlier run.
    let session_name = format!("local-{:08x}", fastrand::u32(..));
    let aws = builder
        .session_name(session_name)
        .port(arguments.port)
        .start()
        .await?;
    let directory = match &arguments.aws_dir {
        Some(directory) => {
            aws.write_profiles(directory)?;
            directory
        }
        None => aws.profile_dir()?,
    };
    print_environment(&aws, &std::path::absolute(directory)?)?;
    shutdown.await;
    Ok(())
}

/// Starts to listen for SIGINT and SIGTERM. The returned future completes on the first of them.
#[cfg(unix)]
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Returns a future that completes on Ctrl-C.
#[cfg(not(unix))]
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Prints the endpoint, and shell commands that direct AWS clients to it and nowhere else.
fn print_environment(aws: &LocalAws, directory: &Path) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let endpoint = aws.endpoint_url();
    let file = |name| quoted(&directory.join(name));
    writeln!(out, "endpoint={endpoint}")?;
    writeln!(out, "export AWS_ENDPOINT_URL={endpoint}")?;
    writeln!(out, "export AWS_CONFIG_FILE={}", file("config"))?;
    writeln!(
        out,
        "export AWS_SHARED_CREDENTIALS_FILE={}",
        file("credentials")
    )?;
    writeln!(out, "export AWS_EC2_METADATA_DISABLED=true")?;
    // These take precedence over the profile files.
    writeln!(
        out,
        "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE \
         AWS_DEFAULT_PROFILE"
    )?;
    out.flush()
}

/// Quotes a path for a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn print_error(error: &dyn StdError) {
    eprintln!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  caused by: {cause}");
        source = cause.source();
    }
}
