//! The program `bsm`, run against a local AWS in an environment that a test makes from nothing.

#![expect(
    clippy::unwrap_used,
    reason = "a failure in the surroundings of a test fails the test"
)]

mod credential_process;
mod env;
mod exec;
mod guards;
mod screens;
mod support;
mod whoami;
