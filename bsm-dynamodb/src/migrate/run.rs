//! A migration from its checks to its summary, step by step. Each step can be resumed.

mod cutover;
mod windows;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{self, Instant, MissedTickBehavior};

use super::abort::delete_target;
use super::checkpoint::{self, Checkpoint};
use super::jobs::{ExportPeriod, Jobs, imported_table};
use super::json::LineKind;
use super::load::{LoadProgress, Loader};
use super::load_method::LoadMethod;
use super::manifest::{self, DataFile};
use super::options::{Callbacks, MigrateOptions, MigrateRequest, Stop};
use super::plan::MigrationPlan;
use super::preflight::{self, Prepared};
use super::progress::{MigrationPhase, MigrationProgress};
use super::source::{self, describe, until_restorable};
use super::state::{Exported, FileProgress, Job, MigrationState, Step};
use super::stream::StreamPosition;
use crate::copy::checkpoint::TableIdentity;
use crate::copy::{
    TablePair, copy_table_class, copy_time_to_live, create_without_settings, until_active,
};
use crate::error::{Error, ErrorKind};

/// How often the progress of a load is recorded and reported.
const TICK: Duration = Duration::from_millis(500);

/// The result of a migration.
#[derive(Clone, Debug)]
pub struct MigrationSummary {
    plan: MigrationPlan,
    progress: MigrationProgress,
    pause: Option<Duration>,
    is_verified: bool,
}

impl MigrationSummary {
    /// Returns the plan that was carried out.
    pub fn plan(&self) -> &MigrationPlan {
        &self.plan
    }

    /// Returns the statistics of the migration, including interrupted runs.
    pub fn statistics(&self) -> &MigrationProgress {
        &self.progress
    }

    /// Returns the time from the call of [`cutover`](crate::MigrateTable::cutover) until the target had
    /// every write and was compared. `None` if an earlier run had called it.
    pub fn pause(&self) -> Option<Duration> {
        self.pause
    }

    /// Returns `true` if this run has compared the tables and found no difference.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }
}

/// Migrates a table.
pub(super) async fn migrate(
    request: MigrateRequest,
    mut callbacks: Callbacks,
) -> Result<MigrationSummary, Error> {
    // Apart from the other callbacks: it is polled while the migration borrows those.
    let mut stop = callbacks.stop.take();
    let (source, target) = preflight::open(&request).await?;
    let missing = |what: &str| {
        let message = format!("a migration needs a {what}: give it with {what}()");
        source.error(ErrorKind::InvalidRequest, message)
    };
    let path = request.options.checkpoint.as_ref();
    let path = path.ok_or_else(|| missing("checkpoint"))?;
    if callbacks.cutover.is_none() {
        return Err(missing("cutover"));
    }
    let checkpoint = Checkpoint::lock(path, &source).await?;
    // Read under the lock, since another run may have changed it until now.
    let recorded = checkpoint::read(checkpoint.path(), &source).await?;
    let prepared = preflight::prepare(&request, source.clone(), target, recorded).await?;
    let mut migration = Migration {
        request,
        callbacks: Mutex::new(callbacks),
        checkpoint: checkpoint.clone(),
        compared: 0,
        lag: None,
        cutover_began: None,
        pause: None,
        is_verified: false,
        is_draining: false,
        prepared,
    };
    // Dropping the migration is always safe: what is not recorded is done again.
    tokio::select! {
        done = migration.run() => done?,
        () = stopped(&mut stop) => {
            let message = format!(
                "the migration was stopped: run it again with the checkpoint {} to \
                 resume it, or abort it",
                checkpoint.path().display()
            );
            return Err(source.error(ErrorKind::Stopped, message));
        }
    }
    checkpoint.remove().await?;
    let progress = migration.progress(MigrationPhase::Finishing);
    Ok(MigrationSummary {
        plan: migration.prepared.plan,
        progress,
        pause: migration.pause,
        is_verified: migration.is_verified,
    })
}

/// Returns how far the migration of the checkpoint has come.
pub(super) async fn status(request: MigrateRequest) -> Result<Option<MigrationPhase>, Error> {
    let (source, _) = preflight::open(&request).await?;
    match &request.options.checkpoint {
        Some(path) => {
            let recorded = checkpoint::read(path, &source).await?;
            Ok(recorded.map(|state| state.step.phase()))
        }
        None => Ok(None),
    }
}

async fn stopped(stop: &mut Option<Stop>) {
    match stop {
        Some(stop) => stop.await,
        None => std::future::pending().await,
    }
}

/// A migration at work.
struct Migration {
    request: MigrateRequest,
    /// In a mutex only so that the migration can be shared between threads. It is never locked.
    callbacks: Mutex<Callbacks>,
    checkpoint: Checkpoint,
    prepared: Prepared,
    compared: u64,
    lag: Option<Duration>,
    /// When this run asked the writers to stop.
    cutover_began: Option<Instant>,
    pause: Option<Duration>,
    is_verified: bool,
    /// Whether the writers have stopped, and the stream is being read to its end.
    is_draining: bool,
}

impl Migration {
    async fn run(&mut self) -> Result<(), Error> {
        // Recorded before anything is changed, so that an abort knows what was off.
        self.save().await?;
        loop {
            self.report();
            match self.state().step.clone() {
                Step::Preparing {} => self.prepare().await?,
                Step::Exporting(job) => self.export(job).await?,
                Step::Importing { export, import } => self.import(export, import).await?,
                Step::Loading { export, files } => self.load_export(export, files).await?,
                Step::CatchingUp {
                    position,
                    window,
                    stopped,
                } => self.catch_up(position, window, stopped).await?,
                Step::Streaming {
                    stream,
                    position,
                    read_at,
                    shards,
                } => {
                    let at = StreamPosition {
                        position,
                        read_at,
                        shards,
                    };
                    self.stream(stream, at).await?;
                }
                Step::Finishing {} => return self.finish().await,
            }
        }
    }

    /// Turns on what is needed, and waits until an export may have a time that the stream covers.
    async fn prepare(&mut self) -> Result<(), Error> {
        let source = &self.prepared.source;
        source::turn_on(source, self.prepared.state.turned_on).await?;
        let wanted = match self.options().uses_stream {
            true => {
                let arn = source::stream_arn(source).await?;
                // An older export would leave a gap: writes that are neither in it nor in the stream.
                source::stream_since(source, &self.prepared.streams, &arn).await?
            }
            // Without the stream, every restorable time will do.
            false => 0,
        };
        let times = until_restorable(source, wanted, self.options().poll_interval).await?;
        // The latest time leaves the fewest writes to catch up with.
        self.set(Step::Exporting(Job::new(times.latest))).await
    }

    /// Exports the source as it was at a time.
    async fn export(&mut self, mut job: Job<i64>) -> Result<(), Error> {
        let table = self.prepared.state.source.arn.clone();
        if job.arn.is_none() {
            let period = ExportPeriod::Until(job.time);
            job.arn = Some(self.jobs().start_export(&table, &job.token, period).await?);
            self.set(Step::Exporting(job.clone())).await?;
        }
        let arn = job.arn.as_deref().unwrap_or_default();
        let ended = match self.jobs().ended_export(arn).await {
            Ok(ended) => ended,
            Err(error) => {
                if error.kind() == ErrorKind::TransferFailed {
                    // The next run starts another export. The stream still covers its time.
                    self.set(Step::Exporting(Job::new(job.time))).await?;
                }
                return Err(error);
            }
        };
        let export = Exported {
            time: job.time,
            manifest: ended.manifest,
            items: ended.items,
        };
        self.prepared.state.counts.exported = export.items;
        let table = &self.prepared.target;
        let list = manifest::read(&self.prepared.bucket, &export.manifest, export.items, table);
        let files = list.await?.len();
        let load_method = self.prepared.state.load_method.for_files(files);
        self.prepared.state.load_method = load_method;
        let step = match load_method {
            LoadMethod::Import => Step::Importing {
                export,
                import: Job::new(()),
            },
            LoadMethod::NewTable | LoadMethod::ExistingTable => Step::Loading {
                export,
                files: FileProgress::default(),
            },
        };
        self.set(step).await
    }

    /// Lets DynamoDB import the export.
    async fn import(&mut self, export: Exported, mut import: Job<()>) -> Result<(), Error> {
        if import.arn.is_none() {
            // The table of an import that has failed is in the way of another one.
            if self.state().target.is_some() {
                delete_target(&self.prepared.target, &self.prepared.state).await?;
                self.prepared.state.target = None;
                // Before the next import: if this run ends in between, the checkpoint must not name the
                // deleted table.
                self.save().await?;
            }
            if !self.options().uses_import {
                // An earlier run has chosen the import, and it has failed or not begun.
                self.prepared.state.load_method = LoadMethod::NewTable;
                let files = FileProgress::default();
                return self.set(Step::Loading { export, files }).await;
            }
            let jobs = self.jobs();
            let like = &self.prepared.source_table;
            let started = jobs
                .start_import(&import.token, &export.manifest, like)
                .await?;
            // Recorded together with the ARN of the import: an abort deletes the table by this identity only.
            self.prepared.state.target = Some(imported_table(&started));
            import.arn = started.import_arn;
            let (export, import) = (export.clone(), import.clone());
            self.set(Step::Importing { export, import }).await?;
        }
        let arn = import.arn.as_deref().unwrap_or_default();
        if let Err(error) = self.jobs().ended_import(arn, export.items).await {
            if error.kind() == ErrorKind::TransferFailed {
                let import = Job::new(());
                self.set(Step::Importing { export, import }).await?;
            }
            return Err(error);
        }
        let target = &self.prepared.target;
        let imported = until_active(target).await?;
        copy_table_class(target, &self.prepared.source_table, &imported).await?;
        self.prepared.state.counts.loaded = export.items;
        self.caught_up_to(export.time).await
    }

    /// Loads the export.
    async fn load_export(&mut self, export: Exported, files: FileProgress) -> Result<(), Error> {
        if self.state().target.is_none() {
            let Prepared {
                source,
                target,
                source_table,
                ..
            } = &self.prepared;
            // It exists if a run was killed between the creation and its record below.
            let exists = target.describe().await?.is_some();
            let created = create_without_settings(source, target, source_table, exists).await?;
            self.prepared.state.target = Some(TableIdentity::of(&created));
            self.save().await?;
        }
        let table = &self.prepared.target;
        let list = manifest::read(&self.prepared.bucket, &export.manifest, export.items, table);
        let list = list.await?;
        let time = export.time;
        let record = move |state: &mut MigrationState, progress: &LoadProgress| {
            state.counts.loaded = progress.lines;
            state.step = Step::Loading {
                export: export.clone(),
                files: progress.files.clone(),
            };
        };
        let lines = self.state().counts.loaded;
        let progress = LoadProgress { files, lines };
        self.load(list, LineKind::Items, progress, record).await?;
        self.caught_up_to(time).await
    }

    /// Loads the files of an export, and records the progress.
    async fn load(
        &mut self,
        files: Vec<DataFile>,
        kind: LineKind,
        progress: LoadProgress,
        record: impl Fn(&mut MigrationState, &LoadProgress) + Sync,
    ) -> Result<(), Error> {
        let options = self.options().clone();
        let loader = Arc::new(Loader {
            bucket: self.prepared.bucket.clone(),
            pair: Arc::new(self.pair().await?),
            target: self.prepared.target.clone(),
            files,
            kind,
            progress: Mutex::new(progress),
            readers: options.read_concurrency,
            writers: options.write_concurrency,
        });
        // Not spawned: if the migration is dropped, the loading ends with it.
        let mut loading = std::pin::pin!(Arc::clone(&loader).run());
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            tokio::select! {
                outcome = &mut loading => break outcome,
                _ = ticks.tick() => {}
            }
            // The progress lags behind the target and never leads, so a kill only makes lines be written again.
            record(&mut self.prepared.state, &loader.snapshot());
            self.save().await?;
            self.report();
        };
        // Also after an error: the next run resumes there.
        record(&mut self.prepared.state, &loader.snapshot());
        let saved = self.save().await;
        outcome.and(saved)
    }

    /// Records that all writes before a time are in the target.
    async fn caught_up_to(&mut self, position: i64) -> Result<(), Error> {
        self.set(Step::CatchingUp {
            position,
            window: None,
            stopped: None,
        })
        .await
    }

    /// Restores the settings of the source, and sets the time to live of the target.
    async fn finish(&mut self) -> Result<(), Error> {
        let Prepared { source, target, .. } = &self.prepared;
        // Only now: a target that deletes expired items by itself differs from the source.
        if self.prepared.state.load_method != LoadMethod::ExistingTable {
            copy_time_to_live(source, target).await?;
        }
        source::turn_off(source, self.prepared.state.turned_on).await
    }

    fn state(&self) -> &MigrationState {
        &self.prepared.state
    }

    fn options(&self) -> &MigrateOptions {
        &self.request.options
    }

    fn jobs(&self) -> Jobs<'_> {
        Jobs {
            source: &self.prepared.source,
            target: &self.prepared.target,
            options: &self.request.options,
            bucket_owner: &self.prepared.bucket_owner,
        }
    }

    async fn pair(&self) -> Result<TablePair, Error> {
        let MigrateOptions {
            read_capacity,
            write_capacity,
            ..
        } = *self.options();
        let Prepared { source, target, .. } = &self.prepared;
        let table = describe(source).await?;
        TablePair::new(source, target, &table, read_capacity, write_capacity)
    }

    async fn set(&mut self, step: Step) -> Result<(), Error> {
        self.prepared.state.step = step;
        self.save().await
    }

    async fn save(&self) -> Result<(), Error> {
        self.checkpoint.save(&self.prepared.state).await
    }

    fn progress(&self, phase: MigrationPhase) -> MigrationProgress {
        MigrationProgress {
            phase,
            counts: self.prepared.state.counts,
            compared: self.compared,
            lag: self.lag,
        }
    }

    fn report(&mut self) {
        let phase = match self.prepared.state.step.phase() {
            // Not a step of its own: a run that resumes reads the stream again, and calls the cutover again.
            MigrationPhase::Streaming if self.is_draining => MigrationPhase::Draining,
            phase => phase,
        };
        let progress = self.progress(phase);
        if let Some(report) = &mut self.callbacks().on_progress {
            report(&progress);
        }
    }

    fn callbacks(&mut self) -> &mut Callbacks {
        self.callbacks
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
