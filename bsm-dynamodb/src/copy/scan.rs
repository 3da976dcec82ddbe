//! The readers: they scan segments page by page, and cut pages into batches.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use tokio::sync::mpsc;

use super::checkpoint::ScanPosition;
use super::job::{Batch, CopyJob};
use super::retry::retry_transient;
use super::table::TableClient;
use super::tracker::Tracker;
use crate::batch::{Write, Writes, next_chunk};
use crate::codec::Item;
use crate::error::{Error, ErrorKind};
use crate::throttle::rate_limit::{RateLimit, consumed_units, wait_for};

/// Reads one segment after the other, and sends their items to the writers in batches.
pub(super) async fn copy_segments(
    job: Arc<CopyJob>,
    tracker: Arc<Tracker>,
    batches: mpsc::Sender<Batch>,
) -> Result<(), Error> {
    let segments = tracker.segments();
    while let Some(segment) = job.next_segment(segments) {
        let scan = SegmentScan {
            table: &job.source,
            limit: job.source_reads.as_ref(),
            segment: (segment, segments),
            consistent: job.options.consistent_read,
            keys_only: false,
        };
        let mut position = tracker.position(segment);
        while !job.is_stopping() && position != ScanPosition::End {
            let page = job.page(&scan, &position).await?;
            position = page.end;
            let scanned = page.items.len() as u64;
            let mut writes = VecDeque::from(job.writes(page.items)?);
            if job.options.dry_run {
                writes.clear();
            }
            let batches_of_page: Vec<_> = std::iter::from_fn(|| {
                let chunk = next_chunk(&mut writes);
                (!chunk.is_empty()).then_some(chunk)
            })
            .collect();
            let page = tracker.page_read(segment, position.clone(), scanned, batches_of_page.len());
            for writes in batches_of_page {
                // Leave the rest of the page to the run that resumes.
                if job.is_stopping() {
                    return Ok(());
                }
                let batch = Batch {
                    segment,
                    page,
                    writes,
                };
                if batches.send(batch).await.is_err() {
                    // The writers have failed, and the supervisor gets their error.
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// What to read from which table.
pub(super) struct SegmentScan<'a> {
    pub(super) table: &'a TableClient,
    pub(super) limit: Option<&'a RateLimit>,
    /// The number of the segment, and the number of all segments.
    pub(super) segment: (u32, u32),
    pub(super) consistent: bool,
    pub(super) keys_only: bool,
}

pub(super) struct ScanPage {
    pub(super) items: Vec<Item>,
    pub(super) end: ScanPosition,
}

impl CopyJob {
    /// Reads the next page of a segment.
    pub(super) async fn page(
        &self,
        scan: &SegmentScan<'_>,
        from: &ScanPosition,
    ) -> Result<ScanPage, Error> {
        let start = match from {
            ScanPosition::After(key) => Some(key),
            ScanPosition::Start | ScanPosition::End => None,
        };
        let number = |n| i32::try_from(n).unwrap_or(i32::MAX);
        let (segment, segments) = scan.segment;
        let max_attempts = self.options.max_attempts;
        let output = retry_transient(
            max_attempts,
            || self.count_retry(),
            || async {
                wait_for(scan.limit).await;
                let mut request = scan
                    .table
                    .client
                    .scan()
                    .table_name(&scan.table.table)
                    .segment(number(segment))
                    .total_segments(number(segments))
                    .consistent_read(scan.consistent)
                    .limit(number(self.options.page_size))
                    .set_exclusive_start_key(start.cloned())
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                if scan.keys_only {
                    let (projection, names) = self.key.projection();
                    request = request.projection_expression(projection);
                    for (alias, name) in names {
                        request = request.expression_attribute_names(alias, name);
                    }
                }
                let output = request.send().await;
                output.map_err(|error| scan.table.failed("Scan", error))
            },
        );
        let output = output.await?;
        self.count_read(scan.limit, output.consumed_capacity.as_slice());
        let end = match output.last_evaluated_key {
            // The SDK's paginators stop here too: the scan would read the same page forever.
            Some(key) if start == Some(&key) => {
                return Err(scan.table.error(
                    ErrorKind::Service,
                    format!(
                        "DynamoDB returned the same LastEvaluatedKey twice in segment {segment}, \
                         so the scan would never end: check the endpoint"
                    ),
                ));
            }
            Some(key) if !key.is_empty() => ScanPosition::After(key),
            _ => ScanPosition::End,
        };
        Ok(ScanPage {
            items: output.items.unwrap_or_default(),
            end,
        })
    }

    /// Returns the writes for a page, at most one per key.
    fn writes(&self, items: Vec<Item>) -> Result<Vec<Write>, Error> {
        let scanned = items.len() as u64;
        let mut wanted = Vec::with_capacity(items.len());
        for item in items {
            if let Some(item) = self.expected(item)? {
                self.check_index_keys(&item)?;
                wanted.push(Write::Put(item));
            }
        }
        let filtered = scanned - wanted.len() as u64;
        let before = wanted.len();
        // Without a transform every item has a key of its own.
        let writes = match &self.options.transform {
            Some(_) => self.merged(wanted)?,
            None => wanted,
        };
        self.counters.count(|counts| {
            counts.scanned += scanned;
            counts.filtered += filtered;
            counts.merged += (before - writes.len()) as u64;
        });
        Ok(writes)
    }

    /// Leaves out all but the last write to a key. DynamoDB refuses a request that has a key twice.
    fn merged(&self, writes: Vec<Write>) -> Result<Vec<Write>, Error> {
        let mut merged = Writes::default();
        for write in writes {
            let key = self.key.values_in(write.item()).map_err(|name| {
                let message = "an item cannot be written";
                let error = self.source.error(ErrorKind::InvalidItem, message);
                error.with_source(self.missing_key(name))
            })?;
            merged.insert(key, write);
        }
        Ok(merged.in_order)
    }

    pub(super) fn count_read(&self, limit: Option<&RateLimit>, consumed: &[ConsumedCapacity]) {
        let units = consumed_units(consumed);
        self.counters.count(|counts| counts.read_capacity += units);
        if let Some(limit) = limit {
            limit.consumed(units);
        }
    }
}
