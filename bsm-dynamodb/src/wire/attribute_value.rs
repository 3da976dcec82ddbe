//! Items in DynamoDB's JSON: `{"id": {"S": "1"}}`.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::base64;
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::Item;

/// Writes an item; to be used as `#[serde(serialize_with)]`.
pub(crate) fn serialize<S: Serializer>(item: &Item, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(item.iter().map(|(name, value)| (name, Encoded(value))))
}

/// Reads an item; to be used as `#[serde(deserialize_with)]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
    Ok(to_item(HashMap::deserialize(deserializer)?))
}

/// An item for serde.
pub(crate) struct EncodedItem<'a>(pub(crate) &'a Item);

impl Serialize for EncodedItem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.0, serializer)
    }
}

/// An item read by serde.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct DecodedItem(#[serde(with = "self")] pub(crate) Item);

/// A value, written as a map from its type to its content.
struct Encoded<'a>(&'a AttributeValue);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.0 {
            AttributeValue::S(text) => map.serialize_entry("S", text)?,
            // A string, as DynamoDB sends it: a JSON number would lose digits of a number that has 38.
            AttributeValue::N(number) => map.serialize_entry("N", number)?,
            AttributeValue::B(bytes) => map.serialize_entry("B", &base64::encode(bytes))?,
            AttributeValue::Ss(texts) => map.serialize_entry("SS", texts)?,
            AttributeValue::Ns(numbers) => map.serialize_entry("NS", numbers)?,
            AttributeValue::Bs(all) => {
                let all: Vec<_> = all.iter().map(base64::encode).collect();
                map.serialize_entry("BS", &all)?;
            }
            AttributeValue::M(item) => map.serialize_entry("M", &EncodedItem(item))?,
            AttributeValue::L(values) => {
                let values: Vec<_> = values.iter().map(Encoded).collect();
                map.serialize_entry("L", &values)?;
            }
            AttributeValue::Null(null) => map.serialize_entry("NULL", null)?,
            AttributeValue::Bool(bool) => map.serialize_entry("BOOL", bool)?,
            // The SDK does not keep the content of a type that it does not know.
            _ => return Err(S::Error::custom("a value has an unknown type")),
        }
        map.end()
    }
}

/// A value as serde reads it. A type that is not in this list is an error.
#[derive(Deserialize)]
enum Decoded {
    S(String),
    N(String),
    B(Base64),
    #[serde(rename = "SS")]
    Ss(Vec<String>),
    #[serde(rename = "NS")]
    Ns(Vec<String>),
    #[serde(rename = "BS")]
    Bs(Vec<Base64>),
    M(HashMap<String, Decoded>),
    L(Vec<Decoded>),
    #[serde(rename = "NULL")]
    Null(bool),
    #[serde(rename = "BOOL")]
    Bool(bool),
}

impl From<Decoded> for AttributeValue {
    fn from(decoded: Decoded) -> Self {
        match decoded {
            Decoded::S(text) => Self::S(text),
            Decoded::N(number) => Self::N(number),
            Decoded::B(Base64(bytes)) => Self::B(bytes),
            Decoded::Ss(texts) => Self::Ss(texts),
            Decoded::Ns(numbers) => Self::Ns(numbers),
            Decoded::Bs(all) => Self::Bs(all.into_iter().map(|Base64(bytes)| bytes).collect()),
            Decoded::M(map) => Self::M(to_item(map)),
            Decoded::L(values) => Self::L(values.into_iter().map(Self::from).collect()),
            Decoded::Null(null) => Self::Null(null),
            Decoded::Bool(bool) => Self::Bool(bool),
        }
    }
}

fn to_item(decoded: HashMap<String, Decoded>) -> Item {
    let values = decoded.into_iter();
    values.map(|(name, value)| (name, value.into())).collect()
}

struct Base64(Blob);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An owned string: JSON may escape the `/` of Base64, and escaped text cannot be borrowed.
        let text = String::deserialize(deserializer)?;
        let bytes = base64::decode(text);
        // The cause would quote the value.
        let bytes = bytes.map_err(|_| D::Error::custom("a binary value is not in Base64"))?;
        Ok(Self(Blob::new(bytes)))
    }
}

/// A value read by serde.
#[derive(Deserialize)]
#[serde(from = "Decoded")]
pub(super) struct DecodedValue(pub(super) AttributeValue);

impl From<Decoded> for DecodedValue {
    fn from(decoded: Decoded) -> Self {
        Self(decoded.into())
    }
}
