//! Times as dates.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

/// Turns a time into a date. chrono's own conversion panics on times that are too far away.
pub(crate) fn calendar(time: SystemTime) -> Option<DateTime<Utc>> {
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
    DateTime::from_timestamp(seconds, since_epoch.subsec_nanos())
}
