//! The value of a key attribute.

use std::borrow::Cow;
use std::fmt;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::key_attribute::KeyType;
use crate::codec::normalized;

/// The value of a key attribute.
///
/// Two numbers are equal if DynamoDB takes them for the same key: `1`, `1.0` and `1e0` are. `Debug`
/// shows the type only, because a key may be a name or an address.
#[derive(Clone, Serialize, Deserialize)]
pub enum KeyValue {
    /// Text.
    S(String),
    /// A number, in DynamoDB's notation.
    N(String),
    /// Bytes.
    B(Vec<u8>),
}

impl KeyValue {
    /// Returns the value of an attribute, if it has a type that a key can have.
    pub(crate) fn from_attribute(value: &AttributeValue) -> Option<Self> {
        match value {
            AttributeValue::S(text) => Some(Self::S(text.clone())),
            AttributeValue::N(number) => Some(Self::N(number.clone())),
            // Not the SDK's `Blob`, because cursors serialize keys with serde.
            AttributeValue::B(bytes) => Some(Self::B(bytes.as_ref().to_vec())),
            _ => None,
        }
    }

    /// Returns the type of the attribute.
    pub(crate) fn key_type(&self) -> KeyType {
        match self {
            Self::S(_) => KeyType::String,
            Self::N(_) => KeyType::Number,
            Self::B(_) => KeyType::Binary,
        }
    }

    /// The type, and the bytes in which two keys differ.
    fn identity(&self) -> (KeyType, Cow<'_, [u8]>) {
        // Equality and hashing both use these bytes, so that equal keys have equal hashes.
        let bytes = match self {
            Self::S(text) => text.as_bytes().into(),
            Self::N(number) => normalized(number).into_bytes().into(),
            Self::B(bytes) => bytes.as_slice().into(),
        };
        (self.key_type(), bytes)
    }
}

impl PartialEq for KeyValue {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for KeyValue {}

impl std::hash::Hash for KeyValue {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(..)", self.key_type())
    }
}

impl From<KeyValue> for AttributeValue {
    fn from(value: KeyValue) -> Self {
        match value {
            KeyValue::S(text) => Self::S(text),
            KeyValue::N(number) => Self::N(number),
            KeyValue::B(bytes) => Self::B(Blob::new(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_dynamodb_takes_for_the_same_key_are_equal() {
        let number = |text: &str| KeyValue::N(text.to_owned());
        for same in ["1", "1.0", "+1", "01", "1e0", "10E-1", "0.1e1", "1.000"] {
            assert_eq!(number(same), number("1"), "{same}");
        }
        for zero in ["0", "-0", "0.00", "0e7", "000"] {
            assert_eq!(number(zero), number("0"), "{zero}");
        }
        assert_eq!(number("1200"), number("1.2e3"));
        assert_eq!(number("-0.50"), number("-5e-1"));
        assert_ne!(number("1"), number("-1"));
        assert_ne!(number("1"), number("10"));
        assert_ne!(number("1"), KeyValue::S("1".into()));
        assert_ne!(number("junk"), number("junkk"));
    }
}
