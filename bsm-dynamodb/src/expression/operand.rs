//! The values that a path is compared with or set to.

use std::sync::Arc;

use serde::Serialize;

use super::tree::{DocumentPath, Term, value_of};
use crate::codec::Encode;

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
    /// `left_out` is the condition under which serde leaves out the field.
    #[doc(hidden)]
    fn into_operand(self, left_out: Option<LeftOut<T>>) -> OperandValue;
}

/// The function of a field's `#[serde(skip_serializing_if)]`.
pub(super) type LeftOut<T> = fn(&T) -> bool;

impl<M, T, E: Encode<T>> Operand<M, T, E> for T {
    fn into_operand(self, left_out: Option<LeftOut<T>>) -> OperandValue {
        OperandValue::new::<T, E>(&self, left_out)
    }
}

impl<M, T, E: Encode<T>> Operand<M, T, E> for &T {
    fn into_operand(self, left_out: Option<LeftOut<T>>) -> OperandValue {
        OperandValue::new::<T, E>(self, left_out)
    }
}

impl<M, T, E: Encode<Option<T>>> Operand<M, Option<T>, E> for T {
    fn into_operand(self, left_out: Option<LeftOut<Option<T>>>) -> OperandValue {
        // `E` encodes the type of the field, so the value needs its `Some`.
        OperandValue::new::<Option<T>, E>(&Some(self), left_out)
    }
}

impl<M, T: Clone, E: Encode<Option<T>>> Operand<M, Option<T>, E> for &T {
    fn into_operand(self, left_out: Option<LeftOut<Option<T>>>) -> OperandValue {
        // A `Some` owns its value, and `E` takes a reference to the whole `Option`.
        OperandValue::new::<Option<T>, E>(&Some(self.clone()), left_out)
    }
}

impl<M, E: Encode<Vec<String>>, const N: usize> Operand<M, Vec<String>, E> for [&str; N] {
    fn into_operand(self, left_out: Option<LeftOut<Vec<String>>>) -> OperandValue {
        let list = self.map(str::to_owned).into();
        OperandValue::new::<Vec<String>, E>(&list, left_out)
    }
}

impl<M, E: Encode<String>> Operand<M, String, E> for &str {
    fn into_operand(self, left_out: Option<LeftOut<String>>) -> OperandValue {
        OperandValue::new::<String, E>(&self.to_owned(), left_out)
    }
}

impl<M, E: Encode<Option<String>>> Operand<M, Option<String>, E> for &str {
    fn into_operand(self, left_out: Option<LeftOut<Option<String>>>) -> OperandValue {
        OperandValue::new::<Option<String>, E>(&Some(self.to_owned()), left_out)
    }
}

impl<M, V: Serialize, E> Operand<M, Untyped, E> for V {
    fn into_operand(self, _: Option<LeftOut<Untyped>>) -> OperandValue {
        OperandValue {
            term: Term::Value(value_of(&self)),
            is_left_out: false,
        }
    }
}

/// What an [`Operand`] becomes in an expression.
#[derive(Debug)]
pub struct OperandValue {
    pub(super) term: Term,
    /// Whether a save leaves out the field if it has this value.
    pub(super) is_left_out: bool,
}

impl OperandValue {
    fn new<T, E: Encode<T>>(value: &T, left_out: Option<LeftOut<T>>) -> Self {
        Self {
            // Expressions can be cloned and errors cannot, so the error is shared.
            term: Term::Value(E::__encode_marked(value).map_err(Arc::from)),
            is_left_out: left_out.is_some_and(|left_out| left_out(value)),
        }
    }

    pub(super) fn path(path: DocumentPath) -> Self {
        Self {
            term: Term::Path(path),
            is_left_out: false,
        }
    }
}
