//! The interface to the dynoxide engine: operations by name, JSON bodies in and out.

use dynoxide::errors::CancellationReason;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::json;

use crate::response::ErrorResponse;

/// The message for attribute values that nest too deeply, as the engine writes it.
const NESTING_LIMIT_MESSAGE: &str = "Nesting Levels have exceeded supported limits: Attributes in the \
                                     item have nested levels beyond supported limit";

/// Returns `true` if the engine supports an operation.
pub(super) fn supports(operation: &str) -> bool {
    OPERATIONS.contains(&operation)
}

/// Creates the error for an operation that DynamoDB or the engine doesn't have.
///
/// AWS sends no message. A test is easier to fix with one.
pub(super) fn unknown_operation(operation: &str) -> ErrorResponse {
    let message = format!("bsm-local-aws does not support the operation {operation}");
    ErrorResponse::new(400, "UnknownOperationException", message)
}

/// Defines the operations of the engine and the method that performs each of them.
macro_rules! operations {
    ($($name:literal => $method:ident,)*) => {
        const OPERATIONS: &[&str] = &[$($name),*];

        /// Performs an operation and returns the body of the response.
        pub(super) fn execute(
            database: &Database,
            operation: &str,
            body: &[u8],
        ) -> Result<Vec<u8>, ErrorResponse> {
            match operation {
                $($name => call(operation, body, |request| database.$method(request)),)*
                _ => Err(unknown_operation(operation)),
            }
        }
    };
}

operations! {
    "BatchExecuteStatement" => batch_execute_statement,
    "BatchGetItem" => batch_get_item,
    "BatchWriteItem" => batch_write_item,
    "CreateTable" => create_table,
    "DeleteItem" => delete_item,
    "DeleteTable" => delete_table,
    "DescribeTable" => describe_table,
    "DescribeTimeToLive" => describe_time_to_live,
    "ExecuteStatement" => execute_statement,
    "ExecuteTransaction" => execute_transaction,
    "GetItem" => get_item,
    "ListTables" => list_tables,
    "ListTagsOfResource" => list_tags_of_resource,
    "PutItem" => put_item,
    "Query" => query,
    "Scan" => scan,
    "SearchVectors" => search_vectors,
    "TagResource" => tag_resource,
    "TransactGetItems" => transact_get_items,
    "TransactWriteItems" => transact_write_items,
    "UntagResource" => untag_resource,
    "UpdateItem" => update_item,
    "UpdateTable" => update_table,
    "UpdateTimeToLive" => update_time_to_live,
}

/// The engine's message about an ExclusiveStartKey, without its reason.
const STARTING_KEY: &str = "The provided starting key is invalid";

fn call<Input: DeserializeOwned, Output: Serialize>(
    operation: &str,
    body: &[u8],
    method: impl FnOnce(Input) -> dynoxide::Result<Output>,
) -> Result<Vec<u8>, ErrorResponse> {
    let input = serde_json::from_slice(body).map_err(|error| parse_error(operation, &error))?;
    let output = method(input).map_err(|error| match error {
        DynoxideError::EnvelopedValidation(message) => enveloped(operation, message),
        DynoxideError::ValidationException(message) if message == STARTING_KEY => validation_error(
            format!("{message}: The provided key element does not match the schema"),
        ),
        error => engine_error(error),
    })?;
    Ok(to_bytes(&output))
}

/// Converts the error of a body that the engine cannot parse.
///
/// The engine's request types mark such errors in their message with a prefix; the HTTP server of
/// dynoxide, which is not used here, removes the prefix in the same way.
fn parse_error(operation: &str, error: &serde_json::Error) -> ErrorResponse {
    let text = error.to_string();
    // serde_json stops at 128 levels of JSON, about 60 levels of attribute values. DynamoDB parses
    // deeper values, and rejects every value with more than 32 levels.
    if text.starts_with("recursion limit exceeded") {
        return validation_error(NESTING_LIMIT_MESSAGE);
    }
    if matches!(error.classify(), Category::Syntax | Category::Eof) {
        return no_json();
    }
    // DynamoDB's messages contain no position in the request.
    let text = match text.rfind(" at line ") {
        Some(end) => &text[..end],
        None => &text,
    };
    let is_validation = [
        "missing field",
        "unknown variant",
        "invalid type: null",
        "AttributeValue",
    ]
    .iter()
    .any(|mark| text.contains(mark));
    if let Some(message) = text.strip_prefix("VALIDATION_REQUEST:") {
        enveloped(operation, message.to_owned())
    } else if let Some(message) = text.strip_prefix("VALIDATION:") {
        validation_error(message)
    } else if let Some(message) = text.strip_prefix("SERIALIZATION:") {
        engine_error(DynoxideError::SerializationException(message.to_owned()))
    } else if is_validation {
        validation_error(text)
    } else {
        engine_error(DynoxideError::SerializationException(text.to_owned()))
    }
}

/// Creates the error for a body that is not JSON. DynamoDB sends no message.
fn no_json() -> ErrorResponse {
    let mut error = engine_error(DynoxideError::SerializationException(String::new()));
    let body = json!({ "__type": "com.amazon.coral.service#SerializationException" });
    error.body = Some(body.to_string());
    error
}

/// Adds the number of errors to a message, which only the operations that write one item do.
pub(super) fn enveloped(operation: &str, message: String) -> ErrorResponse {
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => {
            validation_error(format!("1 validation error detected: {message}"))
        }
        _ => validation_error(message),
    }
}

/// Creates a ValidationException.
pub(super) fn validation_error(message: impl Into<String>) -> ErrorResponse {
    engine_error(DynoxideError::ValidationException(message.into()))
}

/// Converts an error of the engine.
pub(super) fn engine_error(error: DynoxideError) -> ErrorResponse {
    let code = error.error_type();
    // The engine's type has a namespace in front, which is not part of the code.
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    let mut response = ErrorResponse::new(error.status_code(), code, error.to_string());
    response.body = Some(error.to_json());
    response
}

/// Returns the error of a transaction that was cancelled.
pub(crate) fn cancelled(reasons: Vec<CancellationReason>) -> ErrorResponse {
    let codes: Vec<_> = reasons.iter().map(|reason| &*reason.code).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    engine_error(DynoxideError::TransactionCanceledException(
        message, reasons,
    ))
}

/// Serializes a value as JSON.
pub(super) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the engine's responses and ours have only string keys")
}
