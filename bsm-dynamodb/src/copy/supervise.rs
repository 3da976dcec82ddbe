//! Waits for the tasks of a copy, and meanwhile keeps the checkpoint and reports.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{self, JoinSet};
use tokio::time::{self, MissedTickBehavior};

use super::checkpoint::Checkpoint;
use super::engine::Engine;
use super::side::Side;
use super::tracker::Tracker;
use super::{OnProgress, Stop};
use crate::error::{Error, ErrorKind};

/// How often the checkpoint is written and progress reported.
const TICK: Duration = Duration::from_millis(200);

pub(super) struct Supervisor {
    engine: Arc<Engine>,
    tracker: Arc<Tracker>,
    checkpoint: Option<PathBuf>,
    on_progress: Option<OnProgress>,
    stop: Option<Stop>,
}

impl Supervisor {
    pub(super) fn new(
        engine: &Arc<Engine>,
        tracker: &Arc<Tracker>,
        checkpoint: Option<PathBuf>,
        on_progress: Option<OnProgress>,
        stop: Option<Stop>,
    ) -> Self {
        Self {
            engine: Arc::clone(engine),
            tracker: Arc::clone(tracker),
            checkpoint,
            on_progress,
            stop,
        }
    }

    /// Runs tasks to their end, or to the first error, which ends all of them.
    pub(super) async fn run(&mut self, mut tasks: JoinSet<Result<(), Error>>) -> Result<(), Error> {
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    None => break Ok(()),
                    Some(Ok(Ok(()))) => {}
                    Some(Ok(Err(error))) => break Err(error),
                    Some(Err(failure)) => match failure.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        // The runtime is going down, and this task with it.
                        Err(_) => std::future::pending().await,
                    },
                },
                () = stopped(&mut self.stop) => {
                    self.stop = None;
                    self.engine.stop();
                }
                _ = ticks.tick() => {
                    self.save().await?;
                    self.report();
                }
            }
        };
        tasks.shutdown().await;
        let saved = self.save().await;
        self.report();
        outcome.and(saved)?;
        if self.engine.is_stopping() {
            return Err(stopped_early(
                &self.engine.source,
                self.checkpoint.as_deref(),
            ));
        }
        Ok(())
    }

    /// Writes the checkpoint, if there is one to be kept and it has changed.
    pub(super) async fn save(&mut self) -> Result<(), Error> {
        let Some(path) = self.checkpoint.clone() else {
            return Ok(());
        };
        let Some(checkpoint) = self.tracker.changed() else {
            return Ok(());
        };
        save(&self.engine.source, checkpoint, &path).await
    }

    fn report(&mut self) {
        if let Some(report) = &mut self.on_progress {
            report(&self.engine.statistics.progress(self.tracker.done()));
        }
    }
}

/// Writes a checkpoint.
pub(super) async fn save(side: &Side, checkpoint: Checkpoint, path: &Path) -> Result<(), Error> {
    let path = path.to_owned();
    let written = task::spawn_blocking(move || checkpoint.write(&path)).await;
    let cause = match written {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error,
        Err(failure) => failure.into(),
    };
    let error = side.error(
        ErrorKind::Checkpoint,
        "the checkpoint cannot be written: check that its folder exists and has room",
    );
    Err(error.with_source(cause))
}

/// Waits until the copy is to stop.
pub(super) async fn stopped(stop: &mut Option<Stop>) {
    match stop {
        Some(stop) => stop.await,
        None => std::future::pending().await,
    }
}

/// Builds the error of a copy that was told to stop.
pub(super) fn stopped_early(side: &Side, checkpoint: Option<&Path>) -> Error {
    let message = match checkpoint {
        Some(path) => format!(
            "it was stopped before its end: run it again with the checkpoint {} to go on",
            path.display()
        ),
        None => "it was stopped before its end".into(),
    };
    side.error(ErrorKind::Stopped, message)
}
