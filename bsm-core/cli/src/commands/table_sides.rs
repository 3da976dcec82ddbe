//! The two sides of a table that moves: the profile that is read, and the one that is written to.

use bsm_dynamodb::TableLocation;
use clap::Args;

use crate::failure::Failure;
use crate::question::confirm_writing;
use crate::session::{Questions, Session, SessionArguments};

/// A table, and where it goes.
#[derive(Args)]
pub(super) struct TableSides {
    /// The table to read
    pub(super) table: String,
    /// The profile to read from [default: --profile]
    #[arg(long, value_name = "PROFILE", conflicts_with = "profile")]
    from: Option<String>,
    /// The profile to write to [default: the same as --from]
    #[arg(long, value_name = "PROFILE")]
    to: Option<String>,
    /// The region to write to [default: the profile's region]
    #[arg(long, value_name = "REGION")]
    to_region: Option<String>,
    /// The table to write [default: the name of the source]
    #[arg(long = "as", value_name = "TABLE")]
    pub(super) target_table: Option<String>,
}

impl TableSides {
    /// Selects the sessions of both sides: the one that is read from, and the one that is written to.
    pub(super) fn select(
        &self,
        arguments: &SessionArguments,
    ) -> Result<(Session, Session), Failure> {
        let source = self.source(arguments)?;
        // Also where the profile was picked, so that the same question is not asked twice.
        let target = self.target(arguments, source.named.as_deref())?;
        Ok((source, target))
    }

    fn source(&self, arguments: &SessionArguments) -> Result<Session, Failure> {
        let profile = self.from.clone().or_else(|| arguments.profile.clone());
        let arguments = SessionArguments {
            profile,
            // It is the target that must be the right one.
            expect_account: None,
            ..arguments.clone()
        };
        arguments.select(Questions::Allowed)
    }

    fn target(
        &self,
        arguments: &SessionArguments,
        source: Option<&str>,
    ) -> Result<Session, Failure> {
        let to = self.to.clone().or_else(|| source.map(str::to_owned));
        // --region is for both sides.
        let region = self.to_region.clone().or_else(|| arguments.region.clone());
        let arguments = SessionArguments {
            profile: to,
            region,
            ..arguments.clone()
        };
        arguments.select(Questions::Allowed)
    }
}

/// Asks before anything is written. A script must say --yes, because it cannot answer.
pub(super) fn confirm(target: &Session, question: &str, yes: bool) -> Result<(), Failure> {
    target.confirm_production("Write to it", yes)?;
    confirm_writing(question, yes)
}

/// Returns the question before a table is written.
pub(super) fn question(target: &TableLocation) -> String {
    let (table, account) = (target.table(), target.account());
    format!("Write to table {table} of account {account}?")
}

/// Waits for Ctrl-C.
pub(super) async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a listener, Ctrl-C keeps its default action and ends the process.
        std::future::pending::<()>().await;
    }
}
