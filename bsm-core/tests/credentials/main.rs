//! Refresh, assumed roles, MFA and the AWS CLI's cache, against a local AWS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod assume_role;
#[cfg(unix)]
mod cli_cache;
mod clocks;
mod hanging;
mod machines;
mod mfa;
#[path = "../../../tests/src/playground.rs"]
#[expect(dead_code, unreachable_pub, reason = "other crates use the rest")]
mod playground;
mod raw_server;
mod refresh;
mod runtimes;
mod secrets;
mod session_token;
#[cfg(unix)]
#[cfg(feature = "sso-login")]
mod sign_in;
mod sso;
mod support;
