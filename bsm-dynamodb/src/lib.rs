//! DynamoDB models that follow the active AWS session.
//!
//! A model is a struct that names its table and its key. It has no connection of its own: each
//! operation goes to the account of the [`BotoSesManager`](bsm_core::BotoSesManager) that is active where
//! the operation is awaited. So one `User` works with any number of accounts.
//!
//! # Quick start
//!
//! Switch a model to another account for a block of code:
//!
//! ```no_run
//! use bsm_core::BotoSesManager;
//! use bsm_dynamodb::{Model, use_boto_session};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Model)]
//! #[model(table = "users", region = "us-east-1")]
//! struct User {
//!     #[model(hash_key)]
//!     id: String,
//! }
//!
//! # async fn f() -> Result<(), bsm_dynamodb::Error> {
//! let staging = BotoSesManager::from_profile("staging");
//! {
//!     let _session = use_boto_session::<User>(&staging);
//!     User::create_table().wait().await?;
//!     User { id: "123".into() }.save().await?; // in the account of staging
//! }
//! assert!(User::get("123").await.is_err()); // default account: no such table
//! # Ok(())
//! # }
//! ```
//!
//! Keep the connection after the block, and reset it later:
//!
//! ```no_run
//! # use bsm_core::BotoSesManager;
//! # use bsm_dynamodb::{Model, reset_connection, use_boto_session};
//! # #[derive(serde::Serialize, serde::Deserialize, Model)]
//! # #[model(table = "users")]
//! # struct User { #[model(hash_key)] id: String }
//! # async fn f(staging: BotoSesManager) -> Result<(), bsm_dynamodb::Error> {
//! {
//!     let _session = use_boto_session::<User>(&staging).restore_on_exit(false);
//!     User { id: "456".into() }.save().await?;
//! }
//! User::get("456").await?; // still staging
//! reset_connection::<User>(); // default again
//! # Ok(())
//! # }
//! ```
//!
//! Copy a table from one account to another, with every attribute of every item:
//!
//! ```no_run
//! use bsm_core::BotoSesManager;
//! use bsm_dynamodb::copy_table;
//!
//! # async fn f() -> Result<(), bsm_dynamodb::Error> {
//! let staging = BotoSesManager::from_profile("staging");
//! let production = BotoSesManager::from_profile("production");
//!
//! let summary = copy_table(&staging, &production, "users")
//!     .create_target(true)
//!     .verify(true)
//!     .await?;
//! println!("{} items", summary.statistics().total_written());
//! # Ok(())
//! # }
//! ```
//!
//! A model can also be read in one account and written in another. It has only the attributes that
//! the struct declares: the others are lost, including those that another version of the program or
//! another program has written.
//!
//! ```no_run
//! # use bsm_core::BotoSesManager;
//! # use bsm_dynamodb::{Model, with_boto_session};
//! # #[derive(serde::Serialize, serde::Deserialize, Model)]
//! # #[model(table = "users")]
//! # struct User { #[model(hash_key)] id: String }
//! # async fn f() -> Result<(), bsm_dynamodb::Error> {
//! let staging = BotoSesManager::from_profile("staging");
//! let production = BotoSesManager::from_profile("production");
//!
//! let users = with_boto_session::<User, _>(&staging, User::scan().collect()).await?;
//! with_boto_session::<User, _>(&production, async {
//!     User::create_table().wait().await?;
//!     User::batch_write().save_all(users).await
//! })
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What to use
//!
//! | to do this | use |
//! |---|---|
//! | define a model | [`#[derive(Model)]`](derive@Model) |
//! | switch a model to another session | [`use_boto_session`]; in async code [`with_boto_session`] |
//! | read one item | [`get`](Model::get), [`refresh`](Model::refresh) |
//! | write, change or delete one item | [`save`](Model::save), [`update`](Model::update), [`delete`](Model::delete), [`delete_key`](Model::delete_key) |
//! | read the items with one hash key, also of an index | [`query`](Model::query), [`Index::query`] |
//! | read all items | [`scan`](Model::scan), [`Index::scan`] |
//! | read or write many items | [`get_many`](Model::get_many), [`batch_write`](Model::batch_write) |
//! | do several actions or none | [`transact_write`], [`transact_get`] |
//! | detect concurrent changes | a [`Version`] field |
//! | keep attributes that the model doesn't declare | [`Rest`] |
//! | several models in one table | `#[model(entity = "…")]`, [`Entities`] |
//! | create or delete a table | [`create_table`](Model::create_table), [`delete_table`](Model::delete_table) |
//! | continue a query or scan later | [`Cursor`] |
//! | copy a table to another account | [`copy_table`] |
//! | move a table that is being written to | `migrate_table` (feature `migrate`) |
//! | send a request that this crate doesn't support | [`raw`](Get::raw), [`slot()`] |
//!
//! # Conditions, updates and queries
//!
//! The derive creates a function for each field, which returns the [`Path`] of its attribute with the
//! type of the field. Paths make the conditions of writes, the filters of queries and scans, and the
//! changes of updates:
//!
//! ```no_run
//! # use bsm_dynamodb::{Error, Model};
//! # #[derive(serde::Serialize, serde::Deserialize, Model)]
//! # #[model(table = "orders")]
//! # struct Order {
//! #     #[model(hash_key)] customer: String, #[model(range_key)] number: u64,
//! #     paid: bool, total: u64, reminders: u32,
//! # }
//! # async fn f(order: Order) -> Result<(), Error> {
//! order.save().condition(Order::customer().not_exists()).await?; // fails if it exists
//!
//! let order = Order::update(("customer", 7))
//!     .increment(Order::reminders(), 1)
//!     .condition(Order::paid().eq(false) & Order::reminders().lt(3))
//!     .await?;
//!
//! let large = Order::total().ge(1_000) | Order::reminders().gt(0);
//! let unpaid = Order::query("customer").range_ge(100).filter(large & Order::paid().eq(false));
//! for order in unpaid.descending().limit(20).collect().await? {
//!     println!("{}: {}", order.number, order.total);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The account of an operation
//!
//! An operation such as `User::get("123")` does nothing until it is awaited. The `.await` binds it to a
//! manager, and it keeps that manager to its end. The streams of a [`Query`] or [`Scan`], and a
//! [`slot()`], are bound when they are created. The manager is the first of these that exists:
//!
//! 1. the innermost override that applies to the model, whether it names the model
//!    ([`use_boto_session`], [`with_boto_session`]) or is general
//!    ([`awsenv`](bsm_core::BotoSesManager::awsenv), [`scope`](bsm_core::BotoSesManager::scope));
//! 2. the manager that [`restore_on_exit(false)`](BotoSession::restore_on_exit) left the model on;
//! 3. the process default.
//!
//! A model that belongs to one account whatever the scope is fixed to it with [`fix_model`].
//!
//! If the manager was chosen for the model, its region applies. Otherwise the region that the model
//! declares applies, if it declares one.
//!
//! # Errors
//!
//! Every operation returns an [`Error`] that names the operation, the table and the manager. Branch on
//! its predicates, such as [`is_item_not_found`](Error::is_item_not_found), or on its
//! [`kind`](Error::kind).
//!
//! # Other model layers
//!
//! [`slot()`] provides the bound `aws_sdk_dynamodb::Client` to code that uses another model layer, or
//! none. [`ConnectionSlot`] lets sessions be chosen for such code.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod codec;
mod connection;
mod copy;
mod error;
mod expression;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(feature = "migrate")]
mod migrate;
mod model;
mod operation;
mod private;
mod table;
mod throttle;
mod transact;
mod types;
mod wire;

/// Derives [`KeyAttribute`] for a newtype around a key attribute, and for an enum without fields.
///
/// The key is stored as serde writes the type, with `#[serde(into)]` as that type. If a
/// `#[serde(with)]` inside writes another type, `#[model(key_type = String)]` declares it.
///
/// ```
/// use bsm_dynamodb::{KeyAttribute, Model};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, KeyAttribute)]
/// struct UserId(String);
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "users")]
/// struct User {
///     #[model(hash_key)]
///     id: UserId,
/// }
///
/// let get = User::get(UserId("123".into()));
/// ```
#[doc(inline)]
pub use bsm_dynamodb_derive::KeyAttribute;

/// Derives typed paths into a struct that is nested in a model.
///
/// For a struct `Address` it creates a trait `AddressPaths`, with a method for each field, for paths of the
/// types `Address` and `Option<Address>`. Bring it into scope where the paths are used. The names of the
/// entries are those that serde writes. A field that is named like a method of [`Path`], such as `size`,
/// has a method with `_` behind its name.
///
/// ```
/// use bsm_dynamodb::{Document, Model};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Document)]
/// #[serde(rename_all = "camelCase")]
/// struct Address {
///     zip_code: String,
///     lines: Vec<String>,
/// }
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "users")]
/// struct User {
///     #[model(hash_key)]
///     id: String,
///     address: Option<Address>,
///     former: Vec<Address>,
/// }
///
/// let berlin = User::address().zip_code().begins_with("10");
/// let moved = User::former().index(0).lines().index(1).eq("2nd floor");
/// let either = berlin | moved;
/// ```
#[doc(inline)]
pub use bsm_dynamodb_derive::Document;

/// Derives [`Entities`] for an enum whose variants contain one model each.
#[doc(inline)]
pub use bsm_dynamodb_derive::Entities;

/// Derives [`Model`] for a struct with named fields.
///
/// # On the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `table = "users"` | The name of the table. Required. Any expression that converts to a `Cow<'static, str>` is accepted, such as a call: `table = table_name()`. |
/// | `region = "us-east-1"` | The region, unless a session was chosen for this model. |
/// | `billing = Billing::Provisioned { read: 5, write: 2 }` | The [`Billing`] of a table that is created. Default: on demand. |
/// | `codec = MyCodec` | The [`Codec`]. Default: [`Serde`]. |
/// | `paths = UserPaths` | Creates a type of this name for the paths of the attributes, instead of adding them to the model. |
/// | `entity = "user"` | What tells the items of the model from those of other models in the table; see [below](#several-models-in-one-table). |
/// | `entity_attribute = "type"` | The attribute with that. Default: `entity`. |
/// | `hash_key = "USER#{id}"`, `range_key = "PROFILE"` | Templates of the key, in place of `hash_key` and `range_key` on fields. |
/// | `hash_name = "PK"`, `range_name = "SK"` | The names of the key attributes that have templates. Default: `pk` and `sk`. |
/// | `index(ByEmail, hash_key = "EMAIL#{email}")` | A global index whose key has templates. |
///
/// # On fields
///
/// | attribute | meaning |
/// |---|---|
/// | `hash_key` | The hash key, also called partition key. Required. |
/// | `range_key` | The range key, also called sort key. |
/// | `index(ByEmail)` | The hash key of a global index; see below. |
/// | `local_index(ByDate)` | The range key of a local index. Its hash key is the table's. |
/// | `ttl` | The expiry of the item, after which DynamoDB deletes it: seconds of the Unix epoch, such as a `u64`, or a `SystemTime` with [`epoch_seconds`]. |
/// | `key_type = String` | The type as which a key is stored: `String`, `Number` or `Binary`. Default: that of the field's type; a string for a `Uuid` and with [`rfc3339`], a number with [`epoch_seconds`]. |
/// | `rest` | A [`Rest`], which keeps the attributes of an item that the model doesn't declare. |
/// | `version` | A [`Version`], for optimistic locking. |
///
/// The name of an attribute is the one that serde writes: `#[serde(rename)]` and
/// `#[serde(rename_all)]` apply. The type of a key must be a [`KeyAttribute`], unless `key_type`
/// declares it.
///
/// # One attribute, one encoding
///
/// Keys, conditions and updates encode a value as `save` does, also where the field has
/// `#[serde(with)]` or its type `#[serde(into)]`, so that each operation finds what another one has
/// written. Attributes of serde with which that cannot work do not compile: `skip`,
/// `skip_deserializing` and `flatten` on a key, `into` and `transparent` on the model. What the derive
/// cannot see is checked when it runs: an item whose key would differ from the one that
/// [`get`](Model::get) looks for is an [`InvalidItem`](ErrorKind::InvalidItem) before it is sent, and so
/// is an item whose key is read as another one.
///
/// ```
/// use std::time::SystemTime;
///
/// use bsm_dynamodb::Model;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "readings")]
/// struct Reading {
///     #[model(hash_key)]
///     sensor: String,
///     #[model(range_key)]
///     #[serde(with = "bsm_dynamodb::rfc3339")]
///     at: SystemTime,
/// }
///
/// let get = Reading::get(("kitchen", SystemTime::UNIX_EPOCH));
/// ```
///
/// # Indexes
///
/// The derive creates a type for each index, with the visibility of the model. The parentheses contain
/// the name of the type, and then:
///
/// | | meaning |
/// |---|---|
/// | `hash_key` or `range_key` | The role of the field in a global index. Default: `hash_key`. Up to four fields can be hash keys, and four range keys: see [`Query::and_key`]. |
/// | `name = "by-email"` | The name of the index in the table. Default: the name of the type. |
/// | `projection = keys_only` | The attributes that the index has besides the keys: `all`, `keys_only`, or `include(field, …)`. Default: `all`. |
///
/// An item that lacks the key of an index is not in that index. For such a field, use an `Option` with
/// `#[serde(skip_serializing_if = "Option::is_none")]`.
///
/// ```
/// use bsm_dynamodb::{Index, Model, Projection};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "orders")]
/// #[serde(rename_all = "camelCase")]
/// struct Order {
///     #[model(hash_key)]
///     customer: String,
///     #[model(range_key)]
///     number: u64,
///     #[model(index(ByCourier, hash_key, name = "by-courier", projection = include(total_price)))]
///     #[serde(skip_serializing_if = "Option::is_none")]
///     courier: Option<String>,
///     #[model(index(ByCourier, range_key), local_index(ByDate))]
///     date: String,
///     total_price: u64,
/// }
///
/// assert_eq!(ByCourier::NAME, "by-courier");
/// assert_eq!(ByCourier::KEY.range_name(), Some("date"));
/// assert_eq!(ByCourier::PROJECTION, Projection::Include(&["totalPrice"]));
/// assert_eq!(ByDate::NAME, "ByDate");
/// assert_eq!(ByDate::KEY.hash_name(), "customer");
/// ```
///
/// # Several models in one table
///
/// A key attribute can be composed of fields, by a template: text, and the names of fields in braces.
/// `{number:08}` writes a number with at least 8 digits, so that keys sort by it. The fields are stored as
/// attributes of their own as well, and are parsed from the key where an item lacks those.
///
/// A key is given as a tuple of the fields in the order in which the templates name them, each once, or
/// as the value itself if there is one. A value that would make a key ambiguous, such as one with a `#`
/// in it where a `#` follows, is refused before anything is sent.
///
/// ```
/// use bsm_dynamodb::{Entities, Index, Model};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "shop", entity = "customer")]
/// #[model(hash_key = "CUSTOMER#{id}", range_key = "PROFILE")]
/// struct Customer {
///     id: String,
///     name: String,
/// }
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "shop", entity = "order")]
/// #[model(hash_key = "CUSTOMER#{customer}", range_key = "ORDER#{number:08}")]
/// #[model(index(OrderByStatus, name = "gsi1", hash_key = "STATUS#{status}"))]
/// struct Order {
///     customer: String,
///     number: u64,
///     status: String,
/// }
///
/// #[derive(Entities)]
/// enum ShopItem {
///     Customer(Customer),
///     Order(Order),
/// }
///
/// let get = Order::get(("ada", 7)); // pk = CUSTOMER#ada, sk = ORDER#00000007
/// let open = OrderByStatus::query("open");
/// let everything = Customer::query("ada").entities::<ShopItem>();
/// let create = Customer::create_table().with_model::<Order>();
/// assert_eq!(OrderByStatus::KEY.hash_name(), "gsi1pk");
/// ```
///
/// The attributes of an index `gsi1` are `gsi1pk` and `gsi1sk`, unless `hash_name` and `range_name` say
/// otherwise. An item in which a field of the index is `None` is not in the index. An update that sets
/// the fields of a template also sets the key of the index.
///
/// With `entity`, every write adds that attribute, queries and scans of the model filter by it, and
/// reading an item of another model is an [`InvalidItem`](ErrorKind::InvalidItem). Without it they go by
/// the text at the beginning of the templates, which is also part of each condition on a range key.
///
/// # Paths
///
/// For each field that serde writes, the model gets a function that returns the [`Path`] of its
/// attribute: `User::age().ge(18)` is a condition for a field `age`. The function has the visibility of
/// the field. If the model already has a method of that name, such as a getter `fn age(&self)`, put the
/// functions on another type: with `#[model(paths = UserPaths)]` it is `UserPaths::age()`.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::Model;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "orders", region = "eu-west-1")]
/// #[serde(rename_all = "camelCase")]
/// struct Order {
///     #[model(hash_key)]
///     customer_id: String,
///     #[model(range_key)]
///     number: u64,
///     paid: bool,
/// }
///
/// assert_eq!(Order::KEY.hash_name(), "customerId");
/// let get = Order::get(("customer", 7));
/// ```
///
/// A model must have a hash key:
///
/// ```compile_fail
/// # use bsm_dynamodb::Model;
/// #[derive(serde::Serialize, serde::Deserialize, Model)]
/// #[model(table = "users")]
/// struct User {
///     id: String,
/// }
/// ```
///
/// and the type of the hash key must be a [`KeyAttribute`]:
///
/// ```compile_fail
/// # use bsm_dynamodb::Model;
/// #[derive(serde::Serialize, serde::Deserialize, Model)]
/// #[model(table = "users")]
/// struct User {
///     #[model(hash_key)]
///     id: Vec<String>,
/// }
/// ```
#[doc(inline)]
pub use bsm_dynamodb_derive::Model;

pub use batch::{BatchWrite, GetMany};
pub use codec::with::{epoch_seconds, rfc3339, set};
pub use codec::{Codec, CodecError, Encode, FieldOf, Item, Serde, SerializeField, Sparse};
pub use connection::{
    BotoSession, ConnectionSlot, Models, Slot, fix_model, reset_connection, slot, unfix_model,
    use_boto_session, with_boto_session,
};
pub use copy::{
    CopyPhase, CopyPlan, CopyPolicy, CopyProgress, CopySummary, CopyTable, CopyTables,
    CopyTablesSummary, PlannedSetting, ReportedKeys, SettingOutcome, TableLocation, TableSetting,
    Verification, copy_model, copy_table, copy_tables,
};
pub use error::cancellation::CancellationReason;
pub use error::unprocessed::Unprocessed;
pub use error::{Error, ErrorKind};
pub use expression::{AttributeType, Condition, Elements, Operand, Path, Size, Untyped};
#[cfg(feature = "migrate")]
pub use migrate::{
    AbortedMigration, LoadMethod, MigrateTable, MigrationPhase, MigrationPlan, MigrationProgress,
    MigrationSummary, migrate_table,
};
// The trait and its derive share a name, as those of serde do: one import brings both.
pub use model::Model;
pub use model::billing::Billing;
pub use model::composite::{
    Component, Composite, CompositePart, KeyTemplates, OfHash, OfRange, PartTemplate,
    RangedTemplates,
};
pub use model::entities::Entities;
pub use model::entity::Entity;
pub use model::index::{
    ConsistentRead, GlobalIndex, Index, IndexDefinition, IndexKind, KeyPart, LocalIndex,
    Projection, Source, Table,
};
pub use model::key::{IntoKey, Key, KeySchema, KeyValues, RangedKey};
pub use model::rest::Rest;
pub use model::template::{KeyTemplate, TemplatePart};
pub use model::version::{Version, VersionAttribute};
pub use operation::Pending;
pub use operation::collect::{Collect, Count};
pub use operation::cursor::Cursor;
pub use operation::delete::Delete;
pub use operation::get::Get;
pub use operation::optional::Optional;
// `Query` and `Scan` are aliases whose type parameters name these, so they must be public.
pub use operation::page_reader::{KeyCondition, ReadKind, ScanSegments};
pub use operation::paged_read::PagedRead;
pub use operation::pages::{Items, Page, Pages};
pub use operation::query::Query;
pub use operation::raw::Raw;
pub use operation::return_nothing::ReturnNothing;
pub use operation::return_old::ReturnOld;
pub use operation::save::Save;
pub use operation::scan::Scan;
pub use operation::update::Update;
pub use table::{
    CreateIndex, CreateTable, DeleteIndex, DeleteTable, DescribeTable, Exists, UpdateTtl,
};
pub use transact::{Action, Gets, TransactGet, TransactWrite, transact_get, transact_write};
pub use types::{
    Binary, EncodeKey, Encoded, KeyAttribute, KeyElement, KeyField, KeyPrefix, KeyScalar, KeyText,
    KeyType, KeyValue, Number, ParseNumberError, Set, TtlAttribute,
};

/// What the expansions of the derive macros need.
#[doc(hidden)]
pub mod __private {
    pub use aws_sdk_dynamodb::types::AttributeValue;

    pub use crate::private::{
        AnyCodec, AnyKey, Checked, Entries, Flattened, NotReadBack, OwnKey, ReadBack,
        UnknownEntries, check_entries, decode_if, expires, of_no_model,
    };
    // A program may depend on serde under another name, so the expansions use this one.
    pub use serde;
}
