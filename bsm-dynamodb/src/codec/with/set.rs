//! Stores a set of the standard library as a set, for `#[serde(with)]`.
//!
//! Without it a `HashSet` or `BTreeSet` becomes a list. The elements are strings, numbers or binary
//! values. An empty set is left out of the item, as DynamoDB has none, so the field needs
//! `#[serde(default)]`; [`Set`](crate::Set) needs neither.
//!
//! # Examples
//!
//! ```
//! use std::collections::HashSet;
//!
//! use bsm_dynamodb::Model;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Model)]
//! #[model(table = "users")]
//! struct User {
//!     #[model(hash_key)]
//!     id: String,
//!     #[serde(default, with = "bsm_dynamodb::set")]
//!     roles: HashSet<String>,
//!     #[serde(default, with = "bsm_dynamodb::set")]
//!     groups: Option<HashSet<u64>>,
//! }
//! ```

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes a set.
///
/// # Errors
///
/// If the elements are not all strings, all numbers or all binary.
pub fn serialize<T: Serialize, S: Serializer>(set: &T, serializer: S) -> Result<S::Ok, S::Error> {
    // The name tells our codec that this is a set. Other formats ignore it and write a sequence.
    serializer.serialize_newtype_struct(crate::codec::SET, set)
}

/// Reads a set, or a list.
///
/// # Errors
///
/// If it is neither, or an element has another type.
pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    // The codec reads a set like a list, so nothing has to mark it.
    T::deserialize(deserializer)
}
