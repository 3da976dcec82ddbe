//! Comparing two tables.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::Settings;
use super::checkpoint::Position;
use super::compare::same_item;
use super::engine::Engine;
use super::read::{MAX_KEYS, Part};
use super::supervise::Supervisor;
use super::tracker::Tracker;
use crate::codec::Item;
use crate::error::{Error, ErrorKind};

/// How many keys of each sort a report names.
const NAMED: usize = 1_000;

/// What the comparison of two tables found; see [`CopyTable::compare`](crate::CopyTable::compare).
#[derive(Clone, Debug, Default)]
#[must_use = "it may say that the tables differ"]
pub struct Verification {
    compared: u64,
    missing: ReportedKeys,
    different: ReportedKeys,
    extra: Option<ReportedKeys>,
}

impl Verification {
    /// Says whether the target has what it should have, and nothing else that is known of.
    pub fn is_identical(&self) -> bool {
        self.is_complete() && self.extra.as_ref().is_none_or(ReportedKeys::is_empty)
    }

    /// Says whether the target has every item that it should have; it may have more.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty()
    }

    /// Returns how many items were looked up in the target.
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// Returns the keys of items that the target does not have.
    pub fn missing(&self) -> &ReportedKeys {
        &self.missing
    }

    /// Returns the keys of items that the target has with other attributes.
    pub fn different(&self) -> &ReportedKeys {
        &self.different
    }

    /// Returns the keys of items that only the target has.
    ///
    /// `None` if there is a transform, because nobody can tell what an item was before.
    pub fn extra(&self) -> Option<&ReportedKeys> {
        self.extra.as_ref()
    }
}

/// Keys that a comparison reports: how many there are, and the first thousand of them.
#[derive(Clone, Default)]
pub struct ReportedKeys {
    count: u64,
    named: Vec<Item>,
}

impl ReportedKeys {
    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the keys, at most a thousand of them.
    pub fn keys(&self) -> &[Item] {
        &self.named
    }

    fn add(&mut self, key: Item) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(key);
        }
    }
}

/// Shows how many keys there are, and no values.
impl fmt::Debug for ReportedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ReportedKeys");
        debug.field("count", &self.count).finish_non_exhaustive()
    }
}

type Findings = Arc<Mutex<Verification>>;

/// Looks up the items of the source in the target, then those of the target in the source.
pub(super) async fn run(
    engine: &Arc<Engine>,
    tracker: &Tracker,
    supervisor: &mut Supervisor,
) -> Result<Verification, Error> {
    let segments = tracker.segments();
    let looks_for_extra = looks_back(&engine.settings);
    let findings = Findings::new(Mutex::new(Verification {
        extra: looks_for_extra.then(ReportedKeys::default),
        ..Verification::default()
    }));
    let mut directions = vec![Direction::SourceInTarget];
    directions.extend(looks_for_extra.then_some(Direction::TargetInSource));
    for direction in directions {
        engine.rewind();
        let mut tasks = JoinSet::new();
        for _ in 0..engine.settings.read_concurrency {
            let (engine, findings) = (Arc::clone(engine), Arc::clone(&findings));
            tasks.spawn(compare_segments(engine, findings, direction, segments));
        }
        supervisor.run(tasks).await?;
    }
    let findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(findings.clone())
}

/// Says whether the items of the target are looked up in the source: nobody can tell what an item
/// was before a transform.
pub(super) fn looks_back(settings: &Settings) -> bool {
    settings.transform.is_none()
}

#[derive(Clone, Copy)]
enum Direction {
    SourceInTarget,
    TargetInSource,
}

async fn compare_segments(
    engine: Arc<Engine>,
    findings: Findings,
    direction: Direction,
    segments: u32,
) -> Result<(), Error> {
    let (side, limit) = match direction {
        Direction::SourceInTarget => (&engine.source, &engine.source_reads),
        Direction::TargetInSource => (&engine.target, &engine.target_reads),
    };
    while let Some(segment) = engine.next_segment(segments) {
        let part = Part {
            side,
            limit: limit.as_ref(),
            segment: (segment, segments),
            consistent: true,
            keys_only: matches!(direction, Direction::TargetInSource),
        };
        let mut position = Position::Start;
        while !engine.is_stopping() && !matches!(position, Position::End) {
            let page = engine.page(&part, &position).await?;
            position = page.next;
            match direction {
                Direction::SourceInTarget => engine.find_in_target(page.items, &findings).await?,
                Direction::TargetInSource => engine.find_in_source(page.items, &findings).await?,
            }
        }
    }
    Ok(())
}

impl Engine {
    /// Looks for what should be in the target, and is not, or is something else.
    async fn find_in_target(&self, items: Vec<Item>, findings: &Findings) -> Result<(), Error> {
        let scanned = items.len() as u64;
        let mut wanted = HashMap::new();
        for item in items {
            if let Some(item) = self.expected(item)? {
                let key = self.key.values_in(&item).map_err(|name| {
                    let error = self.source.error(
                        ErrorKind::InvalidItem,
                        "an item cannot be looked up in the table to copy to",
                    );
                    error.with_source(self.no_key(name))
                })?;
                wanted.insert(key, item);
            }
        }
        let mut wanted: Vec<_> = wanted.into_iter().collect();
        while !wanted.is_empty() {
            let mut chunk: HashMap<_, _> = wanted
                .drain(wanted.len().saturating_sub(MAX_KEYS)..)
                .collect();
            let keys = chunk.values().map(|item| self.key.attributes_of(item));
            let limit = self.target_reads.as_ref();
            let found = self.look_up(&self.target, limit, keys.collect(), false);
            let found = found.await?;
            let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
            findings.compared += chunk.len() as u64;
            for item in found {
                let wanted = self.key.values_in(&item).ok();
                let wanted = wanted.and_then(|key| chunk.remove(&key));
                if wanted.is_some_and(|wanted| !same_item(&wanted, &item)) {
                    findings.different.add(self.key.attributes_of(&item));
                }
            }
            for item in chunk.into_values() {
                findings.missing.add(self.key.attributes_of(&item));
            }
        }
        self.statistics.count(|counts| counts.compared += scanned);
        Ok(())
    }

    /// Looks for what is in the target and should not be.
    async fn find_in_source(&self, keys: Vec<Item>, findings: &Findings) -> Result<(), Error> {
        // A filter has to see the whole item.
        let keys_only = self.settings.filter.is_none();
        for keys in keys.chunks(MAX_KEYS) {
            let mut left: HashMap<_, _> = keys
                .iter()
                .filter_map(|key| Some((self.key.values_in(key).ok()?, key)))
                .collect();
            let limit = self.source_reads.as_ref();
            let found = self.look_up(&self.source, limit, keys.to_vec(), keys_only);
            let found = found.await?;
            let looked_back = keys.len() as u64;
            self.statistics
                .count(|counts| counts.looked_back += looked_back);
            for item in found {
                if let Ok(key) = self.key.values_in(&item)
                    && self.expected(item)?.is_some()
                {
                    left.remove(&key);
                }
            }
            let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(extra) = &mut findings.extra {
                left.into_values().cloned().for_each(|key| extra.add(key));
            }
        }
        Ok(())
    }
}
