//! Credentials: where they come from, how they are kept fresh, and whose they must be.

mod account_guard;
pub(crate) mod assume_role;
mod process;
pub(crate) mod refresh;
pub(crate) mod source;
mod web_identity;

pub(crate) use account_guard::AccountGuard;
pub(crate) use refresh::Refresher;
