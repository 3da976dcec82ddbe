//! The reason why an action of a transaction was cancelled.

use std::fmt;

use aws_sdk_dynamodb::types::CancellationReason as SdkReason;
use bsm_core::adapter;

use crate::codec::Item;

/// The part that one action played in the cancellation of its transaction.
///
/// See [`Error::cancellation_reasons`](crate::Error::cancellation_reasons).
#[derive(Clone)]
pub struct CancellationReason {
    code: String,
    item: Option<Item>,
}

impl CancellationReason {
    /// The code of an action that did not cause the cancellation. It is a string, not a null.
    const NO_FAILURE: &str = "None";

    /// Returns the code, such as `ConditionalCheckFailed`, `TransactionConflict` or
    /// `ThrottlingError`; `None`, as text, if this action did not fail.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the item that made the condition of the action false, if there is one.
    pub fn existing_item(&self) -> Option<&Item> {
        self.item.as_ref()
    }

    /// Returns `true` if this action failed, and thereby cancelled the transaction.
    pub fn is_failure(&self) -> bool {
        self.code != Self::NO_FAILURE
    }

    /// Returns `true` if the condition of the action is false.
    pub fn is_conditional_check_failed(&self) -> bool {
        self.code == "ConditionalCheckFailed"
    }

    /// Returns `true` if another request was changing the item at the same time: try again.
    pub fn is_conflict(&self) -> bool {
        self.code == "TransactionConflict"
    }
}

impl From<&SdkReason> for CancellationReason {
    fn from(reason: &SdkReason) -> Self {
        Self {
            code: reason
                .code
                .clone()
                // A reason without a code counts as that of an action that did not fail.
                .unwrap_or_else(|| Self::NO_FAILURE.to_owned()),
            item: reason.item.clone(),
        }
    }
}

/// Shows the code, and no values.
impl fmt::Debug for CancellationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An endpoint that is not AWS's may return a value of the request in place of the code.
        f.write_str(adapter::printable_code(&self.code).unwrap_or("..."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_code_is_shown() {
        for (code, shown) in [
            ("ConditionalCheckFailed", "ConditionalCheckFailed"),
            ("None", "None"),
            ("a-value of the request", "..."),
        ] {
            let reason = SdkReason::builder().code(code).build();
            let reason = CancellationReason::from(&reason);
            assert_eq!(format!("{reason:?}"), shown);
            assert_eq!(reason.code(), code);
        }
    }
}
