//! Migrating a live table to another account or Region, through S3.

mod abort;
mod bucket;
mod builder;
mod checkpoint;
mod clock;
mod jobs;
mod json;
mod lines;
mod load;
mod load_method;
mod manifest;
mod options;
mod plan;
mod policies;
mod preflight;
mod progress;
mod run;
mod source;
mod state;
mod stream;
mod touched;

use bsm_core::BotoSesManager;

#[cfg(any(test, fuzzing))]
pub(crate) use self::manifest::parse_any;

pub use self::abort::AbortedMigration;
pub use self::builder::MigrateTable;
pub use self::load_method::LoadMethod;
pub use self::plan::MigrationPlan;
pub use self::progress::{MigrationPhase, MigrationProgress};
pub use self::run::MigrationSummary;

/// Migrates a table that is being written to, or that is too big for one machine, to another account,
/// Region or name.
///
/// Returns inert data that does nothing until it is awaited. DynamoDB itself exports the table to S3
/// and imports it as a new one; the migration then brings the writes that were made meanwhile, through
/// incremental exports and the table's stream, until the target has caught up. The writers pause for
/// seconds at the end. No attribute is added to any item, and values are never interpreted. For a
/// table that fits through one machine in reasonable time, and whose writers can pause that long,
/// [`copy_table`](crate::copy_table) is simpler.
///
/// # Phases
///
/// | phase | what happens |
/// |---|---|
/// | [`Preparing`](MigrationPhase::Preparing) | point-in-time recovery and the stream of the source are turned on, if they are off |
/// | [`Exporting`](MigrationPhase::Exporting) | DynamoDB exports the source to S3 |
/// | [`Loading`](MigrationPhase::Loading) | DynamoDB imports the export; or the migration loads it, if the target exists or needs local secondary indexes |
/// | [`CatchingUp`](MigrationPhase::CatchingUp) | incremental exports bring the writes since, while they are more than 12 hours behind |
/// | [`Streaming`](MigrationPhase::Streaming) | the stream brings the rest, and the tables are compared |
/// | [`Draining`](MigrationPhase::Draining) | [`cutover`](MigrateTable::cutover) has stopped the writers; the last records arrive, and the keys that were written to are compared |
/// | [`Finishing`](MigrationPhase::Finishing) | what was turned on in the source is turned off |
///
/// A process that is killed in any phase can be started again: the
/// [checkpoint](MigrateTable::checkpoint) says where to resume. [`abort`](MigrateTable::abort) ends the
/// migration and leaves the source as it was. [`plan`](MigrateTable::plan) does the checks without
/// changing anything, and returns the policies that are needed.
///
/// Nothing but the migration may write to the target until it returns: a write that it finds there is
/// overwritten or reported as a difference.
///
/// # Errors
///
/// When it is awaited, before anything is changed:
///
/// - [`InvalidRequest`](crate::ErrorKind::InvalidRequest): there is no bucket, checkpoint or cutover;
///   the bucket does not exist; the stream of the source has no new images.
/// - [`TableNotFound`](crate::ErrorKind::TableNotFound), [`TableInUse`](crate::ErrorKind::TableInUse),
///   [`TableMismatch`](crate::ErrorKind::TableMismatch), [`SameTable`](crate::ErrorKind::SameTable),
///   [`TableNotEmpty`](crate::ErrorKind::TableNotEmpty): the tables cannot be migrated.
/// - [`Checkpoint`](crate::ErrorKind::Checkpoint): see [`MigrateTable::checkpoint`].
///
/// And later:
///
/// - [`TransferFailed`](crate::ErrorKind::TransferFailed): an export or import failed, or left out
///   items; a file is damaged; or the stream no longer has the records that are needed.
/// - [`TablesDiffer`](crate::ErrorKind::TablesDiffer): the tables differ after the cutover.
/// - [`WaitTimedOut`](crate::ErrorKind::WaitTimedOut): see [`MigrateTable::job_timeout`].
/// - [`Stopped`](crate::ErrorKind::Stopped): see [`MigrateTable::stop_when`], or the cutover failed.
/// - The errors of every request.
///
/// # Examples
///
/// ```no_run
/// use bsm_core::BotoSesManager;
/// use bsm_dynamodb::migrate_table;
///
/// # async fn pause_writers() -> std::io::Result<()> { Ok(()) }
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// let staging = BotoSesManager::from_profile("staging");
/// let production = BotoSesManager::from_profile("production");
///
/// let migration = migrate_table(&staging, &production, "users")
///     .bucket("users-migration")
///     .checkpoint("users.migration.json")
///     .cutover(|| async { Ok(pause_writers().await?) });
/// println!("{}", migration.plan().await?);
///
/// let summary = migration.await?;
/// println!("the writers paused for {:?}", summary.pause());
/// # Ok(())
/// # }
/// ```
pub fn migrate_table(
    source: &BotoSesManager,
    target: &BotoSesManager,
    table: impl Into<String>,
) -> MigrateTable {
    MigrateTable::new(source, target, table.into())
}
