//! Limits on how fast requests are sent.

pub(crate) mod backoff;
pub(crate) mod rate_limit;
