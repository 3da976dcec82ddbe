//! The builder of a migration.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bsm_core::BotoSesManager;

use super::abort::{self, AbortedMigration};
use super::options::{BoxError, Callbacks, MigrateOptions, MigrateRequest};
use super::plan::MigrationPlan;
use super::preflight;
use super::progress::{MigrationPhase, MigrationProgress};
use super::run::{self, MigrationSummary};
use crate::error::Error;
use crate::operation::Pending;

/// Migrates a table; see [`migrate_table`](crate::migrate_table).
#[must_use = "operations do nothing unless they are awaited"]
pub struct MigrateTable {
    request: MigrateRequest,
    callbacks: Callbacks,
}

impl MigrateTable {
    pub(super) fn new(source: &BotoSesManager, target: &BotoSesManager, table: String) -> Self {
        Self {
            request: MigrateRequest {
                source: source.clone(),
                target: target.clone(),
                options: MigrateOptions::new(table),
            },
            callbacks: Callbacks::default(),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut MigrateOptions)) -> Self {
        set(&mut self.request.options);
        self
    }
}

/// # What is migrated, and through which bucket
impl MigrateTable {
    /// Sets the name of the target table. Default: the name of the source table.
    pub fn target_table(self, table: impl Into<String>) -> Self {
        self.with(|options| options.target_table = table.into())
    }

    /// Sets the S3 bucket for the exports. Required.
    ///
    /// The bucket must exist. The source writes to it, and the target reads from it:
    /// [`MigrationPlan::bucket_policy`] returns the policy that lets both accounts do so. The exported
    /// files stay in the bucket.
    pub fn bucket(self, bucket: impl Into<String>) -> Self {
        self.with(|options| options.bucket = bucket.into())
    }

    /// Sets the account that owns the bucket. Default: the source's account.
    pub fn bucket_owner(self, account: impl Into<String>) -> Self {
        self.with(|options| options.bucket_owner = Some(account.into()))
    }

    /// Sets the Region of the bucket. Default: the target's Region.
    pub fn bucket_region(self, region: impl Into<String>) -> Self {
        self.with(|options| options.bucket_region = Some(region.into()))
    }

    /// Sets the prefix of all objects that the exports write. Default: none, so that they begin with
    /// `AWSDynamoDB/`.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        // The keys have a slash behind the prefix: one more would make other keys.
        self.with(|options| options.prefix = prefix.into().trim_matches('/').to_owned())
    }

    /// Encrypts the exported files with a KMS key, given by its ARN. Default: the default encryption of
    /// the bucket.
    ///
    /// The key policy must let both accounts use the key, whether it is this one or the bucket's; the
    /// [plan](Self::plan) says how.
    pub fn export_key(self, key: impl Into<String>) -> Self {
        self.with(|options| options.export_key = Some(key.into()))
    }

    /// Encrypts the new table with a KMS key of the target's account. Default: a key that DynamoDB
    /// owns.
    ///
    /// It has no effect on a table that exists, or that is not [imported](Self::import).
    pub fn target_key(self, key: impl Into<String>) -> Self {
        self.with(|options| options.target_key = Some(key.into()))
    }

    /// Lets DynamoDB import the export into a new table where it can. Default: `true`.
    ///
    /// DynamoDB cannot import into a table that exists, or create one with local secondary indexes.
    /// The migration then loads the files itself, as it does with `false`: an import costs a fraction
    /// of the write capacity that loading takes.
    pub fn import(self, import: bool) -> Self {
        self.with(|options| options.uses_import = import)
    }

    /// Catches up with the writes through the table's stream. Default: `true`.
    ///
    /// Without the stream, the last writes arrive by an incremental export, and the writers pause for
    /// 15 minutes or more.
    pub fn stream(self, stream: bool) -> Self {
        self.with(|options| options.uses_stream = stream)
    }

    /// Compares the two tables before the cutover, and the keys that were written to since after it.
    /// Default: `true`.
    ///
    /// Reads both tables with strongly consistent reads, as
    /// [`CopyTable::compare`](crate::CopyTable::compare) does.
    pub fn compare(self, compare: bool) -> Self {
        self.with(|options| options.compares = compare)
    }

    /// Sets how long the stream must have no new record after the writers have stopped. Default: 3 seconds.
    ///
    /// The writers pause for that long, and a write whose record takes longer to arrive is missing from the
    /// target. DynamoDB writes records "in near-real time", usually well within a second, and states no
    /// limit: choose a longer period if the writers can pause for longer.
    ///
    /// Source: [Change data capture for DynamoDB Streams](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html).
    pub fn quiet_period(self, quiet: Duration) -> Self {
        self.with(|options| options.quiet_period = quiet)
    }
}

/// # How fast
impl MigrateTable {
    /// Loads this many files of an export at a time. Default: 4.
    pub fn read_concurrency(self, files: usize) -> Self {
        // Without a reader, the load would end at once, as if every file were loaded.
        self.with(|options| options.read_concurrency = files.max(1))
    }

    /// Sends this many writes of up to 25 items at a time, for each file. Default: 4.
    ///
    /// Memory is bounded by the two settings, whatever the size of the table.
    pub fn write_concurrency(self, writers: usize) -> Self {
        // Without a writer, records of the stream would count as applied that were never written.
        self.with(|options| options.write_concurrency = writers.max(1))
    }

    /// Limits the read capacity that the comparison consumes per second, for each table. Default: no
    /// limit; 0 counts as 1.
    pub fn read_capacity(self, units_per_second: u32) -> Self {
        self.with(|options| options.read_capacity = Some(units_per_second))
    }

    /// Limits the write capacity that is consumed per second in the target. Default: no limit; 0
    /// counts as 1.
    ///
    /// DynamoDB's import consumes none.
    pub fn write_capacity(self, units_per_second: u32) -> Self {
        self.with(|options| options.write_capacity = Some(units_per_second))
    }

    /// Sets how often AWS is asked whether an export or import is done. Default: 10 seconds.
    pub fn poll_interval(self, interval: Duration) -> Self {
        // A loop without a pause would be throttled.
        let interval = interval.max(Duration::from_millis(10));
        self.with(|options| options.poll_interval = interval)
    }

    /// Sets the time limit for each export and each import. Default: 48 hours.
    pub fn job_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.job_timeout = timeout)
    }
}

/// # Cutover, interruptions and progress
impl MigrateTable {
    /// Calls a function when the target has caught up, which must stop the writers of the source within one
    /// hour. Required.
    ///
    /// The migration continues to apply writes while the function runs. When its future completes, no
    /// writer may write to the source any more: the migration applies the last writes, compares the
    /// keys that were written to, and returns. Start the writers with the target then. If the function
    /// fails, so does the migration, which can be run again.
    ///
    /// A run that resumes an interrupted one may call the function a second time.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn pause_writers() -> std::io::Result<()> { Ok(()) }
    /// # async fn f(source: bsm_core::BotoSesManager, target: bsm_core::BotoSesManager)
    /// # -> Result<(), bsm_dynamodb::Error> {
    /// use bsm_dynamodb::migrate_table;
    ///
    /// migrate_table(&source, &target, "users")
    ///     .bucket("users-migration")
    ///     .checkpoint("users.migration.json")
    ///     .cutover(|| async {
    ///         pause_writers().await?;
    ///         Ok(())
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cutover<F>(mut self, cutover: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.callbacks.cutover = Some(Box::new(|| Box::pin(cutover())));
        self
    }

    /// Records the progress in a file, and resumes from it if the file exists. Required.
    ///
    /// A migration that is killed, dropped, stopped or fails can be run again with the same settings.
    /// The file contains no items, but keys of the stream's records and ARNs; it is readable for its
    /// owner only, has a checksum, and is removed when the migration is done. While a run uses it, a
    /// file with `.lock` added to the name is locked beside it.
    ///
    /// # Errors
    ///
    /// When the migration is awaited: [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if the
    /// file cannot be read or written, is damaged or was edited, belongs to other tables or to a
    /// migration with other settings, or if another run uses it.
    pub fn checkpoint(self, path: impl Into<PathBuf>) -> Self {
        self.with(|options| options.checkpoint = Some(path.into()))
    }

    /// Calls a function whenever there is progress, at most several times a second.
    pub fn on_progress(mut self, report: impl FnMut(&MigrationProgress) + Send + 'static) -> Self {
        self.callbacks.on_progress = Some(Box::new(report));
        self
    }

    /// Stops the migration when the future completes.
    ///
    /// It fails with [`ErrorKind::Stopped`](crate::ErrorKind::Stopped), and can be run again. Exports
    /// and imports that AWS has begun continue.
    pub fn stop_when(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.callbacks.stop = Some(Box::pin(stop));
        self
    }
}

/// # Without migrating
impl MigrateTable {
    /// Does the checks that come before a migration, changes nothing, and returns the plan.
    pub fn plan(&self) -> Pending<MigrationPlan> {
        Box::pin(preflight::plan(self.request.clone()))
    }

    /// Returns how far the migration of the checkpoint has come; `None` if there is no checkpoint.
    ///
    /// It can be called while another process runs the migration.
    pub fn status(&self) -> Pending<Option<MigrationPhase>> {
        Box::pin(run::status(self.request.clone()))
    }

    /// Ends an interrupted migration, and leaves the source as it was.
    ///
    /// Turns off the stream and the point-in-time recovery that the migration has turned on, deletes
    /// the target if the migration has created it, and removes the checkpoint. A target that existed
    /// before keeps the items that were loaded. In the phase
    /// [`Finishing`](crate::MigrationPhase::Finishing), the target has every write and writers may have
    /// moved to it, so it stays. If a run was killed while it created the target, the
    /// checkpoint may not prove whose table it is, and the table stays. Exported files stay in the bucket.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if there is no checkpoint, if it belongs
    /// to another migration, or if a run uses it;
    /// [`ErrorKind::TableInUse`](crate::ErrorKind::TableInUse) while an import is still creating the
    /// target.
    pub fn abort(self) -> Pending<AbortedMigration> {
        Box::pin(abort::abort(self.request))
    }
}

impl IntoFuture for MigrateTable {
    type Output = Result<MigrationSummary, Error>;
    type IntoFuture = Pending<MigrationSummary>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(run::migrate(self.request, self.callbacks))
    }
}

impl fmt::Debug for MigrateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MigrateRequest {
            source,
            target,
            options,
        } = &self.request;
        f.debug_struct("MigrateTable")
            .field("source", source)
            .field("source_table", &options.source_table)
            .field("target", target)
            .field("target_table", &options.target_table)
            .field("bucket", &options.bucket)
            .finish_non_exhaustive()
    }
}
