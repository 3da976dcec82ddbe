//! The values that a path is compared with or set to.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use super::tree::{DocumentPath, Term, value_of};
use crate::codec::{CodecError, Encode};

/// The type of a [`Path`](crate::Path) that may be compared with anything that serde can serialize.
#[derive(Clone, Copy, Debug)]
pub enum Untyped {}

/// A value for an attribute of the type `T`, such as `18` in `User::age().ge(18)`.
///
/// It is a `T` or a reference to one, `&str` for a `String`, an array of them for a `Vec<String>`, a value of
/// the inner type or a reference to one for an `Option`, or another [`Path`](crate::Path) of the same type.
/// For an [`Untyped`] path, it is anything that serde can serialize.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value for an attribute of the type `{T}`",
    note = "a value of that type, a reference to one, and another path of that type are"
)]
pub trait Operand<M, T, E> {
    #[doc(hidden)]
    fn into_operand(self) -> OperandValue;
}

impl<M, T, E: Encode<T>> Operand<M, T, E> for T {
    fn into_operand(self) -> OperandValue {
        OperandValue::value(E::__encode_marked(&self))
    }
}

impl<M, T, E: Encode<T>> Operand<M, T, E> for &T {
    fn into_operand(self) -> OperandValue {
        OperandValue::value(E::__encode_marked(self))
    }
}

impl<M, T, E: Encode<Option<T>>> Operand<M, Option<T>, E> for T {
    fn into_operand(self) -> OperandValue {
        // `E` encodes the type of the field, so the value needs its `Some`.
        OperandValue::value(E::__encode_marked(&Some(self)))
    }
}

impl<M, T: Clone, E: Encode<Option<T>>> Operand<M, Option<T>, E> for &T {
    fn into_operand(self) -> OperandValue {
        // A `Some` owns its value, and `E` takes a reference to the whole `Option`.
        OperandValue::value(E::__encode_marked(&Some(self.clone())))
    }
}

impl<M, E: Encode<Vec<String>>, const N: usize> Operand<M, Vec<String>, E> for [&str; N] {
    fn into_operand(self) -> OperandValue {
        OperandValue::value(E::__encode_marked(&self.map(str::to_owned).into()))
    }
}

impl<M, E: Encode<String>> Operand<M, String, E> for &str {
    fn into_operand(self) -> OperandValue {
        OperandValue::value(E::__encode_marked(&self.to_owned()))
    }
}

impl<M, E: Encode<Option<String>>> Operand<M, Option<String>, E> for &str {
    fn into_operand(self) -> OperandValue {
        OperandValue::value(E::__encode_marked(&Some(self.to_owned())))
    }
}

impl<M, V: Serialize, E> Operand<M, Untyped, E> for V {
    fn into_operand(self) -> OperandValue {
        OperandValue(Term::Value(value_of(&self)))
    }
}

/// What an [`Operand`] becomes in an expression.
#[derive(Debug)]
pub struct OperandValue(Term);

impl OperandValue {
    fn value(value: Result<AttributeValue, CodecError>) -> Self {
        // Expressions can be cloned and errors cannot, so the error is shared.
        Self(Term::Value(value.map_err(Arc::from)))
    }

    pub(super) fn path(path: DocumentPath) -> Self {
        Self(Term::Path(path))
    }

    pub(crate) fn term(self) -> Term {
        self.0
    }
}
