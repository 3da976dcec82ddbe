//! Pacing of requests: backoff before a retry, and a limit on consumed capacity.

pub(crate) mod backoff;
pub(crate) mod rate_limit;
