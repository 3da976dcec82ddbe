//! Attribute values of the streams' SDK, which has types of its own.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodbstreams::types::AttributeValue as Streamed;

use crate::codec::Item;

/// Converts an item, or returns the name of an attribute of an unknown type.
pub(super) fn item(values: &HashMap<String, Streamed>) -> Result<Item, String> {
    let values = values.iter();
    values
        .map(|(name, streamed)| match value(streamed) {
            Some(value) => Ok((name.clone(), value)),
            None => Err(name.clone()),
        })
        .collect()
}

fn value(streamed: &Streamed) -> Option<AttributeValue> {
    let blob = |blob: &aws_sdk_dynamodbstreams::primitives::Blob| Blob::new(blob.as_ref());
    Some(match streamed {
        Streamed::S(text) => AttributeValue::S(text.clone()),
        Streamed::N(number) => AttributeValue::N(number.clone()),
        Streamed::B(bytes) => AttributeValue::B(blob(bytes)),
        Streamed::Ss(texts) => AttributeValue::Ss(texts.clone()),
        Streamed::Ns(numbers) => AttributeValue::Ns(numbers.clone()),
        Streamed::Bs(all) => AttributeValue::Bs(all.iter().map(blob).collect()),
        Streamed::Bool(value) => AttributeValue::Bool(*value),
        Streamed::Null(value) => AttributeValue::Null(*value),
        Streamed::L(values) => AttributeValue::L(values.iter().map(value).collect::<Option<_>>()?),
        Streamed::M(values) => {
            let values = values.iter();
            let values = values.map(|(name, inner)| Some((name.clone(), value(inner)?)));
            AttributeValue::M(values.collect::<Option<_>>()?)
        }
        // The SDK does not keep the content of a type that it does not know.
        _ => return None,
    })
}
