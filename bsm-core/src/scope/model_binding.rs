//! Models that keep a manager after the block that switched them.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::manager::BotoSesManager;

static PINNED: RwLock<Option<HashMap<TypeId, BotoSesManager>>> = RwLock::new(None);

/// Spares programs that never pin a model the lock.
static ANY: AtomicBool = AtomicBool::new(false);

/// Pins a model to a manager for the whole process, until [`unpin`] is called. For adapters.
///
/// A pin stands between the overrides that name the model and the general default; see
/// [`BotoSesManager::current_for`].
pub fn pin(model: TypeId, manager: &BotoSesManager) {
    let previous = PINNED
        .write()
        .get_or_insert_default()
        .insert(model, manager.clone());
    ANY.store(true, Ordering::Release);
    drop(previous);
}

/// Removes a model's pin, and returns the manager that it was pinned to. For adapters.
pub fn unpin(model: TypeId) -> Option<BotoSesManager> {
    PINNED.write().as_mut()?.remove(&model)
}

pub(crate) fn get(model: TypeId) -> Option<BotoSesManager> {
    if !ANY.load(Ordering::Acquire) {
        return None;
    }
    PINNED.read().as_ref()?.get(&model).cloned()
}
