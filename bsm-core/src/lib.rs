//! AWS sessions for programs that serve several accounts.
//!
//! A [`BotoSesManager`] is one identity: a profile, keys, or an assumed role. It resolves region
//! and credentials, keeps them fresh, makes SDK clients and keeps them, tells who it is, and can be
//! made the *temporary default* for a stretch of code.

mod ambient;
mod builder;
mod credentials;
mod default;
mod error;
mod flight;
mod http;
mod identity;
mod manager;
mod pin;
mod profile;
mod scope;
mod session;
mod settings;

pub use builder::Builder;
pub use credentials::assume_role::AssumeRole;
pub use credentials::cli_cache::CliCache;
pub use credentials::mfa;
pub use default::install_default;
pub use error::{Error, ErrorKind};
pub use identity::CallerIdentity;
pub use manager::BotoSesManager;
pub use pin::{pin, unpin};
pub use scope::{AwsEnvGuard, Binding, InCurrentScope, Scoped};
