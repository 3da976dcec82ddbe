//! The builder of a copy.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bsm_core::BotoSesManager;

use super::checkpoint::MAX_SEGMENTS;
use super::options::{Callbacks, CopyOptions, CopyPolicy, CopyRequest};
use super::plan::CopyPlan;
use super::progress::CopyProgress;
use super::run::{self, CopySummary};
use super::settings::TableSetting;
use super::verify::Verification;
use crate::codec::{CodecError, Item};
use crate::error::Error;
use crate::operation::Pending;

/// Copies a table; see [`copy_table`](crate::copy_table).
#[must_use = "operations do nothing unless they are awaited"]
pub struct CopyTable {
    pub(super) request: CopyRequest,
    pub(super) callbacks: Callbacks,
}

impl CopyTable {
    pub(super) fn new(source: &BotoSesManager, target: &BotoSesManager, table: String) -> Self {
        Self {
            request: CopyRequest {
                source: source.clone(),
                target: target.clone(),
                options: CopyOptions::new(table),
            },
            callbacks: Callbacks::default(),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut CopyOptions)) -> Self {
        set(&mut self.request.options);
        self
    }
}

/// # What is copied, and where to
impl CopyTable {
    /// Sets the name of the target table. Default: the name of the source table.
    pub fn target_table(self, table: impl Into<String>) -> Self {
        self.with(|options| options.target_table = table.into())
    }

    /// Sets what the copy does about items that the target already has. Default:
    /// [`CopyPolicy::FailIfNotEmpty`].
    pub fn policy(self, policy: CopyPolicy) -> Self {
        self.with(|options| options.policy = policy)
    }

    /// Creates the target table if it does not exist, like the source: keys, indexes, billing, table
    /// class and time to live.
    ///
    /// [`CopyPlan::settings`] lists what the new table does not get, such as streams and tags;
    /// [`copy_settings`](Self::copy_settings) adds some of it. A table that exists keeps its settings.
    ///
    /// With a [`checkpoint`](Self::checkpoint), the next run finishes an interrupted creation.
    /// Without one, it finds a table that exists, and does not set its time to live.
    pub fn create_target(self, create: bool) -> Self {
        self.with(|options| options.create_target = create)
    }

    /// Also brings these settings of the source to a target that the copy creates. Default: none.
    ///
    /// [`TableSetting::is_copyable`] tells which settings are accepted. A stream is on from the
    /// beginning, so it sees every item that is copied.
    ///
    /// # Errors
    ///
    /// When the copy is awaited: [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for
    /// a setting that cannot be copied, and the error of a request that could not read it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(source: bsm_core::BotoSesManager, target: bsm_core::BotoSesManager)
    /// # -> Result<(), bsm_dynamodb::Error> {
    /// use bsm_dynamodb::{TableSetting, copy_table};
    ///
    /// copy_table(&source, &target, "users")
    ///     .create_target(true)
    ///     .copy_settings([TableSetting::Tags, TableSetting::DeletionProtection])
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn copy_settings(self, settings: impl IntoIterator<Item = TableSetting>) -> Self {
        self.with(|options| options.copy_settings = settings.into_iter().collect())
    }

    /// Copies only the items for which the filter returns `true`.
    ///
    /// With a checkpoint, it needs a [`fingerprint`](Self::fingerprint).
    pub fn filter(self, filter: impl Fn(&Item) -> bool + Send + Sync + 'static) -> Self {
        self.with(|options| options.filter = Some(Arc::new(filter)))
    }

    /// Changes every item that the filter has left.
    ///
    /// The transform must return the same item for the same input, because an interrupted copy reads
    /// some pages again. Items that get the same key overwrite each other. With a checkpoint, the
    /// transform needs a [`fingerprint`](Self::fingerprint).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use bsm_dynamodb::copy_table;
    /// # async fn f(source: bsm_core::BotoSesManager, target: bsm_core::BotoSesManager)
    /// # -> Result<(), bsm_dynamodb::Error> {
    /// copy_table(&source, &target, "users")
    ///     .transform(|mut user| {
    ///         user.remove("password_hash");
    ///         Ok(user)
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn transform(
        self,
        transform: impl Fn(Item) -> Result<Item, CodecError> + Send + Sync + 'static,
    ) -> Self {
        self.with(|options| options.transform = Some(Arc::new(transform)))
    }

    /// Names the filter and the transform, such as `"without password hashes, v1"`.
    ///
    /// Closures cannot be compared. The checkpoint records this name, which must not be empty, and a
    /// run with another name is refused, so that half of the target is never filtered or transformed
    /// differently. Change the name whenever you change the closures.
    pub fn fingerprint(self, fingerprint: impl Into<String>) -> Self {
        self.with(|options| options.fingerprint = Some(fingerprint.into()))
    }

    /// Does the checks and reads every item, and writes nothing.
    pub fn dry_run(self, dry: bool) -> Self {
        self.with(|options| options.dry_run = dry)
    }

    /// Compares the two tables after the copy; see [`compare`](Self::compare) and
    /// [`CopySummary::verification`].
    pub fn verify(self, verify: bool) -> Self {
        self.with(|options| options.verify = verify)
    }
}

/// # How fast
impl CopyTable {
    /// Divides the source into this many segments. Default: 8; DynamoDB's limit: 1,000,000.
    ///
    /// Source: [Parallel scan](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan)
    /// in the Developer Guide.
    pub fn segments(self, segments: u32) -> Self {
        // DynamoDB refuses other numbers, but only after the checkpoint would have recorded them.
        self.with(|options| options.segments = Some(segments.clamp(1, MAX_SEGMENTS)))
    }

    /// Reads this many segments at a time. Default: 4.
    pub fn read_concurrency(self, readers: usize) -> Self {
        // Without a reader, the copy would end at once, as if the source were empty.
        self.with(|options| options.read_concurrency = readers.max(1))
    }

    /// Sends this many writes of up to 25 items at a time. Default: 8.
    ///
    /// A copy holds at most a page for every reader and three batches for every writer, whatever the
    /// size of the table.
    pub fn write_concurrency(self, writers: usize) -> Self {
        // tokio panics on a channel without capacity, which is twice the number of writers.
        self.with(|options| options.write_concurrency = writers.max(1))
    }

    /// Limits the read capacity that is consumed per second, for each table. Default: no limit; 0
    /// counts as 1.
    ///
    /// The limit holds in the long run: a page of 1 MB alone takes 128 units. A smaller
    /// [`page_size`](Self::page_size) makes it smoother.
    pub fn read_capacity(self, units_per_second: u32) -> Self {
        self.with(|options| options.read_capacity = Some(units_per_second))
    }

    /// Limits the write capacity that is consumed per second in the target. Default: no limit; 0
    /// counts as 1.
    pub fn write_capacity(self, units_per_second: u32) -> Self {
        self.with(|options| options.write_capacity = Some(units_per_second))
    }

    /// Reads at most this many items in a request. Default: 1,000; DynamoDB's limit: 1 MB.
    ///
    /// An item takes several times its size in memory while it is copied, and small items take the
    /// most, so pages of many small items dominate a copy's memory.
    pub fn page_size(self, items: u32) -> Self {
        // The API takes a signed number.
        self.with(|options| options.page_size = items.clamp(1, i32::MAX.unsigned_abs()))
    }

    /// Reads the source with strongly consistent reads, at twice the cost. Default: `false`.
    ///
    /// They see every write that was acknowledged before. The comparison always uses them.
    pub fn consistent_read(self, consistent: bool) -> Self {
        self.with(|options| options.consistent_read = consistent)
    }

    /// Sets the number of attempts at one request without progress. Default: 20, about a minute.
    ///
    /// The copy retries after throttling, after failures of DynamoDB or of the network, and if the
    /// credentials have expired on the way. This replaces the retries of the SDK.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.with(|options| options.max_attempts = attempts.max(1))
    }
}

/// # Interruptions and progress
impl CopyTable {
    /// Records the progress in a file, and resumes from it if the file exists.
    ///
    /// A copy that is killed, dropped, stopped or fails can be run again with the same settings; it
    /// writes some items twice then. The file is removed when the copy is done. It grows with the
    /// number of pages copied, contains keys of items, and is readable for its owner only. While a
    /// run uses it, a file with `.lock` added to the name is locked beside it.
    ///
    /// The checkpoint records the two tables, the number of segments, the policy, whether there is a
    /// filter and a transform, their [`fingerprint`](Self::fingerprint), and what the copy
    /// [copies](Self::copy_settings). The settings that only decide how fast a copy is may change from run to
    /// run.
    ///
    /// # Errors
    ///
    /// When the copy is awaited: [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if the file
    /// cannot be read or written, is not a regular file, is damaged or was edited, belongs to other
    /// tables, to tables that have been deleted and created again, or to a copy with other settings;
    /// if another run uses it; and for a filter or a transform without a fingerprint.
    pub fn checkpoint(self, path: impl Into<PathBuf>) -> Self {
        self.with(|options| options.checkpoint = Some(path.into()))
    }

    /// Calls a function several times a second, and at the end.
    pub fn on_progress(mut self, report: impl FnMut(&CopyProgress) + Send + 'static) -> Self {
        self.callbacks.on_progress = Some(Box::new(report));
        self
    }

    /// Stops the copy when the future completes.
    ///
    /// The copy waits for the requests that are in flight, writes the checkpoint, and fails with
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use bsm_dynamodb::copy_table;
    /// # async fn f(source: bsm_core::BotoSesManager, target: bsm_core::BotoSesManager,
    /// # ctrl_c: impl Future<Output = ()> + Send + 'static) -> Result<(), bsm_dynamodb::Error> {
    /// copy_table(&source, &target, "users")
    ///     .checkpoint("users.checkpoint.json")
    ///     .stop_when(ctrl_c) // async { _ = tokio::signal::ctrl_c().await }
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_when(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.callbacks.stop = Some(Box::pin(stop));
        self
    }
}

/// # Without copying
impl CopyTable {
    /// Does the checks that come before a copy, writes nothing, and returns the plan.
    pub fn preflight(&self) -> Pending<CopyPlan> {
        Box::pin(run::preflight(self.request.clone()))
    }

    /// Compares the two tables instead of copying.
    ///
    /// Reads both tables with strongly consistent reads: looks up every item that should be copied
    /// in the target, and every item of the target in the source. Sets are equal in any order,
    /// numbers by their value. Memory is bounded, whatever the size of the tables. Writes during the
    /// comparison appear as differences.
    ///
    /// # Errors
    ///
    /// When it is awaited: [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound),
    /// [`TableInUse`](crate::ErrorKind::TableInUse),
    /// [`TableMismatch`](crate::ErrorKind::TableMismatch) and
    /// [`SameTable`](crate::ErrorKind::SameTable), and the errors of every request.
    pub fn compare(mut self) -> Pending<Verification> {
        let options = &mut self.request.options;
        // A comparison writes nothing, so what a copy would refuse is no reason to refuse it.
        options.checkpoint = None;
        options.policy = CopyPolicy::Overwrite;
        options.create_target = false;
        Box::pin(run::compare(self.request, self.callbacks))
    }
}

impl IntoFuture for CopyTable {
    type Output = Result<CopySummary, Error>;
    type IntoFuture = Pending<CopySummary>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(run::copy(self.request, self.callbacks))
    }
}

impl fmt::Debug for CopyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CopyRequest {
            source,
            target,
            options,
        } = &self.request;
        f.debug_struct("CopyTable")
            .field("source", source)
            .field("source_table", &options.source_table)
            .field("target", target)
            .field("target_table", &options.target_table)
            .field("policy", &options.policy)
            .finish_non_exhaustive()
    }
}
