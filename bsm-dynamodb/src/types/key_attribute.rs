//! The types that can be keys.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::ScalarAttributeType;
use serde::Serialize;

use super::binary::Binary;
use super::number::Number;
use crate::codec::{Encode, FieldOf, SerializeField};

/// A type that can be a hash key or a range key.
///
/// Strings and integers are; `#[derive(KeyAttribute)]` makes one of a newtype, and of an enum without
/// fields. A key is stored as serde writes it, in requests and in items.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{Key, KeyAttribute, KeyType};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(KeyAttribute, Serialize, Deserialize)]
/// struct CustomerId(String);
///
/// assert_eq!(CustomerId::TYPES, (KeyType::String, None));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key attribute",
    label = "a key is a string, an integer, or a newtype of them",
    note = "derive `KeyAttribute` for a newtype, or say on the field how serde writes the type: \
            `#[model(key_type = String)]`",
    note = "a time is a key with `#[serde(with = \"bsm_dynamodb::rfc3339\")]`, whose text sorts"
)]
pub trait KeyAttribute: Serialize + Send + 'static {
    /// The type of the attribute that serde writes: `String`, [`Number`] or [`Binary`].
    type Stored: KeyScalar;
}

/// A type of DynamoDB's key attributes: `String`, [`Number`] or [`Binary`].
pub trait KeyScalar: sealed::Sealed + 'static {
    /// The type in the table's definition.
    const TYPE: KeyType;
}

/// A type of key attributes that have prefixes: `String` and [`Binary`].
#[diagnostic::on_unimplemented(
    message = "a range key that is stored as a `{Self}` has no prefix",
    note = "strings and binary values can begin with something, a number cannot"
)]
pub trait KeyPrefix: KeyScalar + Serialize {}

/// A type of attributes that can stand in the text of a composite key: `String` and [`Number`].
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot stand in the template of a key",
    note = "strings and numbers can"
)]
pub trait KeyText: KeyScalar {}

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

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Binary => "binary",
        })
    }
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

impl KeyScalar for String {
    const TYPE: KeyType = KeyType::String;
}

impl KeyScalar for Number {
    const TYPE: KeyType = KeyType::Number;
}

impl KeyScalar for Binary {
    const TYPE: KeyType = KeyType::Binary;
}

impl KeyPrefix for String {}

impl KeyPrefix for Binary {}

impl KeyText for String {}

impl KeyText for Number {}

impl KeyAttribute for String {
    type Stored = Self;
}

impl KeyAttribute for Number {
    type Stored = Self;
}

impl KeyAttribute for Binary {
    type Stored = Self;
}

macro_rules! number_keys {
    ($($number:ty),*) => {$(
        impl KeyAttribute for $number {
            type Stored = Number;
        }
    )*};
}

number_keys!(
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize
);

/// One attribute of a key: a [`KeyAttribute`], or an [`Encoded`] one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key attribute",
    label = "a key is a string, an integer, or a newtype of them"
)]
pub trait KeyElement: Send + 'static {
    /// The type of the attribute in the table: `String`, [`Number`] or [`Binary`].
    type Stored: KeyScalar;
}

impl<K: KeyAttribute> KeyElement for K {
    type Stored = K::Stored;
}

/// A key attribute of type `T` that has the encoding `E`, in the type of a model's key.
///
/// `#[derive(Model)]` uses it for a key field with `#[serde(with)]`, `#[serde(serialize_with)]` or
/// `#[model(key_type)]`. A `T` is given for it, as in `User::get("123")`.
pub struct Encoded<T, E>(PhantomData<fn() -> (T, E)>);

impl<T, E> fmt::Debug for Encoded<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded<{}>", std::any::type_name::<T>())
    }
}

// `Encoded` is no `KeyAttribute`, so this doesn't overlap with the implementation above.
impl<T: 'static, E: EncodeKey<T>> KeyElement for Encoded<T, E> {
    type Stored = E::Stored;
}

/// An encoding whose values can be keys.
pub trait EncodeKey<T>: Encode<T> + 'static {
    /// The type of the attribute in the table: `String`, [`Number`] or [`Binary`].
    type Stored: KeyScalar;
}

impl<M: KeyField<N, T> + 'static, T, const N: usize> EncodeKey<T> for FieldOf<M, N> {
    type Stored = M::Stored;
}

/// The field at position `N` of a model as a key attribute of type `T`.
///
/// `#[derive(Model)]` implements it for key fields that have a [`FieldOf`] encoding.
pub trait KeyField<const N: usize, T>: SerializeField<N, T> {
    /// The type of the attribute in the table: `String`, [`Number`] or [`Binary`].
    type Stored: KeyScalar;
}

mod sealed {
    // Sealed, because DynamoDB has no other types of key attributes.
    pub trait Sealed {}

    impl Sealed for String {}
    impl Sealed for super::Number {}
    impl Sealed for super::Binary {}
}
