//! The keys that were written to while the tables were being compared.

use std::collections::HashMap;

use crate::codec::Item;
use crate::model::key::KeyValues;

/// The maximum number of keys: with about 200 bytes each, they take 100 MB.
const MAX_KEYS: usize = 500_000;

/// The keys whose items must be compared at the end.
#[derive(Default)]
pub(super) struct KeysToCompare {
    keys: HashMap<KeyValues, Item>,
    overflows: bool,
}

impl KeysToCompare {
    pub(super) fn extend(&mut self, keys: impl IntoIterator<Item = (KeyValues, Item)>) {
        if self.overflows {
            return;
        }
        for (values, key) in keys {
            if self.keys.len() >= MAX_KEYS && !self.keys.contains_key(&values) {
                self.overflow();
                return;
            }
            self.keys.insert(values, key);
        }
    }

    /// Drops the keys: the tables must be compared as a whole.
    pub(super) fn overflow(&mut self) {
        self.overflows = true;
        // A new map, because `clear` would keep the memory.
        self.keys = HashMap::new();
    }

    /// Returns the keys, or `None` if there were too many.
    pub(super) fn into_keys(self) -> Option<Vec<Item>> {
        (!self.overflows).then(|| self.keys.into_values().collect())
    }
}
