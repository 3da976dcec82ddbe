//! Conditions and document paths, and how they are written for DynamoDB.
//!
//! An expression is a tree until its request is built. Only then are its names and values replaced
//! by placeholders, so no name or value can change what the expression means, and expressions that
//! are joined cannot get in each other's way.

mod condition;
mod operand;
mod path;
mod tree;
mod writer;

pub use condition::{Condition, Size};
pub use operand::{Operand, Untyped};
pub(crate) use path::ValueCheck;
pub use path::{AttributeType, Elements, Path};

pub(crate) use tree::{Comparator, DocumentPath, Node, Term, and_condition};
pub(crate) use writer::{Expressions, Writer};
