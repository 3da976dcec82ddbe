//! `bsm each`

mod child;
mod output;
mod selection;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bsm_core::fleet::{Report, Run, Status};
use clap::Args;
use futures_util::StreamExt as _;
use serde_json::json;

use self::child::{Child, Children};
use self::output::Output;
use self::selection::Selection;
use crate::failure::Failure;
use crate::global::Global;
use crate::lifetime::parse;
use crate::output::print;
use crate::terminal;

/// How long children have to end after a signal, before this command leaves them behind.
const GRACE: Duration = Duration::from_secs(5);

/// The most failures that the exit status can say.
const MAX_STATUS: usize = 100;

/// Run a program once for each of many accounts
///
/// Each program gets the credentials of its account in its environment, as with `bsm exec`. Before it starts,
/// bsm checks that they belong to the account of the role's ARN, or to the one that the profile names. Each
/// line of output is prefixed with the account.
///
/// The exit status is the number of failures, one for each account and region, including those that a resumed
/// report still contains; 101 if there are more than 100, and 125 if nothing ran.
#[derive(Args)]
pub(crate) struct Each {
    #[command(flatten)]
    selection: Selection,
    /// Also run once for each of these regions
    #[arg(long, value_name = "REGION,..", value_delimiter = ',')]
    regions: Vec<String>,
    /// Number of accounts at a time
    #[arg(long, value_name = "N", default_value_t = 16)]
    jobs: usize,
    /// Time limit for each program: 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse, default_value = "15m")]
    time_limit: Duration,
    /// Record in this file what was started and what has ended
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Skip what the report says is done or was interrupted
    #[arg(long, requires = "report")]
    resume: bool,
    /// With --resume, run again what was interrupted: part of its work may be done
    #[arg(long, requires = "resume")]
    repeat_interrupted: bool,
    /// Print what would be run, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before a program runs with a production profile
    #[arg(long, short)]
    yes: bool,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Each {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let command = self.command.split_first();
        if command.is_none() && !self.dry_run {
            return Err(Failure::usage(
                "there is no program to run: write it behind -- at the end, or add --dry-run to see the accounts",
            ));
        }
        let mut fleet = self.selection.fleet(&global.session).await?;
        fleet = fleet.regions(&self.regions).concurrency(self.jobs);
        fleet = fleet.time_limit(self.time_limit);
        if let Some(path) = &self.report {
            if self.resume {
                fleet = fleet.resume(Report::read(path)?);
                fleet = fleet.repeat_interrupted(self.repeat_interrupted);
            } else if path.exists() {
                // A new run would append to the records of an old one whose calls it has not
                // skipped.
                return Err(Failure::usage(format!(
                    "the report {} exists: add --resume to continue it, or name another file",
                    path.display()
                )));
            }
        }
        let plan = fleet.plan();
        let Some((program, arguments)) = command.filter(|_| !self.dry_run) else {
            let lines = plan.iter().map(|call| format!("{call}\n"));
            print(&lines.collect::<String>())?;
            return Ok(ExitCode::SUCCESS);
        };
        self.selection
            .confirm_production(&global.session, program, self.yes)?;
        // After the question: a file that a refused run leaves behind would make the next one fail.
        if let Some(path) = &self.report {
            fleet = fleet.record(path)?;
        }
        let children = Arc::new(Children::default());
        let output = Arc::new(Output::new(global.json, plan.len()));
        let command = Arc::new((program.clone(), arguments.to_vec()));
        let run = fleet.for_each({
            let (children, output) = (Arc::clone(&children), Arc::clone(&output));
            async move |account| {
                let child = Child::start(&account, &command, &children).await?;
                child.end(&account, &output).await
            }
        });
        self.follow(run, &children, &output, global).await
    }

    /// Prints the results as they come, and the report in the end.
    async fn follow(
        &self,
        mut run: Run<(), Failure>,
        children: &Children,
        output: &Output,
        global: &Global,
    ) -> Result<ExitCode, Failure> {
        // Outside the loop: a listener that is created for each result misses a signal in between.
        let mut interrupted = std::pin::pin!(terminal::interrupted());
        let report = loop {
            tokio::select! {
                finished = run.next() => match finished {
                    Some(finished) => output.finished(&finished),
                    None => break run.report(),
                },
                () = &mut interrupted => {
                    // First, so that no further program starts while the running ones end.
                    let report = run.cancel();
                    children.end_all(GRACE).await;
                    break report;
                }
            }
        };
        output.close();
        let failed = report
            .entries()
            .filter(|entry| entry.status() != Status::Done)
            .count();
        if global.json {
            print(&format!(
                "{}\n",
                json!({ "report": report, "skipped": report.skipped() })
            ))?;
        } else {
            terminal::say(format_args!("{report}{}", skipped(&report)));
            if failed > 0 && self.report.is_some() {
                terminal::note(format_args!(
                    "run the same command with {} to continue",
                    self.rest(&report)
                ));
            }
        }
        Ok(match failed {
            0 => ExitCode::SUCCESS,
            // Capped below 125 to 127, which are this command's own, and 128, where shells report
            // signals.
            failed => ExitCode::from(u8::try_from(failed.min(MAX_STATUS + 1)).unwrap_or(u8::MAX)),
        })
    }

    /// Returns the options that run what is left.
    fn rest(&self, report: &Report) -> &'static str {
        let mut entries = report.entries();
        match entries.any(|entry| entry.status().is_interrupted()) {
            true => "--resume --repeat-interrupted",
            false => "--resume",
        }
    }
}

fn skipped(report: &Report) -> String {
    match report.skipped() {
        0 => String::new(),
        skipped => format!(", {skipped} skipped"),
    }
}
