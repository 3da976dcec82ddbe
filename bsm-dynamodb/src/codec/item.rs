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

/// The value of a field that is `None`, in an item that was encoded with marks.
///
/// The codec [`Sparse`](crate::Sparse) leaves such a field out, and keeps every other NULL: a unit, the content
/// of a variant, an entry of a map or an element of a list. All are NULL in DynamoDB, whose `NULL` is always
/// `true`.
pub(super) const MARKED_NONE: AttributeValue = AttributeValue::Null(false);

/// Returns `true` if the value is a field that is `None`.
pub(super) fn is_marked(value: &AttributeValue) -> bool {
    *value == MARKED_NONE
}

/// Turns marked values into the NULL that is stored.
pub(crate) fn unmark(value: &mut AttributeValue) {
    match value {
        AttributeValue::Null(_) => *value = AttributeValue::Null(true),
        AttributeValue::M(map) => map.values_mut().for_each(unmark),
        AttributeValue::L(values) => values.iter_mut().for_each(unmark),
        _ => {}
    }
}

/// Returns `true` if the value is an empty set, which DynamoDB does not have.
pub(crate) fn is_empty_set(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::Ss(texts) => texts.is_empty(),
        AttributeValue::Ns(numbers) => numbers.is_empty(),
        AttributeValue::Bs(binaries) => binaries.is_empty(),
        _ => false,
    }
}
