//! The encoding of one attribute's value.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serializer;

use super::encode::{Encoder, Notes, encode_marked};
use super::item::CodecError;

/// The encoding of an attribute's values: [`Serde`](crate::Serde), or that of a [field](FieldOf).
///
/// Keys, conditions and updates encode a value with it as the codec does in an item.
pub trait Encode<T> {
    /// Turns a value into the value of an attribute.
    ///
    /// # Errors
    ///
    /// If no attribute can hold the value.
    fn encode(value: &T) -> Result<AttributeValue, CodecError>;

    /// Encodes a value for [`Codec::stored`](crate::Codec::stored), with a mark where a field is `None`.
    #[doc(hidden)]
    fn __encode_marked(value: &T) -> Result<AttributeValue, CodecError> {
        Self::encode(value)
    }
}

/// The encoding of the field at position `N` of the model `M`.
///
/// `#[derive(Model)]` uses it for a field with `#[serde(with)]`, `#[serde(serialize_with)]` or
/// `#[model(key_type)]`; all other fields have the encoding [`Serde`](crate::Serde).
pub struct FieldOf<M, const N: usize>(PhantomData<fn() -> M>);

impl<M, const N: usize> fmt::Debug for FieldOf<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldOf<{}, {N}>", std::any::type_name::<M>())
    }
}

/// Serializes the field at position `N` of a model, whose type is `T`.
///
/// `#[derive(Model)]` implements it for the fields that have a [`FieldOf`] encoding.
pub trait SerializeField<const N: usize, T> {
    /// Serializes a value of the field.
    ///
    /// # Errors
    ///
    /// That of the serializer.
    fn serialize<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error>;
}

impl<M: SerializeField<N, T>, T, const N: usize> Encode<T> for FieldOf<M, N> {
    fn encode(value: &T) -> Result<AttributeValue, CodecError> {
        Ok(M::serialize(value, Encoder::new(&Notes::default()))?)
    }

    fn __encode_marked(value: &T) -> Result<AttributeValue, CodecError> {
        Ok(encode_marked(|encoder| M::serialize(value, encoder))?)
    }
}
