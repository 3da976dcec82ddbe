//! The crate against the local AWS: several accounts, real HTTP, unmodified SDK clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batches;
mod binding;
mod conditions;
mod cursors;
mod errors;
mod expressions;
mod items;
mod manual;
mod queries;
mod sessions;
mod support;
mod tables;
mod types;
mod updates;
