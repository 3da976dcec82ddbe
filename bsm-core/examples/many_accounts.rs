//! Asks in every account of a list who AWS takes you for, in several regions.
//!
//! ```sh
//! cargo run -p bsm-core --example many_accounts -- --role Audit accounts.txt us-east-1 eu-west-1
//! ```
//!
//! The file has one account id per line. The session is the one that every AWS tool would use. It exits with
//! 1 if a call failed.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bsm_core::BotoSesManager;
use bsm_core::fleet::{Fleet, Outcome};
use clap::Parser;
use futures_util::StreamExt as _;

/// Asks in many accounts who AWS takes you for.
#[derive(Parser)]
struct Arguments {
    /// The name of the role to assume in each account.
    #[arg(long)]
    role: String,
    /// The number of calls at a time.
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Print no line for an account whose calls succeed.
    #[arg(long, short)]
    quiet: bool,
    /// The file with the account ids.
    accounts: PathBuf,
    /// The regions.
    #[arg(required = true)]
    regions: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let accounts = std::fs::read_to_string(&arguments.accounts)?;
    let base = BotoSesManager::new();
    let began = Instant::now();
    let mut run = Fleet::from_accounts(&base, accounts.split_whitespace(), &arguments.role)
        .regions(arguments.regions)
        .concurrency(arguments.concurrency)
        .time_limit(Duration::from_secs(60))
        .for_each(async |account| account.manager().caller_identity().await);
    while let Some(finished) = run.next().await {
        let call = finished.call();
        match finished.outcome() {
            Outcome::Done(identity) if !arguments.quiet => println!("{call}: {}", identity.arn()),
            Outcome::Done(_) => {}
            Outcome::Failed(error) | Outcome::NoSession(error) => eprintln!("{call}: {error}"),
            outcome => eprintln!("{call}: {:?}", outcome.status()),
        }
    }
    let report = run.report();
    println!("{report}; {:.1} s", began.elapsed().as_secs_f64());
    Ok(match report.is_complete() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
