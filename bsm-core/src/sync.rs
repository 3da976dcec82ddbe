//! Values that are computed once for many callers, and that can be invalidated.

pub(crate) mod generation;
pub(crate) mod single_flight;
