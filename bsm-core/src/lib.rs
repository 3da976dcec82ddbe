//! AWS sessions for programs that serve several accounts.
//!
//! A [`BotoSesManager`] is one identity: a profile, keys, or an assumed role. It resolves region
//! and credentials, keeps them fresh, makes SDK clients and keeps them, tells who it is, and can be
//! made the *temporary default* for a stretch of code.

mod ambient;
mod builder;
mod calendar;
mod credentials;
mod default;
mod environment;
mod error;
mod explain;
mod flight;
mod handover;
mod http;
mod identity;
mod manager;
mod mask;
mod memory;
mod pin;
mod profile;
mod redacted;
mod resolution;
mod scope;
mod secret;
mod session;
mod settings;
mod shell;
mod snapshot;
mod temp_snapshot;

pub use builder::Builder;
pub use credentials::assume_role::AssumeRole;
pub use credentials::cli_cache::CliCache;
pub use credentials::mfa;
pub use default::install_default;
pub use environment::{ChildCommand, EnvVars};
pub use error::{Error, ErrorKind};
pub use identity::{CallerIdentity, WhoAmI};
pub use manager::BotoSesManager;
pub use pin::{pin, unpin};
pub use profile::{ProfileInfo, ProfileKind};
pub use scope::{
    AwsEnvGuard, Binding, InCurrentScope, OfFuture, OfStream, Scoped, in_current_scope_fn,
};
pub use secret::SecretText;
pub use shell::Shell;
pub use snapshot::Snapshot;
pub use temp_snapshot::TempSnapshot;
