//! The keys of a table: their types, names and values.
//!
//! DynamoDB knows a hash key ("partition key") and, in some tables, a range key ("sort key"), each
//! a string, a number or binary. A model says both in types, so that a look-up with the wrong kind
//! of key does not compile.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ScalarAttributeType};

use crate::codec::Item;

/// A type that can be a hash key or a range key.
///
/// Strings and integers are; a newtype becomes one with `#[derive(KeyAttribute)]`. What
/// [`to_key_value`](Self::to_key_value) gives has to be what the model's codec writes for the same
/// attribute.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{KeyAttribute, KeyType};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(KeyAttribute, Serialize, Deserialize)]
/// struct CustomerId(String);
///
/// assert_eq!(CustomerId::TYPE, KeyType::String);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key attribute",
    label = "a key is a string, an integer, or a newtype of them",
    note = "derive `KeyAttribute` for a newtype, or implement it by hand"
)]
pub trait KeyAttribute: Send + 'static {
    /// The type of the attribute in the table's definition.
    const TYPE: KeyType;

    /// Returns the value as it is stored.
    fn to_key_value(&self) -> KeyValue;
}

/// The type of a key attribute.
///
/// Source: [AttributeDefinition](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeDefinition.html)
/// in the DynamoDB API Reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// `S`: UTF-8 text, not empty; at most 2,048 bytes as a hash key, 1,024 as a range key.
    String,
    /// `N`: a number of at most 38 digits.
    Number,
    /// `B`: bytes, not empty; at most 2,048 as a hash key, 1,024 as a range key.
    Binary,
}

impl From<KeyType> for ScalarAttributeType {
    fn from(key_type: KeyType) -> Self {
        match key_type {
            KeyType::String => Self::S,
            KeyType::Number => Self::N,
            KeyType::Binary => Self::B,
        }
    }
}

/// The value of a key attribute.
///
/// Two numbers are equal if DynamoDB takes them for the same key: `1`, `1.0` and `1e0` are. `Debug`
/// shows the type only, because a key may be a name or an address.
#[derive(Clone)]
pub enum KeyValue {
    /// Text.
    S(String),
    /// A number, in DynamoDB's notation.
    N(String),
    /// Bytes.
    B(Vec<u8>),
}

impl KeyValue {
    fn from_attribute(value: &AttributeValue) -> Option<Self> {
        match value {
            AttributeValue::S(text) => Some(Self::S(text.clone())),
            AttributeValue::N(number) => Some(Self::N(number.clone())),
            AttributeValue::B(bytes) => Some(Self::B(bytes.as_ref().to_vec())),
            _ => None,
        }
    }

    /// The type, and what tells two keys apart.
    fn identity(&self) -> (KeyType, Cow<'_, [u8]>) {
        match self {
            Self::S(text) => (KeyType::String, text.as_bytes().into()),
            Self::N(number) => (KeyType::Number, normalized(number).into_bytes().into()),
            Self::B(bytes) => (KeyType::Binary, bytes.as_slice().into()),
        }
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
        write!(f, "{:?}(..)", self.identity().0)
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

/// Writes a number as its significant digits and an exponent, so that equal numbers are equal text.
///
/// What is not a number is left alone; DynamoDB will refuse it.
pub(crate) fn normalized(number: &str) -> String {
    let (sign, magnitude) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number.strip_prefix('+').unwrap_or(number)),
    };
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<i64>() else {
        return number.to_owned();
    };
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let significant = digits.trim_end_matches('0');
    let trailing = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let exponent = exponent.saturating_add(trailing as i64 - fraction.len() as i64);
    format!("{sign}{significant}e{exponent}")
}

impl KeyAttribute for String {
    const TYPE: KeyType = KeyType::String;

    fn to_key_value(&self) -> KeyValue {
        KeyValue::S(self.clone())
    }
}

macro_rules! number_keys {
    ($($number:ty),*) => {$(
        impl KeyAttribute for $number {
            const TYPE: KeyType = KeyType::Number;

            fn to_key_value(&self) -> KeyValue {
                KeyValue::N(self.to_string())
            }
        }
    )*};
}

number_keys!(
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize
);

/// The key of a model: a [`KeyAttribute`], or a pair of them for a table with a range key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a model",
    note = "a key is one `KeyAttribute`, or a pair of them: (hash key, range key)"
)]
pub trait Key: Send + 'static {
    /// The type of the hash key.
    type Hash: KeyAttribute;

    /// The types of the hash key and of the range key.
    const TYPES: (KeyType, Option<KeyType>);
}

impl<H: KeyAttribute> Key for H {
    type Hash = H;

    const TYPES: (KeyType, Option<KeyType>) = (H::TYPE, None);
}

impl<H: KeyAttribute, R: KeyAttribute> Key for (H, R) {
    type Hash = H;

    const TYPES: (KeyType, Option<KeyType>) = (H::TYPE, Some(R::TYPE));
}

/// A key that has a range key: a pair.
#[diagnostic::on_unimplemented(
    message = "the key `{Self}` has no range key",
    note = "only a key that is a pair, (hash key, range key), has one"
)]
pub trait RangedKey: Key {
    /// The type of the range key.
    type Range: KeyAttribute;
}

impl<H: KeyAttribute, R: KeyAttribute> RangedKey for (H, R) {
    type Range = R;
}

/// What can be given for a key of type `K`, as in `User::get("123")`.
///
/// A `String` key takes `&str`, too; any key takes a reference to it; a pair takes a pair.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of this model",
    label = "expected a key of type `{K}`"
)]
pub trait IntoKey<K: Key> {
    /// Gives the values of the key's attributes.
    fn into_key(self) -> KeyValues;
}

impl<K: KeyAttribute> IntoKey<K> for K {
    fn into_key(self) -> KeyValues {
        KeyValues::hash(self.to_key_value())
    }
}

impl<K: KeyAttribute> IntoKey<K> for &K {
    fn into_key(self) -> KeyValues {
        KeyValues::hash(self.to_key_value())
    }
}

impl IntoKey<String> for &str {
    fn into_key(self) -> KeyValues {
        KeyValues::hash(KeyValue::S(self.to_owned()))
    }
}

impl<H, R, A, B> IntoKey<(H, R)> for (A, B)
where
    H: KeyAttribute,
    R: KeyAttribute,
    A: IntoKey<H>,
    B: IntoKey<R>,
{
    fn into_key(self) -> KeyValues {
        KeyValues {
            hash: self.0.into_key().hash,
            range: Some(self.1.into_key().hash),
        }
    }
}

/// The values of the key attributes of one item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyValues {
    hash: KeyValue,
    range: Option<KeyValue>,
}

impl KeyValues {
    fn hash(hash: KeyValue) -> Self {
        Self { hash, range: None }
    }

    /// Takes the hash key out.
    pub(crate) fn into_hash(self) -> KeyValue {
        self.hash
    }

    /// Reads the key out of an item, or gives the name of the attribute that is not a key.
    pub(crate) fn in_item<'a>(
        item: &Item,
        hash: &'a str,
        range: Option<&'a str>,
    ) -> Result<Self, &'a str> {
        let value = |name| {
            item.get(name)
                .and_then(KeyValue::from_attribute)
                .ok_or(name)
        };
        Ok(Self {
            hash: value(hash)?,
            range: range.map(value).transpose()?,
        })
    }
}

/// The names of the key attributes of a table whose key has the type `K`.
pub struct KeySchema<K> {
    hash: &'static str,
    range: Option<&'static str>,
    key: PhantomData<fn() -> K>,
}

impl<H: KeyAttribute> KeySchema<H> {
    /// Describes a table that has a hash key only.
    pub const fn hash(name: &'static str) -> Self {
        Self {
            hash: name,
            range: None,
            key: PhantomData,
        }
    }
}

impl<H: KeyAttribute, R: KeyAttribute> KeySchema<(H, R)> {
    /// Describes a table that has a hash key and a range key.
    pub const fn hash_and_range(hash: &'static str, range: &'static str) -> Self {
        Self {
            hash,
            range: Some(range),
            key: PhantomData,
        }
    }
}

impl<K> KeySchema<K> {
    /// Returns the name of the hash key.
    pub const fn hash_name(&self) -> &'static str {
        self.hash
    }

    /// Returns the name of the range key, if there is one.
    pub const fn range_name(&self) -> Option<&'static str> {
        self.range
    }

    /// Builds the `Key` of a request.
    pub(crate) fn name_values(&self, key: KeyValues) -> Item {
        let hash = (self.hash, key.hash);
        let range = self.range.zip(key.range);
        std::iter::once(hash)
            .chain(range)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    }

    /// Reads the key out of an item, or gives the name of the attribute that is not a key.
    pub(crate) fn values_in(&self, item: &Item) -> Result<KeyValues, &'static str> {
        KeyValues::in_item(item, self.hash, self.range)
    }
}

impl<K> Clone for KeySchema<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for KeySchema<K> {}

impl<K> fmt::Debug for KeySchema<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySchema")
            .field("hash", &self.hash)
            .field("range", &self.range)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<K: Key>(key: impl IntoKey<K>) -> KeyValues {
        key.into_key()
    }

    #[test]
    fn keys_are_written_the_natural_way() {
        let seven = KeyValues {
            hash: KeyValue::S("customer".into()),
            range: Some(KeyValue::N("7".into())),
        };
        assert_eq!(key::<(String, u64)>(("customer", 7)), seven);
        assert_eq!(key::<(String, u64)>((String::from("customer"), &7)), seven);
        assert_eq!(key::<u32>(7), KeyValues::hash(KeyValue::N("7".into())));
        assert_eq!(key::<String>("7"), key::<String>(&String::from("7")));
    }

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

    #[test]
    fn debug_hides_the_value() {
        let text = format!("{:?}", key::<String>("someone@example.com"));
        assert!(!text.contains("someone"), "{text}");
    }

    #[test]
    fn a_key_is_found_in_an_item() {
        let schema: KeySchema<(String, u64)> = KeySchema::hash_and_range("customer", "number");
        let values = key::<(String, u64)>(("c", 7));
        let item = schema.name_values(values.clone());
        assert_eq!(schema.values_in(&item), Ok(values));
        assert_eq!(schema.values_in(&Item::new()), Err("customer"));
    }
}
