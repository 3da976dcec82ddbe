//! The writers: they send batches until every item is stored.

use std::collections::HashSet;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemOutput;
use aws_smithy_runtime_api::client::interceptors::context::Output;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::{Mutex, mpsc};

use super::job::{Batch, CopyJob, ExpectedItem};
use super::options::CopyPolicy;
use super::retry::{is_transient, retry_transient};
use super::tracker::Tracker;
use crate::error::{Error, ErrorKind};
use crate::throttle::backoff::Backoff;
use crate::throttle::rate_limit::{consumed_units, wait_for};
use crate::wire::bodies::{BatchWriteResponse, WireWrite, batch_write, put_if_missing};
use crate::wire::body_interceptor::BodyInterceptor;
use crate::wire::item::WireItem;

/// Writes batches until the readers have no more.
pub(super) async fn write_batches(
    job: Arc<CopyJob>,
    tracker: Arc<Tracker>,
    batches: Arc<Mutex<mpsc::Receiver<Batch>>>,
) -> Result<(), Error> {
    loop {
        // The lock is held while this writer waits for a batch, so only one writer waits at a time.
        let batch = batches.lock().await.recv().await;
        let Some(batch) = batch else { return Ok(()) };
        // Leave its page to the run that resumes.
        if job.is_stopping() {
            continue;
        }
        job.record_writing().await?;
        let written = match job.options.policy {
            CopyPolicy::SkipExisting => job.write_missing(batch.items).await?,
            CopyPolicy::FailIfNotEmpty | CopyPolicy::Overwrite => {
                let items = batch.items.into_iter();
                let puts = items.map(|expected| WireWrite::Put(expected.item));
                job.write_all(puts.collect()).await?
            }
        };
        // Only now: a position must never be ahead of the items that the target has.
        tracker.batch_stored(batch.segment, batch.page, written);
    }
}

impl CopyJob {
    /// Writes a batch, and sends again what is left unprocessed; returns the number of items.
    pub(super) async fn write_all(&self, writes: Vec<WireWrite>) -> Result<u64, Error> {
        // A copy deletes nothing, whatever an endpoint returns.
        let deletes = writes
            .iter()
            .any(|write| matches!(write, WireWrite::Delete(_)));
        let mut left = writes;
        let total = left.len() as u64;
        let mut backoff = Backoff::new(self.options.max_attempts);
        loop {
            let sent = left.len();
            let refusal = match self.write_once(&left, deletes).await {
                Ok(unprocessed) => {
                    left = unprocessed;
                    None
                }
                // All of `left` is sent again: a write that was done before is done twice, to the same effect.
                Err(error) if is_transient(&error) => Some(error),
                Err(error) => return Err(error),
            };
            let written = sent.saturating_sub(left.len()) as u64;
            self.counters.count(|counts| counts.written += written);
            if left.is_empty() {
                return Ok(total);
            }
            if !backoff.wait_before_retry(sent, left.len()).await {
                return Err(self.incomplete(left.len(), backoff.attempts(), refusal));
            }
            self.count_retry();
        }
    }

    /// Sends one BatchWriteItem, and returns what is left unprocessed.
    async fn write_once(
        &self,
        writes: &[WireWrite],
        deletes: bool,
    ) -> Result<Vec<WireWrite>, Error> {
        wait_for(self.target_writes.as_ref()).await;
        let table = &self.target.table;
        let bodies = BodyInterceptor::default()
            .sending(batch_write(table, writes))
            .receiving(|| Output::erase(BatchWriteItemOutput::builder().build()));
        let request = self.target.client.batch_write_item();
        request
            // The SDK chooses the endpoint by the table.
            .request_items(table, Vec::new())
            .customize()
            .interceptor(bodies.clone())
            .send()
            .await
            .map_err(|error| self.target.failed("BatchWriteItem", error))?;
        let response = BatchWriteResponse::read(&bodies.received())
            .map_err(|_| self.target.malformed("BatchWriteItem"))?;
        self.count_written_units(response.consumed_units);
        // It stands for one of the items, and does not say which.
        let is_foreign = |write: &WireWrite| matches!(write, WireWrite::Delete(_)) && !deletes;
        if response.has_unknown_writes || response.unprocessed.iter().any(is_foreign) {
            return Err(self.target.error(
                ErrorKind::Service,
                "DynamoDB returned an unprocessed write that is not one of those that were sent: \
                 check the endpoint, and run the copy again",
            ));
        }
        Ok(response.unprocessed)
    }

    /// Writes the items of a batch whose keys the target does not have; returns their number.
    async fn write_missing(&self, items: Vec<ExpectedItem>) -> Result<u64, Error> {
        let keys = items.iter();
        let keys = keys.map(|expected| self.key.attributes_of(&expected.attributes));
        let limit = self.target_reads.as_ref();
        let existing = self.look_up(&self.target, limit, keys.collect(), true);
        let existing = existing.await?;
        // A refused write costs as much as one that succeeds, so leave out nearly all of those that
        // would be refused.
        let mut existing_keys = HashSet::new();
        for item in &existing {
            let attributes = self.target.key_attributes(item, &self.key)?;
            existing_keys.extend(self.key.values_in(&attributes));
        }
        let total = items.len();
        let missing: Vec<_> = items
            .into_iter()
            .filter(|expected| {
                let key = self.key.values_in(&expected.attributes);
                !key.is_ok_and(|key| existing_keys.contains(&key))
            })
            .collect();
        let skipped = (total - missing.len()) as u64;
        self.counters.count(|counts| counts.skipped += skipped);
        // All of a batch at once: it has at most 25 items, and DynamoDB has no batch with conditions.
        let width = missing.len().max(1);
        stream::iter(missing)
            .map(|expected| self.write_if_missing(expected.item))
            .buffer_unordered(width)
            .try_fold(0, |total, written| async move { Ok(total + written) })
            .await
    }

    /// Returns the number of items written: one or none.
    async fn write_if_missing(&self, item: WireItem) -> Result<u64, Error> {
        let written = retry_transient(
            self.options.max_attempts,
            || self.count_retry(),
            || async {
                wait_for(self.target_writes.as_ref()).await;
                let table = &self.target.table;
                let body = put_if_missing(table, &self.key.hash, &item);
                let request = self.target.client.put_item();
                let output = request
                    // The SDK chooses the endpoint by the table.
                    .table_name(table)
                    .customize()
                    .interceptor(BodyInterceptor::default().sending(body))
                    .send()
                    .await
                    .map_err(|error| self.target.failed("PutItem", error))?;
                self.count_written_units(consumed_units(output.consumed_capacity.as_slice()));
                Ok(())
            },
        );
        match written.await {
            Ok(()) => {
                self.counters.count(|counts| counts.written += 1);
                Ok(1)
            }
            // Another program was faster, or it was written before and the response was lost.
            Err(error) if error.is_conditional_check_failed() => {
                self.counters.count(|counts| counts.skipped += 1);
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    fn count_written_units(&self, units: f64) {
        self.counters.count(|counts| counts.write_capacity += units);
        if let Some(limit) = &self.target_writes {
            limit.consumed(units);
        }
    }

    fn incomplete(&self, left: usize, attempts: u32, refusal: Option<Error>) -> Error {
        let message = format!(
            "{left} writes of a batch were not processed in {attempts} attempts without progress: \
             give the table more capacity, or copy more slowly with write_capacity()"
        );
        let error = self.target.error(ErrorKind::BatchIncomplete, message);
        match refusal {
            Some(refusal) => error.with_source(refusal),
            None => error,
        }
    }
}
