//! Things that were found out and can be forgotten.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// What was found out in the present generation.
///
/// Forgetting is to move on to the next generation, a number that the owner keeps. Nobody waits for it:
/// readers compare two numbers, and the first one to come in a new generation starts afresh. Work that
/// was under way ends in the generation in which it began, so its outcome is forgotten, too.
pub(crate) struct Resettable<T> {
    generation: ArcSwap<Generation<T>>,
}

/// What was found out in one generation.
#[derive(Default)]
pub(crate) struct Generation<T> {
    number: u64,
    found: T,
}

impl<T: Default> Resettable<T> {
    /// Returns what was found out in the generation `now`, which may be nothing yet.
    pub(crate) fn at(&self, now: u64) -> Arc<Generation<T>> {
        let generation = self.generation.load();
        if generation.number >= now {
            return Arc::clone(&generation);
        }
        let fresh = Arc::new(Generation {
            number: now,
            found: T::default(),
        });
        self.generation.rcu(|generation| {
            if generation.number >= now {
                Arc::clone(generation)
            } else {
                Arc::clone(&fresh)
            }
        });
        self.generation.load_full()
    }
}

impl<T: Default> Default for Resettable<T> {
    fn default() -> Self {
        Self {
            generation: ArcSwap::from_pointee(Generation::default()),
        }
    }
}

impl<T> Deref for Generation<T> {
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
        let values = Resettable::<OnceLock<u8>>::default();
        values.at(0).set(1).unwrap();
        assert_eq!(values.at(0).get(), Some(&1));
        assert_eq!(values.at(1).get(), None);
        values.at(1).set(2).unwrap();
        assert_eq!(values.at(1).get(), Some(&2));
    }

    #[test]
    fn a_late_reader_of_an_old_epoch_does_not_bring_it_back() {
        let values = Resettable::<OnceLock<u8>>::default();
        values.at(2).set(2).unwrap();
        assert_eq!(values.at(1).get(), Some(&2));
        assert_eq!(values.at(2).get(), Some(&2));
    }

    #[test]
    fn nobody_gets_what_was_found_before_the_epoch_they_ask_for() {
        let now = AtomicU64::new(0);
        let values = Resettable::<OnceLock<u64>>::default();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..10_000 {
                        let asked = now.load(Ordering::Acquire);
                        let found = *values.at(asked).get_or_init(|| now.load(Ordering::Acquire));
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
