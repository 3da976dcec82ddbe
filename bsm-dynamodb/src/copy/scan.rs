//! The readers: they scan segments page by page, and cut pages into batches.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use aws_smithy_runtime_api::client::interceptors::context::Output;
use tokio::sync::mpsc;

use super::checkpoint::ScanPosition;
use super::job::{Batch, CopyJob, ExpectedItem};
use super::options::CopyPolicy;
use super::retry::retry_transient;
use super::table::TableClient;
use super::tracker::Tracker;
use crate::batch::{Writes, next_chunk_by};
use crate::error::{Error, ErrorKind};
use crate::throttle::rate_limit::{RateLimit, wait_for};
use crate::wire::bodies::ScanResponse;
use crate::wire::body_interceptor::BodyInterceptor;
use crate::wire::item::WireItem;

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
            let mut items = job.expected_items(page.items)?;
            if job.options.dry_run {
                // A dry run reads, filters and checks a page like any other, and has no batch to write.
                items.clear();
            }
            let mut items = VecDeque::from(items);
            let batches_of_page: Vec<_> = std::iter::from_fn(|| {
                let chunk = next_chunk_by(&mut items, ExpectedItem::bytes_in_a_request);
                (!chunk.is_empty()).then_some(chunk)
            })
            .collect();
            // Before the first batch is sent: a writer may store it before the next one is sent.
            let page = tracker.page_read(segment, position.clone(), scanned, batches_of_page.len());
            for items in batches_of_page {
                // Leave the rest of the page to the run that resumes.
                if job.is_stopping() {
                    return Ok(());
                }
                let batch = Batch {
                    segment,
                    page,
                    items,
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
    pub(super) items: Vec<WireItem>,
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
                let bodies = BodyInterceptor::default().receiving(empty_output);
                let request = request.customize().interceptor(bodies.clone());
                let sent = request.send().await;
                sent.map_err(|error| scan.table.failed("Scan", error))?;
                let response = ScanResponse::read(&bodies.received());
                response.map_err(|_| scan.table.malformed("Scan"))
            },
        );
        let response = output.await?;
        self.count_read(scan.limit, response.consumed_units);
        let end = match response.last_evaluated_key {
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
            // An empty key means the end, as in the paginators of the SDK.
            Some(key) if !key.is_empty() => ScanPosition::After(key),
            _ => ScanPosition::End,
        };
        Ok(ScanPage {
            items: response.items,
            end,
        })
    }

    /// Returns what the target should have for a page, at most one item per key.
    fn expected_items(&self, items: Vec<WireItem>) -> Result<Vec<ExpectedItem>, Error> {
        let scanned = items.len() as u64;
        let must_be_merged = self.options.transform.is_some();
        // In all other cases the key stays undecoded, in the bytes of the item.
        let needs_key = must_be_merged || self.options.policy == CopyPolicy::SkipExisting;
        let mut names: Vec<_> = self.index_key_names().collect();
        names.extend(self.key.names().filter(|_| needs_key));
        let mut wanted = Vec::with_capacity(items.len());
        for item in items {
            if let Some(expected) = self.expected(item, &names)? {
                self.check_index_keys(&expected.attributes)?;
                wanted.push(expected);
            }
        }
        let filtered = scanned - wanted.len() as u64;
        let before = wanted.len();
        // Without a transform every item has a key of its own.
        let items = match must_be_merged {
            true => self.merged(wanted)?,
            false => wanted,
        };
        self.counters.count(|counts| {
            counts.scanned += scanned;
            counts.filtered += filtered;
            counts.merged += (before - items.len()) as u64;
        });
        Ok(items)
    }

    /// Leaves out all but the last item with a key. DynamoDB refuses a request that has a key twice.
    fn merged(&self, items: Vec<ExpectedItem>) -> Result<Vec<ExpectedItem>, Error> {
        let mut merged = Writes::default();
        for item in items {
            let key = self.key.values_in(&item.attributes).map_err(|name| {
                let message = "an item cannot be written";
                let error = self.source.error(ErrorKind::InvalidItem, message);
                error.with_source(self.missing_key(name))
            })?;
            merged.insert(key, item);
        }
        Ok(merged.in_order)
    }

    pub(super) fn count_read(&self, limit: Option<&RateLimit>, units: f64) {
        self.counters.count(|counts| counts.read_capacity += units);
        if let Some(limit) = limit {
            limit.consumed(units);
        }
    }
}

fn empty_output() -> Output {
    Output::erase(ScanOutput::builder().build())
}
