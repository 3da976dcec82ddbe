//! Conditions, as trees.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use super::tree::{Comparator, DocumentPath, Node, Term};

/// A condition on the items of the model `M`: of a write, or as the filter of a query or scan.
///
/// The methods of a [`Path`](crate::Path) return simple conditions; `&`, `|` and `!`, or
/// [`and`](Self::and), [`or`](Self::or) and [`not`](Self::not), combine them.
///
/// `Debug` shows the names of the attributes and no values.
///
/// # Examples
///
/// ```
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String, age: u8, name: Option<String> }
/// let teenager = User::age().ge(13) & User::age().lt(20);
/// let nameless = User::name().not_exists() | User::name().eq("");
/// let condition = teenager & !nameless;
/// ```
///
/// Source: [Condition and filter expressions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html)
/// in the Developer Guide.
#[must_use = "a condition does nothing unless it is passed to an operation"]
pub struct Condition<M> {
    node: Node,
    model: PhantomData<fn() -> M>,
}

impl<M> Condition<M> {
    pub(crate) fn new(node: Node) -> Self {
        Self {
            node,
            model: PhantomData,
        }
    }

    /// Returns a condition that is true if both are. `&` does the same.
    pub fn and(self, other: Self) -> Self {
        Self::new(self.node.and(other.node))
    }

    /// Returns a condition that is true if at least one is. `|` does the same.
    pub fn or(self, other: Self) -> Self {
        Self::new(self.node.or(other.node))
    }

    /// Returns a condition that is true if this one is false. `!` does the same.
    #[expect(clippy::should_implement_trait, reason = "it does, and both read well")]
    pub fn not(self) -> Self {
        Self::new(Node::Not(Box::new(self.node)))
    }

    pub(crate) fn into_node(self) -> Node {
        self.node
    }
}

impl<M> BitAnd for Condition<M> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}

impl<M> BitOr for Condition<M> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

impl<M> Not for Condition<M> {
    type Output = Self;

    fn not(self) -> Self {
        Self::not(self)
    }
}

// By hand, because a derive would require `M: Clone`.
impl<M> Clone for Condition<M> {
    fn clone(&self) -> Self {
        Self::new(self.node.clone())
    }
}

impl<M> fmt::Debug for Condition<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.node).finish()
    }
}

/// The size of the value at a path; see [`Path::size`](crate::Path::size).
#[must_use = "a size does nothing by itself"]
pub struct Size<M> {
    document_path: DocumentPath,
    model: PhantomData<fn() -> M>,
}

impl<M> Size<M> {
    pub(crate) fn new(document_path: DocumentPath) -> Self {
        Self {
            document_path,
            model: PhantomData,
        }
    }

    /// Returns a condition that is true if the size equals `size`.
    pub fn eq(self, size: usize) -> Condition<M> {
        self.compare(Comparator::Eq, size)
    }

    /// Returns a condition that is true if the size differs from `size`.
    pub fn ne(self, size: usize) -> Condition<M> {
        self.compare(Comparator::Ne, size)
    }

    /// Returns a condition that is true if the size is less than `size`.
    pub fn lt(self, size: usize) -> Condition<M> {
        self.compare(Comparator::Lt, size)
    }

    /// Returns a condition that is true if the size is at most `size`.
    pub fn le(self, size: usize) -> Condition<M> {
        self.compare(Comparator::Le, size)
    }

    /// Returns a condition that is true if the size is greater than `size`.
    pub fn gt(self, size: usize) -> Condition<M> {
        self.compare(Comparator::Gt, size)
    }

    /// Returns a condition that is true if the size is at least `size`.
    pub fn ge(self, size: usize) -> Condition<M> {
        self.compare(Comparator::Ge, size)
    }

    /// Returns a condition that is true if the size is at least `low` and at most `high`.
    pub fn between(self, low: usize, high: usize) -> Condition<M> {
        let (low, high) = (Term::literal(&low), Term::literal(&high));
        Condition::new(Node::Between(Term::Size(self.document_path), low, high))
    }

    fn compare(self, comparator: Comparator, size: usize) -> Condition<M> {
        // A literal, because a size is no value of the attribute for the codec to change.
        let size = Term::literal(&size);
        Condition::new(Node::Compare(
            Term::Size(self.document_path),
            comparator,
            size,
        ))
    }
}

impl<M> Clone for Size<M> {
    fn clone(&self) -> Self {
        Self::new(self.document_path.clone())
    }
}

impl<M> fmt::Debug for Size<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Size").field(&self.document_path).finish()
    }
}
