//! `bsm profiles`

mod config_text;
mod sync;
mod template;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::sync::Sync;
use crate::failure::Failure;
use crate::global::Global;

/// Write profiles into the config file
#[derive(Args)]
pub(crate) struct Profiles {
    #[command(subcommand)]
    command: ProfilesCommand,
}

#[derive(Subcommand)]
enum ProfilesCommand {
    Sync(Sync),
}

impl Profiles {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        match &self.command {
            ProfilesCommand::Sync(command) => command.run(global).await,
        }
    }
}
