//! Writing batches, until every item is stored.

use std::collections::HashSet;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, WriteRequest};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::{Mutex, mpsc};

use super::CopyPolicy;
use super::engine::Engine;
use super::read::{units, wait};
use super::side::{is_transient, persist};
use super::tracker::Tracker;
use crate::batch::Write;
use crate::codec::Item;
use crate::error::{Error, ErrorKind};
use crate::throttle::backoff::Backoff;

/// Some writes of one page, as many as fit into a request.
pub(super) struct Batch {
    pub(super) segment: u32,
    pub(super) page: u64,
    pub(super) writes: Vec<Write>,
}

/// Writes batches for as long as there are any.
pub(super) async fn write_batches(
    engine: Arc<Engine>,
    tracker: Arc<Tracker>,
    batches: Arc<Mutex<mpsc::Receiver<Batch>>>,
) -> Result<(), Error> {
    loop {
        let batch = batches.lock().await.recv().await;
        let Some(batch) = batch else { return Ok(()) };
        // Its page is read again by the next run.
        if engine.is_stopping() {
            continue;
        }
        match engine.settings.policy {
            CopyPolicy::SkipExisting => engine.write_missing(batch.writes).await?,
            _ => engine.write_all(batch.writes).await?,
        }
        tracker.batch_stored(batch.segment, batch.page);
    }
}

impl Engine {
    /// Writes a batch; what is left unprocessed is sent again.
    async fn write_all(&self, writes: Vec<Write>) -> Result<(), Error> {
        let requests = writes.into_iter().map(Write::into_request);
        let mut left = requests.collect::<Result<Vec<_>, _>>().map_err(|error| {
            let message = "the request could not be built: the cause says why";
            let built = self.target.error(ErrorKind::InvalidRequest, message);
            built.with_source(error)
        })?;
        let mut backoff = Backoff::new(self.settings.max_attempts);
        loop {
            let sent = left.len();
            let refusal = match self.write_once(left.clone()).await {
                Ok(unprocessed) => {
                    left = unprocessed;
                    None
                }
                Err(error) if is_transient(&error) => Some(error),
                Err(error) => return Err(error),
            };
            let written = sent.saturating_sub(left.len()) as u64;
            self.statistics.count(|counts| counts.written += written);
            if left.is_empty() {
                return Ok(());
            }
            if !backoff.wait_before_retry(sent, left.len()).await {
                return Err(self.incomplete(left.len(), backoff.attempts(), refusal));
            }
            self.statistics.count(|counts| counts.retried += 1);
        }
    }

    /// Sends one BatchWriteItem, and returns what was left unprocessed.
    async fn write_once(&self, requests: Vec<WriteRequest>) -> Result<Vec<WriteRequest>, Error> {
        wait(self.target_writes.as_ref()).await;
        let request = self.target.client.batch_write_item();
        let output = request
            .request_items(&self.target.table, requests)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| self.target.failed("BatchWriteItem", error))?;
        self.has_written(units(output.consumed_capacity()));
        let unprocessed = output.unprocessed_items.unwrap_or_default();
        Ok(unprocessed.into_values().flatten().collect())
    }

    /// Writes the items of a batch of which the target does not have the key.
    async fn write_missing(&self, writes: Vec<Write>) -> Result<(), Error> {
        let keys = writes.iter();
        let keys = keys.map(|write| self.key.attributes_of(write.item()));
        let limit = self.target_reads.as_ref();
        let existing = self.look_up(&self.target, limit, keys.collect(), true);
        let existing = existing.await?;
        // A write that is refused costs as much as one that is done, so nearly all of those that
        // would be are left out here.
        let existing: HashSet<_> = existing
            .iter()
            .filter_map(|key| self.key.values_in(key).ok())
            .collect();
        let total = writes.len();
        let missing: Vec<Item> = writes
            .into_iter()
            .filter(|write| {
                let key = self.key.values_in(write.item());
                !key.is_ok_and(|key| existing.contains(&key))
            })
            .map(Write::into_item)
            .collect();
        let skipped = (total - missing.len()) as u64;
        self.statistics.count(|counts| counts.skipped += skipped);
        let width = missing.len().max(1);
        stream::iter(missing)
            .map(|item| self.write_if_missing(item))
            .buffer_unordered(width)
            .try_collect()
            .await
    }

    async fn write_if_missing(&self, item: Item) -> Result<(), Error> {
        let written = persist(
            self.settings.max_attempts,
            Some(&self.statistics),
            || async {
                wait(self.target_writes.as_ref()).await;
                let request = self.target.client.put_item();
                let output = request
                    .table_name(&self.target.table)
                    .set_item(Some(item.clone()))
                    .condition_expression("attribute_not_exists(#key)")
                    .expression_attribute_names("#key", &self.key.hash)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
                    .await
                    .map_err(|error| self.target.failed("PutItem", error))?;
                self.has_written(units(output.consumed_capacity.as_slice()));
                Ok(())
            },
        );
        match written.await {
            Ok(()) => self.statistics.count(|counts| counts.written += 1),
            // Somebody was faster; or it was written before, and the answer was lost.
            Err(error) if error.is_conditional_check_failed() => {
                self.statistics.count(|counts| counts.skipped += 1);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn has_written(&self, units: f64) {
        self.statistics
            .count(|counts| counts.write_capacity += units);
        if let Some(limit) = &self.target_writes {
            limit.consumed(units);
        }
    }

    fn incomplete(&self, left: usize, attempts: u32, refusal: Option<Error>) -> Error {
        let message = format!(
            "{left} writes of a batch were not processed, in {attempts} attempts without any \
             progress: give the table more capacity, or copy more slowly with write_capacity()"
        );
        let error = self.target.error(ErrorKind::BatchIncomplete, message);
        match refusal {
            Some(refusal) => error.with_source(refusal),
            None => error,
        }
    }
}
