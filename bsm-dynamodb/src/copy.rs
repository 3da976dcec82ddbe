//! Copying a table from one account to another.

mod checkpoint;
mod compare;
mod create;
mod engine;
mod plan;
mod preflight;
mod read;
mod resume;
mod side;
mod statistics;
mod supervise;
mod tracker;
mod verify;
mod write;

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bsm_core::BotoSesManager;

pub use self::plan::{CopyPlan, TablePlace};
pub use self::statistics::{CopyPhase, CopyProgress};
pub use self::verify::{ReportedKeys, Verification};
use crate::codec::{CodecError, Item};
use crate::error::Error;
use crate::model::Model;
use crate::operation::Pending;

/// Copies the items of a table to the table of the same name in another account.
///
/// What comes back is data, and does nothing until it is awaited. It reads with `source` and writes
/// with `target`, whatever session is active. Values are copied as DynamoDB has them and never
/// interpreted, so nothing is lost: numbers keep their 38 digits, sets stay sets.
///
/// Nothing is written unless both tables are active, have the same key and are two tables, and the
/// target is empty (see [`CopyPolicy`]).
///
/// A scan is not a snapshot: items that are written to the source meanwhile may or may not be
/// copied. Stop the writers, or use DynamoDB's export to S3, where that matters.
///
/// # Errors
///
/// When it is awaited: [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound),
/// [`TableInUse`](crate::ErrorKind::TableInUse), [`TableMismatch`](crate::ErrorKind::TableMismatch),
/// [`SameTable`](crate::ErrorKind::SameTable) and
/// [`TableNotEmpty`](crate::ErrorKind::TableNotEmpty) before anything is written;
/// [`InvalidItem`](crate::ErrorKind::InvalidItem) for an item that cannot be stored as it is;
/// [`BatchIncomplete`](crate::ErrorKind::BatchIncomplete) if DynamoDB kept refusing writes;
/// [`Stopped`](crate::ErrorKind::Stopped) and [`Checkpoint`](crate::ErrorKind::Checkpoint), see
/// [`CopyTable::checkpoint`]; and those of any request. After an error some items have been copied:
/// copy again with the same checkpoint, or with [`CopyPolicy::Overwrite`].
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
    let table = table.into();
    CopyTable {
        source: source.clone(),
        target: target.clone(),
        settings: Settings::new(table),
        on_progress: None,
        stop: None,
    }
}

/// Copies the items of a model's table to another account; see [`copy_table`].
///
/// The regions are those of the managers, whatever region the model declares.
pub fn copy_model<M: Model>(source: &BotoSesManager, target: &BotoSesManager) -> CopyTable {
    copy_table(source, target, M::table_name())
}

/// Copies a table; see [`copy_table`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct CopyTable {
    source: BotoSesManager,
    target: BotoSesManager,
    settings: Settings,
    on_progress: Option<OnProgress>,
    stop: Option<Stop>,
}

type OnProgress = Box<dyn FnMut(&CopyProgress) + Send>;
type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;
type Filter = Arc<dyn Fn(&Item) -> bool + Send + Sync>;
type Transform = Arc<dyn Fn(Item) -> Result<Item, CodecError> + Send + Sync>;

/// What to do about items that the target table has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CopyPolicy {
    /// Copy to an empty table only. A copy that is resumed from its checkpoint goes on.
    #[default]
    FailIfNotEmpty,
    /// Replace an item that has the same key, and leave others alone.
    Overwrite,
    /// Leave every item that is there alone.
    ///
    /// It takes a read for every item, and a request for every item that is written, so it is
    /// slower.
    SkipExisting,
}

#[derive(Clone)]
pub(crate) struct Settings {
    source_table: String,
    target_table: String,
    policy: CopyPolicy,
    create_target: bool,
    dry_run: bool,
    verify: bool,
    segments: Option<u32>,
    read_concurrency: usize,
    write_concurrency: usize,
    read_capacity: Option<u32>,
    write_capacity: Option<u32>,
    consistent_read: bool,
    page_size: u32,
    max_attempts: u32,
    checkpoint: Option<PathBuf>,
    filter: Option<Filter>,
    transform: Option<Transform>,
}

impl Settings {
    fn new(table: String) -> Self {
        Self {
            source_table: table.clone(),
            target_table: table,
            policy: CopyPolicy::default(),
            create_target: false,
            dry_run: false,
            verify: false,
            segments: None,
            read_concurrency: 4,
            write_concurrency: 8,
            read_capacity: None,
            write_capacity: None,
            consistent_read: false,
            page_size: 1_000,
            max_attempts: 20,
            checkpoint: None,
            filter: None,
            transform: None,
        }
    }
}

/// # What is copied, and where to
impl CopyTable {
    /// Names the target table; by default it has the name of the source.
    pub fn target_table(mut self, table: impl Into<String>) -> Self {
        self.settings.target_table = table.into();
        self
    }

    /// Says what to do about items that the target has already; see [`CopyPolicy`].
    pub fn policy(mut self, policy: CopyPolicy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// Creates the target table if there is none, like the source: keys, indexes, billing, table
    /// class and time to live.
    ///
    /// Streams, tags, alarms, auto scaling, encryption keys, replicas, backups, deletion protection
    /// and resource policies are not copied. A table that is there keeps its settings.
    ///
    /// With a [`checkpoint`](Self::checkpoint), a creation that was interrupted is finished by the
    /// next run. Without one, that run finds a table, and does not set its time to live.
    pub fn create_target(mut self, create: bool) -> Self {
        self.settings.create_target = create;
        self
    }

    /// Copies only the items for which the filter is true.
    pub fn filter(mut self, filter: impl Fn(&Item) -> bool + Send + Sync + 'static) -> Self {
        self.settings.filter = Some(Arc::new(filter));
        self
    }

    /// Changes every item on its way; items that are filtered out do not get there.
    ///
    /// It has to give the same item whenever it is called, because pages are read again after an
    /// interruption. Items that it gives the same key overwrite each other.
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
        mut self,
        transform: impl Fn(Item) -> Result<Item, CodecError> + Send + Sync + 'static,
    ) -> Self {
        self.settings.transform = Some(Arc::new(transform));
        self
    }

    /// Does the checks and reads everything, and writes nothing.
    pub fn dry_run(mut self, dry: bool) -> Self {
        self.settings.dry_run = dry;
        self
    }

    /// Compares the two tables after the copy; see [`compare`](Self::compare) and
    /// [`CopySummary::verification`].
    pub fn verify(mut self, verify: bool) -> Self {
        self.settings.verify = verify;
        self
    }
}

/// # How fast
impl CopyTable {
    /// Divides the source into this many segments. Default: 8; DynamoDB's limit: 1,000,000.
    ///
    /// Source: [Parallel scan](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan)
    /// in the Developer Guide.
    pub fn segments(mut self, segments: u32) -> Self {
        self.settings.segments = Some(segments.clamp(1, 1_000_000));
        self
    }

    /// Reads this many segments at a time. Default: 4.
    pub fn read_concurrency(mut self, readers: usize) -> Self {
        self.settings.read_concurrency = readers.max(1);
        self
    }

    /// Sends this many writes of up to 25 items at a time. Default: 8.
    ///
    /// A copy holds at most a page for every reader, and three batches for every writer, which are
    /// parts of pages, whatever the size of the table.
    pub fn write_concurrency(mut self, writers: usize) -> Self {
        self.settings.write_concurrency = writers.max(1);
        self
    }

    /// Keeps the read capacity that is consumed below this many units a second, for each table.
    ///
    /// It holds in the long run; a page of 1 MB alone takes 128 units. A smaller
    /// [`page_size`](Self::page_size) makes it smoother.
    pub fn read_capacity(mut self, units_per_second: u32) -> Self {
        self.settings.read_capacity = Some(units_per_second);
        self
    }

    /// Keeps the write capacity that is consumed in the target below this many units a second.
    pub fn write_capacity(mut self, units_per_second: u32) -> Self {
        self.settings.write_capacity = Some(units_per_second);
        self
    }

    /// Reads at most this many items in a request. Default: 1,000; DynamoDB's limit: 1 MB.
    ///
    /// An item takes several times its size in memory while it is copied, the more so the smaller
    /// it is, so pages of many small items are what most of a copy's memory goes to.
    pub fn page_size(mut self, items: u32) -> Self {
        self.settings.page_size = items.clamp(1, i32::MAX.unsigned_abs());
        self
    }

    /// Asks for reads of the source that see every write that was acknowledged before, at twice the
    /// cost. The comparison always does.
    pub fn consistent_read(mut self, consistent: bool) -> Self {
        self.settings.consistent_read = consistent;
        self
    }

    /// Gives up after this many attempts at one request in a row without any progress. Default: 20,
    /// about a minute.
    ///
    /// A request is sent again after throttling, a failure of DynamoDB or of the network, and if the
    /// credentials had expired on the way. It takes the place of the retries of the SDK.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = attempts.max(1);
        self
    }
}

/// # What happens meanwhile
impl CopyTable {
    /// Keeps in a file how far the copy has come, and goes on from there if the file exists.
    ///
    /// The file says for each segment up to where its items are stored. It is written several times
    /// a second, replaced as a whole, and removed when everything is done, so a copy that is killed,
    /// dropped or fails can be run again with the same settings. Some items are written twice then.
    /// A target that is going to be created is noted before, so that the next run can finish it.
    /// The file belongs to the two tables and to the number of segments. It has keys of items in it, and
    /// is readable for its owner only.
    ///
    /// # Errors
    ///
    /// When the copy is awaited: [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if the file
    /// cannot be read or written, or belongs to another pair of tables, to tables that have been
    /// created anew, or to another number of segments.
    pub fn checkpoint(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.checkpoint = Some(path.into());
        self
    }

    /// Calls a function several times a second, and in the end.
    pub fn on_progress(mut self, report: impl FnMut(&CopyProgress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(report));
        self
    }

    /// Stops when the future is done: waits for the requests that are under way, writes the
    /// checkpoint, and fails with [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
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
        self.stop = Some(Box::pin(stop));
        self
    }
}

/// # Without copying
impl CopyTable {
    /// Does the checks that come before a copy, writes nothing, and says what the copy would do.
    pub fn preflight(&self) -> Pending<CopyPlan> {
        let (source, target) = (self.source.clone(), self.target.clone());
        let settings = self.settings.clone();
        Box::pin(async move {
            let prepared = preflight::prepare(&source, &target, &settings).await?;
            Ok(prepared.plan)
        })
    }

    /// Compares the two tables instead of copying.
    ///
    /// It reads both tables with strongly consistent reads: every item that should be copied is
    /// looked up in the target, and every item of the target in the source. Sets are equal in any
    /// order, numbers by their value. Memory is bounded, whatever the size of the tables. While a
    /// table is being written to, there will be differences.
    pub fn compare(mut self) -> Pending<Verification> {
        self.settings.checkpoint = None;
        self.settings.policy = CopyPolicy::Overwrite;
        self.settings.create_target = false;
        Box::pin(engine::compare(self))
    }
}

impl IntoFuture for CopyTable {
    type Output = Result<CopySummary, Error>;
    type IntoFuture = Pending<CopySummary>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(engine::copy(self))
    }
}

impl fmt::Debug for CopyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyTable")
            .field("source", &self.source)
            .field("source_table", &self.settings.source_table)
            .field("target", &self.target)
            .field("target_table", &self.settings.target_table)
            .field("policy", &self.settings.policy)
            .finish_non_exhaustive()
    }
}

/// What a copy did.
#[derive(Clone, Debug)]
pub struct CopySummary {
    plan: CopyPlan,
    progress: CopyProgress,
    verification: Option<Verification>,
}

impl CopySummary {
    /// Returns which tables they were.
    pub fn plan(&self) -> &CopyPlan {
        &self.plan
    }

    /// Returns the statistics.
    pub fn statistics(&self) -> &CopyProgress {
        &self.progress
    }

    /// Returns what [`CopyTable::verify`] found, if it was asked for.
    pub fn verification(&self) -> Option<&Verification> {
        self.verification.as_ref()
    }
}
