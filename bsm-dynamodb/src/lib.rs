//! DynamoDB models whose connection follows the active AWS session.
//!
//! A model is a struct that names its table and its key. It has no connection of its own: every
//! operation goes to the account of the [`BotoSesManager`](bsm_core::BotoSesManager) that is active
//! where the operation is started. So one `User` serves any number of accounts.
//!
//! # Quick start
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
//! To keep the connection after the block, and to put it back:
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
//! To copy from one account to another:
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
//! # Conditions, updates and queries
//!
//! The derive gives each field a function that names its attribute, with the field's type. It makes
//! the conditions of writes, the filters of queries and scans, and the targets of updates:
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
//! order.save().condition(Order::customer().not_exists()).await?; // a new one, or an error
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
//! # Which account an operation reaches
//!
//! An operation such as `User::get("123")` is bound to a manager where it is awaited, or started
//! otherwise, and keeps it to its end. The `stream()` and `pages()` of a [`Query`] or [`Scan`] and a
//! [`slot()`] are bound where they are made. The manager is the first of these that there is:
//!
//! 1. the innermost session that names the model: [`use_boto_session`], [`with_boto_session`];
//! 2. the manager that the model was left on with
//!    [`restore_on_exit(false)`](BotoSession::restore_on_exit);
//! 3. the general default: [`BotoSesManager::current`](bsm_core::BotoSesManager::current).
//!
//! With the first two the manager's region holds; with the last one the region that the model
//! declares, if it does.
//!
//! # Other model layers
//!
//! [`slot()`] gives the bound `aws_sdk_dynamodb::Client` to code that uses another model layer, or
//! none; [`ConnectionSlot`] lets sessions be chosen for such code.

mod batch;
mod codec;
mod connection;
mod copy;
mod error;
mod expression;
mod model;
mod operation;
mod private;
mod table;
mod throttle;
mod transact;
mod types;

/// Derives [`KeyAttribute`] for a newtype of a type that is one, and for an enum without fields.
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

/// Derives [`Model`] for a struct with named fields.
///
/// # On the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `table = "users"` | The name of the table; required. Any expression that becomes a `Cow<'static, str>` will do, such as a call: `table = table_name()`. |
/// | `region = "us-east-1"` | The region, where no session was chosen for this very model. |
/// | `billing = Billing::Provisioned { read: 5, write: 2 }` | The [`Billing`] of a table that is created; on demand unless told otherwise. |
/// | `codec = MyCodec` | The [`Codec`]; [`Serde`] unless told otherwise. |
/// | `paths = UserPaths` | Puts the paths of the attributes on an own type of this name. |
///
/// # On fields
///
/// | attribute | meaning |
/// |---|---|
/// | `hash_key` | The hash key, also called partition key; required. |
/// | `range_key` | The range key, also called sort key. |
/// | `index(ByEmail)` | The hash key of a global index; see below. |
/// | `local_index(ByDate)` | The range key of a local index, which has the table's hash key. |
/// | `ttl` | When DynamoDB may delete the item: seconds of the Unix epoch, such as a `u64`, or a `SystemTime` with [`epoch_seconds`]. |
/// | `key_type = String` | The type as which a key is stored: `String`, `Number` or `Binary`. That of the field's type if it is not given. |
/// | `version` | A [`Version`], for optimistic locking. |
///
/// An attribute has the name under which serde writes the field: `#[serde(rename)]` and
/// `#[serde(rename_all)]` are honoured. The type of a key is a [`KeyAttribute`], or declared with
/// `key_type`.
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
///     #[model(range_key, key_type = Number)]
///     #[serde(with = "bsm_dynamodb::epoch_seconds")]
///     at: SystemTime,
/// }
///
/// let get = Reading::get(("kitchen", SystemTime::UNIX_EPOCH));
/// ```
///
/// # Indexes
///
/// An index is a type that the derive makes, with the visibility of the model. In the parentheses
/// after the name of the type:
///
/// | | meaning |
/// |---|---|
/// | `hash_key` or `range_key` | What the field is in a global index; the hash key unless told otherwise. |
/// | `name = "by-email"` | The name of the index in the table; that of the type unless told otherwise. |
/// | `projection = keys_only` | What the index has besides the keys: `all` (the default), `keys_only`, or `include(field, …)`. |
///
/// An item without the key of an index is not in that index. The field is an `Option` then, with
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
/// # Paths
///
/// Each field that serde writes gets a function on the model that gives the [`Path`] of its
/// attribute: `User::age().ge(18)` is a condition for a field `age`. It is as visible as the field.
/// Where the model has a method of that name already, such as a getter `fn age(&self)`, say where
/// the functions are to be instead: with `#[model(paths = UserPaths)]` it is `UserPaths::age()`.
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
/// A model has a hash key:
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
/// of a type that DynamoDB can take for a key:
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

pub use batch::{BatchWrite, GetMany, Unprocessed};
pub use codec::with::{epoch_seconds, set};
pub use codec::{Codec, CodecError, Encode, FieldOf, Item, Serde, SerializeField, Sparse};
pub use connection::{
    BotoSession, ConnectionSlot, Models, Slot, reset_connection, slot, use_boto_session,
    with_boto_session,
};
pub use copy::{
    CopyPhase, CopyPlan, CopyPolicy, CopyProgress, CopySummary, CopyTable, ReportedKeys,
    TablePlace, Verification, copy_model, copy_table,
};
pub use error::{Error, ErrorKind};
pub use expression::{AttributeType, Condition, Operand, Path, Size, Untyped};
pub use model::Model;
pub use model::billing::Billing;
pub use model::index::{
    ConsistentRead, GlobalIndex, Index, IndexDefinition, IndexKind, LocalIndex, Projection, Source,
    Table,
};
pub use model::key::{IntoKey, Key, KeySchema, KeyValues, RangedKey};
pub use model::version::{Version, VersionAttribute};
pub use operation::cursor::Cursor;
pub use operation::item::{Delete, Get, ReturnOld, Save};
pub use operation::pages::{Collect, Count, Items, Page, Pages};
pub use operation::query::Query;
pub use operation::scan::Scan;
pub use operation::update::Update;
pub use operation::{Pending, Raw};
pub use table::{CreateTable, DeleteTable, DescribeTable, Exists, UpdateTtl};
pub use transact::{
    Action, CancellationReason, Gets, TransactGet, TransactWrite, transact_get, transact_write,
};
pub use types::{
    Binary, EncodeKey, Encoded, KeyAttribute, KeyElement, KeyField, KeyPrefix, KeyScalar, KeyType,
    KeyValue, Number, ParseNumberError, Set, TtlAttribute,
};

/// What the expansions of the derive macros need.
#[doc(hidden)]
pub mod __private {
    pub use crate::private::{AnyCodec, AnyKey, OwnKey};
    pub use serde;
}
