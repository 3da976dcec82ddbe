//! Migrations of live tables, against the local AWS with S3.

#![expect(
    clippy::unwrap_used,
    reason = "a failed assumption should stop the test where it fails"
)]

mod abort;
mod documented;
mod faults;
mod kill;
mod live;
mod peers;
mod preflight;
mod support;
mod windows;
mod writers;
