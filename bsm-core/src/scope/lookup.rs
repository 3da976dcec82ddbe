//! Lookups: which manager applies here, in general and for a model.

use std::any::TypeId;

use super::model_binding::{bound_manager, fixed_manager};
use super::process_default::process_default;
use super::stack::{Override, ThreadExiting, find};
use crate::manager::BotoSesManager;

/// The manager that a model follows, and why.
///
/// Adapters use it to bind an operation when the operation starts; see
/// [`BotoSesManager::current_for`].
#[derive(Clone, Debug)]
pub struct Binding {
    manager: BotoSesManager,
    origin: Origin,
}

/// What a model's manager comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// An override that names the model.
    ModelOverride,
    /// The model is fixed to the manager.
    Fixed,
    /// An override for everything.
    GeneralOverride,
    /// The model is bound to the manager.
    Bound,
    ProcessDefault,
}

impl Binding {
    /// Returns the manager.
    pub fn manager(&self) -> &BotoSesManager {
        &self.manager
    }

    /// Returns the manager, consuming the binding.
    pub fn into_manager(self) -> BotoSesManager {
        self.manager
    }

    /// Returns `true` if the manager was chosen for the model, by an override that names it, by
    /// fixing or by binding it, and `false` if the model follows a general override or the process
    /// default.
    pub fn is_specific(&self) -> bool {
        match self.origin {
            Origin::ModelOverride | Origin::Fixed | Origin::Bound => true,
            Origin::GeneralOverride | Origin::ProcessDefault => false,
        }
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }
}

/// Returns the current manager; see [`BotoSesManager::current`].
#[inline]
pub(super) fn current() -> BotoSesManager {
    let general = |entry: &Override| entry.is_general().then(|| entry.manager.clone());
    match find(general) {
        Ok(Some(manager)) => manager,
        Ok(None) => process_default(),
        Err(ThreadExiting) => BotoSesManager::none(),
    }
}

/// Returns the manager that a model follows; see [`BotoSesManager::current_for`].
pub(super) fn followed(model: TypeId) -> Binding {
    let bind = |manager: BotoSesManager, origin| Binding { manager, origin };
    let fixed = fixed_manager(model);
    let found = find(|entry| {
        if entry.names(model) {
            return Some(bind(entry.manager.clone(), Origin::ModelOverride));
        }
        // For a fixed model the search continues: an override further out can still name the model.
        let applies = entry.is_general() && fixed.is_none();
        applies.then(|| bind(entry.manager.clone(), Origin::GeneralOverride))
    });
    match found {
        Ok(Some(binding)) => return binding,
        Ok(None) => {}
        // An override that names the model may be lost, so not even a fixed manager is certain.
        Err(ThreadExiting) => return bind(BotoSesManager::none(), Origin::GeneralOverride),
    }
    if let Some(manager) = fixed {
        return bind(manager, Origin::Fixed);
    }
    match bound_manager(model) {
        Some(manager) => bind(manager, Origin::Bound),
        None => bind(process_default(), Origin::ProcessDefault),
    }
}
