//! Credentials: their providers, their refresh, and the guard of their account.

mod account_guard;
pub(crate) mod assume_role;
pub(crate) mod cli_cache;
pub(crate) mod container;
mod freshness;
mod imds;
#[cfg(feature = "login")]
mod login_session;
mod metadata;
pub mod mfa;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod provider_factory;
mod python_json;
mod refresh;
mod reloaded_keys;
pub(crate) mod role_request;
pub(crate) mod session_token;
pub(crate) mod sso;
#[cfg(test)]
mod testing;
mod web_identity;

pub(crate) use account_guard::AccountGuard;
pub use refresh::RefreshEvent;
pub(crate) use refresh::{Observer, OnRefresh, Refresher};
