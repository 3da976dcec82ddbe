//! AWS sessions for programs that serve several accounts.
//!
//! A [`BotoSesManager`] is one identity: a profile, keys, or an assumed role. It resolves region
//! and credentials, keeps them fresh, makes SDK clients and keeps them, tells who it is, and can be
//! made the *temporary default* for a stretch of code.
//!
//! # Quick start
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use bsm_core::BotoSesManager;
//!
//! let staging = BotoSesManager::from_profile("staging");
//! let production = BotoSesManager::builder()
//!     .profile_name("production")
//!     .expect_account("333333333333") // any other is refused
//!     .build();
//! let audit = production.assume_role("arn:aws:iam::333333333333:role/Audit").build();
//!
//! println!("{}", staging.who_am_i().await?);
//! let sts = audit.client(aws_sdk_sts::Client::new).await?; // any client of the SDK
//! # Ok(())
//! # }
//! ```
//!
//! Making a manager does no I/O. What it needs is found out at the first use, once for any number of
//! callers, and kept. A clone is the same manager.
//!
//! What is told explicitly wins: a named profile is used whatever `AWS_ACCESS_KEY_ID` says, and a
//! profile that does not exist is an error, never a reason to take the machine's role instead.
//!
//! # The temporary default
//!
//! Code that is not handed a manager asks for the current one. Overrides nest, and never leak to
//! another task, thread or future:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use bsm_core::BotoSesManager;
//!
//! async fn work() -> String {
//!     BotoSesManager::current().to_string()
//! }
//!
//! let staging = BotoSesManager::from_profile("staging");
//! assert_eq!(staging.scope(work()).await, "profile \"staging\"");
//! assert_eq!(work().await, "the default chain");
//! # }
//! ```
//!
//! | for | use |
//! |---|---|
//! | a future | [`BotoSesManager::scope`] |
//! | a block | [`BotoSesManager::awsenv`] |
//! | a closure | [`BotoSesManager::sync_scope`] |
//! | a task that is spawned | [`InCurrentScope::in_current_scope`] |
//! | a thread | [`in_current_scope_fn`] |
//! | the whole process | [`install_default`] |
//!
//! [`BotoSesManager::none`] as the process default makes a forgotten scope an error.
//!
//! # Credentials
//!
//! Temporary credentials are refreshed in the background, ahead of their end. If that fails, the old
//! ones serve as long as they are valid. [`BotoSesManager::credentials_for`] asks for a lifetime,
//! [`mfa`] says where MFA codes come from, and [`CliCache`] shares roles with the AWS CLI.
//!
//! # Other processes
//!
//! The environment of this process is never written. A child gets its own with
//! [`BotoSesManager::command`] or [`BotoSesManager::env_vars`], and another process of the same user
//! a [`Snapshot`].
//!
//! # Errors
//!
//! There is one [`Error`] with an [`ErrorKind`]. A request that fails inside of the SDK for want of
//! credentials carries it along; [`Error::find_in`] gets it back. No secret is in any error, `Debug`
//! form or log.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | gives |
//! |---|---|
//! | `iam` | `BotoSesManager::aws_account_alias`; one more SDK crate |
//! | `login` | profiles with a `login_session`, as `aws login` writes them |
//! | `totp` | `mfa::Totp`: MFA codes from the device's secret |
//! | `test-util` | `Builder::environment`: a manager that does not see the process's environment; for tests |

mod credentials;
mod endpoint;
mod environment;
mod error;
mod export;
mod http;
mod identity;
mod manager;
mod profile;
mod scope;
mod secret;
mod session;
mod small_file;
mod sync;
mod time;
mod transport;
mod validation;

pub use credentials::cli_cache::CliCache;
pub use credentials::mfa;
pub use credentials::process::ProcessStdio;
pub use error::{Error, ErrorKind};
pub use export::{ChildCommand, EnvVars, SessionCommand, Shell, Snapshot, TempSnapshot};
pub use identity::{CallerIdentity, WhoAmI};
pub use manager::BotoSesManager;
pub use manager::assume_role::AssumeRole;
pub use manager::builder::Builder;
pub use profile::{ProfileInfo, ProfileKind};
pub use scope::{
    AwsEnvGuard, InCurrentScope, Scoped, adapter, in_current_scope_fn, install_default,
};
pub use secret::SecretText;
pub use transport::{FailureStep, SdkFailure};
