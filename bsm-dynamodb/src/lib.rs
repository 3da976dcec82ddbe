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
//! # Which account an operation reaches
//!
//! An operation such as `User::get("123")` is bound to a manager where it is awaited, or started
//! otherwise, and keeps it to its end. What has more than one step is bound where it is made:
//! [`Scan::stream`], [`Scan::pages`], [`Model::batch_write`] and [`slot()`]. The manager is the first
//! of these that there is:
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
mod copy;
mod error;
mod item;
mod key;
mod model;
mod operation;
mod query;
mod rate_limit;
mod session;
mod slot;
mod table;

/// Derives [`KeyAttribute`] for a newtype of a type that is one.
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
/// | `codec = MyCodec` | The [`Codec`]; [`Serde`] unless told otherwise. |
///
/// # On fields
///
/// | attribute | meaning |
/// |---|---|
/// | `hash_key` | The hash key, also called partition key; required. |
/// | `range_key` | The range key, also called sort key. |
///
/// A key attribute has the name under which serde writes the field: `#[serde(rename)]` and
/// `#[serde(rename_all)]` are honoured. Its type is a [`KeyAttribute`].
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

pub use batch::{BatchWrite, Unprocessed};
pub use codec::{Codec, CodecError, Item, Serde};
pub use copy::{
    CopyPhase, CopyPlan, CopyPolicy, CopyProgress, CopySummary, CopyTable, ReportedKeys,
    TablePlace, Verification, copy_model, copy_table,
};
pub use error::{Error, ErrorKind};
pub use item::{Delete, Get, Save};
pub use key::{IntoKey, Key, KeyAttribute, KeySchema, KeyType, KeyValue, KeyValues};
pub use model::Model;
pub use operation::Pending;
pub use query::{Collect, Items, Page, Pages, Scan};
pub use session::{BotoSession, Models, reset_connection, use_boto_session, with_boto_session};
pub use slot::{ConnectionSlot, Slot, slot};
pub use table::{CreateTable, DeleteTable, DescribeTable, Exists};
