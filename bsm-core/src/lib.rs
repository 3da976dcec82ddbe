//! AWS sessions for programs that serve several accounts.
//!
//! A [`BotoSesManager`] is a cheap handle to one identity: a profile, a key pair, or an assumed
//! role. It resolves the region and credentials, refreshes credentials before they expire, caches
//! SDK clients, and can act as the *temporary default* for a block of code.
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
//!     .expect_account("333333333333") // fails for any other account
//!     .build();
//! let audit = production.assume_role("arn:aws:iam::333333333333:role/Audit").build();
//!
//! println!("{}", staging.who_am_i().await?);
//! let sts = audit.client(aws_sdk_sts::Client::new).await?; // any client of the SDK
//! # Ok(())
//! # }
//! ```
//!
//! Creating a manager does no I/O. Everything is resolved on first use, once for any number of
//! callers, and cached. A clone is the same manager.
//!
//! Explicit settings take precedence: a named profile is used even if `AWS_ACCESS_KEY_ID` is set,
//! and a profile that does not exist is an error. It never falls back to the role of the machine.
//!
//! More recipes are in the [cookbook](_cookbook).
//!
//! # The temporary default
//!
//! Code without a manager of its own uses the current one. Overrides nest. A scope never leaks to
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
//! A manager refreshes temporary credentials in the background, before they expire. If a refresh
//! fails, it keeps using the old ones while they are valid. [`BotoSesManager::credentials_for`]
//! demands a minimum lifetime, [`mfa`] contains the providers of MFA codes, and [`CliCache`] shares
//! roles with the AWS CLI.
//!
//! # Other processes
//!
//! This crate never modifies the environment of the process. A child process gets the session with
//! [`BotoSesManager::command`] or [`BotoSesManager::env_vars`], and another process of the same
//! user with a [`Snapshot`].
//!
//! # Errors
//!
//! There is one [`Error`] with an [`ErrorKind`]. If a request of the SDK fails because there are no
//! credentials, [`Error::find_in`] returns the error of the session. No error, `Debug` form or log
//! contains a secret.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `iam` | `BotoSesManager::aws_account_alias`; one more SDK crate |
//! | `sso-login` | [`sign_in`]: signing in to IAM Identity Center, its logins and roles |
//! | `organizations` | [`fleet::Fleet::from_organization`]; one more SDK crate |
//! | `login` | profiles with a `login_session`, as `aws login` writes them |
//! | `tower` | `ScopeLayer`: requests of a service in the scope that is chosen from the request |
//! | `totp` | `mfa::Totp`: MFA codes from the device's secret |
//! | `test-util` | `Builder::environment`: variables to use instead of the process's; for tests |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(doc, doctest))]
pub mod _cookbook;
mod credentials;
mod endpoint;
mod environment;
mod error;
mod export;
pub mod fleet;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod identity;
mod manager;
mod profile;
mod scope;
mod secret;
mod session;
mod shared_file;
#[cfg(feature = "sso-login")]
#[cfg_attr(docsrs, doc(cfg(feature = "sso-login")))]
pub mod sign_in;
#[cfg(test)]
mod simulation;
mod small_file;
mod sync;
mod time;
mod transport;
mod validation;

pub use credentials::RefreshEvent;
pub use credentials::cli_cache::CliCache;
pub use credentials::mfa;
pub use credentials::process::ProcessStdio;
pub use error::{Error, ErrorKind};
pub use export::{ChildCommand, EnvVars, SessionCommand, Shell, Snapshot, TempSnapshot};
pub use identity::{CallerIdentity, WhoAmI};
pub use manager::BotoSesManager;
pub use manager::assume_role::AssumeRole;
pub use manager::builder::Builder;
pub use manager::session_token::SessionToken;
#[doc(hidden)]
pub use profile::problems as profile_problems;
pub use profile::{ProfileInfo, ProfileKind};
pub use scope::{
    AwsEnvGuard, InCurrentScope, Scoped, adapter, in_current_scope_fn, install_default,
};
#[cfg(feature = "tower")]
pub use scope::{ScopeLayer, ScopeService, ScopedResponse};
pub use secret::SecretText;
// For bsm-cli and bsm-dynamodb, which write and read files by the same rules.
#[doc(hidden)]
pub use shared_file::unfinished as unfinished_file;
#[doc(hidden)]
pub use small_file::{open_lock, read as read_text, read_bytes};
pub use sync::engine::shutdown;
pub use transport::{FailureStep, SdkFailure};
