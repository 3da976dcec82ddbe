//! The progress of a copy, and the counters behind it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The phases of a copy; `Display` names what the copy is doing: `copying`, `comparing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CopyPhase {
    /// Items are being copied.
    Copying,
    /// The tables are being compared.
    Verifying,
}

impl fmt::Display for CopyPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` instead of `write_str`, so that a progress line can align it.
        f.pad(match self {
            Self::Copying => "copying",
            Self::Verifying => "comparing",
        })
    }
}

/// The progress of a copy, and the capacity that it has consumed.
///
/// The counts are those of this run. A resumed copy adds the earlier runs in
/// [`position`](Self::position) and [`total_written`](Self::total_written) only. When a copy ends,
/// `scanned` is the sum of `filtered`, `merged`, `written` and `skipped`, except in a dry run, which
/// writes nothing.
#[derive(Clone, Debug)]
pub struct CopyProgress {
    counts: Counts,
    phase: CopyPhase,
    /// Whether a comparison also looks up the items of the target in the source.
    finds_extra_items: bool,
    elapsed: Duration,
    earlier: PreviousRuns,
    expected: Option<u64>,
    segments: (u32, u32),
}

impl CopyProgress {
    /// Returns what the copy is doing.
    pub fn phase(&self) -> CopyPhase {
        self.phase
    }

    /// Returns the number of items read from the source.
    pub fn scanned(&self) -> u64 {
        self.counts.scanned
    }

    /// Returns the number of items that the filter left out.
    pub fn filtered(&self) -> u64 {
        self.counts.filtered
    }

    /// Returns the number of items left out because the transform gave another item of the same page
    /// their key.
    pub fn merged(&self) -> u64 {
        self.counts.merged
    }

    /// Returns the number of items that this run has written.
    ///
    /// A run that resumes a killed one writes some items again, and counts them.
    pub fn written(&self) -> u64 {
        self.counts.written
    }

    /// Returns the number of items that this run and the runs before it have written.
    ///
    /// Items that a killed run wrote without recording them are counted once, by the run that writes
    /// them again.
    pub fn total_written(&self) -> u64 {
        self.earlier.written.saturating_add(self.counts.written)
    }

    /// Returns the number of items that the target already had, and that were left alone; see
    /// [`CopyPolicy::SkipExisting`](crate::CopyPolicy::SkipExisting).
    pub fn skipped(&self) -> u64 {
        self.counts.skipped
    }

    /// Returns the number of retries, after requests that failed or were processed in part.
    pub fn retried(&self) -> u64 {
        self.counts.retried
    }

    /// Returns the number of source items compared.
    pub fn compared(&self) -> u64 {
        self.counts.compared
    }

    /// Returns the read capacity units consumed in both tables.
    pub fn read_capacity(&self) -> f64 {
        self.counts.read_capacity
    }

    /// Returns the write capacity units consumed in the target, including its indexes.
    pub fn write_capacity(&self) -> f64 {
        self.counts.write_capacity
    }

    /// Returns the time since this phase began.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the number of segments that are done, and the number of all segments.
    pub fn segments(&self) -> (u32, u32) {
        self.segments
    }

    /// Returns the number of source items that need no further work, including those of earlier runs.
    pub fn position(&self) -> u64 {
        match self.phase {
            CopyPhase::Copying => self.earlier.stored.saturating_add(self.counts.scanned),
            CopyPhase::Verifying => self.counts.compared,
        }
    }

    /// Returns the number of items in the source, as DynamoDB counted them in the last six hours;
    /// `None` if it has not counted yet.
    pub fn expected_items(&self) -> Option<u64> {
        self.expected
    }

    /// Returns the number of items scanned, or compared, per second.
    pub fn items_per_second(&self) -> f64 {
        let items = match self.phase {
            CopyPhase::Copying => self.counts.scanned,
            CopyPhase::Verifying => self.counts.compared,
        };
        // At least a millisecond, so that the first report is not infinitely fast.
        items as f64 / self.elapsed.as_secs_f64().max(1e-3)
    }

    /// Estimates the remaining time of this phase; `None` if DynamoDB has not counted the items.
    pub fn remaining(&self) -> Option<Duration> {
        let expected = self.expected?;
        let (done, left) = match self.phase {
            // The rate is that of this run; what earlier runs have stored is only left out of the rest.
            CopyPhase::Copying => (
                self.counts.scanned,
                expected.saturating_sub(self.position()),
            ),
            CopyPhase::Verifying => {
                let (there, back) = (self.counts.compared, self.counts.looked_back);
                let left_back = match self.finds_extra_items {
                    true => expected.saturating_sub(back),
                    false => 0,
                };
                (there + back, expected.saturating_sub(there) + left_back)
            }
        };
        // The count is up to six hours old: a source that has grown has nothing left before the copy ends.
        if left == 0 {
            return Some(Duration::ZERO);
        }
        // Before the first item this is infinite, which is no duration, and so `None`.
        let seconds = self.elapsed.as_secs_f64() * left as f64 / done as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) scanned: u64,
    pub(super) filtered: u64,
    pub(super) merged: u64,
    pub(super) written: u64,
    pub(super) skipped: u64,
    pub(super) retried: u64,
    pub(super) compared: u64,
    /// The items of the target that were looked up in the source.
    pub(super) looked_back: u64,
    pub(super) read_capacity: f64,
    pub(super) write_capacity: f64,
}

/// What the runs before this one have done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PreviousRuns {
    pub(super) stored: u64,
    pub(super) written: u64,
}

/// The counters, shared by the tasks of a copy.
pub(super) struct Counters {
    state: Mutex<State>,
    earlier: PreviousRuns,
    expected: Option<u64>,
    finds_extra_items: bool,
}

struct State {
    counts: Counts,
    phase: CopyPhase,
    began: Instant,
}

impl Counters {
    pub(super) fn new(
        expected: Option<u64>,
        earlier: PreviousRuns,
        finds_extra_items: bool,
    ) -> Self {
        Self {
            state: Mutex::new(State {
                counts: Counts::default(),
                phase: CopyPhase::Copying,
                began: Instant::now(),
            }),
            earlier,
            expected,
            finds_extra_items,
        }
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Counts)) {
        // Under one lock, so that a report never shows half of a change.
        add(&mut self.lock().counts);
    }

    /// Begins a phase, and its time.
    pub(super) fn begin(&self, phase: CopyPhase) {
        let mut state = self.lock();
        state.phase = phase;
        // The counts stay as they are: the rate of a phase uses one that only this phase advances.
        state.began = Instant::now();
    }

    pub(super) fn progress(&self, segments: (u32, u32)) -> CopyProgress {
        let state = self.lock();
        CopyProgress {
            counts: state.counts,
            phase: state.phase,
            finds_extra_items: self.finds_extra_items,
            elapsed: state.began.elapsed(),
            earlier: self.earlier,
            expected: self.expected,
            segments,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_comparison_is_not_nearly_done_when_one_table_is_read() {
        for (finds_extra_items, seconds) in [(true, 10), (false, 0)] {
            let counters = Counters::new(Some(100), PreviousRuns::default(), finds_extra_items);
            counters.begin(CopyPhase::Verifying);
            assert_eq!(counters.progress((0, 1)).remaining(), None);
            counters.count(|counts| counts.compared += 100);
            tokio::time::advance(Duration::from_secs(10)).await;
            let remaining = counters.progress((0, 1)).remaining();
            assert_eq!(remaining, Some(Duration::from_secs(seconds)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_resumed_copy_counts_what_was_stored_before() {
        let earlier = PreviousRuns {
            stored: 50,
            written: 40,
        };
        let counters = Counters::new(Some(100), earlier, true);
        counters.count(|counts| {
            counts.scanned += 10;
            counts.written += 8;
        });
        tokio::time::advance(Duration::from_secs(5)).await;
        let progress = counters.progress((0, 1));
        assert_eq!(progress.position(), 60);
        assert_eq!((progress.written(), progress.total_written()), (8, 48));
        assert_eq!(progress.remaining(), Some(Duration::from_secs(20)));
    }
}
