//! Behaviour of the local AWS, tested with unmodified AWS SDK clients.

#![expect(
    clippy::unwrap_used,
    reason = "a failed assumption should stop the test where it fails"
)]

mod assume_role;
mod backups;
#[cfg(feature = "s3")]
mod buckets;
mod call_log;
mod dynamodb;
mod expiry;
#[cfg(feature = "s3")]
mod exports;
mod faults;
mod identity;
#[cfg(feature = "s3")]
mod imports;
mod isolation;
mod limits;
#[cfg(feature = "totp")]
mod mfa;
mod organizations;
mod program;
mod signatures;
mod streams;
mod support;
mod trust;
