//! Managers that belong to a model in the whole process: the one that it is bound to, and the one
//! that it is fixed to.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::manager::BotoSesManager;

// `None` at first, because `HashMap::new` is not const.
static MODELS: RwLock<Option<HashMap<TypeId, OfModel>>> = RwLock::new(None);

/// Whether a model was ever bound or fixed. Programs that never do so don't take the lock.
static ANY: AtomicBool = AtomicBool::new(false);

/// What is set for one model.
#[derive(Default)]
struct OfModel {
    fixed: Option<BotoSesManager>,
    bound: Option<Bound>,
}

struct Bound {
    manager: BotoSesManager,
    /// Whether it has been logged that another manager applies. Once is enough: every operation of
    /// the model would repeat it.
    shadowed: AtomicBool,
}

/// Binds a model to a manager for the whole process, until [`unbind_model`] is called.
///
/// The manager is the model's own default: every override takes precedence over it, and it takes
/// precedence over the process default, also over [`BotoSesManager::none`] there. See
/// [`BotoSesManager::current_for`].
pub fn bind_model(model: TypeId, manager: &BotoSesManager) {
    let bound = Bound {
        manager: manager.clone(),
        shadowed: AtomicBool::new(false),
    };
    let previous = set(model, |of_model| of_model.bound.replace(bound));
    // Dropped outside the lock: it can be the last handle to a manager, and with it the user's own
    // providers.
    drop(previous);
}

/// Removes a model's binding, and returns the manager that it was bound to.
pub fn unbind_model(model: TypeId) -> Option<BotoSesManager> {
    let bound = MODELS.write().as_mut()?.get_mut(&model)?.bound.take();
    Some(bound?.manager)
}

/// Fixes a model to a manager for the whole process, and returns the manager that it was fixed to.
///
/// Only an override that names the model takes precedence over it: general overrides don't, and
/// neither does the model's binding. See [`BotoSesManager::current_for`].
pub fn fix_model(model: TypeId, manager: &BotoSesManager) -> Option<BotoSesManager> {
    set(model, |of_model| of_model.fixed.replace(manager.clone()))
}

/// Releases a model that [`fix_model`] fixed, and returns the manager that it was fixed to.
pub fn unfix_model(model: TypeId) -> Option<BotoSesManager> {
    MODELS.write().as_mut()?.get_mut(&model)?.fixed.take()
}

/// Returns the manager that a model is fixed to.
pub(super) fn fixed_manager(model: TypeId) -> Option<BotoSesManager> {
    look_up(model, |of_model| of_model.fixed.clone())
}

/// Returns the manager that a model is bound to.
pub(super) fn bound_manager(model: TypeId) -> Option<BotoSesManager> {
    look_up(model, |of_model| {
        Some(of_model.bound.as_ref()?.manager.clone())
    })
}

/// Returns the manager that a model is bound to if it is not `current` and this is the first time
/// that another manager applies.
pub(super) fn newly_shadowed(model: TypeId, current: &BotoSesManager) -> Option<BotoSesManager> {
    look_up(model, |of_model| {
        let bound = of_model.bound.as_ref()?;
        let is_new =
            // `swap`, so that only one of several threads logs. The flag orders no other data.
            !bound.manager.is_same(current) && !bound.shadowed.swap(true, Ordering::Relaxed);
        is_new.then(|| bound.manager.clone())
    })
}

#[inline]
fn look_up<T>(model: TypeId, get: impl FnOnce(&OfModel) -> Option<T>) -> Option<T> {
    if !ANY.load(Ordering::Acquire) {
        return None;
    }
    get(MODELS.read().as_ref()?.get(&model)?)
}

fn set<T>(model: TypeId, replace: impl FnOnce(&mut OfModel) -> Option<T>) -> Option<T> {
    let mut models = MODELS.write();
    let previous = replace(models.get_or_insert_default().entry(model).or_default());
    // Under the lock: a reader that sees the flag waits until the entry is complete.
    ANY.store(true, Ordering::Release);
    previous
}
