//! The subcommands, a file each.

pub(crate) mod completions;
pub(crate) mod console;
#[cfg(feature = "dynamodb")]
pub(crate) mod copy;
pub(crate) mod credential_process;
pub(crate) mod doctor;
pub(crate) mod each;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod man;
#[cfg(feature = "migrate")]
pub(crate) mod migrate;
pub(crate) mod profiles;
pub(crate) mod serve;
pub(crate) mod sessions;
#[cfg(feature = "dynamodb")]
mod table_sides;
#[cfg(feature = "dynamodb")]
pub(crate) mod tables;
pub(crate) mod whoami;
