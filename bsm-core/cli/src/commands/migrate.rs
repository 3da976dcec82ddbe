//! `bsm migrate`

mod cutover;
mod progress;
mod report;

use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bsm_core::BotoSesManager;
use bsm_dynamodb::{ErrorKind, MigrateTable, migrate_table};
use clap::{Args, Subcommand};

use self::cutover::Cutover;
use super::table_sides::{TableSides, confirm, ctrl_c, question};
use crate::failure::Failure;
use crate::global::Global;
use crate::lifetime::parse;
use crate::session::Session;
use crate::terminal;

/// Migrate a DynamoDB table that is being written to, or is too big to copy, through S3
///
/// DynamoDB exports and imports the table. The writes that are made meanwhile follow, and at the end the
/// writers pause for seconds. The guide has a page about it.
#[derive(Args)]
pub(crate) struct Migrate {
    #[command(subcommand)]
    command: MigrateCommand,
}

#[derive(Subcommand)]
enum MigrateCommand {
    Plan(Plan),
    Run(Run),
    Status(Status),
    Abort(Abort),
}

/// Check both tables and the bucket, and print what would happen and the policies that are needed
#[derive(Args)]
struct Plan {
    #[command(flatten)]
    migration: Migration,
}

/// Migrate the table, or resume a migration that was interrupted
///
/// When the target has caught up, bsm runs the command after --, which must stop the writers, or asks you to
/// stop them. If it fails, the migration can be run again. Ctrl-C interrupts it.
#[derive(Args)]
struct Run {
    #[command(flatten)]
    migration: Migration,
    /// Do not ask before anything is changed
    #[arg(long, short)]
    yes: bool,
    /// The program that stops the writers, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    cutover: Vec<OsString>,
}

/// Print the phase of a migration
#[derive(Args)]
struct Status {
    #[command(flatten)]
    migration: Migration,
}

/// End an interrupted migration, and leave the source as it was
///
/// It turns off what the migration has turned on, and deletes the target if the migration has created it and
/// not yet brought every write.
#[derive(Args)]
struct Abort {
    #[command(flatten)]
    migration: Migration,
    /// Do not ask before anything is changed
    #[arg(long, short)]
    yes: bool,
}

/// The settings of a migration, which all its commands need.
#[derive(Args)]
struct Migration {
    #[command(flatten)]
    sides: TableSides,
    /// The S3 bucket for the exported files
    #[arg(long, value_name = "NAME")]
    bucket: String,
    /// The account that owns the bucket [default: that of the source]
    #[arg(long, value_name = "ACCOUNT")]
    bucket_owner: Option<String>,
    /// The region of the bucket [default: that of the target]
    #[arg(long, value_name = "REGION")]
    bucket_region: Option<String>,
    /// The prefix of the keys of the files
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Write the progress to this file, and resume from it [default: TABLE.migration.json]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Encrypt the files with this KMS key
    #[arg(long, value_name = "KEY")]
    export_key: Option<String>,
    /// Encrypt the target with this KMS key
    #[arg(long, value_name = "KEY")]
    target_key: Option<String>,
    /// Write the items instead of letting DynamoDB import them
    #[arg(long)]
    no_import: bool,
    /// Leave the table's stream alone; the writers pause for 15 minutes and more
    #[arg(long)]
    no_stream: bool,
    /// Do not compare the tables
    #[arg(long)]
    no_compare: bool,
    /// Read at most this many capacity units a second
    #[arg(long, value_name = "UNITS")]
    read_capacity: Option<u32>,
    /// Write at most this many capacity units a second
    #[arg(long, value_name = "UNITS")]
    write_capacity: Option<u32>,
    /// How often to ask AWS whether an export or import is done
    #[arg(long, value_name = "TIME", value_parser = parse, default_value = "10s")]
    poll_interval: Duration,
}

impl Migrate {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        match &self.command {
            MigrateCommand::Plan(command) => command.run(global).await?,
            MigrateCommand::Run(command) => command.run(global).await?,
            MigrateCommand::Status(command) => command.run(global).await?,
            MigrateCommand::Abort(command) => command.run(global).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Plan {
    async fn run(&self, global: &Global) -> Result<(), Failure> {
        let (_, migration) = self.migration.open(global)?;
        report::print_plan(&migration.plan().await?, global)
    }
}

impl Run {
    async fn run(&self, global: &Global) -> Result<(), Failure> {
        let cutover = Cutover::of(&self.cutover)?;
        let (target, migration) = self.migration.open(global)?;
        let plan = migration.plan().await?;
        if !global.json {
            terminal::say(&plan);
        }
        confirm(&target, &question(plan.target()), self.yes)?;
        let (migration, bar) = progress::shown(migration);
        // The bar is suspended while the question is on the terminal.
        let asked = bar.clone();
        let migration = migration
            .cutover(move || async move { Ok(cutover.stop_writers(&asked).await?) })
            .stop_when(ctrl_c());
        let migrated = migration.await;
        bar.finish_and_clear();
        match migrated {
            Ok(summary) => report::print_summary(&summary, global),
            Err(error) if error.kind() == ErrorKind::Stopped => {
                // The library names its `cutover`, which is the program or the person here.
                let reason = error.source().map(|cause| {
                    format!(
                        "the writers were not stopped: {cause}: make sure that they can write to the \
                         source again"
                    )
                });
                let failure = Failure::from(error);
                let failure = match reason {
                    Some(reason) => failure.with_message(reason),
                    None => failure,
                };
                let checkpoint = self.migration.checkpoint();
                Err(failure.with_hint(format!(
                    "run the same command again to resume from {}",
                    checkpoint.display()
                )))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Status {
    async fn run(&self, global: &Global) -> Result<(), Failure> {
        let (_, migration) = self.migration.open(global)?;
        report::print_status(migration.status().await?, global)
    }
}

impl Abort {
    async fn run(&self, global: &Global) -> Result<(), Failure> {
        let (target, migration) = self.migration.open(global)?;
        let table = &self.migration.sides.table;
        confirm(
            &target,
            &format!("Abort the migration of table {table}?"),
            self.yes,
        )?;
        report::print_aborted(&migration.abort().await?, global)
    }
}

impl Migration {
    /// Returns the session of the target, and the migration. Sends nothing.
    fn open(&self, global: &Global) -> Result<(Session, MigrateTable), Failure> {
        let (source, target) = self.sides.select(&global.session)?;
        let migration = self.between(&source.manager, &target.manager);
        Ok((target, migration))
    }

    fn between(&self, source: &BotoSesManager, target: &BotoSesManager) -> MigrateTable {
        let mut migration = migrate_table(source, target, &self.sides.table)
            .bucket(&self.bucket)
            .checkpoint(self.checkpoint())
            .import(!self.no_import)
            .stream(!self.no_stream)
            .compare(!self.no_compare)
            .poll_interval(self.poll_interval);
        type Setter = fn(MigrateTable, String) -> MigrateTable;
        let texts: [(&Option<String>, Setter); 6] = [
            (&self.sides.target_table, MigrateTable::target_table),
            (&self.bucket_owner, MigrateTable::bucket_owner),
            (&self.bucket_region, MigrateTable::bucket_region),
            (&self.prefix, MigrateTable::prefix),
            (&self.export_key, MigrateTable::export_key),
            (&self.target_key, MigrateTable::target_key),
        ];
        for (text, set) in texts {
            if let Some(text) = text {
                migration = set(migration, text.clone());
            }
        }
        if let Some(units) = self.read_capacity {
            migration = migration.read_capacity(units);
        }
        if let Some(units) = self.write_capacity {
            migration = migration.write_capacity(units);
        }
        migration
    }

    fn checkpoint(&self) -> PathBuf {
        let default = || PathBuf::from(format!("{}.migration.json", self.sides.table));
        self.checkpoint.clone().unwrap_or_else(default)
    }
}
