//! How the items of a full export get into the target.

use serde::{Deserialize, Serialize};

/// How the full export gets into the target.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoadMethod {
    /// DynamoDB imports it as a new table.
    Import,
    /// The migration creates the table and writes the items.
    NewTable,
    /// The migration writes the items to the table that exists, and is empty.
    ExistingTable,
}
