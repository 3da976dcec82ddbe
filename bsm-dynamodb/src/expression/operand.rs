//! What a path is compared with or set to.

use std::error::Error as StdError;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::codec::{CodecError, Serde, to_attribute_value};
use crate::expression::path::{DocumentPath, Path, Untyped};

/// What can stand where a value of the type `T` is expected, such as `18` in `User::age().ge(18)`.
///
/// A `T` or a reference to it; `&str` for a `String`; what is in the `Option` for an `Option`;
/// another [`Path`] of the same type. For a path that is [`Untyped`], anything that serde can
/// serialize.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value for an attribute of the type `{T}`",
    note = "a value of that type, a reference to one, and another path of that type are"
)]
pub trait Operand<M, T, E> {
    #[doc(hidden)]
    fn into_given(self) -> Given;
}

/// How the values of one field are written; [`Serde`] unless the field says otherwise.
///
/// `#[derive(Model)]` implements it for a field that has `#[serde(with)]` or
/// `#[serde(serialize_with)]`.
pub trait Encode<T> {
    /// Turns a value into the value of an attribute.
    ///
    /// # Errors
    ///
    /// If no attribute can hold the value.
    fn encode(value: &T) -> Result<AttributeValue, CodecError>;
}

impl<T: Serialize> Encode<T> for Serde {
    fn encode(value: &T) -> Result<AttributeValue, CodecError> {
        to_attribute_value(value)
    }
}

impl<M, T, E: Encode<T>> Operand<M, T, E> for T {
    fn into_given(self) -> Given {
        Given::value(E::encode(&self))
    }
}

impl<M, T, E: Encode<T>> Operand<M, T, E> for &T {
    fn into_given(self) -> Given {
        Given::value(E::encode(self))
    }
}

impl<M, T, E: Encode<Option<T>>> Operand<M, Option<T>, E> for T {
    fn into_given(self) -> Given {
        Given::value(E::encode(&Some(self)))
    }
}

impl<M, E: Encode<String>> Operand<M, String, E> for &str {
    fn into_given(self) -> Given {
        Given::value(E::encode(&self.to_owned()))
    }
}

impl<M, E: Encode<Option<String>>> Operand<M, Option<String>, E> for &str {
    fn into_given(self) -> Given {
        Given::value(E::encode(&Some(self.to_owned())))
    }
}

impl<M, V: Serialize, E> Operand<M, Untyped, E> for V {
    fn into_given(self) -> Given {
        Given(Term::Value(value_of(&self)))
    }
}

impl<M, T, E, F> Operand<M, T, E> for Path<M, T, F> {
    fn into_given(self) -> Given {
        Given(Term::Path(self.into_place()))
    }
}

/// What an [`Operand`] comes down to.
#[derive(Debug)]
pub struct Given(Term);

impl Given {
    fn value(value: Result<AttributeValue, CodecError>) -> Self {
        Self(Term::Value(value.map_err(Arc::from)))
    }

    pub(crate) fn term(self) -> Term {
        self.0
    }
}

/// A path, the size of what is there, or a value.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Path(DocumentPath),
    Size(DocumentPath),
    Value(Value),
}

/// A value, or why it cannot be stored, to be told when the request is built.
pub(crate) type Value = Result<AttributeValue, SharedError>;

pub(crate) type SharedError = Arc<dyn StdError + Send + Sync>;

/// Encodes a value that belongs to no field.
pub(crate) fn value_of(value: &impl Serialize) -> Value {
    to_attribute_value(value).map_err(Arc::from)
}
