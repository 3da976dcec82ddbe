//! The changes of a table, as the engine records them while its stream is on.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use dynoxide::Database;
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::encode_shard_iterator;
use dynoxide::streams::shard_id;
use serde_json::Value;

use super::engine::engine_error;
use crate::response::ErrorResponse;

/// The difference between the engine's numbers and the 21 digits that it shows to clients.
const SEQUENCE_NUMBER_OFFSET: i128 = 100_000_000_000_000_000_000;

/// The engine's page size.
const PAGE: usize = 1_000;

/// A change of one item.
#[derive(Debug)]
pub(super) struct Change {
    /// The position in the log. Numbers increase, with gaps.
    pub(super) sequence: i64,
    /// The time of the write, in seconds since the Unix epoch.
    pub(super) at: u64,
    /// A hash of the item's key, for what is divided by keys.
    pub(super) key_hash: u64,
    pub(super) record: Record,
}

/// All changes of a table that the engine has recorded, oldest first.
///
/// The engine keeps them in its database. This copy saves reading them again for every request.
#[derive(Debug, Default)]
pub(super) struct ChangeLog(Vec<Change>);

impl ChangeLog {
    /// Reads the changes since the last call.
    pub(super) fn refresh(
        &mut self,
        database: &Database,
        table: &str,
    ) -> Result<(), ErrorResponse> {
        loop {
            let request = GetRecordsRequest {
                shard_iterator: encode_shard_iterator(table, &shard_id(table), self.last()),
                limit: Some(PAGE),
            };
            let response = database.get_records(request).map_err(engine_error)?;
            // A full page may be the last one. The next, empty one ends the loop then.
            let is_last = response.records.len() < PAGE;
            self.0.extend(response.records.into_iter().map(Change::new));
            if is_last {
                return Ok(());
            }
        }
    }

    /// Returns the number of the last change, or 0.
    pub(super) fn last(&self) -> i64 {
        self.0.last().map_or(0, |change| change.sequence)
    }

    /// Returns the changes behind a position.
    pub(super) fn after(&self, sequence: i64) -> &[Change] {
        &self.0[self.0.partition_point(|change| change.sequence <= sequence)..]
    }
}

impl Change {
    fn new(record: Record) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the engine records whole seconds since the epoch"
        )]
        let at = record.dynamodb.approximate_creation_date_time as u64;
        Self {
            // The engine formats these numbers itself, so they can be parsed.
            sequence: parse_sequence(&record.dynamodb.sequence_number).unwrap_or_default(),
            at,
            key_hash: hash_of(&serde_json::to_value(&record.dynamodb.keys).unwrap_or_default()),
            record,
        }
    }
}

/// Hashes the JSON of a key.
pub(super) fn hash_of(key: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.to_string().hash(&mut hasher);
    hasher.finish()
}

/// Parses a sequence number as clients see it.
pub(super) fn parse_sequence(public: &str) -> Option<i64> {
    i64::try_from(public.parse::<i128>().ok()? - SEQUENCE_NUMBER_OFFSET).ok()
}

/// Formats a sequence number as clients see it.
pub(super) fn format_sequence(sequence: i64) -> String {
    (SEQUENCE_NUMBER_OFFSET + i128::from(sequence)).to_string()
}
