//! A key in the JSON of DynamoDB: `{"id": {"S": "1"}}`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::base64;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::Item;

#[derive(Deserialize, Serialize)]
enum KeyJson {
    S(String),
    N(String),
    B(String),
}

pub(super) fn serialize<S: Serializer>(key: &Item, serializer: S) -> Result<S::Ok, S::Error> {
    let values: BTreeMap<&str, KeyJson> = key
        .iter()
        .map(|(name, value)| {
            let value = match value {
                AttributeValue::S(text) => KeyJson::S(text.clone()),
                AttributeValue::N(number) => KeyJson::N(number.clone()),
                AttributeValue::B(bytes) => KeyJson::B(base64::encode(bytes)),
                _ => return Err(S::Error::custom("a key is a string, a number or binary")),
            };
            Ok((name.as_str(), value))
        })
        .collect::<Result<_, _>>()?;
    values.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
    let values = BTreeMap::<String, KeyJson>::deserialize(deserializer)?;
    let values = values.into_iter().map(|(name, value)| {
        let value = match value {
            KeyJson::S(text) => AttributeValue::S(text),
            KeyJson::N(number) => AttributeValue::N(number),
            KeyJson::B(text) => {
                let bytes = base64::decode(text).map_err(D::Error::custom)?;
                AttributeValue::B(Blob::new(bytes))
            }
        };
        Ok((name, value))
    });
    values.collect()
}
