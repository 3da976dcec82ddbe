//! Functions for adapters: crates whose models follow the current session.
//!
//! Applications don't need this module. `bsm-dynamodb` is such an adapter: its models are the types
//! that stand for themselves here, by their [`TypeId`]. An adapter
//!
//! - asks [`BotoSesManager::current_for`] when an operation starts, and binds the operation to the
//!   [`Binding`] it gets,
//! - switches some models for a block or a future with [`awsenv_for`] and [`scope_for`],
//! - makes such a switch outlast its block with [`bind_model`], until [`unbind_model`].
//!
//! # Examples
//!
//! ```
//! use std::any::TypeId;
//!
//! use bsm_core::{BotoSesManager, adapter};
//!
//! struct User;
//! struct Order;
//!
//! let staging = BotoSesManager::from_profile("staging");
//! let _env = adapter::awsenv_for(&staging, &[TypeId::of::<User>()]);
//! assert_eq!(BotoSesManager::current_for::<User>().manager().profile_name(), Some("staging"));
//! assert_eq!(BotoSesManager::current_for::<Order>().manager().profile_name(), None);
//! ```

use std::any::TypeId;
use std::future::IntoFuture;

use super::AwsEnvGuard;
pub use super::binding::Binding;
pub use super::model_binding::{bind_model, unbind_model};
use super::scoped::Scoped;
use super::stack::Override;
use crate::manager::BotoSesManager;

/// Makes a manager the default of some models until the guard is dropped.
///
/// Otherwise it is [`BotoSesManager::awsenv`].
pub fn awsenv_for(manager: &BotoSesManager, models: &[TypeId]) -> AwsEnvGuard {
    AwsEnvGuard::new(Override::for_models(manager, models))
}

/// Makes a manager the default of some models inside a future.
///
/// Otherwise it is [`BotoSesManager::scope`].
pub fn scope_for<F: IntoFuture>(
    manager: &BotoSesManager,
    models: &[TypeId],
    future: F,
) -> Scoped<F::IntoFuture> {
    Scoped::nested(Override::for_models(manager, models), future)
}
