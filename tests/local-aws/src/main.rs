//! The local AWS as a program, for AWS CLI, boto3 and whoever else speaks AWS.

use std::error::Error as StdError;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bsm_local_aws::{Layout, LocalAws};
use clap::Parser;

/// A small local AWS with several accounts, for tests: DynamoDB, and as much of STS and IAM as
/// switching accounts takes.
///
/// Prints its endpoint and what to type into a shell that AWS clients are started from, and serves
/// until it is interrupted.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The port to listen on; any free one by default.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Where to write `config` and `credentials`, which must not be someone else's; a temporary
    /// directory by default.
    #[arg(long, value_name = "DIR")]
    aws_dir: Option<PathBuf>,

    /// A TOML file that describes the accounts and profiles; by default three accounts with the
    /// profiles `default`, `staging` and `production`.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn StdError>> {
    // First of all, so that no signal is missed once the endpoint is known.
    let stopped = stopped()?;
    let builder = match &arguments.accounts {
        Some(file) => LocalAws::builder().layout(Layout::from_file(file)?),
        None => LocalAws::standard(),
    };
    // So that no client takes up the role sessions of an earlier run.
    let session_name = format!("local-{:08x}", fastrand::u32(..));
    let aws = builder
        .session_name(session_name)
        .port(arguments.port)
        .start()
        .await?;
    // A temporary directory goes when its handle does, at the end.
    let (directory, _temporary) = match arguments.aws_dir {
        Some(directory) => (directory, None),
        None => {
            let temporary = tempfile::tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    aws.write_profiles(&directory)?;
    announce(&aws, &std::path::absolute(directory)?)?;
    stopped.await;
    Ok(())
}

/// Begins to listen for SIGINT and SIGTERM, and returns what ends with the first of them.
#[cfg(unix)]
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
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

/// Returns what ends with Ctrl-C.
#[cfg(not(unix))]
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Prints the endpoint, and what a shell needs to lead AWS clients to it and nowhere else.
fn announce(aws: &LocalAws, directory: &Path) -> std::io::Result<()> {
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
    // Keys and profiles of someone else would come before the files.
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

fn report(error: &dyn StdError) {
    eprintln!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because: {cause}");
        source = cause.source();
    }
}
