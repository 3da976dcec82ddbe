//! The comparison of two tables.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::checkpoint::ScanPosition;
use super::compare::same_wire_item;
use super::job::{CopyJob, finds_extra_items};
use super::options::CopyPolicy;
use super::scan::SegmentScan;
use super::supervisor::Supervisor;
use super::tracker::Tracker;
use crate::batch::MAX_KEYS;
use crate::codec::Item;
use crate::error::{Error, ErrorKind};
use crate::wire::item::WireItem;

/// The keys of each kind that a report names: enough to see what is wrong, and little memory, however
/// much the tables differ.
const NAMED: usize = 1_000;

/// The result of comparing two tables; see [`CopyTable::compare`](crate::CopyTable::compare).
#[derive(Clone, Debug, Default)]
#[must_use = "the tables may differ"]
pub struct Verification {
    compared: u64,
    missing: ReportedKeys,
    different: ReportedKeys,
    extra: Option<ReportedKeys>,
}

impl Verification {
    /// Returns `true` if the target has every item that it should have, and no other that was found.
    pub fn is_identical(&self) -> bool {
        self.is_complete() && self.extra.as_ref().is_none_or(ReportedKeys::is_empty)
    }

    /// Returns `true` if the target has every item that it should have. It may have more.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty()
    }

    /// Returns `true` if the target is as a copy with this policy leaves it.
    pub(super) fn satisfies(&self, policy: CopyPolicy) -> bool {
        match policy {
            CopyPolicy::FailIfNotEmpty => self.is_identical(),
            // The target may have had other items before.
            CopyPolicy::Overwrite => self.is_complete(),
            // It may have had other items with the same keys.
            CopyPolicy::SkipExisting => self.missing.is_empty(),
        }
    }

    /// Returns the number of items looked up in the target.
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// Returns the keys of items that the target does not have.
    pub fn missing(&self) -> &ReportedKeys {
        &self.missing
    }

    /// Returns the keys of items whose attributes differ in the target.
    pub fn different(&self) -> &ReportedKeys {
        &self.different
    }

    /// Returns the keys of items that only the target has.
    ///
    /// `None` if there is a transform: which item of the source an item comes from is unknown then.
    pub fn extra(&self) -> Option<&ReportedKeys> {
        self.extra.as_ref()
    }
}

/// Keys that a comparison reports: their number, and the first thousand of them.
#[derive(Clone, Default)]
pub struct ReportedKeys {
    count: u64,
    named: Vec<Item>,
}

impl ReportedKeys {
    /// Returns the number of keys.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns `true` if there are none.
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

/// Shows the number of keys, and no values.
impl fmt::Debug for ReportedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ReportedKeys");
        debug.field("count", &self.count).finish_non_exhaustive()
    }
}

type Findings = Arc<Mutex<Verification>>;

/// Looks up the items of the source in the target, then those of the target in the source.
pub(super) async fn run(
    job: &Arc<CopyJob>,
    tracker: &Tracker,
    supervisor: &mut Supervisor,
) -> Result<Verification, Error> {
    let segments = tracker.segments();
    let looks_for_extra = finds_extra_items(&job.options);
    let findings = Findings::new(Mutex::new(Verification {
        extra: looks_for_extra.then(ReportedKeys::default),
        ..Verification::default()
    }));
    let mut directions = vec![Direction::SourceInTarget];
    directions.extend(looks_for_extra.then_some(Direction::TargetInSource));
    for direction in directions {
        // A comparison reads every segment, including those that earlier runs have copied.
        job.rewind();
        let mut tasks = JoinSet::new();
        for _ in 0..job.options.read_concurrency {
            let (job, findings) = (Arc::clone(job), Arc::clone(&findings));
            tasks.spawn(compare_segments(job, findings, direction, segments));
        }
        supervisor.run(tasks).await?;
    }
    let findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(findings.clone())
}

#[derive(Clone, Copy)]
enum Direction {
    SourceInTarget,
    TargetInSource,
}

async fn compare_segments(
    job: Arc<CopyJob>,
    findings: Findings,
    direction: Direction,
    segments: u32,
) -> Result<(), Error> {
    let (table, limit) = match direction {
        Direction::SourceInTarget => (&job.source, &job.source_reads),
        Direction::TargetInSource => (&job.target, &job.target_reads),
    };
    while let Some(segment) = job.next_segment(segments) {
        let scan = SegmentScan {
            table,
            limit: limit.as_ref(),
            segment: (segment, segments),
            // Eventually consistent reads would show the latest writes of the copy as differences.
            consistent: true,
            // The attributes were compared in the other direction; this one looks for extra keys.
            keys_only: matches!(direction, Direction::TargetInSource),
        };
        let mut position = ScanPosition::Start;
        while !job.is_stopping() && position != ScanPosition::End {
            let page = job.page(&scan, &position).await?;
            position = page.end;
            match direction {
                Direction::SourceInTarget => job.find_in_target(page.items, &findings).await?,
                Direction::TargetInSource => job.find_in_source(page.items, &findings).await?,
            }
        }
    }
    Ok(())
}

impl CopyJob {
    /// Looks in the target for the items that it should have.
    async fn find_in_target(&self, items: Vec<WireItem>, findings: &Findings) -> Result<(), Error> {
        let scanned = items.len() as u64;
        let names: Vec<_> = self.key.names().collect();
        // By key: if a transform gives two items one key, the last one is in the target.
        let mut wanted = HashMap::new();
        for item in items {
            if let Some(expected) = self.expected(item, &names)? {
                let key = self.key.values_in(&expected.attributes).map_err(|name| {
                    let error = self.source.error(
                        ErrorKind::InvalidItem,
                        "an item cannot be looked up in the target",
                    );
                    error.with_source(self.missing_key(name))
                })?;
                wanted.insert(key, expected);
            }
        }
        let mut wanted: Vec<_> = wanted.into_iter().collect();
        while !wanted.is_empty() {
            let mut chunk: HashMap<_, _> = wanted
                // From the end, so that no other entry is moved.
                .drain(wanted.len().saturating_sub(MAX_KEYS)..)
                .collect();
            let keys = chunk.values();
            let keys = keys.map(|wanted| self.key.attributes_of(&wanted.attributes));
            let limit = self.target_reads.as_ref();
            let found = self.look_up(&self.target, limit, keys.collect(), false);
            let found = found.await?;
            // Locked after the request: the guard of a `std` mutex must not be held across an await.
            let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
            findings.compared += chunk.len() as u64;
            for item in found {
                let key = self.target.key_attributes(&item, &self.key)?;
                let wanted = self.key.values_in(&key).ok();
                let wanted = wanted.and_then(|key| chunk.remove(&key));
                if wanted.is_some_and(|wanted| !same_wire_item(&wanted.item, &item)) {
                    findings.different.add(key);
                }
            }
            for wanted in chunk.into_values() {
                let key = self.key.attributes_of(&wanted.attributes);
                findings.missing.add(key);
            }
        }
        // What was read, not what was looked up: filtered items also count towards the size of the source.
        self.counters.count(|counts| counts.compared += scanned);
        Ok(())
    }

    /// Looks in the source for the items that the target has.
    async fn find_in_source(&self, items: Vec<WireItem>, findings: &Findings) -> Result<(), Error> {
        let keys = items.iter();
        let keys = keys.map(|item| self.target.key_attributes(item, &self.key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let names: Vec<_> = self.key.names().collect();
        // A filter needs the whole item.
        let keys_only = self.options.filter.is_none();
        for keys in keys.chunks(MAX_KEYS) {
            let mut left: HashMap<_, _> = keys
                .iter()
                .filter_map(|key| Some((self.key.values_in(key).ok()?, key)))
                .collect();
            let limit = self.source_reads.as_ref();
            let found = self.look_up(&self.source, limit, keys.to_vec(), keys_only);
            let found = found.await?;
            let looked_back = keys.len() as u64;
            self.counters
                .count(|counts| counts.looked_back += looked_back);
            for item in found {
                // An item that the filter leaves out counts as extra in the target, although the source has it.
                if let Some(expected) = self.expected(item, &names)?
                    && let Ok(key) = self.key.values_in(&expected.attributes)
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
