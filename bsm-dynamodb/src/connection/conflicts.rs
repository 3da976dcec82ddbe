//! Retries of requests that DynamoDB rejected because another request was changing the same item.

use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;

use crate::error::ErrorKind;

/// Retries requests that met another one on the same item.
///
/// DynamoDB did nothing of such a request, so that repeating it is safe, with a condition and without. The
/// SDK's own classifiers do not know these errors.
#[derive(Debug)]
pub(super) struct RetryConflicts;

impl ClassifyRetry for RetryConflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let Some(error) = error.and_then(|error| error.as_operation_error()) else {
            return RetryAction::NoActionIndicated;
        };
        // The SDK has one error type per operation and no trait for what they share.
        let code = None
            .or_else(|| error.downcast_ref::<PutItemError>()?.code())
            .or_else(|| error.downcast_ref::<UpdateItemError>()?.code())
            .or_else(|| error.downcast_ref::<DeleteItemError>()?.code());
        let reasons = match (error.downcast_ref(), error.downcast_ref()) {
            (Some(TransactWriteItemsError::TransactionCanceledException(cancelled)), _) => {
                cancelled.cancellation_reasons()
            }
            (_, Some(TransactGetItemsError::TransactionCanceledException(cancelled))) => {
                cancelled.cancellation_reasons()
            }
            _ => &[],
        };
        let is_conflict = code.map(ErrorKind::from_aws_code) == Some(ErrorKind::Conflict);
        match is_conflict || are_conflicts(reasons) {
            true => RetryAction::transient_error(),
            // The SDK's own classifiers decide.
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "bsm-dynamodb: conflicts with other requests"
    }
}

/// Returns `true` if nothing but conflicts cancelled a transaction.
fn are_conflicts(reasons: &[CancellationReason]) -> bool {
    let mut failures = reasons
        .iter()
        .filter_map(CancellationReason::code)
        .filter(|code| *code != "None")
        .peekable();
    // `all` is true for no failures at all. Others, such as a false condition, are the caller's to handle.
    failures.peek().is_some() && failures.all(|code| code == "TransactionConflict")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_retried_if_nothing_but_conflicts_cancelled_it() {
        let reasons = |codes: &[&str]| {
            let reason = |code: &&str| CancellationReason::builder().code(*code).build();
            codes.iter().map(reason).collect::<Vec<_>>()
        };
        assert!(are_conflicts(&reasons(&["None", "TransactionConflict"])));
        for codes in [
            &["TransactionConflict", "ConditionalCheckFailed"][..],
            &["None", "None"],
            &["ValidationError"],
            &[],
        ] {
            assert!(!are_conflicts(&reasons(codes)), "{codes:?}");
        }
    }
}
