//! The secondary indexes of a table, as types.

use crate::model::Model;
use crate::model::key::{IntoKey, Key, KeySchema};
use crate::operation::query::Query;
use crate::operation::scan::Scan;
use crate::types::KeyType;

/// A secondary index of a model's table: a second key under which its items can be found.
///
/// An index is a type of its own, so that a query of it takes the right kind of key.
/// [`#[derive(Model)]`](derive@crate::Model) makes one for each index that is named on a field.
///
/// # Examples
///
/// By hand, an index is also named by its model, so that
/// [`create_table`](Model::create_table) knows of it:
///
/// ```
/// use std::borrow::Cow;
///
/// use bsm_dynamodb::{GlobalIndex, Index, IndexDefinition, KeySchema, Model, Serde};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct User {
///     id: String,
///     email: String,
/// }
///
/// impl Model for User {
///     type Key = String;
///     type Codec = Serde;
///     const KEY: KeySchema<String> = KeySchema::hash("id");
///     const INDEXES: &'static [IndexDefinition] = &[IndexDefinition::of::<ByEmail>()];
///
///     fn table_name() -> Cow<'static, str> {
///         "users".into()
///     }
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

    /// Which attributes the index has besides the keys; all of them unless told otherwise.
    const PROJECTION: Projection = Projection::All;

    /// Reads the items that have this hash key in the index.
    ///
    /// End it with [`collect()`](Query::collect), [`stream()`](Query::stream) or
    /// [`pages()`](Query::pages). An index that does not hold all attributes gives items that may
    /// not fit the model; [`project()`](Query::project) reads them as another type.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::{GlobalIndex, Index, KeySchema, Model};
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String, email: String }
    /// # enum ByEmail {}
    /// # impl Index for ByEmail {
    /// #     type Model = User;
    /// #     type Key = String;
    /// #     type Kind = GlobalIndex;
    /// #     const NAME: &'static str = "by-email";
    /// #     const KEY: KeySchema<String> = KeySchema::hash("email");
    /// # }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// let users: Vec<User> = ByEmail::query("someone@example.com").collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A global index cannot be read consistently:
    ///
    /// ```compile_fail
    /// # use bsm_dynamodb::{GlobalIndex, Index, KeySchema, Model};
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String, email: String }
    /// # enum ByEmail {}
    /// # impl Index for ByEmail {
    /// #     type Model = User;
    /// #     type Key = String;
    /// #     type Kind = GlobalIndex;
    /// #     const NAME: &'static str = "by-email";
    /// #     const KEY: KeySchema<String> = KeySchema::hash("email");
    /// # }
    /// let query = ByEmail::query("someone@example.com").consistent_read(true);
    /// ```
    fn query(hash: impl IntoKey<<Self::Key as Key>::Hash>) -> Query<Self::Model, Self> {
        Query::new(hash)
    }

    /// Reads every item of the index: those of the table that have the index's key.
    fn scan() -> Scan<Self::Model, Self> {
        Scan::new()
    }
}

/// The table itself, as opposed to an [`Index`] of it, in [`Query`] and [`Scan`].
#[derive(Clone, Copy, Debug)]
pub enum Table {}

/// What a [`Query`] or [`Scan`] of the model `M` reads: its [`Table`], or an [`Index`] of it.
pub trait Source<M>: 'static {
    /// The type of the key.
    type Key: Key;

    /// The name of the index, if it is one.
    const INDEX: Option<&'static str>;

    /// The names of the key attributes.
    const KEY: KeySchema<Self::Key>;
}

impl<M: Model> Source<M> for Table {
    type Key = M::Key;

    const INDEX: Option<&'static str> = None;
    const KEY: KeySchema<M::Key> = M::KEY;
}

impl<M: Model, I: Index<Model = M>> Source<M> for I {
    type Key = I::Key;

    const INDEX: Option<&'static str> = Some(I::NAME);
    const KEY: KeySchema<I::Key> = I::KEY;
}

/// What can be read consistently: a [`Table`], or an index that is local.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read consistently",
    note = "the table and its local indexes can, a global index cannot"
)]
pub trait ConsistentRead {}

impl ConsistentRead for Table {}

impl<I: Index<Kind: sealed::Consistent>> ConsistentRead for I {}

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

/// The attributes that an index has besides its own key and the table's.
///
/// Source: [Projection](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Projection.html)
/// in the API Reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Projection {
    /// Every attribute.
    All,
    /// None.
    KeysOnly,
    /// These, at most 20 of them.
    Include(&'static [&'static str]),
}

/// An index in the list of a model's indexes, [`Model::INDEXES`].
#[derive(Clone, Copy, Debug)]
pub struct IndexDefinition {
    pub(crate) name: &'static str,
    pub(crate) is_global: bool,
    pub(crate) projection: Projection,
    pub(crate) hash: (&'static str, KeyType),
    pub(crate) range: Option<(&'static str, KeyType)>,
}

impl IndexDefinition {
    /// Describes an index.
    pub const fn of<I: Index>() -> Self {
        let (hash, range) = I::Key::TYPES;
        Self {
            name: I::NAME,
            is_global: I::Kind::IS_GLOBAL,
            projection: I::PROJECTION,
            hash: (I::KEY.hash_name(), hash),
            range: match (I::KEY.range_name(), range) {
                (Some(name), Some(key_type)) => Some((name, key_type)),
                _ => None,
            },
        }
    }

    /// Returns the name of the index.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Says whether the index is global.
    pub const fn is_global(&self) -> bool {
        self.is_global
    }

    /// Returns which attributes the index has besides the keys.
    pub const fn projection(&self) -> Projection {
        self.projection
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::GlobalIndex {}
    impl Sealed for super::LocalIndex {}

    #[diagnostic::on_unimplemented(
        message = "a global index cannot be read consistently",
        note = "the table and its local indexes can"
    )]
    pub trait Consistent {}

    impl Consistent for super::LocalIndex {}
}
