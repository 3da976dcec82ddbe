//! Behaviour of the local AWS, tested with unmodified AWS SDK clients.

#![expect(
    clippy::unwrap_used,
    reason = "a failed assumption should stop the test where it fails"
)]

mod assume_role;
mod call_log;
mod dynamodb;
mod expiry;
mod faults;
mod identity;
mod isolation;
mod limits;
mod mfa;
mod program;
mod signatures;
mod support;
mod trust;
