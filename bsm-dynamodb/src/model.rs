//! The model: a type whose values are the items of a table.

pub(crate) mod billing;
pub(crate) mod composite;
pub(crate) mod entities;
pub(crate) mod entity;
pub(crate) mod index;
pub(crate) mod key;
pub(crate) mod rest;
pub(crate) mod stored;
pub(crate) mod template;
pub(crate) mod version;

use std::borrow::Cow;

use crate::batch::{BatchWrite, GetMany};
use crate::codec::{Codec, CodecError};
use crate::connection::call::Call;
use crate::connection::slot::{ConnectionSlot, slot};
use crate::error::Error;
use crate::model::billing::Billing;
use crate::model::entity::Entity;
use crate::model::index::IndexDefinition;
use crate::model::key::{IntoKey, Key, KeySchema, KeyValues};
use crate::model::rest::Rest;
use crate::model::template::KeyTemplate;
use crate::model::version::VersionAttribute;
use crate::operation::delete::Delete;
use crate::operation::get::Get;
use crate::operation::query::Query;
use crate::operation::save::Save;
use crate::operation::scan::Scan;
use crate::operation::update::Update;
use crate::table::{CreateTable, DeleteTable, DescribeTable, Exists, UpdateTtl};

/// A type whose values are the items of a DynamoDB table.
///
/// Use [`#[derive(Model)]`](derive@crate::Model) to implement it for a struct. An implementation by hand
/// states the type of the key, the codec, the names of the key attributes, and the table:
///
/// ```
/// use std::borrow::Cow;
///
/// use bsm_dynamodb::{KeySchema, Model, Serde};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     customer: String,
///     number: u64,
/// }
///
/// impl Model for Order {
///     type Key = (String, u64);
///     type Codec = Serde;
///     const KEY: KeySchema<Self::Key> = KeySchema::hash_and_range("customer", "number");
///
///     fn table_name() -> Cow<'static, str> {
///         "orders".into()
///     }
/// }
/// ```
///
/// # Operations
///
/// An operation does nothing until it is awaited. The `.await` binds it to the manager that the model
/// follows there (see [`slot()`](crate::slot())), and it keeps that manager for all of its requests. The
/// streams of [`Query`] and [`Scan`] are never awaited as a whole, and are bound when they are created.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    note = "derive it: `#[derive(Model)]` with `#[model(table = \"…\")]` on the struct and \
            `#[model(hash_key)]` on a field"
)]
pub trait Model: Sized + Send + 'static {
    /// The type of the key: the type of the hash key, or a pair (hash key, range key).
    type Key: Key;

    /// The codec that converts the model to an item and back.
    type Codec: Codec<Self>;

    /// The names of the key attributes.
    const KEY: KeySchema<Self::Key>;

    /// The region of the table, unless a manager was chosen for this model.
    ///
    /// The default is the region of the active manager.
    const REGION: Option<&'static str> = None;

    /// The billing mode of a table that [`create_table`](Self::create_table) creates.
    const BILLING: Billing = Billing::OnDemand;

    /// The secondary indexes of the table.
    const INDEXES: &'static [IndexDefinition] = &[];

    /// The attribute with the expiry of an item, in seconds of the Unix epoch. DynamoDB deletes items
    /// that have expired.
    ///
    /// [`epoch_seconds`](crate::epoch_seconds) stores a `SystemTime` that way. Source: [Time to live](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html)
    /// in the Developer Guide.
    const TTL: Option<&'static str> = None;

    /// The attribute with the [`Version`](crate::Version) of an item, which makes
    /// [`save`](Self::save) fail if another writer has changed the item.
    const VERSION: Option<VersionAttribute<Self>> = None;

    /// What tells the items of the model from those of other models in its table, if there are any.
    const ENTITY: Option<Entity> = None;

    /// The key attributes, of the table and of its indexes, that are composed of fields.
    const TEMPLATES: &'static [KeyTemplate] = &[];

    /// Returns the name of the table.
    ///
    /// Every operation calls it when it is bound. It should always return the same name.
    fn table_name() -> Cow<'static, str>;

    /// Creates the table, with the model's indexes and billing.
    ///
    /// An existing table that has the model's key and indexes is accepted as it is. Add
    /// [`wait()`](CreateTable::wait) to wait until the table is active, and to turn on time to live.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// User::create_table().wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::TableMismatch`](crate::ErrorKind::TableMismatch) if an existing table has another
    ///   key, or lacks an index;
    /// - [`ErrorKind::TableInUse`](crate::ErrorKind::TableInUse) if the table is being deleted, and
    ///   `wait()` is not set;
    /// - [`ErrorKind::WaitTimedOut`](crate::ErrorKind::WaitTimedOut) if the table is not active within
    ///   the time limit of `wait()`.
    fn create_table() -> CreateTable<Self> {
        CreateTable::new()
    }

    /// Turns on time to live for the model's attribute, [`TTL`](Self::TTL).
    ///
    /// Does nothing if it is already on. The table must be active. DynamoDB deletes an item within a
    /// few days after it expires; until then the item can be read. Source: [UpdateTimeToLive](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html)
    /// in the API Reference.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "sessions")]
    /// # struct Session { #[model(hash_key)] id: String, #[model(ttl)] expires: u64 }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// Session::update_ttl().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the model has no such
    ///   attribute, if time to live is on for another attribute, or if it was changed within the last
    ///   hour;
    /// - [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist.
    fn update_ttl() -> UpdateTtl<Self> {
        UpdateTtl::new()
    }

    /// Deletes the table and every item in it.
    ///
    /// Add [`wait()`](DeleteTable::wait) to wait until it is gone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist.
    fn delete_table() -> DeleteTable<Self> {
        DeleteTable::new()
    }

    /// Returns whether the table exists, in whatever state.
    fn exists() -> Exists<Self> {
        Exists::new()
    }

    /// Returns the description of the table, as the SDK's type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist.
    fn describe_table() -> DescribeTable<Self> {
        DescribeTable::new()
    }

    /// Reads the item with this key.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// let user = User::get("123").consistent_read(true).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A key of the wrong type does not compile:
    ///
    /// ```compile_fail
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// let user = User::get(123);
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::ItemNotFound`](crate::ErrorKind::ItemNotFound) if the item does not exist;
    /// - [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist;
    /// - [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if the item does not fit the model.
    #[doc(alias = "get_item")]
    fn get(key: impl IntoKey<Self::Key>) -> Get<Self> {
        Get::new(key)
    }

    /// Reads the current state of this item from the table.
    ///
    /// The read is strongly consistent, unless you add
    /// [`consistent_read(false)`](Get::consistent_read).
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f(mut user: User) -> Result<(), bsm_dynamodb::Error> {
    /// user = user.refresh().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`get`](Self::get).
    fn refresh(&self) -> Get<Self> {
        Get::refresh(self)
    }

    /// Reads the items with these keys, any number of them, with 100 keys per request.
    ///
    /// The items are in the order of the keys. A key that no item has is skipped.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// let users: Vec<User> = User::get_many(["1", "2", "3"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BatchIncomplete`](crate::ErrorKind::BatchIncomplete) if DynamoDB keeps leaving keys
    /// unprocessed, and the errors of [`get`](Self::get), except for items that do not exist.
    #[doc(alias = "batch_get_item")]
    fn get_many(keys: impl IntoIterator<Item = impl IntoKey<Self::Key>>) -> GetMany<Self> {
        GetMany::new(keys)
    }

    /// Writes this item, replacing one with the same key.
    ///
    /// The operation contains a copy of the value, which may change before the operation is awaited. If
    /// the model has a [`Version`](crate::Version), the operation fails instead of overwriting a
    /// concurrent change, and updates the version in memory.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// User { id: "123".into() }.save().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist;
    /// - [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if a value cannot be stored;
    /// - [`ErrorKind::ConditionalCheckFailed`](crate::ErrorKind::ConditionalCheckFailed) if a condition
    ///   is false, or the model has a version and another writer has changed the item.
    #[doc(alias = "put_item")]
    fn save(&self) -> Save<Self> {
        Save::new(self)
    }

    /// Changes attributes of the item with this key, and returns the changed item.
    ///
    /// If the item does not exist, it is created; see [`Update`].
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String, name: String, visits: u64, note: Option<String> }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// let user = User::update("123")
    ///     .set(User::name(), "Zoë")
    ///     .increment(User::visits(), 1)
    ///     .remove(User::note())
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "update_item")]
    fn update(key: impl IntoKey<Self::Key>) -> Update<Self> {
        Update::new(key)
    }

    /// Deletes the item with this item's key, if there is one.
    ///
    /// # Errors
    ///
    /// The errors of [`save`](Self::save).
    #[doc(alias = "delete_item")]
    fn delete(&self) -> Delete<Self> {
        Delete::item(self)
    }

    /// Deletes the item with this key, if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist.
    fn delete_key(key: impl IntoKey<Self::Key>) -> Delete<Self> {
        Delete::key(key)
    }

    /// Reads the items with this hash key, ordered by range key.
    ///
    /// End it with [`collect()`](Query::collect), [`stream()`](Query::stream),
    /// [`pages()`](Query::pages) or [`count()`](Query::count).
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "orders")]
    /// # struct Order { #[model(hash_key)] customer: String, #[model(range_key)] number: u64 }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// let orders: Vec<Order> = Order::query("customer").range_ge(7).collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    fn query(hash: impl IntoKey<<Self::Key as Key>::Hash>) -> Query<Self> {
        Query::new(hash)
    }

    /// Reads every item of the table.
    ///
    /// End it with [`collect()`](Scan::collect), [`stream()`](Scan::stream), [`pages()`](Scan::pages)
    /// or [`count()`](Scan::count).
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// let users: Vec<User> = User::scan().collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    fn scan() -> Scan<Self> {
        Scan::new()
    }

    /// Writes and deletes any number of items, with 25 writes per request.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f(users: Vec<User>) -> Result<(), bsm_dynamodb::Error> {
    /// User::batch_write().save_all(users).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BatchIncomplete`](crate::ErrorKind::BatchIncomplete) if DynamoDB keeps leaving
    /// writes unprocessed, and the errors of [`save`](Self::save).
    /// [`Error::unprocessed`] returns the writes that were not done.
    #[doc(alias = "batch_write_item")]
    fn batch_write() -> BatchWrite<Self> {
        BatchWrite::new()
    }

    /// Encodes this value's key as `get` encodes a key, to check that its item has the same.
    ///
    /// The derive implements it; a model that is written by hand has no such check.
    #[doc(hidden)]
    fn __key(&self) -> Option<Result<KeyValues, CodecError>> {
        None
    }

    /// The attributes that the fields are written as and read from, of a model with a [`Rest`].
    #[doc(hidden)]
    const DECLARED: Option<&'static [&'static str]> = None;

    /// Returns the attributes that the model keeps without declaring them.
    #[doc(hidden)]
    fn __rest(&self) -> Option<&Rest> {
        None
    }

    /// Checks that no entry of a flattened field has the name of another attribute.
    #[doc(hidden)]
    fn __check_flattened(&self) -> Result<(), CodecError> {
        Ok(())
    }

    /// Returns the attributes that the model keeps without declaring them, to be set.
    #[doc(hidden)]
    fn __rest_mut(&mut self) -> Option<&mut Rest> {
        None
    }
}

impl<M: Model> ConnectionSlot for M {
    const REGION: Option<&'static str> = <M as Model>::REGION;
}

impl Error {
    /// Returns the [`existing_item`](Self::existing_item) as a model.
    ///
    /// # Errors
    ///
    /// The codec's error if the item does not fit the model, or its key is read as another one.
    pub fn existing_model<M: Model>(&self) -> Result<Option<M>, CodecError> {
        // A copy, so that `existing_item()` still returns the item afterwards.
        let item = self.existing_item().cloned();
        item.map(stored::decode).transpose()
    }
}

/// Binds an operation of the DynamoDB API to the manager that the model follows here and now.
pub(crate) fn bind<M: Model>(operation: &'static str) -> Call {
    // Callers bind before they create the future or stream, so it doesn't matter where that is polled.
    Call::new(operation, M::table_name(), slot::<M>().into_manager())
}
