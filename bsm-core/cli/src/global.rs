//! The options of every command.

use clap::Args;

use crate::session::SessionArguments;

/// The options of every command.
#[derive(Args)]
pub(crate) struct Global {
    /// Print JSON; errors are JSON on the standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log what is read and chosen to the standard error, and print the causes of an error
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    // Last, because its heading would otherwise also stand above the others.
    #[command(flatten)]
    pub(crate) session: SessionArguments,
}
