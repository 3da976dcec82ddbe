//! Several actions at once: all of them, or none.

mod get;
mod participant;
mod write;

use aws_sdk_dynamodb::types::CancellationReason as SdkReason;

use crate::codec::Item;

pub use get::{Gets, TransactGet, transact_get};
pub use write::{Action, TransactWrite, transact_write};

/// The limit of one transaction.
///
/// Source: [TransactWriteItems](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)
/// in the API Reference.
const MAX_ACTIONS: usize = 100;

/// What one action of a transaction that was cancelled has to do with it.
///
/// See [`Error::cancellation_reasons`](crate::Error::cancellation_reasons).
#[derive(Clone)]
pub struct CancellationReason {
    code: String,
    item: Option<Item>,
}

impl CancellationReason {
    fn all(reasons: &[SdkReason]) -> Vec<Self> {
        let reason = |reason: &SdkReason| Self {
            code: reason.code.clone().unwrap_or_else(|| "None".to_owned()),
            item: reason.item.clone(),
        };
        reasons.iter().map(reason).collect()
    }

    /// Returns the code: `None` if the action would have been done, or such as
    /// `ConditionalCheckFailed`, `TransactionConflict` and `ThrottlingError`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the item that the condition of the action did not hold for, if there is one.
    pub fn existing_item(&self) -> Option<&Item> {
        self.item.as_ref()
    }

    /// Says whether this action was in the way.
    pub fn is_failure(&self) -> bool {
        self.code != "None"
    }

    /// Says whether the condition of the action did not hold.
    pub fn is_conditional_check_failed(&self) -> bool {
        self.code == "ConditionalCheckFailed"
    }

    /// Says whether another request was changing the item: try again.
    pub fn is_conflict(&self) -> bool {
        self.code == "TransactionConflict"
    }
}

/// Shows the code, and no values.
impl std::fmt::Debug for CancellationReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code)
    }
}
