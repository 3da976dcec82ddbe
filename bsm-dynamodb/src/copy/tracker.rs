//! The pages that are on their way, and the segments' positions behind them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::checkpoint::{Record, ScanPosition, SegmentState};

/// Follows pages on their way, and advances a segment's position over those that are stored.
///
/// Writers finish in any order; a position advances only when every page before it is stored.
pub(super) struct Tracker(Mutex<State>);

struct State {
    segments: Vec<Segment>,
    done: u32,
    /// The segments that have advanced since the checkpoint was last written.
    advanced: BTreeSet<u32>,
}

#[derive(Default)]
struct Segment {
    state: SegmentState,
    /// The number of the first page that is on its way.
    first_page: u64,
    /// The pages that are not stored yet, or follow one that is not.
    pages: VecDeque<PageInFlight>,
}

struct PageInFlight {
    end: ScanPosition,
    items: u64,
    batches_left: usize,
    written: u64,
}

impl Tracker {
    pub(super) fn new(segments: Vec<SegmentState>) -> Self {
        let done = segments
            .iter()
            .filter(|state| state.position == ScanPosition::End);
        let done = u32::try_from(done.count()).unwrap_or(u32::MAX);
        let segments = segments.into_iter().map(|state| Segment {
            state,
            ..Segment::default()
        });
        Self(Mutex::new(State {
            segments: segments.collect(),
            done,
            advanced: BTreeSet::new(),
        }))
    }

    /// Returns the number of segments.
    pub(super) fn segments(&self) -> u32 {
        u32::try_from(self.lock().segments.len()).unwrap_or(u32::MAX)
    }

    /// Returns the number of segments that are stored to their end, and the number of all segments.
    pub(super) fn done(&self) -> (u32, u32) {
        let segments = self.segments();
        (self.lock().done, segments)
    }

    /// Returns where the first page of a segment begins.
    pub(super) fn position(&self, segment: u32) -> ScanPosition {
        let state = self.lock();
        state.segments[segment as usize].state.position.clone()
    }

    /// Notes a page that was read and is written in `batches` batches; returns its number.
    pub(super) fn page_read(
        &self,
        segment: u32,
        end: ScanPosition,
        items: u64,
        batches: usize,
    ) -> u64 {
        let mut state = self.lock();
        let pages = &mut state.segments[segment as usize];
        let number = pages.first_page + pages.pages.len() as u64;
        pages.pages.push_back(PageInFlight {
            end,
            items,
            batches_left: batches,
            written: 0,
        });
        // A page whose items were all filtered out has no batch that would advance it later.
        state.advance(segment);
        number
    }

    /// Notes that a batch of a page is stored, and how many of its items were written.
    pub(super) fn batch_stored(&self, segment: u32, page: u64, written: u64) {
        let mut state = self.lock();
        let pages = &mut state.segments[segment as usize];
        // The queue begins at `first_page`: pages before it are stored, and gone.
        let index = page.checked_sub(pages.first_page);
        let index = index.and_then(|index| usize::try_from(index).ok());
        if let Some(page) = index.and_then(|index| pages.pages.get_mut(index)) {
            page.batches_left = page.batches_left.saturating_sub(1);
            page.written += written;
        }
        state.advance(segment);
    }

    /// Returns the records of the segments that have advanced since the last call.
    pub(super) fn take_records(&self) -> Vec<Record> {
        let mut state = self.lock();
        let advanced = std::mem::take(&mut state.advanced).into_iter();
        advanced
            // The latest state only: a segment that has advanced by several pages needs one record.
            .map(|number| Record::segment(number, &state.segments[number as usize].state))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No method leaves the state half changed, so a panic elsewhere does not make it wrong.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn advance(&mut self, number: u32) {
        let Segment {
            state,
            first_page,
            pages,
        } = &mut self.segments[number as usize];
        while let Some(page) = pages.pop_front_if(|page| page.batches_left == 0) {
            *first_page += 1;
            self.done += u32::from(page.end == ScanPosition::End);
            state.position = page.end;
            state.stored = state.stored.saturating_add(page.items);
            state.written = state.written.saturating_add(page.written);
            self.advanced.insert(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;
    use crate::codec::Item;

    fn tracker(segments: usize) -> Tracker {
        Tracker::new(vec![SegmentState::default(); segments])
    }

    fn after(id: &str) -> ScanPosition {
        let id = AttributeValue::S(id.to_owned());
        ScanPosition::After(Item::from([("id".to_owned(), id)]))
    }

    fn stored(tracker: &Tracker, segment: usize) -> String {
        let state = tracker.lock();
        let SegmentState {
            position,
            stored,
            written,
        } = &state.segments[segment].state;
        match position {
            ScanPosition::Start => format!("start {stored} {written}"),
            ScanPosition::After(key) => {
                format!("{} {stored} {written}", key["id"].as_s().unwrap())
            }
            ScanPosition::End => format!("end {stored} {written}"),
        }
    }

    #[test]
    fn a_position_moves_only_when_every_page_before_it_is_stored() {
        let tracker = tracker(2);
        assert!(tracker.take_records().is_empty());
        let first = tracker.page_read(0, after("a"), 30, 2);
        let second = tracker.page_read(0, after("b"), 25, 1);
        let empty = tracker.page_read(0, ScanPosition::End, 0, 0);
        assert_eq!((first, second, empty), (0, 1, 2));

        tracker.batch_stored(0, second, 25);
        tracker.batch_stored(0, first, 25);
        assert_eq!(stored(&tracker, 0), "start 0 0");
        assert!(tracker.take_records().is_empty());
        tracker.batch_stored(0, first, 3);
        assert_eq!(stored(&tracker, 0), "end 55 53");
        assert_eq!(stored(&tracker, 1), "start 0 0");
        assert_eq!(tracker.done(), (1, 2));
        // Three pages, and one record.
        assert_eq!(tracker.take_records().len(), 1);
        assert!(tracker.take_records().is_empty());
    }

    #[test]
    fn a_page_without_writes_is_stored_at_once() {
        let tracker = tracker(1);
        tracker.page_read(0, after("a"), 3, 0);
        assert_eq!(stored(&tracker, 0), "a 3 0");
    }
}
