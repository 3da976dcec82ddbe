//! The state that the tasks of a copy share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use aws_sdk_dynamodb::types::{AttributeDefinition, AttributeValue, ScalarAttributeType};
use tokio::sync::OnceCell;

use super::checkpoint::CheckpointWriter;
use super::options::CopyOptions;
use super::preflight::Prepared;
use super::progress::{Counters, PreviousRuns};
use super::table::{TableClient, TableKey};
use super::tracker::Tracker;
use crate::codec::{CodecError, Item};
use crate::error::{Error, ErrorKind};
use crate::throttle::rate_limit::RateLimit;
use crate::wire::bodies::WireWrite;
use crate::wire::item::WireItem;

/// A copy at work.
pub(super) struct CopyJob {
    pub(super) source: TableClient,
    pub(super) target: TableClient,
    pub(super) key: TableKey,
    pub(super) options: CopyOptions,
    pub(super) counters: Counters,
    pub(super) source_reads: Option<RateLimit>,
    pub(super) target_reads: Option<RateLimit>,
    pub(super) target_writes: Option<RateLimit>,
    pub(super) checkpoint: CheckpointWriter,
    /// Whether the target must not have items of other programs, and nothing proves that it has none.
    pub(super) must_be_empty: bool,
    /// Whether an earlier run may have written items.
    pub(super) was_writing: bool,
    /// Set once the checkpoint says that items are being written.
    pub(super) writing_recorded: OnceCell<()>,
    index_keys: Vec<AttributeDefinition>,
    stopping: AtomicBool,
    next_segment: AtomicU32,
}

/// Some items of one page, as many as fit into a request.
pub(super) struct Batch {
    pub(super) segment: u32,
    pub(super) page: u64,
    pub(super) items: Vec<ExpectedItem>,
}

/// An item as the target should have it.
pub(super) struct ExpectedItem {
    pub(super) item: WireItem,
    /// Those of its attributes that the job was asked for.
    pub(super) attributes: Item,
}

impl ExpectedItem {
    pub(super) fn bytes_in_a_request(&self) -> usize {
        self.item.as_bytes().len() + WireWrite::AROUND
    }
}

impl CopyJob {
    pub(super) fn new(
        prepared: Prepared,
        options: CopyOptions,
        checkpoint: CheckpointWriter,
    ) -> (Arc<Self>, Arc<Tracker>) {
        let earlier = PreviousRuns {
            stored: prepared.checkpoint.stored(),
            written: prepared.checkpoint.written(),
        };
        let finds_extra_items = finds_extra_items(&options);
        let job = Self {
            counters: Counters::new(prepared.plan.expected_items, earlier, finds_extra_items),
            checkpoint,
            must_be_empty: prepared.must_be_empty,
            was_writing: prepared.checkpoint.is_writing,
            index_keys: prepared.index_keys,
            ..Self::for_pair(prepared.source, prepared.target, prepared.key, options)
        };
        // A resumed copy continues at the recorded positions, a new one has all segments at their start.
        let tracker = Tracker::new(prepared.checkpoint.segments);
        (Arc::new(job), Arc::new(tracker))
    }

    /// Creates the state for requests to two tables without a copy.
    pub(super) fn for_pair(
        source: TableClient,
        target: TableClient,
        key: TableKey,
        options: CopyOptions,
    ) -> Self {
        Self {
            source,
            target,
            key,
            counters: Counters::new(None, PreviousRuns::default(), finds_extra_items(&options)),
            // One limit for each table: each has read capacity of its own.
            source_reads: options.read_capacity.map(RateLimit::new),
            target_reads: options.read_capacity.map(RateLimit::new),
            target_writes: options.write_capacity.map(RateLimit::new),
            options,
            checkpoint: CheckpointWriter::default(),
            must_be_empty: false,
            was_writing: false,
            writing_recorded: OnceCell::new(),
            index_keys: Vec::new(),
            stopping: AtomicBool::new(false),
            next_segment: AtomicU32::new(0),
        }
    }

    /// Gives each segment to one reader.
    pub(super) fn next_segment(&self, segments: u32) -> Option<u32> {
        // Relaxed: nothing else is published with the number.
        let segment = self.next_segment.fetch_add(1, Ordering::Relaxed);
        (segment < segments && !self.is_stopping()).then_some(segment)
    }

    /// Makes `next_segment` start again at the first segment.
    pub(super) fn rewind(&self) {
        // The tasks of the previous pass have ended, so none takes a number that belongs to the next one.
        self.next_segment.store(0, Ordering::Relaxed);
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(super) fn count_retry(&self) {
        self.counters.count(|counts| counts.retried += 1);
    }

    /// Returns what the target should have for an item of the source, with the attributes of the
    /// given names; `None` for nothing.
    ///
    /// Only filter and transform take decoded items. Decoding and encoding cost several times as
    /// much as the rest of a copy.
    pub(super) fn expected(
        &self,
        item: WireItem,
        names: &[&str],
    ) -> Result<Option<ExpectedItem>, Error> {
        let flawed = |flaw| self.source.flawed(flaw);
        let options = &self.options;
        // No closure needs the values: the item stays the bytes that DynamoDB sent.
        if options.filter.is_none() && options.transform.is_none() {
            let attributes = item.inspect(names.iter().copied()).map_err(flawed)?;
            return Ok(Some(ExpectedItem { item, attributes }));
        }
        let decoded = item.decode().map_err(flawed)?;
        if let Some(filter) = &options.filter
            && !filter(&decoded)
        {
            return Ok(None);
        }
        let pick = |decoded: &Item| {
            let found = names.iter().filter_map(|name| decoded.get_key_value(*name));
            found
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let Some(transform) = &options.transform else {
            // The filter has only read the item, so the bytes that DynamoDB sent are written.
            let attributes = pick(&decoded);
            return Ok(Some(ExpectedItem { item, attributes }));
        };
        let transformed = transform(decoded).and_then(|decoded| {
            // Picked from the result: the transform may change the keys of the table and of indexes.
            let (item, attributes) = (WireItem::encode(&decoded)?, pick(&decoded));
            Ok(ExpectedItem { item, attributes })
        });
        transformed.map(Some).map_err(|cause| {
            let message = "the transform failed for an item";
            let error = self.source.error(ErrorKind::InvalidItem, message);
            error.with_source(cause)
        })
    }

    /// Returns the names of the attributes that [`check_index_keys`](Self::check_index_keys) requires.
    pub(super) fn index_key_names(&self) -> impl Iterator<Item = &str> {
        let keys = self.index_keys.iter();
        keys.map(AttributeDefinition::attribute_name)
    }

    /// Refuses an item that an index of the target cannot have.
    ///
    /// DynamoDB would refuse the whole batch, without naming the item.
    pub(super) fn check_index_keys(&self, attributes: &Item) -> Result<(), Error> {
        let wrong = self.index_keys.iter().find(|key| {
            let value = attributes.get(key.attribute_name());
            // An item without the attribute is just not in the index.
            value.is_some_and(|value| !is_of(value, key.attribute_type()) || is_empty(value))
        });
        let Some(key) = wrong else { return Ok(()) };
        let message = format!(
            "the attribute `{}` of an item is empty or not of the type {}, and a key of an index of the \
             target: leave the item out with filter(), or change it with transform()",
            key.attribute_name(),
            key.attribute_type()
        );
        Err(self.target.error(ErrorKind::InvalidItem, message))
    }

    /// Builds the error of an item without a key, which only a transform can make.
    pub(super) fn missing_key(&self, name: &str) -> CodecError {
        format!("the transform removed the key attribute `{name}` of an item: keep it").into()
    }
}

/// Returns `true` if a comparison looks up the items of the target in the source: after a transform,
/// it is unknown which item of the source an item comes from.
pub(super) fn finds_extra_items(options: &CopyOptions) -> bool {
    options.transform.is_none()
}

fn is_empty(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::S(text) => text.is_empty(),
        AttributeValue::B(bytes) => bytes.as_ref().is_empty(),
        _ => false,
    }
}

fn is_of(value: &AttributeValue, wanted: &ScalarAttributeType) -> bool {
    match wanted {
        ScalarAttributeType::S => value.is_s(),
        ScalarAttributeType::N => value.is_n(),
        ScalarAttributeType::B => value.is_b(),
        // DynamoDB has no other key types today. It knows better about those to come.
        _ => true,
    }
}
