//! Where in an item a value is.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use super::condition::{Condition, Size};
use super::operand::{LeftOut, Operand, OperandValue, Untyped};
use super::tree::{Comparator, DocumentPath, Node, Segment, Term};
use crate::codec::{CodecError, Serde};

/// The most values that `IN` takes.
///
/// Source: [Service quotas](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html)
/// in the Developer Guide.
const MAX_IN: usize = 100;

/// The path of a value in the items of the model `M`: of an attribute, or of a value nested in one.
///
/// `#[derive(Model)]` creates a function for each field, which returns the path of its attribute, so
/// that `User::age().ge(18)` is a [`Condition`]. The other side of a comparison has the field's type `T`,
/// and is encoded as the field is: `E` is [`Serde`], or the encoding of the field's `#[serde(with)]`.
///
/// A name may be a reserved word or contain dots: the request contains placeholders only.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{Model, Path};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Address {
///     city: String,
/// }
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "users")]
/// struct User {
///     #[model(hash_key)]
///     id: String,
///     age: u8,
///     addresses: Vec<Address>,
/// }
///
/// let grown_up = User::age().ge(18);
/// let berliner = User::addresses().index(0).field("city").eq("Berlin");
/// let either = grown_up | berliner;
///
/// // An attribute that the model does not know.
/// let imported = Path::<User>::new("import.batch").exists();
/// ```
///
/// A value of another type does not compile:
///
/// ```compile_fail
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String, age: u8 }
/// let grown_up = User::age().ge("eighteen");
/// ```
///
/// Source: [Condition and filter expressions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html)
/// in the Developer Guide.
#[must_use = "a path does nothing by itself"]
pub struct Path<M, T = Untyped, E = Serde> {
    document_path: DocumentPath,
    check: Option<ValueCheck>,
    left_out: Option<LeftOut<T>>,
    model: PhantomData<fn() -> M>,
    value: PhantomData<fn() -> (T, E)>,
}

/// A type of lists whose elements have paths of their own type; see [`Path::index`].
#[diagnostic::on_unimplemented(
    message = "the elements of a `{Self}` have no type that is known here",
    note = "say what the list contains, as in `.typed::<Vec<String>>().index(0)`"
)]
pub trait Elements<E> {
    /// The type of the elements.
    type Element;
}

// For `Serde` only: the functions of `#[serde(with)]` may write the elements in any form.
impl<T> Elements<Serde> for Vec<T> {
    type Element = T;
}

impl<T> Elements<Serde> for VecDeque<T> {
    type Element = T;
}

impl<T, const N: usize> Elements<Serde> for [T; N] {
    type Element = T;
}

impl<E, T: Elements<E>> Elements<E> for Option<T> {
    type Element = T::Element;
}

impl<E> Elements<E> for Untyped {
    type Element = Untyped;
}

/// Checks that a value is read back as it is written.
pub(crate) type ValueCheck = fn(&AttributeValue) -> Result<(), CodecError>;

impl<M, T, E> Path<M, T, E> {
    /// Creates the path of an attribute.
    ///
    /// A dot in the name is part of the name, and not a step into a map.
    pub fn new(attribute: impl Into<Cow<'static, str>>) -> Self {
        Self::at(DocumentPath::attribute(attribute))
    }

    /// Creates the path of a field, whose values an update checks.
    #[doc(hidden)]
    pub fn __field(attribute: &'static str, check: Option<ValueCheck>) -> Self {
        Self {
            check,
            ..Self::new(attribute)
        }
    }

    /// Adds the condition under which serde leaves out the field.
    #[doc(hidden)]
    pub fn __left_out_if(mut self, left_out: LeftOut<T>) -> Self {
        self.left_out = Some(left_out);
        self
    }

    /// Returns the path of an entry of this map.
    pub fn field(self, name: impl Into<Cow<'static, str>>) -> Path<M> {
        self.then(Segment::Name(name.into()))
    }

    /// Returns the path of an element of this list, with its type. The index of the first one is 0.
    ///
    /// A list of another type than `Vec`, `VecDeque` or an array takes
    /// [`typed`](Self::typed) first.
    pub fn index(self, index: usize) -> Path<M, T::Element>
    where
        T: Elements<E>,
    {
        Path::at(self.document_path.then(Segment::Index(index)))
    }

    /// Returns the same path for values of the type `U`.
    pub fn typed<U>(self) -> Path<M, U> {
        Path::at(self.document_path)
    }

    /// Takes the value here to be a `U` with the encoding `F` of a field.
    #[doc(hidden)]
    pub fn __encoded<U, F>(self) -> Path<M, U, F> {
        Path::at(self.document_path)
    }

    fn at(document_path: DocumentPath) -> Self {
        Self {
            // These two are for values of the whole field, and this may be the path of a part of it.
            check: None,
            left_out: None,
            document_path,
            model: PhantomData,
            value: PhantomData,
        }
    }

    fn then(self, segment: Segment) -> Path<M> {
        Path::at(self.document_path.then(segment))
    }

    /// Returns the term of a value.
    pub(crate) fn value_term(&self, value: impl Operand<M, T, E>) -> Term {
        value.into_operand(self.left_out).term
    }

    /// As [`value_term`](Self::value_term); an error if the value could not be read back.
    pub(crate) fn checked_term(&self, value: impl Operand<M, T, E>) -> Term {
        self.checked(self.value_term(value))
    }

    /// As [`checked_term`](Self::checked_term), for a value that takes the place of the one here: what a save
    /// leaves out is left out.
    pub(crate) fn replacing_term(&self, value: impl Operand<M, T, E>) -> Term {
        let operand = value.into_operand(self.left_out);
        match operand.is_left_out {
            true => Term::left_out(),
            false => self.checked(operand.term),
        }
    }

    fn checked(&self, term: Term) -> Term {
        // Paths and literals pass: no new value of the caller's is stored for them.
        if let (Some(check), Term::Value(Ok(value))) = (self.check, &term)
            && let Err(error) = check(value)
        {
            let reason = format!("`{}`: {error}", self.document_path);
            return Term::Value(Err(CodecError::from(reason).into()));
        }
        term
    }

    pub(crate) fn into_document_path(self) -> DocumentPath {
        self.document_path
    }
}

/// # Conditions
///
/// If there is no value at the path, only [`ne`](Self::ne) with a value, [`eq`](Self::eq) with `None`, and
/// [`not_exists`](Self::not_exists) are true.
impl<M, T, E> Path<M, T, E> {
    /// Returns a condition that is true if the value equals `other`.
    ///
    /// `eq(None)` is true for every item that is read as `None`: one without the attribute, and one that
    /// has NULL there. [`not_exists`](Self::not_exists) tells the two apart.
    pub fn eq(self, other: impl Operand<M, T, E>) -> Condition<M> {
        match self.reads_as_missing(other) {
            (other, true) => self.missing_or_equal(other),
            (other, false) => self.compare_term(Comparator::Eq, other),
        }
    }

    /// Returns a condition that is true if the value differs from `other`, or if the attribute is missing.
    ///
    /// `ne(None)` is true for every item that is read as `Some`.
    pub fn ne(self, other: impl Operand<M, T, E>) -> Condition<M> {
        match self.reads_as_missing(other) {
            (other, true) => self.missing_or_equal(other).not(),
            (other, false) => self.compare_term(Comparator::Ne, other),
        }
    }

    /// Returns a condition that is true if the value is less than `other`.
    pub fn lt(self, other: impl Operand<M, T, E>) -> Condition<M> {
        self.compare(Comparator::Lt, other)
    }

    /// Returns a condition that is true if the value is at most `other`.
    pub fn le(self, other: impl Operand<M, T, E>) -> Condition<M> {
        self.compare(Comparator::Le, other)
    }

    /// Returns a condition that is true if the value is greater than `other`.
    pub fn gt(self, other: impl Operand<M, T, E>) -> Condition<M> {
        self.compare(Comparator::Gt, other)
    }

    /// Returns a condition that is true if the value is at least `other`.
    pub fn ge(self, other: impl Operand<M, T, E>) -> Condition<M> {
        self.compare(Comparator::Ge, other)
    }

    /// Returns a condition that is true if the value is at least `low` and at most `high`.
    ///
    /// DynamoDB rejects the request if `low` is greater than `high`.
    pub fn between(self, low: impl Operand<M, T, E>, high: impl Operand<M, T, E>) -> Condition<M> {
        let (low, high) = (self.value_term(low), self.value_term(high));
        Condition::new(Node::Between(self.into_term(), low, high))
    }

    /// Returns a condition that is true if the value is one of these.
    ///
    /// Without any, the operation fails before it sends a request. DynamoDB accepts 100 values in a list;
    /// more are written as several lists.
    pub fn in_(self, others: impl IntoIterator<Item = impl Operand<M, T, E>>) -> Condition<M> {
        let others: Vec<_> = others
            .into_iter()
            .map(|other| self.value_term(other))
            .collect();
        // An empty list becomes an error of the writer, because this function returns no `Result`.
        let list =
            |others: &[Term]| Node::In(Term::Path(self.document_path.clone()), others.to_vec());
        Condition::new(match others.len() {
            0..=MAX_IN => list(&others),
            _ => Node::Any(others.chunks(MAX_IN).map(list).collect()),
        })
    }

    /// Returns a condition that is true if the text begins with `prefix`.
    ///
    /// The prefix is compared with the text as it is stored: for a field that `#[serde(with)]` or the model's codec
    /// encodes, with the encoded form, because the beginning of a value has none of its own.
    pub fn begins_with(self, prefix: impl Into<String>) -> Condition<M> {
        // A prefix is no value of the field, so neither the encoding nor the codec applies to it.
        let prefix = Term::Literal(AttributeValue::S(prefix.into()));
        self.function("begins_with", Some(prefix))
    }

    /// Returns a condition that is true if the text contains this text, or the list or set this element.
    ///
    /// The text or element is compared as it is stored, as with [`begins_with`](Self::begins_with).
    pub fn contains(self, element: impl Serialize) -> Condition<M> {
        // The encoding is that of the whole field, so an element is encoded by serde alone.
        self.function("contains", Some(Term::literal(&element)))
    }

    /// Returns a condition that is true if there is a value, even NULL.
    pub fn exists(self) -> Condition<M> {
        self.function("attribute_exists", None)
    }

    /// Returns a condition that is true if there is no value, not even NULL.
    pub fn not_exists(self) -> Condition<M> {
        self.function("attribute_not_exists", None)
    }

    /// Returns a condition that is true if the value has this type.
    pub fn attribute_type(self, attribute_type: AttributeType) -> Condition<M> {
        let code = AttributeValue::S(attribute_type.code().to_owned());
        self.function("attribute_type", Some(Term::Literal(code)))
    }

    /// Returns the size of the value: characters of a text, bytes of binary, elements of the others.
    pub fn size(self) -> Size<M> {
        Size::new(self.document_path)
    }

    fn compare(self, comparator: Comparator, other: impl Operand<M, T, E>) -> Condition<M> {
        let other = self.value_term(other);
        self.compare_term(comparator, other)
    }

    fn compare_term(self, comparator: Comparator, other: Term) -> Condition<M> {
        Condition::new(Node::Compare(self.into_term(), comparator, other))
    }

    /// Returns the term of a value, and whether an item without the attribute is read as this value.
    fn reads_as_missing(&self, value: impl Operand<M, T, E>) -> (Term, bool) {
        let operand = value.into_operand(self.left_out);
        match operand.term.is_null() {
            true => (Term::Literal(AttributeValue::Null(true)), true),
            false => (operand.term, operand.is_left_out),
        }
    }

    /// Returns a condition that is true if the attribute is missing or equals `other`, which is what a missing
    /// one is read as.
    fn missing_or_equal(self, other: Term) -> Condition<M> {
        Condition::new(Node::Any(vec![
            Node::Function("attribute_not_exists", self.document_path.clone(), None),
            Node::Compare(self.into_term(), Comparator::Eq, other),
        ]))
    }

    fn function(self, name: &'static str, argument: Option<Term>) -> Condition<M> {
        Condition::new(Node::Function(name, self.document_path, argument))
    }

    fn into_term(self) -> Term {
        Term::Path(self.document_path)
    }
}

impl<M, T, E, F> Operand<M, T, E> for Path<M, T, F> {
    fn into_operand(self, _: Option<LeftOut<T>>) -> OperandValue {
        // The encodings may differ: DynamoDB compares or copies what is stored.
        OperandValue::path(self.into_document_path())
    }
}

impl<M, T, E> Clone for Path<M, T, E> {
    fn clone(&self) -> Self {
        Self {
            check: self.check,
            left_out: self.left_out,
            ..Self::at(self.document_path.clone())
        }
    }
}

impl<M, T, E> fmt::Debug for Path<M, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Path").field(&self.document_path).finish()
    }
}

/// The type of an attribute's value.
///
/// Source: [AttributeValue](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html)
/// in the API Reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttributeType {
    /// `S`
    String,
    /// `N`
    Number,
    /// `B`
    Binary,
    /// `BOOL`
    Boolean,
    /// `NULL`
    Null,
    /// `L`
    List,
    /// `M`
    Map,
    /// `SS`
    StringSet,
    /// `NS`
    NumberSet,
    /// `BS`
    BinarySet,
}

impl AttributeType {
    fn code(self) -> &'static str {
        match self {
            Self::String => "S",
            Self::Number => "N",
            Self::Binary => "B",
            Self::Boolean => "BOOL",
            Self::Null => "NULL",
            Self::List => "L",
            Self::Map => "M",
            Self::StringSet => "SS",
            Self::NumberSet => "NS",
            Self::BinarySet => "BS",
        }
    }
}
