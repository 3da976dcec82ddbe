//! Sessions for other processes: environment variables, shell text, and snapshots.

mod command;
mod env_vars;
mod exported_session;
mod shell;
mod snapshot;
mod snapshot_file;

pub use command::SessionCommand;
pub use env_vars::{ChildCommand, EnvVars};
pub(crate) use exported_session::ExportedSession;
pub use shell::Shell;
pub use snapshot::Snapshot;
pub use snapshot_file::TempSnapshot;
