//! Secondary indexes, as types.

use crate::model::key::{IntoKey, Key, KeySchema};
use crate::model::{Model, entity};
use crate::operation::page_reader::ReadSource;
use crate::operation::query::Query;
use crate::operation::scan::Scan;
use crate::table::{CreateIndex, DeleteIndex};
use crate::types::{KeyElement, KeyScalar as _, KeyType};

/// A secondary index of a model's table: another key by which its items can be queried.
///
/// Each index is a type, so a query of it accepts only keys of the right type.
/// [`#[derive(Model)]`](derive@crate::Model) creates one for each index that is named on a field.
///
/// # Examples
///
/// If you implement it by hand, also add the index to its model, so that
/// [`create_table`](Model::create_table) creates it:
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

    /// The type of the index's key: the type of the hash key, or a pair (hash key, range key).
    type Key: Key;

    /// [`GlobalIndex`] or [`LocalIndex`].
    type Kind: IndexKind;

    /// The name of the index.
    const NAME: &'static str;

    /// The names of the attributes of the index's key.
    const KEY: KeySchema<Self::Key>;

    /// The attributes of the key of a global index besides the first hash key and the first range key of
    /// [`KEY`](Self::KEY), in their order. Default: none.
    ///
    /// DynamoDB takes up to four hash keys and four range keys. A query needs a condition on each hash key: see
    /// [`Query::and_key`].
    const MORE_KEYS: &'static [KeyPart] = &[];

    /// The attributes that the index has besides the keys. Default: all of them.
    const PROJECTION: Projection = Projection::All;

    /// Reads the items with this hash key in the index.
    ///
    /// End it with [`collect()`](Query::collect), [`stream()`](Query::stream),
    /// [`pages()`](Query::pages) or [`count()`](Query::count). The items of an index that lacks some
    /// attributes may not fit the model: use [`project()`](Query::project) to read them as another
    /// type.
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
    /// A global index has no consistent reads:
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

    /// Adds the index to a table that exists.
    ///
    /// Does nothing if the table has it. An index of a new table is created by
    /// [`create_table`](Model::create_table). Add [`wait()`](CreateIndex::wait) to wait until it can be
    /// queried. DynamoDB creates one index of a table at a time.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::{Index, Model};
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String, #[model(index(ByEmail))] email: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// ByEmail::create_index().wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist;
    /// - [`ErrorKind::TableMismatch`](crate::ErrorKind::TableMismatch) if the table has an index of this
    ///   name with another key;
    /// - [`ErrorKind::TableInUse`](crate::ErrorKind::TableInUse) or
    ///   [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if another index is being created, and
    ///   `TableInUse` if this one is being deleted and `wait()` is not set.
    fn create_index() -> CreateIndex<Self>
    where
        Self: Index<Kind = GlobalIndex>,
    {
        // DynamoDB creates local indexes with the table only, so the bound is on global ones.
        CreateIndex::new()
    }

    /// Removes the index from the table. Does nothing if the table has no index of this name.
    ///
    /// # Errors
    ///
    /// Those of [`create_index`](Self::create_index), except for
    /// [`ErrorKind::TableMismatch`](crate::ErrorKind::TableMismatch).
    fn delete_index() -> DeleteIndex<Self>
    where
        Self: Index<Kind = GlobalIndex>,
    {
        DeleteIndex::new()
    }

    /// Reads every item of the index. An item without the index's key is not in the index.
    fn scan() -> Scan<Self::Model, Self> {
        Scan::new()
    }
}

/// The table itself, as the source of a [`Query`] or [`Scan`]; the alternative is an [`Index`].
#[derive(Clone, Copy, Debug)]
pub enum Table {}

/// The source of a [`Query`] or [`Scan`] of the model `M`: its [`Table`], or an [`Index`] of it.
pub trait Source<M>: 'static {
    /// The type of the key.
    type Key: Key;

    /// The name of the index, if it is one.
    const INDEX: Option<&'static str>;

    /// The names of the key attributes.
    const KEY: KeySchema<Self::Key>;

    /// The other key attributes of an index.
    const MORE_KEYS: &'static [KeyPart] = &[];
}

impl<M: Model> Source<M> for Table {
    type Key = M::Key;

    const INDEX: Option<&'static str> = None;
    const KEY: KeySchema<M::Key> = M::KEY;
}

// `Table` is no `Index`, so this doesn't overlap with the implementation above.
impl<M: Model, I: Index<Model = M>> Source<M> for I {
    type Key = I::Key;

    const INDEX: Option<&'static str> = Some(I::NAME);
    const KEY: KeySchema<I::Key> = I::KEY;
    const MORE_KEYS: &'static [KeyPart] = I::MORE_KEYS;
}

/// Returns the names of a source, for its requests.
pub(crate) fn source<M: Model, S: Source<M>>() -> ReadSource {
    let mut key_names = vec![M::KEY.hash_name(), S::KEY.hash_name()];
    key_names.extend(M::KEY.range_name());
    key_names.extend(S::KEY.range_name());
    key_names.extend(S::MORE_KEYS.iter().map(|part| part.name));
    // An index may share attributes with the key of the table.
    key_names.sort_unstable();
    key_names.dedup();
    ReadSource {
        index: S::INDEX,
        hash_name: S::KEY.hash_name(),
        // The prefix is empty unless the key is composed, and an empty one adds no condition.
        range_prefix: S::KEY.range_name().zip(Some(S::Key::RANGE_PREFIX)),
        key_names,
        // A function, because `entities()` may replace it, and because queries and scans differ in it.
        entity: entity::filter::<M, S>,
    }
}

/// A source with consistent reads: a [`Table`], or a local index.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read consistently",
    note = "the table and its local indexes can, a global index cannot"
)]
pub trait ConsistentRead {}

impl ConsistentRead for Table {}

impl<I: Index<Kind: sealed::Consistent>> ConsistentRead for I {}

/// The kind of an index: [`GlobalIndex`] or [`LocalIndex`].
///
/// Source: [Improving data access with secondary indexes](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/SecondaryIndexes.html)
/// in the Developer Guide.
pub trait IndexKind: sealed::Sealed + 'static {
    /// `true` for a global index.
    const IS_GLOBAL: bool;
}

/// An index of all items of the table, with its own hash key.
///
/// It is updated shortly after the table, and has no consistent reads.
#[doc(alias = "GSI")]
#[derive(Clone, Copy, Debug)]
pub enum GlobalIndex {}

impl IndexKind for GlobalIndex {
    const IS_GLOBAL: bool = true;
}

/// An index with the hash key of the table and another range key.
#[doc(alias = "LSI")]
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
    /// No other attributes.
    KeysOnly,
    /// These attributes, at most 20.
    Include(&'static [&'static str]),
}

/// An attribute of the key of an index, for [`Index::MORE_KEYS`].
///
/// Source: [Multi-attribute keys pattern](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html)
/// in the Developer Guide.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::KeyPart;
///
/// const MORE_KEYS: &[KeyPart] = &[KeyPart::hash::<String>("region"), KeyPart::range::<u32>("round")];
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPart {
    pub(crate) name: &'static str,
    pub(crate) key_type: KeyType,
    pub(crate) is_hash: bool,
}

impl KeyPart {
    /// Returns a hash key of the type `K`.
    pub const fn hash<K: KeyElement>(name: &'static str) -> Self {
        Self {
            name,
            key_type: K::Stored::TYPE,
            is_hash: true,
        }
    }

    /// Returns a range key of the type `K`.
    pub const fn range<K: KeyElement>(name: &'static str) -> Self {
        Self {
            name,
            key_type: K::Stored::TYPE,
            is_hash: false,
        }
    }
}

/// The definition of an index, for [`Model::INDEXES`].
#[derive(Clone, Copy, Debug)]
pub struct IndexDefinition {
    pub(crate) name: &'static str,
    pub(crate) is_global: bool,
    pub(crate) projection: Projection,
    hash: KeyPart,
    range: Option<KeyPart>,
    more: &'static [KeyPart],
}

impl IndexDefinition {
    /// Returns the definition of an index.
    pub const fn of<I: Index>() -> Self {
        let (hash, range) = I::Key::TYPES;
        Self {
            name: I::NAME,
            is_global: I::Kind::IS_GLOBAL,
            projection: I::PROJECTION,
            hash: KeyPart {
                name: I::KEY.hash_name(),
                key_type: hash,
                is_hash: true,
            },
            // `Option::zip` is not const. The schema of a pair has both, and any other schema has neither.
            range: match (I::KEY.range_name(), range) {
                (Some(name), Some(key_type)) => Some(KeyPart {
                    name,
                    key_type,
                    is_hash: false,
                }),
                _ => None,
            },
            more: I::MORE_KEYS,
        }
    }

    /// Returns the attributes of the key: the hash keys, and then the range keys.
    pub(crate) fn key(&self) -> impl Iterator<Item = KeyPart> + Clone + use<> {
        let more = |is_hash| {
            self.more
                .iter()
                .copied()
                .filter(move |part| part.is_hash == is_hash)
        };
        std::iter::once(self.hash)
            .chain(more(true))
            .chain(self.range)
            .chain(more(false))
    }

    /// Returns `true` if both are the same index of a table.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        // The projection also counts: with another one, a model would miss attributes in the shared index.
        let identity = |it: &Self| (it.name, it.is_global, it.projection);
        identity(self) == identity(other) && self.key().eq(other.key())
    }

    /// Returns the name of the index.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns `true` if the index is global.
    pub const fn is_global(&self) -> bool {
        self.is_global
    }

    /// Returns the attributes that the index has besides the keys.
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
