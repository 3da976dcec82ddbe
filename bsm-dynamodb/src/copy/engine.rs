//! A copy at work: readers, a bounded channel, writers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use aws_sdk_dynamodb::types::{AttributeDefinition, AttributeValue, ScalarAttributeType};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::checkpoint::Target;
use super::preflight::{self, Prepared};
use super::side::{Side, TableKey};
use super::statistics::{CopyPhase, Statistics};
use super::supervise::{Supervisor, save, stopped, stopped_early};
use super::tracker::Tracker;
use super::verify::{self, Verification};
use super::{CopySummary, CopyTable, Settings, Stop, compare, create, read, write};
use crate::codec::{CodecError, Item};
use crate::error::{Error, ErrorKind};
use crate::throttle::rate_limit::RateLimit;

/// What the tasks of a copy share.
pub(super) struct Engine {
    pub(super) source: Side,
    pub(super) target: Side,
    pub(super) key: TableKey,
    pub(super) settings: Settings,
    pub(super) statistics: Statistics,
    pub(super) source_reads: Option<RateLimit>,
    pub(super) target_reads: Option<RateLimit>,
    pub(super) target_writes: Option<RateLimit>,
    index_keys: Vec<AttributeDefinition>,
    stopping: AtomicBool,
    next_segment: AtomicU32,
}

pub(super) async fn copy(copy: CopyTable) -> Result<CopySummary, Error> {
    let CopyTable {
        source,
        target,
        settings,
        on_progress,
        mut stop,
    } = copy;
    let mut prepared = preflight::prepare(&source, &target, &settings).await?;
    let file = settings.checkpoint.clone().filter(|_| !settings.dry_run);
    if prepared.plan.creates_target && !settings.dry_run {
        create_target(&mut prepared, file.as_deref(), &mut stop).await?;
    }
    let plan = prepared.plan.clone();
    let (engine, tracker) = Engine::new(prepared, settings);
    let mut supervisor = Supervisor::new(&engine, &tracker, file.clone(), on_progress, stop);
    // Before the first write: from now on, items in the target may be ours.
    supervisor.save().await?;
    supervisor.run(engine.tasks(&tracker)).await?;
    let copied = engine.statistics.progress(tracker.done());

    let mut verification = None;
    if engine.settings.verify && !engine.settings.dry_run {
        engine.statistics.begin(CopyPhase::Verifying);
        verification = Some(verify::run(&engine, &tracker, &mut supervisor).await?);
    }
    if let Some(file) = file {
        remove(&engine, file)?;
    }
    Ok(CopySummary {
        plan,
        progress: copied,
        verification,
    })
}

/// Creates the target, or does what an earlier copy has left to do.
async fn create_target(
    prepared: &mut Prepared,
    file: Option<&Path>,
    stop: &mut Option<Stop>,
) -> Result<(), Error> {
    let (source, target) = (&prepared.source, &prepared.target);
    // If this run ends in between, the next one knows that the table is ours, and finishes it.
    if let Some(file) = file {
        save(source, prepared.checkpoint.clone(), file).await?;
    }
    let exists = prepared.plan.target.arn.is_some();
    let created = tokio::select! {
        created = create::create_like(source, &prepared.source_table, target, exists) => created?,
        () = stopped(stop) => return Err(stopped_early(source, file)),
    };
    prepared.plan.target.arn.clone_from(&created.table_arn);
    prepared.checkpoint.target = Target::Existing(preflight::identity(&created));
    Ok(())
}

pub(super) async fn compare(copy: CopyTable) -> Result<Verification, Error> {
    let settings = copy.settings;
    let prepared = preflight::prepare(&copy.source, &copy.target, &settings).await?;
    let (engine, tracker) = Engine::new(prepared, settings);
    engine.statistics.begin(CopyPhase::Verifying);
    let mut supervisor = Supervisor::new(&engine, &tracker, None, copy.on_progress, copy.stop);
    verify::run(&engine, &tracker, &mut supervisor).await
}

/// Removes the checkpoint of a copy that is done.
fn remove(engine: &Engine, file: PathBuf) -> Result<(), Error> {
    std::fs::remove_file(&file).map_err(|error| {
        let message = format!(
            "the copy is done, but its checkpoint {} cannot be removed: delete it",
            file.display()
        );
        let failure = engine.source.error(ErrorKind::Checkpoint, message);
        failure.with_source(error)
    })
}

impl Engine {
    fn new(prepared: Prepared, settings: Settings) -> (Arc<Self>, Arc<Tracker>) {
        let checkpoint = prepared.checkpoint;
        let statistics = Statistics::new(
            prepared.plan.expected_items,
            checkpoint.stored(),
            verify::looks_back(&settings),
        );
        let engine = Self {
            source: prepared.source,
            target: prepared.target,
            key: prepared.key,
            statistics,
            source_reads: settings.read_capacity.map(RateLimit::new),
            target_reads: settings.read_capacity.map(RateLimit::new),
            target_writes: settings.write_capacity.map(RateLimit::new),
            settings,
            index_keys: prepared.index_keys,
            stopping: AtomicBool::new(false),
            next_segment: AtomicU32::new(0),
        };
        (Arc::new(engine), Arc::new(Tracker::new(checkpoint)))
    }

    /// Starts the readers and the writers.
    ///
    /// A batch is a part of a page of 1 MB, so the channel and the writers hold no more than that
    /// for every place they have.
    fn tasks(self: &Arc<Self>, tracker: &Arc<Tracker>) -> JoinSet<Result<(), Error>> {
        let mut tasks = JoinSet::new();
        let writers = self.settings.write_concurrency;
        let (sender, receiver) = mpsc::channel(writers * 2);
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        for _ in 0..self.settings.read_concurrency {
            tasks.spawn(read::copy_segments(
                Arc::clone(self),
                Arc::clone(tracker),
                sender.clone(),
            ));
        }
        for _ in 0..writers {
            tasks.spawn(write::write_batches(
                Arc::clone(self),
                Arc::clone(tracker),
                Arc::clone(&receiver),
            ));
        }
        tasks
    }

    /// Gives each segment to one reader.
    pub(super) fn next_segment(&self, segments: u32) -> Option<u32> {
        let segment = self.next_segment.fetch_add(1, Ordering::Relaxed);
        (segment < segments && !self.is_stopping()).then_some(segment)
    }

    /// Makes every segment to be given out again.
    pub(super) fn rewind(&self) {
        self.next_segment.store(0, Ordering::Relaxed);
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Makes of an item of the source what the target should have; `None` if it should not.
    pub(super) fn expected(&self, item: Item) -> Result<Option<Item>, Error> {
        if let Some(path) = compare::unknown_type(&item) {
            return Err(self.source.error(
                ErrorKind::InvalidItem,
                format!(
                    "the attribute `{path}` of an item has a type that this program does not know: \
                     update the AWS SDK it is built with"
                ),
            ));
        }
        if let Some(filter) = &self.settings.filter
            && !filter(&item)
        {
            return Ok(None);
        }
        let Some(transform) = &self.settings.transform else {
            return Ok(Some(item));
        };
        match transform(item) {
            Ok(item) => Ok(Some(item)),
            Err(cause) => {
                let message = "the transform failed for an item";
                let error = self.source.error(ErrorKind::InvalidItem, message);
                Err(error.with_source(cause))
            }
        }
    }

    /// Refuses an item that an index of the target cannot have.
    ///
    /// DynamoDB would refuse the whole batch, without naming the item.
    pub(super) fn check_index_keys(&self, item: &Item) -> Result<(), Error> {
        let wrong = self.index_keys.iter().find(|key| {
            let value = item.get(key.attribute_name());
            value.is_some_and(|value| !is_of(value, key.attribute_type()))
        });
        let Some(key) = wrong else { return Ok(()) };
        let message = format!(
            "the attribute `{}` of an item is not of the type {}, as an index of the table to copy \
             to demands: leave the item out with filter(), or change it with transform()",
            key.attribute_name(),
            key.attribute_type()
        );
        Err(self.target.error(ErrorKind::InvalidItem, message))
    }

    /// Builds the error of an item without a key, which only a transform can make.
    pub(super) fn no_key(&self, name: &str) -> CodecError {
        format!("the transform left an item without its key attribute `{name}`").into()
    }
}

fn is_of(value: &AttributeValue, wanted: &ScalarAttributeType) -> bool {
    match wanted {
        ScalarAttributeType::S => value.is_s(),
        ScalarAttributeType::N => value.is_n(),
        ScalarAttributeType::B => value.is_b(),
        _ => true,
    }
}
