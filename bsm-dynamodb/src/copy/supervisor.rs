//! The task that waits for the others, and meanwhile writes the checkpoint and reports progress.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{self, MissedTickBehavior};

use super::checkpoint::CheckpointWriter;
use super::job::CopyJob;
use super::options::{OnProgress, Stop};
use super::table::TableClient;
use super::tracker::Tracker;
use crate::error::{Error, ErrorKind};

/// How often the checkpoint is written and progress is reported: often enough for a progress bar to
/// look smooth, and for a killed copy to repeat little.
const TICK: Duration = Duration::from_millis(200);

pub(super) struct Supervisor {
    job: Arc<CopyJob>,
    tracker: Arc<Tracker>,
    on_progress: Option<OnProgress>,
    stop: Option<Stop>,
}

impl Supervisor {
    pub(super) fn new(
        job: &Arc<CopyJob>,
        tracker: &Arc<Tracker>,
        on_progress: Option<OnProgress>,
        stop: Option<Stop>,
    ) -> Self {
        Self {
            job: Arc::clone(job),
            tracker: Arc::clone(tracker),
            on_progress,
            stop,
        }
    }

    /// Runs tasks until all have ended, or one has failed, which ends the others.
    pub(super) async fn run(&mut self, mut tasks: JoinSet<Result<(), Error>>) -> Result<(), Error> {
        let mut ticks = time::interval(TICK);
        // A slow disk must not cause a burst of writes afterwards.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    None => break Ok(()),
                    Some(Ok(Ok(()))) => {}
                    Some(Ok(Err(error))) => break Err(error),
                    Some(Err(failure)) => match failure.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        // The runtime is shutting down, and this task with it.
                        Err(_) => std::future::pending().await,
                    },
                },
                () = stopped(&mut self.stop) => {
                    // It has completed, and a future must not be polled again.
                    self.stop = None;
                    self.job.stop();
                }
                _ = ticks.tick() => {
                    self.save().await?;
                    self.report();
                }
            }
        };
        // The writers end before the last save, so that it records everything that they have stored.
        tasks.shutdown().await;
        let saved = self.save().await;
        self.report();
        // The error of the copy says more than that of a checkpoint that cannot be written either.
        outcome.and(saved)?;
        if self.job.is_stopping() {
            return Err(stopped_early(&self.job.source, &self.job.checkpoint));
        }
        Ok(())
    }

    /// Appends to the checkpoint what has been stored since the last time.
    async fn save(&mut self) -> Result<(), Error> {
        let records = self.tracker.take_records();
        self.job.checkpoint.append(records, &self.job.source).await
    }

    fn report(&mut self) {
        if let Some(report) = &mut self.on_progress {
            report(&self.job.counters.progress(self.tracker.done()));
        }
    }
}

/// Waits until the caller stops the copy.
pub(super) async fn stopped(stop: &mut Option<Stop>) {
    match stop {
        Some(stop) => stop.await,
        None => std::future::pending().await,
    }
}

/// Builds the error of a copy that the caller has stopped.
pub(super) fn stopped_early(table: &TableClient, checkpoint: &CheckpointWriter) -> Error {
    let message = match checkpoint.path() {
        Some(path) => format!(
            "the copy was stopped: run it again with the checkpoint {} to resume it",
            path.display()
        ),
        None => "the copy was stopped, and has no checkpoint to resume from".into(),
    };
    table.error(ErrorKind::Stopped, message)
}
