//! The end of a migration: the stream, the comparison, and the pause of the writers.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Migration;
use crate::codec::Item;
use crate::copy::{TablePair, Verification, copy_table};
use crate::error::{Error, ErrorKind};
use crate::migrate::clock::ServerClock;
use crate::migrate::load::finished;
use crate::migrate::source::stream_arn;
use crate::migrate::state::Step;
use crate::migrate::stream::{Round, StreamPosition, StreamTail};
use crate::migrate::touched::KeysToCompare;

/// How often the position in the stream is recorded.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// How long records may continue to arrive after the writers have stopped. A minute is far more than the
/// stream needs.
const MAX_DRAIN: Duration = Duration::from_secs(60);

/// How long the tables may differ after the last record. What differs then is an error.
const MAX_DIFFERENCE: Duration = Duration::from_secs(5);

/// How much later than the writers' stop the last window ends, in seconds: the time that was read from a
/// response may be old by a round trip, and the clocks of DynamoDB's servers differ a little.
const STOP_MARGIN: i64 = 60;

/// How long the writers may take to stop.
const MAX_CUTOVER: Duration = Duration::from_secs(3600);

impl Migration {
    /// Applies the stream until the writers have stopped, and compares.
    pub(super) async fn stream(&mut self, stream: String, at: StreamPosition) -> Result<(), Error> {
        let pair = self.pair().await?;
        let source = self.prepared.source.clone();
        let client = self.prepared.streams.clone();
        if stream_arn(&source).await? != stream {
            let message = "the stream of the source has been turned off and on again, and lacks the writes in \
                           between: abort the migration, and start again";
            return Err(source.error(ErrorKind::TransferFailed, message));
        }
        let writers = self.options().write_concurrency;
        let clock = ServerClock::read(&source).await?;
        let mut tail = StreamTail::new(&source, &pair, &client, clock, stream, at, writers);
        let mut saved = Instant::now();

        // The writers must not stop before the target has caught up: their pause would be as long as the lag.
        while !self.round(&mut tail, &mut saved).await?.is_at_tip {}
        if self.options().compares {
            self.compare_while_running(&mut tail, &mut saved).await?;
        }
        self.cutover_began = Some(Instant::now());
        self.stop_writers_while_running(&mut tail, &mut saved)
            .await?;
        self.is_draining = true;
        self.drain(&mut tail, &mut saved).await?;
        if self.options().compares {
            self.compare_touched(&mut tail, &mut saved).await?;
            self.is_verified = true;
        }
        self.end_pause().await
    }

    /// Applies what the stream has, and records the position now and then.
    async fn round(
        &mut self,
        tail: &mut StreamTail<'_>,
        saved: &mut Instant,
    ) -> Result<Round, Error> {
        let round = tail.round().await?;
        self.prepared.state.counts.streamed += round.records;
        let StreamPosition {
            position,
            read_at,
            shards,
        } = tail.at.clone();
        self.prepared.state.step = Step::Streaming {
            stream: tail.arn.clone(),
            position,
            read_at,
            shards,
        };
        self.lag = match round.is_at_tip {
            true => Some(Duration::ZERO),
            // An empty page has no record whose age could be reported.
            false => round.lag.or(self.lag),
        };
        // Not every round: a run that is killed applies about a second of records again, which does no harm.
        if saved.elapsed() >= SAVE_INTERVAL {
            self.save().await?;
            *saved = Instant::now();
        }
        self.report();
        Ok(round)
    }

    /// Compares the tables, and records the keys that are written to meanwhile or differ.
    async fn compare_while_running(
        &mut self,
        tail: &mut StreamTail<'_>,
        saved: &mut Instant,
    ) -> Result<(), Error> {
        // Recorded from before the first item is compared until the writers have stopped.
        tail.touched = Some(KeysToCompare::default());
        let mut comparison = JoinSet::new();
        // In a task of its own: the stream has to be read meanwhile.
        comparison.spawn(self.comparison());
        let compared = loop {
            self.round(tail, saved).await?;
            if let Some(compared) = comparison.try_join_next() {
                break finished(compared).await?;
            }
        };
        self.compared = compared.compared();
        // The target lags behind the source, so items that are being written to differ.
        let extra = compared.extra().cloned().unwrap_or_default();
        for keys in [compared.missing(), compared.different(), &extra] {
            let Some(touched) = &mut tail.touched else {
                break;
            };
            // The report names a thousand keys at most. The others could not be compared at the end.
            if keys.count() > keys.keys().len() as u64 {
                touched.overflow();
            }
            let keys = keys.keys().iter().cloned();
            let keys = keys.filter_map(|key| Some((tail.pair.key_values(&key)?, key)));
            touched.extend(keys);
        }
        Ok(())
    }

    /// Lets the caller stop the writers, and continues to apply the stream meanwhile.
    async fn stop_writers_while_running(
        &mut self,
        tail: &mut StreamTail<'_>,
        saved: &mut Instant,
    ) -> Result<(), Error> {
        let Some(cutover) = self.callbacks().cutover.take() else {
            return Ok(());
        };
        let mut cutover = std::pin::pin!(cutover());
        let deadline = Instant::now() + MAX_CUTOVER;
        loop {
            let stopped = {
                let mut round = std::pin::pin!(self.round(tail, saved));
                tokio::select! {
                    biased;
                    stopped = timeout_at(deadline, &mut cutover) => {
                        // A round that is dropped can leave a request under way, whose write would land after
                        // a later one to the same key.
                        round.await?;
                        stopped
                    }
                    round = &mut round => {
                        round?;
                        continue;
                    }
                }
            };
            return self.stopped(stopped);
        }
    }

    /// Without the stream: lets the caller stop the writers, and records when they have.
    pub(super) async fn stop_writers(&mut self, position: i64) -> Result<(), Error> {
        self.cutover_began = Some(Instant::now());
        if let Some(cutover) = self.callbacks().cutover.take() {
            let deadline = Instant::now() + MAX_CUTOVER;
            let stopped = timeout_at(deadline, cutover()).await;
            self.stopped(stopped)?;
        }
        // A time that is too early would cut off the last writes. A later one only makes the window longer.
        let stopped = ServerClock::read(&self.prepared.source).await?.now() + STOP_MARGIN;
        self.set(Step::CatchingUp {
            position,
            window: None,
            stopped: Some(stopped),
        })
        .await
    }

    fn stopped(
        &self,
        stopped: Result<Result<(), crate::migrate::options::BoxError>, tokio::time::error::Elapsed>,
    ) -> Result<(), Error> {
        let source = &self.prepared.source;
        match stopped {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => {
                let message = "the function given to cutover() has failed: make sure that writers can \
                               write to the source again, and run the migration again";
                Err(source.error(ErrorKind::Stopped, message).with_source(cause))
            }
            Err(_) => {
                let message = format!(
                    "the function given to cutover() has not returned within {MAX_CUTOVER:?}: it must \
                     return once the writers have stopped"
                );
                Err(source.error(ErrorKind::WaitTimedOut, message))
            }
        }
    }

    /// Reads the stream until it has had no record for the quiet period.
    async fn drain(&mut self, tail: &mut StreamTail<'_>, saved: &mut Instant) -> Result<(), Error> {
        let quiet = self.options().quiet_period;
        // From now on, not from the last record: a record of the last write may still be on its way.
        let mut quiet_since = Instant::now();
        let mut is_at_tip = false;
        let deadline = quiet_since + quiet + MAX_DRAIN;
        // A stream that was turned off is as quiet as one without writes.
        tail.list_again();
        while quiet_since.elapsed() < quiet || !is_at_tip {
            let round = self.round(tail, saved).await?;
            if round.records > 0 || !round.is_complete {
                quiet_since = Instant::now();
            }
            is_at_tip = round.is_at_tip;
            if Instant::now() >= deadline {
                return Err(self.still_arriving(quiet + MAX_DRAIN));
            }
        }
        Ok(())
    }

    /// Compares the items that were written to since the comparison began, until they are the same in both
    /// tables.
    async fn compare_touched(
        &mut self,
        tail: &mut StreamTail<'_>,
        saved: &mut Instant,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + MAX_DIFFERENCE;
        let mut keys = Vec::new();
        loop {
            // The stream is read meanwhile: a record that is late is applied, and its key compared.
            let touched = tail.touched.replace(KeysToCompare::default());
            match touched.unwrap_or_default().into_keys() {
                Some(touched) => keys.extend(touched),
                // Too many keys were written to.
                None => {
                    let compared = self.compare().await?;
                    self.check(&compared)?;
                }
            }
            keys = differing(tail.pair, keys).await?;
            let round = self.round(tail, saved).await?;
            if keys.is_empty() && round.records == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(match keys.len() {
                    0 => self.still_arriving(MAX_DIFFERENCE),
                    differ => self.differ(differ as u64),
                });
            }
        }
    }

    /// Compares the tables after the writers have stopped, without the stream.
    pub(super) async fn compare_at_rest(&mut self) -> Result<(), Error> {
        if self.options().compares {
            let compared = self.compare().await?;
            self.check(&compared)?;
            self.is_verified = true;
        }
        self.end_pause().await
    }

    /// Records that the target has every write, and that the writers may write to it.
    async fn end_pause(&mut self) -> Result<(), Error> {
        self.pause = self.cutover_began.map(|began| began.elapsed());
        self.set(Step::Finishing {}).await
    }

    async fn compare(&mut self) -> Result<Verification, Error> {
        let compared = self.comparison().await?;
        self.compared = compared.compared();
        Ok(compared)
    }

    fn comparison(&self) -> crate::operation::Pending<Verification> {
        let options = self.options();
        let (source, target) = (&self.request.source, &self.request.target);
        let mut copy = copy_table(source, target, &options.source_table);
        copy = copy.target_table(&options.target_table);
        if let Some(units) = options.read_capacity {
            copy = copy.read_capacity(units);
        }
        copy.compare()
    }

    fn check(&self, compared: &Verification) -> Result<(), Error> {
        let extra = compared.extra().map_or(0, |keys| keys.count());
        match compared.missing().count() + compared.different().count() + extra {
            0 => Ok(()),
            differences => Err(self.differ(differences)),
        }
    }

    fn still_arriving(&self, after: Duration) -> Error {
        let message = format!(
            "records were still arriving {after:?} after cutover(): make sure that all writers have \
             stopped, and run the migration again"
        );
        self.prepared.source.error(ErrorKind::TablesDiffer, message)
    }

    fn differ(&self, keys: u64) -> Error {
        let message = format!(
            "{keys} items differ between the source and the target after the writers have stopped: \
             another program may write to one of them. Run the migration again, or abort it"
        );
        self.prepared.target.error(ErrorKind::TablesDiffer, message)
    }
}

/// Returns the keys whose items differ.
async fn differing(pair: &TablePair, keys: Vec<Item>) -> Result<Vec<Item>, Error> {
    let mut all = Vec::new();
    for keys in keys.chunks(TablePair::MAX_KEYS) {
        all.extend(pair.differing(keys).await?);
    }
    Ok(all)
}
