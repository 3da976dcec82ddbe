//! The program `bsm`, run against a local AWS in an environment that a test makes from nothing.

#![expect(
    clippy::unwrap_used,
    reason = "a failure in the surroundings of a test fails the test"
)]

mod console;
mod credential_process;
mod doctor;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod each;
mod env;
mod exec;
mod guards;
mod login;
#[cfg(feature = "migrate")]
mod migrate;
mod narrow;
mod profiles;
mod screens;
#[cfg(target_os = "linux")]
mod secrets;
mod serve;
mod support;
mod terminal;
mod whoami;
