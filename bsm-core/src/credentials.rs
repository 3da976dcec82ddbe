//! Credentials: where they come from, how they are kept fresh, and whose they must be.

mod account_guard;
pub(crate) mod assume_role;
pub(crate) mod refresh;
pub(crate) mod source;

pub(crate) use account_guard::AccountGuard;
pub(crate) use refresh::Refresher;
