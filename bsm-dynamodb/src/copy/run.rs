//! A copy from its preflight to its summary.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::checkpoint::{CheckpointWriter, Record, RecordedTarget, TableIdentity, Tables};
use super::create::{Template, create_like};
use super::job::CopyJob;
use super::options::{Callbacks, CopyOptions, CopyRequest, Stop};
use super::ownership::check_target_items;
use super::plan::{CopyPlan, TargetState};
use super::preflight::{Prepared, Resumption, prepare};
use super::progress::{CopyPhase, CopyProgress};
use super::resume::{self, Recorded};
use super::scan::copy_segments;
use super::settings::TableSetting;
use super::supervisor::{Supervisor, stopped, stopped_early};
use super::table::TableClient;
use super::tracker::Tracker;
use super::verify::{self, Verification};
use super::write::write_batches;
use crate::error::Error;

/// The result of a copy.
#[derive(Clone, Debug)]
pub struct CopySummary {
    plan: CopyPlan,
    progress: CopyProgress,
    verification: Option<Verification>,
}

impl CopySummary {
    /// Returns the plan that was carried out: the two tables, and whether the copy created the target
    /// or resumed an earlier run.
    pub fn plan(&self) -> &CopyPlan {
        &self.plan
    }

    /// Returns the statistics of the copy, without the comparison.
    pub fn statistics(&self) -> &CopyProgress {
        &self.progress
    }

    /// Returns the result of [`CopyTable::verify`](crate::CopyTable::verify), if it was set.
    pub fn verification(&self) -> Option<&Verification> {
        self.verification.as_ref()
    }
}

/// Copies a table with a checkpoint of its own.
pub(super) async fn copy(request: CopyRequest, callbacks: Callbacks) -> Result<CopySummary, Error> {
    // A dry run writes nothing, so it needs no lock.
    let locks = !request.options.dry_run;
    let (prepared, checkpoint) = prepare_request(&request, locks).await?;
    let source = prepared.source.clone();
    let summary = carry_out(request.options, callbacks, prepared, &checkpoint).await?;
    // Only now: a comparison that was interrupted finds in the checkpoint that nothing is left to copy.
    checkpoint.remove(&source).await?;
    Ok(summary)
}

/// Does the checks before a copy, and returns its plan.
pub(super) async fn preflight(request: CopyRequest) -> Result<CopyPlan, Error> {
    // Without the lock: a preflight writes nothing, and may look at a copy that is running.
    let (prepared, _) = prepare_request(&request, false).await?;
    let plan = prepared.plan.clone();
    check_ownership(request.options, prepared).await?;
    Ok(plan)
}

/// Opens the tables and the checkpoint of a copy, and does the checks that need no item.
async fn prepare_request(
    request: &CopyRequest,
    locks_checkpoint: bool,
) -> Result<(Prepared, CheckpointWriter), Error> {
    let (source, target) = open(request).await?;
    let path = resume::locate(request.options.checkpoint.as_ref(), &source).await?;
    // Locked before it is read: another run may be about to change it.
    let checkpoint = match &path {
        Some(path) if locks_checkpoint => {
            CheckpointWriter::lock(path, Tables::One, &source).await?
        }
        _ => CheckpointWriter::default(),
    };
    let recorded = Recorded::read(path.as_deref(), Tables::One, &source).await?;
    let resumption = Resumption {
        has_checkpoint: path.is_some(),
        recorded: recorded.as_ref(),
    };
    let prepared = prepare(&source, &target, &request.options, resumption).await?;
    Ok((prepared, checkpoint))
}

/// Compares two tables without copying.
pub(super) async fn compare(
    request: CopyRequest,
    callbacks: Callbacks,
) -> Result<Verification, Error> {
    let (source, target) = open(&request).await?;
    let prepared = prepare(&source, &target, &request.options, Resumption::default()).await?;
    let (job, tracker) = CopyJob::new(prepared, request.options, CheckpointWriter::default());
    job.counters.begin(CopyPhase::Verifying);
    let mut supervisor = Supervisor::new(&job, &tracker, callbacks.on_progress, callbacks.stop);
    verify::run(&job, &tracker, &mut supervisor).await
}

pub(super) async fn open(request: &CopyRequest) -> Result<(TableClient, TableClient), Error> {
    let options = &request.options;
    let source = TableClient::open(&request.source, &options.source_table).await?;
    let target = TableClient::open(&request.target, &options.target_table).await?;
    Ok((source, target))
}

/// Refuses a target whose items may be another program's, after all other checks have passed.
pub(super) async fn check_ownership(options: CopyOptions, prepared: Prepared) -> Result<(), Error> {
    if !prepared.has_doubtful_items {
        return Ok(());
    }
    let (job, _) = CopyJob::new(prepared, options, CheckpointWriter::default());
    check_target_items(&job).await
}

/// Copies a table after its checks have passed.
pub(super) async fn carry_out(
    options: CopyOptions,
    callbacks: Callbacks,
    mut prepared: Prepared,
    checkpoint: &CheckpointWriter,
) -> Result<CopySummary, Error> {
    let Callbacks {
        on_progress,
        mut stop,
    } = callbacks;
    // Before the creation: if this run ends in between, the next one knows whose the table is.
    let begin = match prepared.resumed {
        Some(number) => Record::Resume(number),
        None => Record::begin(&prepared.checkpoint),
    };
    checkpoint.append(vec![begin], &prepared.source).await?;
    if prepared.plan.creates_target() && !options.dry_run {
        create_target(&mut prepared, &options.copy_settings, checkpoint, &mut stop).await?;
    }
    let plan = prepared.plan.clone();
    let has_doubtful_items = prepared.has_doubtful_items;
    let (job, tracker) = CopyJob::new(prepared, options, checkpoint.clone());
    if has_doubtful_items {
        check_target_items(&job).await?;
    }
    let mut supervisor = Supervisor::new(&job, &tracker, on_progress, stop);
    supervisor.run(tasks(&job, &tracker)).await?;
    // Taken before the comparison, which adds reads of its own.
    let progress = job.counters.progress(tracker.done());

    let mut verification = None;
    if job.options.verify && !job.options.dry_run {
        job.counters.begin(CopyPhase::Verifying);
        verification = Some(verify::run(&job, &tracker, &mut supervisor).await?);
    }
    Ok(CopySummary {
        plan,
        progress,
        verification,
    })
}

/// Creates the target, or finishes what an earlier run has begun.
async fn create_target(
    prepared: &mut Prepared,
    copy_settings: &[TableSetting],
    checkpoint: &CheckpointWriter,
    stop: &mut Option<Stop>,
) -> Result<(), Error> {
    let Some(settings) = prepared.source_settings.take() else {
        return Ok(());
    };
    let template = Template {
        source: &prepared.source,
        table: &prepared.source_table,
        settings,
        copy_settings,
        has_time_to_live: true,
    };
    let exists = prepared.plan.target.arn.is_some();
    // Dropping the creation is safe at any point: the checkpoint says that it is not finished.
    let created = tokio::select! {
        created = create_like(template, &prepared.target, exists) => created?,
        () = stopped(stop) => return Err(stopped_early(&prepared.source, checkpoint)),
    };
    let identity = TableIdentity::of(&created);
    prepared.plan.target.arn.clone_from(&created.table_arn);
    prepared.plan.target_state = TargetState::Created;
    prepared.checkpoint.target = RecordedTarget::Existing(identity.clone());
    let record = vec![Record::Created(identity)];
    checkpoint.append(record, &prepared.source).await
}

/// Starts the readers and the writers.
///
/// A batch is a part of a page of at most 1 MB. The channel holds two batches for each writer, so
/// that a writer never waits for a reader, and memory does not grow with the table.
fn tasks(job: &Arc<CopyJob>, tracker: &Arc<Tracker>) -> JoinSet<Result<(), Error>> {
    let mut tasks = JoinSet::new();
    let writers = job.options.write_concurrency;
    let (sender, receiver) = mpsc::channel(writers * 2);
    // tokio's channel has one receiver, so the writers take turns.
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    for _ in 0..job.options.read_concurrency {
        let (job, tracker, sender) = (Arc::clone(job), Arc::clone(tracker), sender.clone());
        // Each reader has a sender of its own: the channel closes when the last reader ends.
        tasks.spawn(copy_segments(job, tracker, sender));
    }
    for _ in 0..writers {
        let (job, tracker, receiver) =
            (Arc::clone(job), Arc::clone(tracker), Arc::clone(&receiver));
        tasks.spawn(write_batches(job, tracker, receiver));
    }
    tasks
}
