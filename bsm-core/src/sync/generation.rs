//! Things that were found out and can be forgotten.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// What was found out in the present epoch.
///
/// Forgetting is to move on to the next epoch, a number that the owner keeps. Nobody waits for it:
/// readers compare two numbers, and the first one to come in a new epoch starts afresh. Work that
/// was under way ends in the epoch in which it began, so its outcome is forgotten, too.
pub(crate) struct Memory<T> {
    epoch: ArcSwap<Epoch<T>>,
}

/// What was found out in one epoch.
#[derive(Default)]
pub(crate) struct Epoch<T> {
    number: u64,
    found: T,
}

impl<T: Default> Memory<T> {
    /// Returns what was found out in the epoch `now`, which may be nothing yet.
    pub(crate) fn of(&self, now: u64) -> Arc<Epoch<T>> {
        let epoch = self.epoch.load();
        if epoch.number >= now {
            return Arc::clone(&epoch);
        }
        let fresh = Arc::new(Epoch {
            number: now,
            found: T::default(),
        });
        self.epoch.rcu(|epoch| {
            if epoch.number >= now {
                Arc::clone(epoch)
            } else {
                Arc::clone(&fresh)
            }
        });
        self.epoch.load_full()
    }
}

impl<T: Default> Default for Memory<T> {
    fn default() -> Self {
        Self {
            epoch: ArcSwap::from_pointee(Epoch::default()),
        }
    }
}

impl<T> Deref for Epoch<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn an_epoch_keeps_what_was_found_and_the_next_one_starts_afresh() {
        let memory = Memory::<OnceLock<u8>>::default();
        memory.of(0).set(1).unwrap();
        assert_eq!(memory.of(0).get(), Some(&1));
        assert_eq!(memory.of(1).get(), None);
        memory.of(1).set(2).unwrap();
        assert_eq!(memory.of(1).get(), Some(&2));
    }

    #[test]
    fn a_late_reader_of_an_old_epoch_does_not_bring_it_back() {
        let memory = Memory::<OnceLock<u8>>::default();
        memory.of(2).set(2).unwrap();
        assert_eq!(memory.of(1).get(), Some(&2));
        assert_eq!(memory.of(2).get(), Some(&2));
    }

    #[test]
    fn nobody_gets_what_was_found_before_the_epoch_they_ask_for() {
        let now = AtomicU64::new(0);
        let memory = Memory::<OnceLock<u64>>::default();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..10_000 {
                        let asked = now.load(Ordering::Acquire);
                        let found = *memory.of(asked).get_or_init(|| now.load(Ordering::Acquire));
                        assert!(found >= asked, "asked in {asked}, found {found}");
                    }
                });
            }
            for _ in 0..1_000 {
                now.fetch_add(1, Ordering::AcqRel);
                std::thread::yield_now();
            }
        });
    }
}
