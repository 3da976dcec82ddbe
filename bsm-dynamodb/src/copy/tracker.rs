//! Which pages are stored.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::checkpoint::{Checkpoint, Position};

/// Follows pages on their way, and moves a segment's position over those that are stored.
///
/// Writers finish in any order; a position moves only when every page before it is stored.
pub(super) struct Tracker(Mutex<State>);

struct State {
    checkpoint: Checkpoint,
    under_way: Vec<UnderWay>,
    is_changed: bool,
}

/// The pages of a segment that are not stored yet, or follow one that is not.
#[derive(Default)]
struct UnderWay {
    first: u64,
    pages: VecDeque<Page>,
}

struct Page {
    after: Position,
    items: u64,
    batches_left: usize,
}

impl Tracker {
    pub(super) fn new(checkpoint: Checkpoint) -> Self {
        let under_way = checkpoint
            .segments
            .iter()
            .map(|_| UnderWay::default())
            .collect();
        Self(Mutex::new(State {
            checkpoint,
            under_way,
            is_changed: true,
        }))
    }

    /// Returns how many segments there are.
    pub(super) fn segments(&self) -> u32 {
        u32::try_from(self.lock().checkpoint.segments.len()).unwrap_or(u32::MAX)
    }

    /// Returns how many segments are stored to their end, and of how many.
    pub(super) fn done(&self) -> (u32, u32) {
        let state = self.lock();
        let segments = &state.checkpoint.segments;
        let done = segments
            .iter()
            .filter(|segment| matches!(segment.position, Position::End));
        let count = |n| u32::try_from(n).unwrap_or(u32::MAX);
        (count(done.count()), count(segments.len()))
    }

    /// Returns where to begin to read a segment.
    pub(super) fn position(&self, segment: u32) -> Position {
        self.lock().checkpoint.segments[segment as usize]
            .position
            .clone()
    }

    /// Notes that a page was read and is going to be written in so many batches; returns its number.
    pub(super) fn page_read(
        &self,
        segment: u32,
        after: Position,
        items: u64,
        batches: usize,
    ) -> u64 {
        let mut state = self.lock();
        let under_way = &mut state.under_way[segment as usize];
        let number = under_way.first + under_way.pages.len() as u64;
        under_way.pages.push_back(Page {
            after,
            items,
            batches_left: batches,
        });
        state.advance(segment);
        number
    }

    /// Notes that a batch of a page is stored.
    pub(super) fn batch_stored(&self, segment: u32, page: u64) {
        let mut state = self.lock();
        let under_way = &mut state.under_way[segment as usize];
        let place = page.checked_sub(under_way.first);
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(page) = place.and_then(|place| under_way.pages.get_mut(place)) {
            page.batches_left = page.batches_left.saturating_sub(1);
        }
        state.advance(segment);
    }

    /// Returns the checkpoint, if it has changed since this was last asked.
    pub(super) fn changed(&self) -> Option<Checkpoint> {
        let mut state = self.lock();
        std::mem::take(&mut state.is_changed).then(|| state.checkpoint.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn advance(&mut self, segment: u32) {
        let under_way = &mut self.under_way[segment as usize];
        let stored = &mut self.checkpoint.segments[segment as usize];
        while let Some(page) = under_way.pages.pop_front_if(|page| page.batches_left == 0) {
            under_way.first += 1;
            stored.position = page.after;
            stored.stored += page.items;
            self.is_changed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;
    use crate::codec::Item;
    use crate::copy::checkpoint::{TableIdentity, Target};

    fn tracker(segments: u32) -> Tracker {
        let identity = TableIdentity::default();
        let target = Target::Existing(identity.clone());
        Tracker::new(Checkpoint::new(identity, target, segments))
    }

    fn after(id: &str) -> Position {
        let id = AttributeValue::S(id.to_owned());
        Position::After(Item::from([("id".to_owned(), id)]))
    }

    fn stored(tracker: &Tracker, segment: usize) -> String {
        let state = tracker.lock();
        let stored = &state.checkpoint.segments[segment];
        match &stored.position {
            Position::Start => format!("start {}", stored.stored),
            Position::After(key) => format!("{} {}", key["id"].as_s().unwrap(), stored.stored),
            Position::End => format!("end {}", stored.stored),
        }
    }

    #[test]
    fn a_position_moves_only_when_every_page_before_it_is_stored() {
        let tracker = tracker(2);
        assert!(tracker.changed().is_some() && tracker.changed().is_none());
        let first = tracker.page_read(0, after("a"), 30, 2);
        let second = tracker.page_read(0, after("b"), 25, 1);
        let empty = tracker.page_read(0, Position::End, 0, 0);
        assert_eq!((first, second, empty), (0, 1, 2));

        tracker.batch_stored(0, second);
        tracker.batch_stored(0, first);
        assert_eq!(stored(&tracker, 0), "start 0");
        assert!(tracker.changed().is_none());
        tracker.batch_stored(0, first);
        assert_eq!(stored(&tracker, 0), "end 55");
        assert_eq!(stored(&tracker, 1), "start 0");
        assert_eq!(tracker.done(), (1, 2));
        assert!(tracker.changed().is_some());
    }

    #[test]
    fn a_page_without_writes_is_stored_at_once() {
        let tracker = tracker(1);
        tracker.page_read(0, after("a"), 3, 0);
        assert_eq!(stored(&tracker, 0), "a 3");
    }
}
