//! Copies a table from one account to another, with a progress bar and a summary.
//!
//! ```text
//! cargo run --release --example copy_table -- [--items N]
//! cargo run --release --example copy_table -- --real SOURCE TARGET TABLE [--policy POLICY] [--yes]
//! ```
//!
//! The first form runs against a local AWS, where it first creates a table of 20,000 mixed items. The
//! second form copies TABLE from the account of profile SOURCE to that of profile TARGET. It creates
//! the table there if it doesn't exist, and asks before it writes anything. Ctrl-C stops it; run it
//! again to resume.

mod local;
mod options;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use bsm_dynamodb::{CopyProgress, CopySummary, CopyTable, ErrorKind, ReportedKeys, copy_table};
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use crate::local::Local;
use crate::options::{Options, Where};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}

/// Copies, and returns `true` if the tables are the same afterwards.
async fn run() -> Result<bool> {
    let options = Options::from_args(std::env::args().skip(1))?;
    let (local, source, target, table) = match options.place {
        Where::Local { items } => {
            let local = Local::start(items).await?;
            let (source, target) = (local.source.clone(), local.target.clone());
            (Some(local), source, target, local::TABLE.to_owned())
        }
        Where::Real {
            source,
            target,
            table,
        } => (None, source, target, table),
    };

    let mut copy = copy_table(&source, &target, &table)
        .create_target(true)
        .policy(options.policy)
        .verify(true);
    if local.is_none() {
        copy = copy.checkpoint(format!("{table}.checkpoint.json"));
    }
    let plan = copy.preflight().await?;
    println!("{plan}");
    if plan.resumes() {
        println!("resuming the copy that was interrupted");
    }
    if local.is_none() && !options.yes && !confirmed()? {
        return Ok(false);
    }

    let (copy, bar) = with_bar(copy);
    let copied = copy.stop_when(ctrl_c()).await;
    bar.finish_and_clear();
    match copied {
        Ok(summary) => Ok(report(&summary)),
        Err(error) if error.kind() == ErrorKind::Stopped => {
            println!("stopped: run it again to resume");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn confirmed() -> Result<bool> {
    print!("Go ahead? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

fn with_bar(copy: CopyTable) -> (CopyTable, ProgressBar) {
    let style = "{msg:>9} {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta}";
    let style = ProgressStyle::with_template(style).expect("the template is right");
    let bar = ProgressBar::no_length().with_style(style);
    let shown = bar.clone();
    let copy = copy.on_progress(move |progress: &CopyProgress| {
        shown.set_message(progress.phase().to_string());
        // DynamoDB counts the items of a table every six hours: it may not know about all of them.
        let expected = progress.expected_items().unwrap_or_default();
        shown.set_length(expected.max(progress.position()));
        shown.set_position(progress.position());
    });
    (copy, bar)
}

fn report(summary: &CopySummary) -> bool {
    let statistics = summary.statistics();
    let row = |name: &str, value: String| println!("  {name:<22}{value:>12}");
    println!();
    row("items read", HumanCount(statistics.scanned()).to_string());
    row(
        "items written",
        HumanCount(statistics.written()).to_string(),
    );
    row("left alone", HumanCount(statistics.skipped()).to_string());
    row(
        "requests sent again",
        HumanCount(statistics.retried()).to_string(),
    );
    row(
        "read capacity",
        format!("{:.1}", statistics.read_capacity()),
    );
    row(
        "write capacity",
        format!("{:.1}", statistics.write_capacity()),
    );
    row("time to copy", human(statistics.elapsed()));
    row(
        "items a second",
        format!("{:.0}", statistics.items_per_second()),
    );
    println!();
    let Some(found) = summary.verification() else {
        return true;
    };
    let differences = [
        ("missing in the target", Some(found.missing())),
        ("different", Some(found.different())),
        ("in the target only", found.extra()),
    ];
    for (name, keys) in differences {
        let count = keys.map_or(0, ReportedKeys::count);
        row(name, HumanCount(count).to_string());
    }
    println!();
    match found.is_identical() {
        true => println!("the tables are the same"),
        false => println!("the tables differ"),
    }
    found.is_identical()
}

fn human(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        _ => HumanDuration(time).to_string(),
    }
}
