//! Catching up with incremental exports, window after window.

use super::Migration;
use crate::error::{Error, ErrorKind};
use crate::migrate::clock::ServerClock;
use crate::migrate::jobs::ExportPeriod;
use crate::migrate::json::LineKind;
use crate::migrate::load::LoadProgress;
use crate::migrate::manifest;
use crate::migrate::source::{Restorable, stream_arn, stream_since, until_restorable};
use crate::migrate::state::{FileProgress, Job, MigrationState, Step, Window};

/// DynamoDB's limits for the window of an incremental export, in seconds.
///
/// Source: [ExportTableToPointInTime](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html)
/// in the Developer Guide.
const MIN_WINDOW: i64 = 15 * 60;
const MAX_WINDOW: i64 = 24 * 3600;

/// The lag from which on the stream takes over, in seconds: half of the 24 hours that its records are
/// kept, so that there is as much time again to apply them.
const STREAM_LAG: i64 = 12 * 3600;

impl Migration {
    /// Exports and loads one window, or begins the next step.
    pub(super) async fn catch_up(
        &mut self,
        position: i64,
        window: Option<Window>,
        stopped: Option<i64>,
    ) -> Result<(), Error> {
        if let Some(window) = window {
            return self.load_window(position, window, stopped).await;
        }
        match (self.options().uses_stream, stopped) {
            (true, _) => {
                // By DynamoDB's clock: the one of this machine may be wrong.
                let times = self.restorable(position).await?;
                let lag = times.latest - position;
                let source = &self.prepared.source;
                let stream = stream_arn(source).await?;
                // A stream that has been replaced meanwhile lacks the writes before it. Windows bring them.
                let since = stream_since(source, &self.prepared.streams, &stream).await?;
                match lag < STREAM_LAG && since <= position {
                    true => {
                        let read_at = ServerClock::read(source).await?.now() - lag;
                        self.set(Step::Streaming {
                            stream,
                            position,
                            read_at,
                            shards: Default::default(),
                        })
                        .await
                    }
                    false => self.begin_window(position, None).await,
                }
            }
            (false, None) => {
                let times = self.restorable(position).await?;
                match times.latest - position < 2 * MIN_WINDOW {
                    // What is left fits into the last window.
                    true => self.stop_writers(position).await,
                    false => self.begin_window(position, None).await,
                }
            }
            // An earlier run has stopped the writers, and they may have started again since.
            (false, Some(_)) if self.cutover_began.is_none() => self.stop_writers(position).await,
            (false, Some(stopped)) if position < stopped => {
                self.begin_window(position, Some(stopped)).await
            }
            (false, Some(_)) => self.compare_at_rest().await,
        }
    }

    /// Chooses the next window, and records it before it is exported.
    async fn begin_window(&mut self, from: i64, stopped: Option<i64>) -> Result<(), Error> {
        let least = from + MIN_WINDOW;
        // The last window may reach beyond `stopped`: DynamoDB refuses one that is shorter than 15 minutes.
        let wanted = stopped.map_or(least, |stopped| stopped.max(least).min(from + MAX_WINDOW));
        let times = self.restorable(wanted).await?;
        if from < times.earliest {
            return Err(self.prepared.source.error(
                ErrorKind::TransferFailed,
                "the changes since the export are older than the recovery period of the source: \
                 abort the migration, and start again",
            ));
        }
        let to = match stopped {
            Some(_) => wanted,
            // As long as possible: every window has to make up for the time that its export takes.
            None => times.latest.min(from + MAX_WINDOW),
        };
        let window = Window {
            from,
            to,
            job: Job::new(()),
            files: FileProgress::default(),
        };
        self.set(Step::CatchingUp {
            position: from,
            window: Some(window),
            stopped,
        })
        .await
    }

    async fn load_window(
        &mut self,
        position: i64,
        mut window: Window,
        stopped: Option<i64>,
    ) -> Result<(), Error> {
        let step = |window: Option<Window>, position| Step::CatchingUp {
            position,
            window,
            stopped,
        };
        let table = self.prepared.state.source.arn.clone();
        if window.job.arn.is_none() {
            let period = ExportPeriod::Window(window.from, window.to);
            let arn = self
                .jobs()
                .start_export(&table, &window.job.token, period)
                .await?;
            window.job.arn = Some(arn);
            self.set(step(Some(window.clone()), position)).await?;
        }
        let arn = window.job.arn.as_deref().unwrap_or_default();
        let ended = match self.jobs().ended_export(arn).await {
            Ok(ended) => ended,
            Err(error) => {
                if error.kind() == ErrorKind::TransferFailed {
                    // A new token: the old one would find the failed export again.
                    window.job = Job::new(());
                    self.set(step(Some(window), position)).await?;
                }
                return Err(error);
            }
        };
        let table = &self.prepared.target;
        let list = manifest::read(&self.prepared.bucket, &ended.manifest, ended.items, table);
        let list = list.await?;
        let before = self.prepared.state.counts.caught_up;
        let to = window.to;
        let progress = LoadProgress {
            files: window.files.clone(),
            // Only the lines of this run: `before` has those of earlier ones.
            lines: 0,
        };
        let record = move |state: &mut MigrationState, progress: &LoadProgress| {
            state.counts.caught_up = before + progress.lines;
            let files = progress.files.clone();
            state.step = step(
                Some(Window {
                    files,
                    ..window.clone()
                }),
                position,
            );
        };
        self.load(list, LineKind::Changes, progress, record).await?;
        self.set(step(None, to)).await
    }

    /// Waits until an export may have a time that is at least `wanted`.
    async fn restorable(&self, wanted: i64) -> Result<Restorable, Error> {
        let interval = self.options().poll_interval;
        until_restorable(&self.prepared.source, wanted, interval).await
    }
}
