//! The subcommands, a file each.

pub(crate) mod completions;
pub(crate) mod credential_process;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod whoami;
