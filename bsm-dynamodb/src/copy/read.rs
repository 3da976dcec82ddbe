//! Reading: pages of a segment, and items by their keys.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity};
use tokio::sync::mpsc;

use super::checkpoint::Position;
use super::engine::Engine;
use super::side::{Side, is_transient, persist};
use super::tracker::Tracker;
use super::write::Batch;
use crate::batch::{Write, Writes, next_chunk};
use crate::codec::Item;
use crate::error::{Error, ErrorKind};
use crate::throttle::backoff::Backoff;
use crate::throttle::rate_limit::RateLimit;

/// How many keys a BatchGetItem may have.
///
/// Source: [BatchGetItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)
/// in the API Reference.
pub(super) const MAX_KEYS: usize = 100;

/// Reads segments, one after the other, and sends what is to be written in batches.
pub(super) async fn copy_segments(
    engine: Arc<Engine>,
    tracker: Arc<Tracker>,
    batches: mpsc::Sender<Batch>,
) -> Result<(), Error> {
    let segments = tracker.segments();
    while let Some(segment) = engine.next_segment(segments) {
        let mut position = tracker.position(segment);
        while !engine.is_stopping() && !matches!(position, Position::End) {
            let part = Part {
                side: &engine.source,
                limit: engine.source_reads.as_ref(),
                segment: (segment, segments),
                consistent: engine.settings.consistent_read,
                keys_only: false,
            };
            let page = engine.page(&part, &position).await?;
            position = page.next;
            let scanned = page.items.len() as u64;
            let mut writes = VecDeque::from(engine.writes(page.items)?);
            if engine.settings.dry_run {
                writes.clear();
            }
            let batches_of_page: Vec<_> = std::iter::from_fn(|| {
                let chunk = next_chunk(&mut writes);
                (!chunk.is_empty()).then_some(chunk)
            })
            .collect();
            let page = tracker.page_read(segment, position.clone(), scanned, batches_of_page.len());
            for writes in batches_of_page {
                // The page is read again by the next run.
                if engine.is_stopping() {
                    return Ok(());
                }
                let batch = Batch {
                    segment,
                    page,
                    writes,
                };
                if batches.send(batch).await.is_err() {
                    // The writers have failed; their error is on its way.
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// What to read of which table.
pub(super) struct Part<'a> {
    pub(super) side: &'a Side,
    pub(super) limit: Option<&'a RateLimit>,
    /// Which segment, of how many.
    pub(super) segment: (u32, u32),
    pub(super) consistent: bool,
    pub(super) keys_only: bool,
}

pub(super) struct Page {
    pub(super) items: Vec<Item>,
    pub(super) next: Position,
}

impl Engine {
    /// Reads the next page of a segment.
    pub(super) async fn page(&self, part: &Part<'_>, from: &Position) -> Result<Page, Error> {
        let start = match from {
            Position::After(key) => Some(key.clone()),
            Position::Start | Position::End => None,
        };
        let number = |n| i32::try_from(n).unwrap_or(i32::MAX);
        let (segment, segments) = part.segment;
        let output = persist(
            self.settings.max_attempts,
            Some(&self.statistics),
            || async {
                wait(part.limit).await;
                let mut request = part
                    .side
                    .client
                    .scan()
                    .table_name(&part.side.table)
                    .segment(number(segment))
                    .total_segments(number(segments))
                    .consistent_read(part.consistent)
                    .limit(number(self.settings.page_size))
                    .set_exclusive_start_key(start.clone())
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                if part.keys_only {
                    let (projection, names) = self.key_projection();
                    request = request.projection_expression(projection);
                    for (alias, name) in names {
                        request = request.expression_attribute_names(alias, name);
                    }
                }
                let output = request.send().await;
                output.map_err(|error| part.side.failed("Scan", error))
            },
        );
        let output = output.await?;
        self.has_read(part.limit, output.consumed_capacity.as_slice());
        Ok(Page {
            items: output.items.unwrap_or_default(),
            next: match output.last_evaluated_key {
                Some(key) if !key.is_empty() => Position::After(key),
                _ => Position::End,
            },
        })
    }

    /// Turns a page into the writes that it takes, at most one to a key.
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
        let writes = match &self.settings.transform {
            Some(_) => self.merged(wanted)?,
            None => wanted,
        };
        self.statistics.count(|counts| {
            counts.scanned += scanned;
            counts.filtered += filtered;
            counts.merged += (before - writes.len()) as u64;
        });
        Ok(writes)
    }

    /// Leaves out all but the last one of the writes to a key, which a request must not have twice.
    fn merged(&self, writes: Vec<Write>) -> Result<Vec<Write>, Error> {
        let writes = writes.into_iter().map(|write| {
            let key = self.key.values_in(write.item());
            let key = key.map_err(|name| self.no_key(name))?;
            Ok((key, write))
        });
        let mut merged = Writes::default();
        merged.extend(writes).map_err(|cause| {
            let message = "an item cannot be written";
            let error = self.source.error(ErrorKind::InvalidItem, message);
            error.with_source(cause)
        })?;
        Ok(merged.in_order)
    }

    /// Looks up items by their keys, at most [`MAX_KEYS`], with strongly consistent reads.
    ///
    /// They come in no particular order, and those that there are not, do not come.
    pub(super) async fn look_up(
        &self,
        side: &Side,
        limit: Option<&RateLimit>,
        keys: Vec<Item>,
        keys_only: bool,
    ) -> Result<Vec<Item>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        let mut left = keys;
        let mut backoff = Backoff::new(self.settings.max_attempts);
        while !left.is_empty() {
            let asked = left.len();
            let refusal = match self
                .look_up_once(side, limit, left.clone(), keys_only)
                .await
            {
                Ok((items, unprocessed)) => {
                    found.extend(items);
                    left = unprocessed;
                    None
                }
                Err(error) if is_transient(&error) => Some(error),
                Err(error) => return Err(error),
            };
            if left.is_empty() {
                break;
            }
            if !backoff.wait_before_retry(asked, left.len()).await {
                return Err(refusal.unwrap_or_else(|| {
                    side.error(
                        ErrorKind::Throttled,
                        format!(
                            "{asked} keys were not looked up, in {} attempts without any progress: \
                             give the table more capacity",
                            backoff.attempts()
                        ),
                    )
                }));
            }
            self.statistics.count(|counts| counts.retried += 1);
        }
        Ok(found)
    }

    /// Sends one BatchGetItem; returns the items, and the keys that were left unprocessed.
    async fn look_up_once(
        &self,
        side: &Side,
        limit: Option<&RateLimit>,
        keys: Vec<Item>,
        keys_only: bool,
    ) -> Result<(Vec<Item>, Vec<Item>), Error> {
        let mut wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true);
        if keys_only {
            let (projection, names) = self.key_projection();
            wanted = wanted.projection_expression(projection);
            for (alias, name) in names {
                wanted = wanted.expression_attribute_names(alias, name);
            }
        }
        let wanted = wanted.build().map_err(|error| {
            side.error(ErrorKind::InvalidRequest, "the keys cannot be asked for")
                .with_source(error)
        })?;
        wait(limit).await;
        let request = side.client.batch_get_item();
        let output = request
            .request_items(&side.table, wanted)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| side.failed("BatchGetItem", error))?;
        self.has_read(limit, output.consumed_capacity());
        let items = output.responses.unwrap_or_default();
        let unprocessed = output.unprocessed_keys.unwrap_or_default();
        Ok((
            items.into_values().flatten().collect(),
            unprocessed.into_values().flat_map(|it| it.keys).collect(),
        ))
    }

    /// An expression for the key attributes, whatever their names.
    fn key_projection(&self) -> (String, Vec<(String, String)>) {
        let names = self.key.names().enumerate();
        let names: Vec<_> = names
            .map(|(place, name)| (format!("#k{place}"), name.to_owned()))
            .collect();
        let aliases: Vec<_> = names.iter().map(|(alias, _)| alias.as_str()).collect();
        (aliases.join(", "), names)
    }

    fn has_read(&self, limit: Option<&RateLimit>, consumed: &[ConsumedCapacity]) {
        let units = units(consumed);
        self.statistics
            .count(|counts| counts.read_capacity += units);
        if let Some(limit) = limit {
            limit.consumed(units);
        }
    }
}

/// Waits until a request may be sent.
pub(super) async fn wait(limit: Option<&RateLimit>) {
    if let Some(limit) = limit {
        limit.wait().await;
    }
}

pub(super) fn units(consumed: &[ConsumedCapacity]) -> f64 {
    let units = consumed.iter().filter_map(|it| it.capacity_units);
    units.sum()
}
