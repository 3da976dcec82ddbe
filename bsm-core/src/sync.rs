//! Values that are computed once for many callers, where the work for them runs, and how they are
//! invalidated.

mod callers;
pub(crate) mod engine;
pub(crate) mod generation;
pub(crate) mod panic;
pub(crate) mod single_flight;
mod user_code;
pub(crate) mod waits;

pub(crate) use user_code::on_callers_runtime;
