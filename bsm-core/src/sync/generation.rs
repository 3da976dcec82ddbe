//! Lazily resolved values that can be invalidated.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The values of the current generation.
///
/// To invalidate them, the owner increments the number of the generation. That never waits: readers
/// compare two numbers, and the first reader of a new generation starts with default values. Work
/// that is in flight finishes in the generation in which it started, so its outcome is invalidated
/// as well.
pub(crate) struct Resettable<T> {
    generation: ArcSwap<Generation<T>>,
}

/// The values of one generation.
#[derive(Default)]
pub(crate) struct Generation<T> {
    number: u64,
    values: T,
}

impl<T: Default> Resettable<T> {
    /// Returns the values of the generation `now`, which can still be the default.
    pub(crate) fn at(&self, now: u64) -> Arc<Generation<T>> {
        let generation = self.generation.load();
        // A reader that loaded its number before an increment gets the newer values.
        if generation.number >= now {
            return Arc::clone(&generation);
        }
        let fresh = Arc::new(Generation {
            number: now,
            values: T::default(),
        });
        self.generation.rcu(|generation| {
            if generation.number >= now {
                Arc::clone(generation)
            } else {
                Arc::clone(&fresh)
            }
        });
        // Not `fresh`: another reader may have been first, or the generation may be over.
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
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_generation_keeps_its_values_and_the_next_one_starts_with_none() {
        let values = Resettable::<OnceLock<u8>>::default();
        values.at(0).set(1).unwrap();
        assert_eq!(values.at(0).get(), Some(&1));
        assert_eq!(values.at(1).get(), None);
        values.at(1).set(2).unwrap();
        assert_eq!(values.at(1).get(), Some(&2));
    }

    #[test]
    fn a_late_reader_of_an_old_generation_does_not_bring_it_back() {
        let values = Resettable::<OnceLock<u8>>::default();
        values.at(2).set(2).unwrap();
        assert_eq!(values.at(1).get(), Some(&2));
        assert_eq!(values.at(2).get(), Some(&2));
    }

    #[test]
    fn no_reader_gets_a_value_older_than_its_generation() {
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
