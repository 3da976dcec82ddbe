//! Expressions without their model, as trees.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::codec::{CodecError, Encode as _, Serde};
use crate::types::KeyValue;

/// A condition without its model.
#[derive(Clone)]
pub(crate) enum Node {
    Compare(Term, Comparator, Term),
    Between(Term, Term, Term),
    In(Term, Vec<Term>),
    Function(&'static str, DocumentPath, Option<Term>),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
}

impl Node {
    pub(crate) fn and(self, other: Self) -> Self {
        // Flat, so that `a & b & c` is written without parentheses.
        let parts = |node| match node {
            Self::All(nodes) => nodes,
            node => vec![node],
        };
        Self::All([parts(self), parts(other)].concat())
    }

    pub(super) fn or(self, other: Self) -> Self {
        let parts = |node| match node {
            Self::Any(nodes) => nodes,
            node => vec![node],
        };
        Self::Any([parts(self), parts(other)].concat())
    }
}

/// Adds a condition to the existing ones.
pub(crate) fn and_condition(conditions: &mut Option<Node>, node: Node) {
    *conditions = Some(match conditions.take() {
        Some(others) => others.and(node),
        None => node,
    });
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Comparator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Comparator {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// One side of a comparison, or the value of a change.
#[derive(Clone)]
pub(crate) enum Term {
    Path(DocumentPath),
    Size(DocumentPath),
    /// A value as serde writes it, which the codec turns into what it stores.
    Value(Value),
    /// A value that stays as it is.
    Literal(AttributeValue),
}

impl Term {
    /// A value of this crate, which serde can always write.
    pub(crate) fn literal(value: &impl Serialize) -> Self {
        match value_of(value) {
            Ok(value) => Self::Literal(value),
            // Reported when the request is built, like the error of any other value.
            error => Self::Value(error),
        }
    }

    /// A value that is left out of the item.
    pub(super) fn left_out() -> Self {
        // No attribute is an empty set, so every codec leaves it out.
        Self::Value(Ok(AttributeValue::Ss(Vec::new())))
    }

    /// Returns `true` for the value that serde writes for `None`.
    pub(crate) fn is_null(&self) -> bool {
        // A literal is a value of this crate, which never stands for the caller's `None`.
        matches!(self, Self::Value(Ok(AttributeValue::Null(_))))
    }

    /// A key that has been encoded.
    pub(crate) fn key(key: Result<KeyValue, CodecError>) -> Self {
        match key {
            Ok(key) => Self::Literal(key.into()),
            Err(error) => Self::Value(Err(error.into())),
        }
    }
}

/// Shows paths and no values.
impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Size(path) => write!(f, "size({path:?})"),
            Self::Value(_) | Self::Literal(_) => f.write_str(".."),
        }
    }
}

/// A value, or the reason why it cannot be stored, which is reported when the request is built.
pub(crate) type Value = Result<AttributeValue, SharedError>;

pub(crate) type SharedError = Arc<dyn StdError + Send + Sync>;

/// Encodes a value that belongs to no field.
pub(crate) fn value_of(value: &impl Serialize) -> Value {
    Serde::__encode_marked(value).map_err(Arc::from)
}

/// A path without its types.
#[derive(Clone, PartialEq)]
pub(crate) struct DocumentPath(Vec<Segment>);

#[derive(Clone, PartialEq)]
pub(crate) enum Segment {
    Name(Cow<'static, str>),
    Index(usize),
}

impl DocumentPath {
    pub(crate) fn attribute(name: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![Segment::Name(name.into())])
    }

    pub(super) fn then(mut self, segment: Segment) -> Self {
        self.0.push(segment);
        self
    }

    /// Returns `true` if this is the attribute, or a place in it.
    pub(crate) fn is_inside(&self, attribute: &str) -> bool {
        matches!(self.0.first(), Some(Segment::Name(name)) if name == attribute)
    }

    /// Returns `true` if this is the element of a list.
    pub(crate) fn is_element(&self) -> bool {
        matches!(self.0.last(), Some(Segment::Index(_)))
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }
}

/// Writes the path as it is written in messages, such as `addresses[0].city`.
impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Name(name) if position == 0 => f.write_str(name)?,
                Segment::Name(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                // Quoted, because a name may have a dot or a bracket in it.
                Segment::Name(name) if position == 0 => write!(f, "{name:?}")?,
                Segment::Name(name) => write!(f, ".{name:?}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
