//! Items, and the error of turning something into one.

use std::collections::HashMap;
use std::error::Error as StdError;

use aws_sdk_dynamodb::types::AttributeValue;

/// An item as DynamoDB has it: attribute names and values.
pub type Item = HashMap<String, AttributeValue>;

/// The error of a [`Codec`](crate::Codec).
///
/// Its message is shown in error reports, so it should not repeat the values of an item.
pub type CodecError = Box<dyn StdError + Send + Sync>;

/// Turns an item into a model, a projection or something else.
pub(crate) type Decode<T> = fn(Item) -> Result<T, CodecError>;

/// Returns `true` if the value is an empty set, which DynamoDB does not have.
pub(crate) fn is_empty_set(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::Ss(texts) => texts.is_empty(),
        AttributeValue::Ns(numbers) => numbers.is_empty(),
        AttributeValue::Bs(binaries) => binaries.is_empty(),
        _ => false,
    }
}
