//! Models that stay bound to a manager after the block that switched them.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::manager::BotoSesManager;

static BOUND: RwLock<Option<HashMap<TypeId, BotoSesManager>>> = RwLock::new(None);

/// Whether a model was ever bound. Programs that never bind one don't take the lock.
static ANY: AtomicBool = AtomicBool::new(false);

/// Binds a model to a manager for the whole process, until [`unbind_model`] is called.
///
/// A binding stands between the overrides that name the model and the general default; see
/// [`BotoSesManager::current_for`].
pub fn bind_model(model: TypeId, manager: &BotoSesManager) {
    let previous = BOUND
        .write()
        .get_or_insert_default()
        .insert(model, manager.clone());
    ANY.store(true, Ordering::Release);
    // Dropped outside the lock: it can be the last handle to a manager, and with it the user's own
    // providers.
    drop(previous);
}

/// Removes a model's binding, and returns the manager that it was bound to.
pub fn unbind_model(model: TypeId) -> Option<BotoSesManager> {
    BOUND.write().as_mut()?.remove(&model)
}

pub(crate) fn manager_of(model: TypeId) -> Option<BotoSesManager> {
    if !ANY.load(Ordering::Acquire) {
        return None;
    }
    BOUND.read().as_ref()?.get(&model).cloned()
}
