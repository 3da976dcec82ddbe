//! The secondary indexes of a table, as types.

use crate::key::{Key, KeySchema};
use crate::model::Model;

/// A secondary index of a model's table: a second key under which its items can be found.
///
/// An index is a type of its own, so that a query of it takes the right kind of key.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{GlobalIndex, Index, KeySchema, Model};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "users")]
/// struct User {
///     #[model(hash_key)]
///     id: String,
///     email: String,
/// }
///
/// enum ByEmail {}
///
/// impl Index for ByEmail {
///     type Model = User;
///     type Key = String;
///     type Kind = GlobalIndex;
///     const NAME: &'static str = "by-email";
///     const KEY: KeySchema<String> = KeySchema::hash("email");
/// }
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` is not an index of a model")]
pub trait Index: Sized + 'static {
    /// The model whose table has the index.
    type Model: Model;

    /// The type of the index's key: of its hash key, or of the pair (hash key, range key).
    type Key: Key;

    /// [`GlobalIndex`] or [`LocalIndex`].
    type Kind: IndexKind;

    /// The name of the index.
    const NAME: &'static str;

    /// The names of the attributes that are the index's key.
    const KEY: KeySchema<Self::Key>;
}

/// Whether an index is global or local: [`GlobalIndex`] or [`LocalIndex`].
///
/// Source: [Improving data access with secondary indexes](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/SecondaryIndexes.html)
/// in the Developer Guide.
pub trait IndexKind: sealed::Sealed + 'static {
    /// Says whether the index is global.
    const IS_GLOBAL: bool;
}

/// An index over all items of the table, with a hash key of its own.
///
/// It follows the table with a short delay, and cannot be read consistently.
#[derive(Clone, Copy, Debug)]
pub enum GlobalIndex {}

impl IndexKind for GlobalIndex {
    const IS_GLOBAL: bool = true;
}

/// An index over the items of one hash key of the table, with another range key.
#[derive(Clone, Copy, Debug)]
pub enum LocalIndex {}

impl IndexKind for LocalIndex {
    const IS_GLOBAL: bool = false;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::GlobalIndex {}
    impl Sealed for super::LocalIndex {}
}
