//! The crate against the local AWS: several accounts, real HTTP, unmodified SDK clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attributes;
mod batches;
mod binding;
mod errors;
mod items;
mod manual;
mod sessions;
mod support;
mod tables;
mod transactions;
mod types;
mod versions;
