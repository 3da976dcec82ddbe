//! The crate against the local AWS: several accounts, real HTTP, unmodified SDK clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attributes;
mod batches;
mod binding;
mod conditions;
mod copy;
mod cursors;
mod encodings;
mod errors;
mod expressions;
mod items;
mod lost_responses;
mod manual;
mod multi_key_indexes;
mod nested;
mod queries;
mod rest;
mod results;
mod sessions;
mod single_table;
mod support;
mod tables;
mod transactions;
mod types;
mod updates;
mod versions;
