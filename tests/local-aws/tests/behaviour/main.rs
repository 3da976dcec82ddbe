//! What the local AWS promises, shown through unmodified AWS SDK clients.

#![expect(
    clippy::unwrap_used,
    reason = "a test that fails should stop where it failed"
)]

mod assume_role;
mod dynamodb;
mod expiry;
mod faults;
mod identity;
mod isolation;
mod mfa;
mod program;
mod record;
mod signatures;
mod support;
mod trust;
