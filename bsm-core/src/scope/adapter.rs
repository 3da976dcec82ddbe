//! Functions for adapters: crates whose models follow the current session.
//!
//! Applications don't need this module. `bsm-dynamodb` is such an adapter: its models are the types
//! that stand for themselves here, by their [`TypeId`]. An adapter
//!
//! - asks [`BotoSesManager::current_for`] when an operation starts, and binds the operation to the
//!   [`Binding`] it gets,
//! - switches some models for a block or a future with [`awsenv_for`] and [`scope_for`],
//! - makes such a switch outlast its block with [`end_and_bind`], until [`unbind_model`],
//! - fixes a model to one manager whatever the scope with [`fix_model`], until [`unfix_model`],
//! - turns the SDK's errors into ones that are safe to print with [`sdk_failure`], and sorts them with
//!   [`kind_of_code`],
//! - sends short requests of its own with a configuration that is [`bounded`].
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
use std::error::Error as StdError;
use std::fmt;
use std::future::IntoFuture;

use aws_config::SdkConfig;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};

use super::AwsEnvGuard;
pub use super::lookup::Binding;
pub use super::model_binding::{bind_model, fix_model, unbind_model, unfix_model};
use super::scoped::Scoped;
use super::stack::Override;
use crate::error::{Error, ErrorKind};
use crate::manager::BotoSesManager;
use crate::transport::{self, SdkFailure};

/// Makes a manager the default of some models until the guard is dropped.
///
/// Otherwise it is [`BotoSesManager::awsenv`].
pub fn awsenv_for(manager: &BotoSesManager, models: &[TypeId]) -> AwsEnvGuard {
    AwsEnvGuard::new(Override::for_models(manager, models))
}

/// Ends the guard of [`awsenv_for`], and binds its models to its manager with [`bind_model`].
///
/// A binding applies to the whole process, so it must not be left by accident. Nothing is bound if
/// the block that holds the guard is left by a panic, if a [`Scoped`] around it is dropped before it
/// completes, or if the guard was moved out of the task or scope that made it.
pub fn end_and_bind(mut guard: AwsEnvGuard) {
    let left_early = guard.is_left_early();
    let applied = guard.end();
    if left_early || !applied {
        let manager = guard.manager();
        tracing::debug!(%manager, "bound no model, because the block did not complete");
        return;
    }
    for model in guard.models() {
        bind_model(*model, guard.manager());
    }
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

/// Returns a configuration whose clients read at most 1 MiB of a response, and fail if it is longer.
///
/// The SDK reads a response into memory as a whole, however long it is.
pub fn bounded(config: &SdkConfig) -> SdkConfig {
    transport::bounded(config)
}

/// Creates the part of an SDK error that is safe to print.
///
/// # Errors
///
/// Returns this crate's own error if that is why the request failed: the session's credentials are
/// resolved while a request is sent.
pub fn sdk_failure<E, R>(error: SdkError<E, R>) -> Result<SdkFailure, Error>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    SdkFailure::without(error, &[])
}

/// Returns one clause of fact and one of remedy about a failed request, for the message of an error.
pub fn advice(failure: &SdkFailure) -> String {
    failure.advice()
}

/// Sorts an error code that any service of AWS may return, such as `ExpiredTokenException`.
///
/// Returns [`ErrorKind::Service`] for all others, such as those that only one service has.
///
/// # Examples
///
/// ```
/// use bsm_core::{ErrorKind, adapter};
///
/// assert_eq!(adapter::kind_of_code("AccessDeniedException"), ErrorKind::AccessDenied);
/// assert_eq!(adapter::kind_of_code("ResourceNotFoundException"), ErrorKind::Service);
/// ```
pub fn kind_of_code(code: &str) -> ErrorKind {
    transport::kind_of_code(code)
}

/// Returns an error code if it has the form of one, so that it can be printed.
///
/// An endpoint that is not AWS's may return anything in its place, such as a value of the request.
///
/// # Examples
///
/// ```
/// use bsm_core::adapter;
///
/// assert_eq!(adapter::printable_code("AccessDenied"), Some("AccessDenied"));
/// assert_eq!(adapter::printable_code("a value of the request"), None);
/// ```
pub fn printable_code(text: &str) -> Option<&str> {
    transport::code(text)
}
