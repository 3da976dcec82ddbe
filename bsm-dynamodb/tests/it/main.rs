//! The crate against the local AWS: several accounts, real HTTP, unmodified SDK clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batches;
mod binding;
mod copy;
mod errors;
mod items;
mod manual;
mod sessions;
mod support;
mod tables;
mod types;
