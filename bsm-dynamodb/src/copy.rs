//! Copying tables from one account to another.

mod builder;
pub(crate) mod checkpoint;
mod compare;
mod create;
mod job;
mod lookup;
mod options;
mod ownership;
mod plan;
mod preflight;
mod progress;
mod resume;
mod retry;
mod run;
mod scan;
mod settings;
mod several;
mod supervisor;
mod table;
mod tracker;
#[cfg(feature = "migrate")]
mod transfer;
mod verify;
mod write;

use bsm_core::BotoSesManager;

pub use self::builder::CopyTable;
pub use self::options::CopyPolicy;
pub use self::plan::{CopyPlan, TableLocation};
pub use self::progress::{CopyPhase, CopyProgress};
pub use self::run::CopySummary;
pub use self::settings::{PlannedSetting, SettingOutcome, TableSetting};
pub use self::several::{CopyTables, CopyTablesSummary};
pub use self::verify::{ReportedKeys, Verification};
#[cfg(feature = "migrate")]
pub(crate) use self::{
    create::{TableShape, copy_table_class, special_class, turn_on_recovery, until_active},
    plan::write_settings,
    preflight::{check_active, check_keys, counted, table_location},
    retry::{is_transient, retry_transient},
    settings::{SourceSettings, recovery},
    table::TableClient,
    transfer::{TablePair, copy_time_to_live, create_without_settings, until_deleted},
};
use crate::model::Model;

/// Copies the items of a table to the table of the same name in another account.
///
/// Returns inert data that does nothing until it is awaited. The copy reads with `source` and writes
/// with `target`, whatever session is active. It moves values as DynamoDB stores them and never
/// interprets them, so nothing is lost: numbers keep their 38 digits, sets stay sets, and attributes
/// that no struct names are copied too.
///
/// Nothing is written unless both tables are active, have the same key and are different tables, and
/// the target is empty (see [`CopyPolicy`]).
///
/// A scan is not a snapshot: items that are written to the source during the copy may or may not be
/// copied. Where that matters, stop the writers, or use `migrate_table` (feature `migrate`).
///
/// # Errors
///
/// When it is awaited, before anything is written:
///
/// - [`TableNotFound`](crate::ErrorKind::TableNotFound): one of the tables does not exist, and the
///   copy does not [create](CopyTable::create_target) the target.
/// - [`TableInUse`](crate::ErrorKind::TableInUse): one of the tables is being created, changed or
///   deleted.
/// - [`TableMismatch`](crate::ErrorKind::TableMismatch): the tables have different keys, or an index
///   of the target cannot accept the source's items.
/// - [`SameTable`](crate::ErrorKind::SameTable): the source and the target are the same table.
/// - [`TableNotEmpty`](crate::ErrorKind::TableNotEmpty): the target has items, and the policy is
///   [`FailIfNotEmpty`](CopyPolicy::FailIfNotEmpty).
/// - [`Checkpoint`](crate::ErrorKind::Checkpoint): see [`CopyTable::checkpoint`].
///
/// And later, when some items have been copied:
///
/// - [`InvalidItem`](crate::ErrorKind::InvalidItem): an item cannot be stored as it is, or the
///   transform failed.
/// - [`BatchIncomplete`](crate::ErrorKind::BatchIncomplete): DynamoDB kept refusing writes.
/// - [`Stopped`](crate::ErrorKind::Stopped): see [`CopyTable::stop_when`].
/// - The errors of every request.
///
/// Run the copy again with the same checkpoint, or with [`CopyPolicy::Overwrite`].
///
/// # Examples
///
/// ```no_run
/// use bsm_core::BotoSesManager;
/// use bsm_dynamodb::copy_table;
///
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// let staging = BotoSesManager::from_profile("staging");
/// let production = BotoSesManager::builder()
///     .profile_name("production")
///     .expect_account("333333333333")
///     .build();
///
/// let summary = copy_table(&staging, &production, "users")
///     .create_target(true)
///     .checkpoint("users.checkpoint.json")
///     .verify(true)
///     .await?;
/// assert!(summary.verification().is_some_and(|it| it.is_identical()));
/// # Ok(())
/// # }
/// ```
pub fn copy_table(
    source: &BotoSesManager,
    target: &BotoSesManager,
    table: impl Into<String>,
) -> CopyTable {
    CopyTable::new(source, target, table.into())
}

/// Copies the items of a model's table to another account; see [`copy_table`].
///
/// The regions are those of the managers, whatever region the model declares.
pub fn copy_model<M: Model>(source: &BotoSesManager, target: &BotoSesManager) -> CopyTable {
    copy_table(source, target, M::table_name())
}

/// Copies several tables, one after the other, with one checkpoint.
///
/// The checks of all tables come first, so a table that is refused is found before anything is
/// written. After that, a program can be run again until everything is copied: the
/// [checkpoint](CopyTables::checkpoint) records which tables are done, and they are left alone.
///
/// # Errors
///
/// When it is awaited: those of [`copy_table`], for the first table that fails. The tables before it
/// are copied, and the ones after it are not begun.
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if two copies have the same
/// target; [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if one of them has a checkpoint of
/// its own.
///
/// # Examples
///
/// ```no_run
/// # async fn f(staging: bsm_core::BotoSesManager, production: bsm_core::BotoSesManager)
/// # -> Result<(), bsm_dynamodb::Error> {
/// use bsm_dynamodb::{copy_table, copy_tables};
///
/// let tables = ["users", "orders", "invoices"];
/// let copies = tables.map(|table| {
///     copy_table(&staging, &production, table)
///         .create_target(true)
///         .verify(true)
/// });
/// let summary = copy_tables(copies).checkpoint("shop.checkpoint.json").await?;
///
/// for copied in summary.copied() {
///     println!("{}: {} items", copied.plan().target(), copied.statistics().total_written());
/// }
/// # Ok(())
/// # }
/// ```
pub fn copy_tables(copies: impl IntoIterator<Item = CopyTable>) -> CopyTables {
    CopyTables::new(copies.into_iter().collect())
}
