//! The cost of sessions, scopes and switches, compared with their alternatives.
//!
//! ```text
//! cargo run --release -p bsm-tests --bin ratios
//! ```
//!
//! It prints a line for each pair, `name  ours  theirs  ratio  target  ok|missed`, and writes them
//! to the guide's page "Performance". The two of a pair are measured in turn, in this run; the
//! figures that count are the ratios. Instructions and allocations are counted by valgrind, the
//! Python originals are run if their packages are installed, and two clean builds take some
//! minutes; what there is not, is said.

mod measure;
mod page;
mod pairs;
mod probe;
mod row;

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{self, ExitCode};

use clap::{Parser, Subcommand};

use crate::measure::Effort;
use crate::pairs::Group;
use crate::probe::Probe;
use crate::row::{Row, Verdict};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Measures the cost of sessions, scopes and switches, compared with their alternatives.
#[derive(Debug, Parser)]
struct Arguments {
    /// Measure only these groups, and do not write the guide's page.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Group>,

    /// Run everything once, without waiting for stable figures: a test of the program.
    #[arg(long)]
    once: bool,

    /// A Python with the packages of tests/peers/copy_table_requirements.txt.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a measurement in a child process of this program.
    #[command(hide = true)]
    Probe(Probe),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Probe(probe)) => probe::run(probe),
        None if has_aws_variables() => return without_aws_variables(),
        None => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| eprintln!("  caused by: {cause}"));
            ExitCode::FAILURE
        }
    }
}

fn aws_variables() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.to_string_lossy().starts_with("AWS_"))
}

fn has_aws_variables() -> bool {
    aws_variables().next().is_some()
}

/// Runs this program again without `AWS_` variables, which would change what the other sides do.
fn without_aws_variables() -> ExitCode {
    let again = std::env::current_exe().and_then(|program| {
        let mut again = process::Command::new(program);
        again.args(std::env::args_os().skip(1));
        for name in aws_variables() {
            again.env_remove(name);
        }
        again.status()
    });
    match again {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: this program cannot be run again without AWS_ variables: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result {
    let effort = if arguments.once {
        Effort::Once
    } else {
        Effort::Steady
    };
    let mut rows = Vec::new();
    for group in Group::ALL {
        if !arguments.only.is_empty() && !arguments.only.contains(&group) {
            continue;
        }
        let mut report = |row: Row| {
            println!("{row}");
            rows.push(row);
        };
        if let Err(error) = group.measure(effort, &arguments.python, &mut report) {
            report(Row::without(
                group.title(),
                format!("not measured: {error}"),
            ));
        }
    }
    let missed = rows.iter().filter(|row| row.verdict() == Verdict::Missed);
    println!("\n{} of {} missed", missed.count(), rows.len());
    if arguments.only.is_empty() && !arguments.once {
        println!("wrote {}", page::write(&rows)?.display());
    }
    Ok(())
}
