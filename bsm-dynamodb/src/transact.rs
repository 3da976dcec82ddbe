//! Transactions: several actions that all take effect, or none.

mod get;
mod models;
mod write;

pub use get::{Gets, TransactGet, transact_get};
pub use write::{Action, TransactWrite, transact_write};

/// The limit of one transaction.
///
/// Source: [TransactWriteItems](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)
/// in the API Reference.
const MAX_ACTIONS: usize = 100;
