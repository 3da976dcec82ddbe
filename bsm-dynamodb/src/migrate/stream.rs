//! The stream of the source: shards, parents first, and the records that the target still lacks.
//!
//! Every record has the whole item after the write. So it does no harm to apply records twice, as
//! long as those of one key are applied in order to the last: the target ends up the same. The
//! records of a key are in one shard and its descendants, so a shard is read once its parent has been
//! read to its end.
//!
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>.

mod values;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{
    OperationType, Record, Shard, ShardIteratorType, StreamStatus,
};
use futures_util::TryStreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{self, Instant};

use self::values::item;
use super::bucket::MAX_ATTEMPTS;
use super::clock::ServerClock;
use super::state::ShardState;
use super::touched::KeysToCompare;
use crate::batch::{Write, Writes, next_chunk};
use crate::copy::{TableClient, TablePair, retry_transient};
use crate::error::{Error, ErrorKind};
use crate::model::key::KeyValues;

/// The time between two reads of one shard: DynamoDB allows five a second.
const READ_INTERVAL: Duration = Duration::from_millis(200);

/// How often the shards are listed. New ones appear every few hours.
const LIST_INTERVAL: Duration = Duration::from_secs(5);

/// How many shards are read at the same time, which bounds the memory for their pages of 1 MB.
const MAX_READS: usize = 32;

/// How long records are certainly kept, in seconds: DynamoDB's 24 hours, less an hour for times that are
/// approximate.
const RETENTION: i64 = 23 * 3600;

/// How much older than the position of the migration a record must be to be left out, in seconds. The
/// times of records are approximate.
const OVERLAP: i64 = 600;

/// How many records' bytes a page may have without having been cut off, in bytes. GetRecords stops at 1 MB, and
/// one record can have two images of 400 KB.
const MAX_UNCUT: i64 = 200 * 1024;

/// How old the newest record of a page that may have been cut off can be at the tip of its shard.
const NEAR: Duration = Duration::from_secs(10);

/// How many empty pages in a row are the tip of a shard. GetRecords also returns empty pages before later
/// records.
const EMPTY_PAGES: u32 = 5;

/// Applies the records of a stream to the target.
pub(super) struct StreamTail<'a> {
    pub(super) source: &'a TableClient,
    pub(super) pair: &'a TablePair,
    pub(super) client: &'a Client,
    clock: ServerClock,
    pub(super) arn: String,
    pub(super) at: StreamPosition,
    pub(super) writers: usize,
    /// The keys that were written to, while they are recorded.
    pub(super) touched: Option<KeysToCompare>,
    iterators: HashMap<String, String>,
    /// The empty pages in a row, by shard.
    empty_pages: HashMap<String, u32>,
    /// A time until which the target has every record of a shard, by shard.
    read_until: HashMap<String, i64>,
    listed: Option<Instant>,
    next_read: Instant,
}

/// How far the stream has been read; see [`Step::Streaming`](super::state::Step::Streaming).
#[derive(Clone, Debug)]
pub(super) struct StreamPosition {
    pub(super) position: i64,
    pub(super) read_at: i64,
    pub(super) shards: BTreeMap<String, ShardState>,
}

/// What a round has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    pub(super) records: u64,
    /// Whether every shard that is known has been read, and no page was cut off.
    pub(super) is_complete: bool,
    /// Whether the target has every record that the stream had.
    pub(super) is_at_tip: bool,
    /// The age of the last record, by DynamoDB's clock.
    pub(super) lag: Option<Duration>,
}

/// A page of a shard.
struct Page {
    shard: String,
    records: Vec<Record>,
    next: Option<String>,
}

impl<'a> StreamTail<'a> {
    /// The records of a page, as many as DynamoDB allows.
    const PAGE: i32 = 1_000;

    pub(super) fn new(
        source: &'a TableClient,
        pair: &'a TablePair,
        client: &'a Client,
        clock: ServerClock,
        arn: String,
        at: StreamPosition,
        writers: usize,
    ) -> Self {
        Self {
            source,
            pair,
            client,
            clock,
            arn,
            at,
            writers,
            touched: None,
            iterators: HashMap::new(),
            empty_pages: HashMap::new(),
            read_until: HashMap::new(),
            listed: None,
            next_read: Instant::now(),
        }
    }

    /// Reads a page of every shard that can be read, and applies the records.
    ///
    /// A round that is dropped may have written records that the next one writes again.
    pub(super) async fn round(&mut self) -> Result<Round, Error> {
        time::sleep_until(self.next_read).await;
        if self
            .listed
            .is_none_or(|listed| listed.elapsed() >= LIST_INTERVAL)
        {
            self.list().await?;
        }
        // From the beginning of the round, so that a slow round is followed by the next one without a pause.
        self.next_read = Instant::now() + READ_INTERVAL;
        // Before the reads: a record that is written during the round may not be in its pages.
        let began = self.clock.now();
        let ready = self.ready();
        let mut round = Round {
            is_complete: true,
            is_at_tip: true,
            ..Round::default()
        };
        for shards in ready.chunks(MAX_READS) {
            let pages = self.pages(shards).await?;
            self.write_all(&pages).await?;
            for page in pages {
                self.advance(page, began, &mut round);
            }
        }
        // An open shard behind one that is being read.
        round.is_complete &= self
            .at
            .shards
            .values()
            .filter(|state| !state.is_done)
            .count()
            == ready.len();
        round.is_at_tip &= round.is_complete;
        // The records of a shard that cannot be read yet are newer than those of its parent. A target that
        // is slow to write to may never be at the tip, and still lose nothing.
        let read_until = ready
            .iter()
            .filter(|shard| self.at.shards.get(*shard).is_some_and(|it| !it.is_done));
        let read_until = read_until.map(|shard| self.read_until.get(shard).copied());
        // Without an open shard, or with one that has not returned anything, nothing is known.
        if let Some(read_until) = read_until.min().flatten() {
            self.at.read_at = self.at.read_at.max(read_until);
        }
        Ok(round)
    }

    /// Reads a page of each of some shards.
    async fn pages(&self, shards: &[String]) -> Result<Vec<Page>, Error> {
        let reads: FuturesUnordered<_> = shards.iter().map(|shard| self.page(shard)).collect();
        reads.try_collect().await
    }

    /// Writes the records of some pages to the target.
    async fn write_all(&mut self, pages: &[Page]) -> Result<(), Error> {
        let mut writes = Writes::default();
        let mut keys = Vec::new();
        for record in pages.iter().flat_map(|page| &page.records) {
            if let Some((key, write)) = self.write(record)? {
                if self.touched.is_some() {
                    keys.push((key.clone(), self.pair.key_of(write.item())));
                }
                // The last write of a key wins. Shards that are read at the same time have no key in
                // common.
                writes.insert(key, write);
            }
        }
        // Before any position advances: a round that ends here is read and applied again.
        self.apply(writes.in_order).await?;
        if let Some(touched) = &mut self.touched {
            // After the writes, as with the positions: a round that was dropped before reads these keys again.
            touched.extend(keys);
        }
        Ok(())
    }

    /// Advances the position in the shard of a page whose records are in the target.
    fn advance(&mut self, page: Page, began: i64, round: &mut Round) {
        round.records += page.records.len() as u64;
        let newest = page.records.iter().filter_map(created).max();
        let lag = newest.map(|newest| self.clock.now().saturating_sub(newest));
        let lag = lag.map(|lag| Duration::from_secs(u64::try_from(lag).unwrap_or_default()));
        round.lag = round.lag.max(lag);
        let is_behind = is_cut_off(&page.records) && lag.is_none_or(|lag| lag > NEAR);
        round.is_complete &= !is_behind;
        let empty_pages = self.empty_pages.entry(page.shard.clone()).or_default();
        *empty_pages = match page.records.is_empty() {
            true => *empty_pages + 1,
            false => 0,
        };
        let is_at_tip = !page.records.is_empty() || *empty_pages >= EMPTY_PAGES;
        round.is_at_tip &= is_at_tip;
        // The records of a shard are in the order of their writes.
        if let Some(until) = newest.or(is_at_tip.then_some(began)) {
            self.read_until.insert(page.shard.clone(), until);
        }
        let Some(state) = self.at.shards.get_mut(&page.shard) else {
            return;
        };
        let last = page.records.last().and_then(|record| record.dynamodb());
        if let Some(number) = last.and_then(|record| record.sequence_number()) {
            state.after = Some(number.to_owned());
        }
        match page.next {
            Some(next) => _ = self.iterators.insert(page.shard, next),
            None => {
                state.is_done = true;
                self.iterators.remove(&page.shard);
                self.empty_pages.remove(&page.shard);
                self.read_until.remove(&page.shard);
                // Its children can be read now, and may not have been listed yet.
                self.listed = None;
                round.is_complete = false;
            }
        }
    }

    /// Lists the shards before the next round.
    pub(super) fn list_again(&mut self) {
        self.listed = None;
    }

    /// Lists the shards.
    async fn list(&mut self) -> Result<(), Error> {
        let mut listed: Vec<Shard> = Vec::new();
        let mut start: Option<String> = None;
        loop {
            let send = || async {
                let request = self.client.describe_stream().stream_arn(&self.arn);
                let request = request.set_exclusive_start_shard_id(start.clone());
                let described = request.send().await;
                described.map_err(|error| self.source.failed("DescribeStream", error))
            };
            let described = retry_transient(MAX_ATTEMPTS, || {}, send).await?;
            let Some(description) = described.stream_description else {
                break;
            };
            if matches!(
                description.stream_status,
                Some(StreamStatus::Disabled | StreamStatus::Disabling)
            ) {
                let message = "the stream of the source was turned off during the migration, and lacks later \
                               writes: abort the migration, and start again";
                return Err(self.source.error(ErrorKind::TransferFailed, message));
            }
            listed.extend(description.shards.unwrap_or_default());
            let end = description.last_evaluated_shard_id;
            if end.is_none() {
                break;
            }
            if end == start {
                let message = "DynamoDB returned the same LastEvaluatedShardId twice, so the list of \
                               shards would never end: check the endpoint";
                return Err(self.source.error(ErrorKind::Service, message));
            }
            start = end;
        }
        let mut known = std::mem::take(&mut self.at.shards);
        for shard in listed {
            let Some(id) = shard.shard_id else { continue };
            let state = known.remove(&id).unwrap_or_else(|| ShardState {
                parent: shard.parent_shard_id,
                ..ShardState::default()
            });
            self.at.shards.insert(id, state);
        }
        self.listed = Some(Instant::now());
        // A shard disappears a day after it has ended. One that has not been read at all would be read
        // from its oldest record that is kept, and that must be one that the target has.
        let age = self.clock.now().saturating_sub(self.at.read_at);
        if known.values().any(|state| !state.is_done) || age >= RETENTION {
            return Err(self.trimmed());
        }
        Ok(())
    }

    /// Returns the shards that can be read: those whose parents have been read to their ends.
    fn ready(&self) -> Vec<String> {
        let is_done = |parent: &String| {
            self.at
                .shards
                .get(parent)
                // A parent that is not listed ended more than a day ago, and nothing of it is left.
                .is_none_or(|parent| parent.is_done)
        };
        let ready = self
            .at
            .shards
            .iter()
            .filter(|(_, state)| !state.is_done && state.parent.as_ref().is_none_or(is_done));
        ready.map(|(shard, _)| shard.clone()).collect()
    }

    /// Reads the next page of a shard.
    async fn page(&self, shard: &str) -> Result<Page, Error> {
        let mut iterator = match self.iterators.get(shard) {
            Some(iterator) => iterator.clone(),
            None => self.iterator(shard).await?,
        };
        let mut is_fresh = false;
        loop {
            let send = || async {
                let request = self.client.get_records().shard_iterator(&iterator);
                let read = request.limit(Self::PAGE).send().await;
                read.map_err(|error| self.source.failed("GetRecords", error))
            };
            match retry_transient(MAX_ATTEMPTS, || {}, send).await {
                Ok(read) => {
                    return Ok(Page {
                        shard: shard.to_owned(),
                        records: read.records.unwrap_or_default(),
                        next: read.next_shard_iterator,
                    });
                }
                // An iterator is valid for 15 minutes.
                Err(error) if error.aws_code() == Some("ExpiredIteratorException") && !is_fresh => {
                    // Only once in a page: a new iterator that has expired as well would expire forever.
                    iterator = self.iterator(shard).await?;
                    is_fresh = true;
                }
                Err(error) => return Err(self.explain(error)),
            }
        }
    }

    /// Returns an iterator behind the records of a shard that are in the target.
    async fn iterator(&self, shard: &str) -> Result<String, Error> {
        let after = self
            .at
            .shards
            .get(shard)
            .and_then(|state| state.after.clone());
        let kind = match after {
            Some(_) => ShardIteratorType::AfterSequenceNumber,
            // An iterator cannot begin at a time, so `write` leaves out what is older than the export.
            None => ShardIteratorType::TrimHorizon,
        };
        let send = || async {
            let request = self.client.get_shard_iterator().stream_arn(&self.arn);
            let request = request.shard_id(shard).shard_iterator_type(kind.clone());
            let iterator = request.set_sequence_number(after.clone()).send().await;
            iterator.map_err(|error| self.source.failed("GetShardIterator", error))
        };
        let iterator = retry_transient(MAX_ATTEMPTS, || {}, send).await;
        let iterator = iterator.map_err(|error| self.explain(error))?;
        iterator.shard_iterator.ok_or_else(|| {
            let message = "DynamoDB returned no shard iterator: check the endpoint";
            self.source.error(ErrorKind::Service, message)
        })
    }

    /// Returns what a record does to the target; `None` for one that the target has for certain.
    fn write(&self, record: &Record) -> Result<Option<(KeyValues, Write)>, Error> {
        // A record without a time is applied: applying one again does no harm.
        if created(record).is_some_and(|created| created < self.at.position - OVERLAP) {
            return Ok(None);
        }
        let unreadable = |what: &str| {
            let message = format!(
                "a record of the stream {what}: update the AWS SDK that this \
                                   program is built with"
            );
            self.source.error(ErrorKind::InvalidItem, message)
        };
        let Some(change) = record.dynamodb() else {
            return Err(unreadable("has no contents"));
        };
        let read = |values: &HashMap<String, _>| {
            item(values).map_err(|path| {
                unreadable(&format!(
                    "has an attribute `{path}` of a type that this program does not know"
                ))
            })
        };
        // By the event's name: a record that lacks its new image for another reason is no deletion.
        let write = match (record.event_name(), change.new_image(), change.keys()) {
            (Some(OperationType::Remove), _, Some(keys)) => Write::Delete(read(keys)?),
            (Some(OperationType::Insert | OperationType::Modify), Some(image), _) => {
                Write::Put(read(image)?)
            }
            (Some(OperationType::Remove), _, None) => return Err(unreadable("has no key")),
            (Some(OperationType::Insert | OperationType::Modify), None, _) => {
                return Err(unreadable("lacks the item after the write"));
            }
            _ => return Err(unreadable("has an event that this program does not know")),
        };
        match self.pair.key_values(write.item()) {
            Some(key) => Ok(Some((key, write))),
            None => Err(unreadable("has another key than the table")),
        }
    }

    async fn apply(&self, writes: Vec<Write>) -> Result<(), Error> {
        let mut left = VecDeque::from(writes);
        let mut requests = FuturesUnordered::new();
        loop {
            while requests.len() < self.writers && !left.is_empty() {
                requests.push(self.pair.write(next_chunk(&mut left)));
            }
            if requests.try_next().await?.is_none() {
                return Ok(());
            }
        }
    }

    fn explain(&self, error: Error) -> Error {
        match error.aws_code() {
            Some("TrimmedDataAccessException") => self.trimmed().with_source(error),
            _ => error,
        }
    }

    fn trimmed(&self) -> Error {
        self.source.error(
            ErrorKind::TransferFailed,
            "the stream no longer has all records that the target lacks, because the migration was \
             interrupted for most of a day: abort it, and start again",
        )
    }
}

/// Returns whether GetRecords may have left records out of a page.
fn is_cut_off(records: &[Record]) -> bool {
    let stored = records.iter().filter_map(|record| record.dynamodb());
    let bytes: i64 = stored.filter_map(|record| record.size_bytes()).sum();
    bytes >= MAX_UNCUT || records.len() >= StreamTail::PAGE.unsigned_abs() as usize
}

/// Returns the time of a record in seconds since the Unix epoch.
fn created(record: &Record) -> Option<i64> {
    let record = record.dynamodb()?;
    Some(record.approximate_creation_date_time()?.secs())
}
