//! How far a copy has come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a copy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CopyPhase {
    /// Items are being copied.
    Copying,
    /// The tables are being compared.
    Verifying,
}

/// How far a copy has come, and what it has cost.
///
/// In the end, `scanned` is the sum of `filtered`, `merged`, `written` and `skipped`, but for a dry
/// run, which writes nothing. Only the present run counts, without those before it that were
/// interrupted.
#[derive(Clone, Debug)]
pub struct CopyProgress {
    counts: Counts,
    phase: CopyPhase,
    /// Whether a comparison also looks up the items of the target in the source.
    looks_back: bool,
    elapsed: Duration,
    /// How many items earlier runs have stored.
    stored_before: u64,
    expected: Option<u64>,
    segments: (u32, u32),
}

impl CopyProgress {
    /// Returns what is being done.
    pub fn phase(&self) -> CopyPhase {
        self.phase
    }

    /// Returns how many items were read from the source.
    pub fn scanned(&self) -> u64 {
        self.counts.scanned
    }

    /// Returns how many items the filter left out.
    pub fn filtered(&self) -> u64 {
        self.counts.filtered
    }

    /// Returns how many items were left out because the transform gave them the key of another one
    /// on the same page.
    pub fn merged(&self) -> u64 {
        self.counts.merged
    }

    /// Returns how many items were written.
    pub fn written(&self) -> u64 {
        self.counts.written
    }

    /// Returns how many items were there already and were left alone; see
    /// [`CopyPolicy::SkipExisting`](crate::CopyPolicy::SkipExisting).
    pub fn skipped(&self) -> u64 {
        self.counts.skipped
    }

    /// Returns how many requests were sent again, because they failed or were answered in part.
    pub fn retried(&self) -> u64 {
        self.counts.retried
    }

    /// Returns how many items were compared.
    pub fn compared(&self) -> u64 {
        self.counts.compared
    }

    /// Returns the read capacity units that were consumed, in both tables.
    pub fn read_capacity(&self) -> f64 {
        self.counts.read_capacity
    }

    /// Returns the write capacity units that were consumed in the target, with its indexes.
    pub fn write_capacity(&self) -> f64 {
        self.counts.write_capacity
    }

    /// Returns how long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns how many segments are done, and of how many.
    pub fn segments(&self) -> (u32, u32) {
        self.segments
    }

    /// Returns how many items of the source are done with, also by earlier runs.
    pub fn position(&self) -> u64 {
        match self.phase {
            CopyPhase::Copying => self.stored_before + self.counts.scanned,
            CopyPhase::Verifying => self.counts.compared,
        }
    }

    /// Returns how many items the source has, as DynamoDB counted them in the last six hours;
    /// `None` if it has not counted yet.
    pub fn expected_items(&self) -> Option<u64> {
        self.expected
    }

    /// Returns the items scanned, or compared, in a second.
    pub fn items_per_second(&self) -> f64 {
        let items = match self.phase {
            CopyPhase::Copying => self.counts.scanned,
            CopyPhase::Verifying => self.counts.compared,
        };
        items as f64 / self.elapsed.as_secs_f64().max(1e-3)
    }

    /// Estimates how long this phase will still take, if that can be known.
    pub fn remaining(&self) -> Option<Duration> {
        let expected = self.expected?;
        let (done, left) = match self.phase {
            CopyPhase::Copying => (
                self.counts.scanned,
                expected.saturating_sub(self.position()),
            ),
            CopyPhase::Verifying => {
                let (there, back) = (self.counts.compared, self.counts.looked_back);
                let left_back = match self.looks_back {
                    true => expected.saturating_sub(back),
                    false => 0,
                };
                (there + back, expected.saturating_sub(there) + left_back)
            }
        };
        if left == 0 {
            return Some(Duration::ZERO);
        }
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
    /// How many items of the target were looked up in the source.
    pub(super) looked_back: u64,
    pub(super) read_capacity: f64,
    pub(super) write_capacity: f64,
}

/// The counts, shared by the tasks of a copy.
pub(super) struct Statistics {
    state: Mutex<State>,
    stored_before: u64,
    expected: Option<u64>,
    looks_back: bool,
}

struct State {
    counts: Counts,
    phase: CopyPhase,
    began: Instant,
}

impl Statistics {
    pub(super) fn new(expected: Option<u64>, stored_before: u64, looks_back: bool) -> Self {
        Self {
            state: Mutex::new(State {
                counts: Counts::default(),
                phase: CopyPhase::Copying,
                began: Instant::now(),
            }),
            stored_before,
            expected,
            looks_back,
        }
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.lock().counts);
    }

    /// Begins a phase; its time is counted anew.
    pub(super) fn begin(&self, phase: CopyPhase) {
        let mut state = self.lock();
        state.phase = phase;
        state.began = Instant::now();
    }

    pub(super) fn progress(&self, segments: (u32, u32)) -> CopyProgress {
        let state = self.lock();
        CopyProgress {
            counts: state.counts,
            phase: state.phase,
            looks_back: self.looks_back,
            elapsed: state.began.elapsed(),
            stored_before: self.stored_before,
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
        for (looks_back, seconds) in [(true, 10), (false, 0)] {
            let statistics = Statistics::new(Some(100), 0, looks_back);
            statistics.begin(CopyPhase::Verifying);
            assert_eq!(statistics.progress((0, 1)).remaining(), None);
            statistics.count(|counts| counts.compared += 100);
            tokio::time::advance(Duration::from_secs(10)).await;
            let remaining = statistics.progress((0, 1)).remaining();
            assert_eq!(remaining, Some(Duration::from_secs(seconds)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_goes_on_counts_what_was_stored_before() {
        let statistics = Statistics::new(Some(100), 50, true);
        statistics.count(|counts| counts.scanned += 10);
        tokio::time::advance(Duration::from_secs(5)).await;
        let progress = statistics.progress((0, 1));
        assert_eq!(progress.position(), 60);
        assert_eq!(progress.remaining(), Some(Duration::from_secs(20)));
    }
}
