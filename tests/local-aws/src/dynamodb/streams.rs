//! DynamoDB Streams over the engine's log of changes: shards that succeed each other, and records
//! that are trimmed after a day.
//!
//! The engine has one endless shard for each table. A program that works with that one may still fail
//! with AWS's, whose shards split, end, and have parents.
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>.

use dynoxide::Database;
use dynoxide::types::item_size;
use serde_json::{Value, json};

use super::change_log::{Change, format_sequence, parse_sequence};
use super::engine::{execute, to_bytes, validation_error};
use super::table_state::{AccountRegion, TableState, TableStates};
use crate::clock::Clock;
use crate::response::ErrorResponse;

/// The number of shards that receive records at the same time. AWS has one for each partition.
const LINEAGES: u64 = 2;

/// The lifetime of a shard in seconds: four hours, as usual in AWS.
const GENERATION: u64 = 4 * 3600;

/// How long records are kept, in seconds.
const RETENTION: u64 = 24 * 3600;

/// How long a shard iterator is valid, in seconds.
const ITERATOR_LIFETIME: u64 = 15 * 60;

/// The maximum number of records in a response.
pub(super) const MAX_RECORDS: usize = 1_000;

/// The maximum size of the records in a response, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The maximum number of shards in a description.
const MAX_SHARDS: usize = 100;

/// A stream that a client has enabled.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) label: String,
    view_type: String,
    enabled_at: u64,
    /// The last change before the stream was enabled.
    after: i64,
    ended: Option<End>,
}

/// The end of a stream that was turned off.
#[derive(Clone, Copy, Debug)]
struct End {
    at: u64,
    /// The last change before it.
    last: i64,
}

/// A shard: a part of the keys, and a part of the time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Shard {
    generation: u64,
    lineage: u64,
}

/// A position in a shard.
struct ShardIterator {
    stream_arn: String,
    shard: String,
    /// The last record that was read.
    position: i64,
    /// Whether the position must not have been trimmed.
    is_exact: bool,
    issued_at: u64,
}

impl Stream {
    pub(super) fn new(clock: &Clock, view_type: String, after: i64) -> Self {
        let now = chrono::DateTime::<chrono::Utc>::from(clock.now());
        Self {
            label: now.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
            view_type,
            enabled_at: clock.unix_seconds(),
            after,
            ended: None,
        }
    }

    /// Ends the stream.
    pub(super) fn ended(self, clock: &Clock, last: i64) -> Self {
        let at = clock.unix_seconds();
        let ended = Some(End { at, last });
        Self { ended, ..self }
    }

    pub(super) fn arn(&self, location: &AccountRegion, table: &str) -> String {
        let AccountRegion { account, region } = location;
        let label = &self.label;
        format!("arn:aws:dynamodb:{region}:{account}:table/{table}/stream/{label}")
    }

    pub(super) fn specification(&self) -> Value {
        json!({ "StreamEnabled": true, "StreamViewType": self.view_type })
    }

    /// Returns the shards with records that are not trimmed yet, and those of today.
    fn shards(&self, now: u64) -> impl Iterator<Item = Shard> {
        let age = now.saturating_sub(self.enabled_at);
        // The oldest generation counts as long as it may have a record of the last day.
        let first = age.saturating_sub(RETENTION) / GENERATION;
        let end = self.ended.map_or(now, |ended| ended.at);
        let last = end.saturating_sub(self.enabled_at) / GENERATION;
        (first..=last).flat_map(|generation| {
            (0..LINEAGES).map(move |lineage| Shard {
                generation,
                lineage,
            })
        })
    }

    fn shard_id(&self, shard: Shard) -> String {
        let begin = self.enabled_at + shard.generation * GENERATION;
        format!("shardId-{:020}-{:08x}", begin * 1_000, shard.lineage)
    }

    /// Returns `true` if a shard gets no more records.
    fn is_closed(&self, shard: Shard, now: u64) -> bool {
        self.ended.is_some() || now >= self.enabled_at + (shard.generation + 1) * GENERATION
    }

    /// Returns the changes that were written while the stream was on.
    fn changes<'a>(&self, state: &'a TableState, after: i64) -> &'a [Change] {
        let changes = state.changes.after(after.max(self.after));
        let last = self.ended.map_or(i64::MAX, |ended| ended.last);
        &changes[..changes.partition_point(|change| change.sequence <= last)]
    }

    fn shard_of(&self, change: &Change) -> Shard {
        Shard {
            generation: change.at.saturating_sub(self.enabled_at) / GENERATION,
            lineage: change.key_hash % LINEAGES,
        }
    }

    /// Returns a record as the view type shows it.
    fn record(&self, change: &Change) -> Value {
        let mut record = serde_json::to_value(&change.record).unwrap_or_default();
        let (new, old) = match &*self.view_type {
            "NEW_IMAGE" => (true, false),
            "OLD_IMAGE" => (false, true),
            "KEYS_ONLY" => (false, false),
            _ => (true, true),
        };
        if let Value::Object(images) = &mut record["dynamodb"] {
            for (name, is_kept) in [("NewImage", new), ("OldImage", old)] {
                if !is_kept && let Some(image) = images.remove(name) {
                    // The engine measures a record by its JSON, with both images.
                    let size = images["SizeBytes"].as_u64().unwrap_or_default();
                    let size = size.saturating_sub(to_bytes(&image).len() as u64);
                    images.insert("SizeBytes".into(), size.into());
                }
            }
            images.insert("StreamViewType".into(), self.view_type.clone().into());
            // The engine counts both images.
            let stored = &change.record.dynamodb;
            let new_image = stored.new_image.as_ref().filter(|_| new);
            let old_image = stored.old_image.as_ref().filter(|_| old);
            let parts = [Some(&stored.keys), new_image, old_image];
            let bytes: usize = parts.into_iter().flatten().map(item_size).sum();
            images.insert("SizeBytes".into(), bytes.into());
        }
        record
    }
}

/// Performs an operation of DynamoDB Streams. GetRecords returns at most `max_records` records.
pub(super) fn perform(
    states: &TableStates,
    database: &Database,
    location: &AccountRegion,
    clock: &Clock,
    operation: &str,
    body: &[u8],
    max_records: usize,
) -> Result<Vec<u8>, ErrorResponse> {
    let request: Value =
        serde_json::from_slice(body).map_err(|error| validation_error(error.to_string()))?;
    let now = clock.unix_seconds();
    let response = match operation {
        "ListStreams" => return Ok(to_bytes(&list(states, location, &request))),
        "DescribeStream" => {
            let arn = text(&request, "StreamArn")?;
            with_stream(states, database, location, arn, |table, state, stream| {
                describe(database, location, table, state, stream, now, &request)
            })
        }
        "GetShardIterator" => {
            let arn = text(&request, "StreamArn")?;
            with_stream(states, database, location, arn, |_, state, stream| {
                iterator(arn, state, stream, now, &request)
            })
        }
        _ => {
            let iterator = ShardIterator::parse(text(&request, "ShardIterator")?)
                .ok_or_else(|| validation_error("Invalid ShardIterator"))?;
            if now.saturating_sub(iterator.issued_at) > ITERATOR_LIFETIME {
                let message =
                    "Iterator expired. The iterator was created more than 15 minutes ago.";
                return Err(error("ExpiredIteratorException", message));
            }
            let arn = iterator.stream_arn.clone();
            let limit = request["Limit"].as_u64().map(usize::try_from);
            let limit = limit.and_then(Result::ok).unwrap_or(MAX_RECORDS).max(1);
            let limit = limit.min(max_records);
            with_stream(states, database, location, &arn, |_, state, stream| {
                records(iterator, location, state, stream, now, limit)
            })
        }
    };
    response.map(|response| to_bytes(&response))
}

fn with_stream(
    states: &TableStates,
    database: &Database,
    location: &AccountRegion,
    arn: &str,
    perform: impl FnOnce(&str, &TableState, &Stream) -> Result<Value, ErrorResponse>,
) -> Result<Value, ErrorResponse> {
    let missing = || {
        let message = format!("Requested resource not found: Stream: {arn} not found");
        error("ResourceNotFoundException", &message)
    };
    let table = super::arns::table_in_arn(arn).ok_or_else(missing)?;
    let state = states.of(location, table);
    let mut state = state.lock();
    // A stream that was enabled again has a new label, and thereby another ARN.
    let find = |state: &TableState| {
        let mut streams = state.stream.iter().chain(&state.ended_streams);
        streams
            .find(|stream| stream.arn(location, table) == arn)
            .cloned()
    };
    let stream = find(&state).ok_or_else(missing)?;
    // The engine records changes by itself. They are read when a client asks, under the table's lock.
    // After the check: a table without a stream may not exist in the engine.
    if stream.ended.is_none() {
        state.changes.refresh(database, table)?;
    }
    perform(table, &state, &stream)
}

fn list(states: &TableStates, location: &AccountRegion, request: &Value) -> Value {
    let wanted = request["TableName"].as_str();
    let streams = states
        .all(location)
        .into_iter()
        .filter_map(|(table, state)| {
            // `all` has returned, so the map of states is not locked here.
            let state = state.lock();
            let stream = state.stream.as_ref()?;
            wanted.is_none_or(|wanted| wanted == table).then(|| {
                json!({
                    "StreamArn": stream.arn(location, &table),
                    "TableName": table,
                    "StreamLabel": stream.label,
                })
            })
        });
    json!({ "Streams": streams.collect::<Vec<_>>() })
}

fn describe(
    database: &Database,
    location: &AccountRegion,
    table: &str,
    state: &TableState,
    stream: &Stream,
    now: u64,
    request: &Value,
) -> Result<Value, ErrorResponse> {
    let described = execute(
        database,
        "DescribeTable",
        &to_bytes(&json!({ "TableName": table })),
    )?;
    let described: Value = serde_json::from_slice(&described).unwrap_or_default();
    let changes = stream.changes(state, stream.after);
    let start = request["ExclusiveStartShardId"].as_str();
    let limit = request["Limit"]
        .as_u64()
        .and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(MAX_SHARDS).clamp(1, MAX_SHARDS);
    let mut shards: Vec<Value> = stream
        .shards(now)
        .filter(|&shard| start.is_none_or(|start| *stream.shard_id(shard) > *start))
        .map(|shard| {
            let mut own = changes.iter().filter(|it| stream.shard_of(it) == shard);
            let first = own
                .next()
                .map_or(stream.after + 1, |change| change.sequence);
            // `first` is taken already, so the iterator has nothing left for a shard with one
            // record.
            let last = own.next_back().map_or(first, |change| change.sequence);
            let mut range = json!({ "StartingSequenceNumber": format_sequence(first) });
            if stream.is_closed(shard, now) {
                range["EndingSequenceNumber"] = format_sequence(last).into();
            }
            let mut description =
                json!({ "ShardId": stream.shard_id(shard), "SequenceNumberRange": range });
            // The parent is named even if its records are trimmed and it is not listed.
            if let Some(generation) = shard.generation.checked_sub(1) {
                let parent = Shard {
                    generation,
                    ..shard
                };
                description["ParentShardId"] = stream.shard_id(parent).into();
            }
            description
        })
        .collect();
    let more = shards.len() > limit;
    shards.truncate(limit);
    let mut description = json!({
        "StreamArn": stream.arn(location, table),
        "StreamLabel": stream.label,
        "StreamStatus": match stream.ended {
            Some(_) => "DISABLED",
            None => "ENABLED",
        },
        "StreamViewType": stream.view_type,
        "CreationRequestDateTime": stream.enabled_at,
        "TableName": table,
        "KeySchema": described["Table"]["KeySchema"],
    });
    if more && let Some(last) = shards.last() {
        description["LastEvaluatedShardId"] = last["ShardId"].clone();
    }
    description["Shards"] = shards.into();
    Ok(json!({ "StreamDescription": description }))
}

fn iterator(
    arn: &str,
    state: &TableState,
    stream: &Stream,
    now: u64,
    request: &Value,
) -> Result<Value, ErrorResponse> {
    let shard = text(request, "ShardId")?;
    if !stream
        .shards(now)
        .any(|known| stream.shard_id(known) == shard)
    {
        let message = format!("Requested resource not found: Shard does not exist: {shard}");
        return Err(error("ResourceNotFoundException", &message));
    }
    let sequence = || {
        let number = text(request, "SequenceNumber")?;
        parse_sequence(number).ok_or_else(|| validation_error("Invalid SequenceNumber"))
    };
    let (position, is_exact) = match text(request, "ShardIteratorType")? {
        "TRIM_HORIZON" => (stream.after, false),
        "LATEST" => (state.changes.last(), false),
        "AT_SEQUENCE_NUMBER" => (sequence()? - 1, true),
        "AFTER_SEQUENCE_NUMBER" => (sequence()?, true),
        other => {
            return Err(validation_error(format!(
                "Invalid ShardIteratorType: {other}"
            )));
        }
    };
    let iterator = ShardIterator {
        stream_arn: arn.to_owned(),
        shard: shard.to_owned(),
        // The log also has the changes that were recorded before the stream was enabled.
        position: position.max(stream.after),
        is_exact,
        issued_at: now,
    };
    Ok(json!({ "ShardIterator": iterator.to_text() }))
}

fn records(
    mut iterator: ShardIterator,
    location: &AccountRegion,
    state: &TableState,
    stream: &Stream,
    now: u64,
    limit: usize,
) -> Result<Value, ErrorResponse> {
    let known = stream.shards(now);
    let mut known = known.filter(|&shard| stream.shard_id(shard) == iterator.shard);
    let Some(shard) = known.next() else {
        let message = "The operation attempted to read past the oldest stream record in a shard.";
        return Err(error("TrimmedDataAccessException", message));
    };
    let mut records: Vec<Value> = Vec::new();
    let mut bytes = 0;
    let mut is_at_end = true;
    for change in stream.changes(state, iterator.position) {
        // One log has the changes of all shards. The position skips those of the others.
        if stream.shard_of(change) != shard {
            continue;
        }
        if change.at + RETENTION < now {
            if iterator.is_exact {
                let message = "The operation attempted to read past the oldest stream record in a \
                               shard.";
                return Err(error("TrimmedDataAccessException", message));
            }
            continue;
        }
        let mut record = stream.record(change);
        bytes += record["dynamodb"]["SizeBytes"].as_u64().unwrap_or_default();
        // A record that is too large on its own cannot exist: an item has at most 400 KB.
        if records.len() == limit || bytes > MAX_BYTES {
            is_at_end = false;
            break;
        }
        iterator.position = change.sequence;
        record["awsRegion"] = location.region.clone().into();
        records.push(record);
    }
    let mut response = json!({ "Records": records });
    if !(is_at_end && stream.is_closed(shard, now)) {
        iterator.issued_at = now;
        // A reader that falls behind by a day gets an error, because it has missed records.
        iterator.is_exact = true;
        response["NextShardIterator"] = iterator.to_text().into();
    }
    Ok(response)
}

impl ShardIterator {
    fn to_text(&self) -> String {
        let Self {
            stream_arn,
            shard,
            position,
            is_exact,
            issued_at,
        } = self;
        let is_exact = u8::from(*is_exact);
        format!("{stream_arn}|{shard}|{position}|{is_exact}|{issued_at}")
    }

    fn parse(text: &str) -> Option<Self> {
        let [stream_arn, shard, position, is_exact, issued_at] =
            text.split('|').collect::<Vec<_>>().try_into().ok()?;
        Some(Self {
            stream_arn: stream_arn.to_owned(),
            shard: shard.to_owned(),
            position: position.parse().ok()?,
            is_exact: is_exact == "1",
            issued_at: issued_at.parse().ok()?,
        })
    }
}

fn text<'a>(request: &'a Value, name: &str) -> Result<&'a str, ErrorResponse> {
    request[name]
        .as_str()
        .ok_or_else(|| validation_error(format!("{name} is required")))
}

fn error(code: &str, message: &str) -> ErrorResponse {
    ErrorResponse::new(400, code, message)
}
