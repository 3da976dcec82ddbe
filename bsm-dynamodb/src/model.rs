//! What a model is, and what it can do.

pub(crate) mod billing;
pub(crate) mod index;
pub(crate) mod key;
pub(crate) mod stored;
pub(crate) mod version;

use std::borrow::Cow;

use crate::batch::{BatchWrite, GetMany};
use crate::codec::{Codec, CodecError};
use crate::model::billing::Billing;
use crate::model::index::IndexDefinition;
use crate::model::key::{IntoKey, Key, KeySchema, KeyValues};
use crate::model::version::VersionAttribute;
use crate::operation::item::{Delete, Get, Save};
use crate::operation::query::Query;
use crate::operation::scan::Scan;
use crate::operation::update::Update;
use crate::table::{CreateTable, DeleteTable, DescribeTable, Exists, UpdateTtl};

/// A type whose values are the items of a DynamoDB table.
///
/// [`#[derive(Model)]`](derive@crate::Model) writes the implementation for a struct. By hand it says
/// the same four things: the type of the key, the codec, the names of the key attributes, and the
/// table.
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
/// An operation does nothing until it is awaited. That is when it is bound to the manager which the
/// model follows (see [`slot`](crate::slot)), and it never changes it, however many requests it
/// takes. A stream and pages, which are read step by step and never awaited as a whole, are bound
/// when they are made.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    note = "derive it: `#[derive(Model)]` with `#[model(table = \"…\")]` on the struct and \
            `#[model(hash_key)]` on a field"
)]
pub trait Model: Sized + Send + 'static {
    /// The type of the key: of the hash key, or of the pair (hash key, range key).
    type Key: Key;

    /// What turns the model into an item and back.
    type Codec: Codec<Self>;

    /// The names of the key attributes.
    const KEY: KeySchema<Self::Key>;

    /// The region of the table, where no manager was chosen for this very model.
    ///
    /// Without one it is the region of the active manager.
    const REGION: Option<&'static str> = None;

    /// How the capacity of a table that [`create_table`](Self::create_table) makes is paid for.
    const BILLING: Billing = Billing::OnDemand;

    /// The secondary indexes of the table.
    const INDEXES: &'static [IndexDefinition] = &[];

    /// The attribute that says when DynamoDB may delete an item, in seconds of the Unix epoch.
    ///
    /// [`epoch_seconds`](crate::epoch_seconds) stores a `SystemTime` that way. Source: [Time to live](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html)
    /// in the Developer Guide.
    const TTL: Option<&'static str> = None;

    /// The attribute by which [`save`](Self::save) notices that somebody else has changed the item.
    const VERSION: Option<VersionAttribute<Self>> = None;

    /// Returns the name of the table.
    ///
    /// It is asked for by every request, and should always be the same.
    fn table_name() -> Cow<'static, str>;

    /// Creates the table, with the model's indexes and billing.
    ///
    /// A table that exists already and has the model's key and indexes is left as it is. Add
    /// [`wait()`](CreateTable::wait) to return when the table can be used.
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
    /// [`ErrorKind::TableMismatch`](crate::ErrorKind::TableMismatch) if a table of that name has
    /// another key or lacks an index; [`ErrorKind::TableInUse`](crate::ErrorKind::TableInUse) if it is being deleted,
    /// unless `wait()` is there;
    /// [`ErrorKind::WaitTimedOut`](crate::ErrorKind::WaitTimedOut) if it does not become active.
    fn create_table() -> CreateTable<Self> {
        CreateTable::new()
    }

    /// Turns on time to live for the model's attribute, [`TTL`](Self::TTL).
    ///
    /// If it is on already, that is fine. The table has to be active. DynamoDB deletes an item within
    /// a few days after its time; until then it can be read. Source: [UpdateTimeToLive](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html)
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
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the model has no such
    /// attribute, if time to live is on with another one, or if it was changed within the last hour;
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there is no such table.
    fn update_ttl() -> UpdateTtl<Self> {
        UpdateTtl::new()
    }

    /// Deletes the table and every item in it.
    ///
    /// Add [`wait()`](DeleteTable::wait) to return when it is gone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there is no such table.
    fn delete_table() -> DeleteTable<Self> {
        DeleteTable::new()
    }

    /// Says whether the table exists, in whatever state.
    fn exists() -> Exists<Self> {
        Exists::new()
    }

    /// Describes the table, in the words of the SDK.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there is no such table.
    fn describe_table() -> DescribeTable<Self> {
        DescribeTable::new()
    }

    /// Reads the item that has this key.
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
    /// [`ErrorKind::ItemNotFound`](crate::ErrorKind::ItemNotFound) if there is no such item,
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there is no such table, and
    /// [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if the item does not fit the model.
    fn get(key: impl IntoKey<Self::Key>) -> Get<Self> {
        Get::new(key)
    }

    /// Reads this item again, as it is in the table now.
    ///
    /// The read is consistent, unless [`consistent_read(false)`](Get::consistent_read) is there.
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
    /// As [`get`](Self::get).
    fn refresh(&self) -> Get<Self> {
        Get::again(self)
    }

    /// Reads the items that have these keys, any number of them, 100 to a request.
    ///
    /// They come in the order of their keys; a key that no item has is passed over.
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
    /// As [`GetMany`] says, and as [`get`](Self::get), but for items that do not exist.
    fn get_many(keys: impl IntoIterator<Item = impl IntoKey<Self::Key>>) -> GetMany<Self> {
        GetMany::new(keys)
    }

    /// Writes this item, in place of one with the same key.
    ///
    /// The value is taken when `save` is called; it may change before the operation is awaited. If the
    /// model has a [`Version`](crate::Version), somebody else's changes are not overwritten, and the
    /// version in memory follows the table.
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
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there is no such table, and
    /// [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if a value cannot be stored.
    fn save(&self) -> Save<Self> {
        Save::new(self)
    }

    /// Changes attributes of the item that has this key, and returns the item as it is then.
    ///
    /// An item that does not exist is created; see [`Update`] for that and for errors.
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
    fn update(key: impl IntoKey<Self::Key>) -> Update<Self> {
        Update::new(key)
    }

    /// Deletes the item that has this item's key, if there is one.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    fn delete(&self) -> Delete<Self> {
        Delete::of(self)
    }

    /// Deletes the item that has this key, if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there is no such table.
    fn delete_key(key: impl IntoKey<Self::Key>) -> Delete<Self> {
        Delete::of_key(key)
    }

    /// Reads the items that have this hash key, in the order of their range keys.
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
    /// End it with [`collect()`](Scan::collect), [`stream()`](Scan::stream) or
    /// [`pages()`](Scan::pages).
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

    /// Writes and deletes any number of items, 25 to a request.
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
    /// As [`BatchWrite`] says.
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
}
