//! The outcome of a lookup for a model.

use crate::manager::BotoSesManager;

/// The manager that a model follows, and why.
///
/// Adapters use it to bind an operation when the operation starts; see
/// [`BotoSesManager::current_for`].
#[derive(Clone, Debug)]
pub struct Binding {
    manager: BotoSesManager,
    is_specific: bool,
}

impl Binding {
    pub(super) fn specific(manager: BotoSesManager) -> Self {
        Self {
            manager,
            is_specific: true,
        }
    }

    pub(super) fn general(manager: BotoSesManager) -> Self {
        Self {
            manager,
            is_specific: false,
        }
    }

    /// Returns the manager.
    pub fn manager(&self) -> &BotoSesManager {
        &self.manager
    }

    /// Returns the manager, consuming the binding.
    pub fn into_manager(self) -> BotoSesManager {
        self.manager
    }

    /// Returns `true` if an override or a binding names the model, and `false` if the model follows
    /// the general default.
    pub fn is_specific(&self) -> bool {
        self.is_specific
    }
}
