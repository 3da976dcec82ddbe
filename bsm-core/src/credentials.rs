//! Credentials: their providers, their refresh, and the guard of their account.

mod account_guard;
pub(crate) mod cli_cache;
mod freshness;
pub mod mfa;
pub(crate) mod process;
mod refresh;
pub(crate) mod role;
pub(crate) mod role_request;
pub(crate) mod source;
mod supply;
#[cfg(test)]
mod testing;
mod web_identity;

pub(crate) use account_guard::AccountGuard;
pub(crate) use refresh::Refresher;
pub(crate) use supply::CredentialSource;
