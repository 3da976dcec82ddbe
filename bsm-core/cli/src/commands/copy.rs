//! `bsm copy`

mod progress;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use bsm_core::BotoSesManager;
use bsm_dynamodb::{CopyPolicy, CopyTable, ErrorKind, copy_table};
use clap::{Args, ValueEnum};

use super::table_sides::{TableSides, confirm, ctrl_c, question};
use crate::failure::{Class, Failure};
use crate::global::Global;
use crate::terminal;

/// Copy a DynamoDB table to another account, region or name, with every attribute of every item
///
/// It shows what it is going to do, asks, and shows its progress. Ctrl-C stops it; with --checkpoint, the
/// same command resumes it. It exits with 1 if the tables differ after --verify.
#[derive(Args)]
pub(crate) struct CopyCommand {
    #[command(flatten)]
    sides: TableSides,
    /// What to do with items that are in the target already
    #[arg(long, value_name = "POLICY", default_value = "fail")]
    policy: Policy,
    /// Create the table in the target if it does not exist
    #[arg(long)]
    create: bool,
    /// Read both tables afterwards, and report every difference
    #[arg(long)]
    verify: bool,
    /// Write the progress to this file, and resume from it
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Read everything, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Read at most this many capacity units a second
    #[arg(long, value_name = "UNITS")]
    read_capacity: Option<u32>,
    /// Write at most this many capacity units a second
    #[arg(long, value_name = "UNITS")]
    write_capacity: Option<u32>,
    /// Do not ask before anything is written
    #[arg(long, short)]
    yes: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    /// Copy to an empty table only
    Fail,
    /// Replace items with the same key
    Overwrite,
    /// Leave items with the same key alone; slower
    Skip,
}

impl CopyCommand {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let (source, target) = self.sides.select(&global.session)?;
        let copy = self.copy(&source.manager, &target.manager);
        let plan = copy.preflight().await?;
        if !global.json {
            terminal::say(&plan);
        }
        if !self.dry_run {
            confirm(&target, &question(plan.target()), self.yes)?;
        }
        let (copy, bar) = progress::with_bar(copy);
        let copied = copy.stop_when(ctrl_c()).await;
        // Before the result or the error is printed, which would otherwise stand behind the bar.
        bar.finish_and_clear();
        let summary = match copied {
            Ok(summary) => summary,
            // The library's message does not know which options of this command resume the copy.
            Err(error) if error.kind() == ErrorKind::Stopped => {
                return Err(Failure::new(Class::Failed, self.stopped()));
            }
            Err(error) => return Err(error.into()),
        };
        match global.json {
            true => summary::print_json(&summary)?,
            false => summary::print(&summary)?,
        }
        let found = summary.verification();
        // Without --verify there is no comparison that could fail.
        Ok(match found.is_none_or(|found| found.is_identical()) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    fn copy(&self, source: &BotoSesManager, target: &BotoSesManager) -> CopyTable {
        let policy = match self.policy {
            Policy::Fail => CopyPolicy::FailIfNotEmpty,
            Policy::Overwrite => CopyPolicy::Overwrite,
            Policy::Skip => CopyPolicy::SkipExisting,
        };
        let mut copy = copy_table(source, target, &self.sides.table)
            .policy(policy)
            .create_target(self.create)
            .verify(self.verify)
            .dry_run(self.dry_run);
        if let Some(table) = &self.sides.target_table {
            copy = copy.target_table(table);
        }
        if let Some(path) = &self.checkpoint {
            copy = copy.checkpoint(path);
        }
        if let Some(units) = self.read_capacity {
            copy = copy.read_capacity(units);
        }
        if let Some(units) = self.write_capacity {
            copy = copy.write_capacity(units);
        }
        copy
    }

    fn stopped(&self) -> String {
        match &self.checkpoint {
            Some(path) => format!(
                "stopped: run the same command again to resume from {}",
                path.display()
            ),
            None => {
                "stopped: without --checkpoint, the next run starts from the beginning".to_owned()
            }
        }
    }
}

impl From<bsm_dynamodb::Error> for Failure {
    fn from(error: bsm_dynamodb::Error) -> Self {
        // The session knows better what a script can do about it.
        if let Some(session) = error.session_error() {
            return Self::from(session.clone());
        }
        let class = match error.kind() {
            ErrorKind::CredentialsRejected => Class::Credentials,
            ErrorKind::InvalidRequest | ErrorKind::SameTable => Class::Usage,
            _ => Class::Failed,
        };
        Self::of_error(class, format!("{:?}", error.kind()), &error)
    }
}
