//! Stores a time as whole seconds of the Unix epoch, which is what time to live needs.
//!
//! For a field of type `SystemTime`, `chrono::DateTime<Utc>`, or an `Option` of one; fractions of a second are cut off. Add
//! `#[serde(default)]` if the attribute may be missing.
//!
//! # Examples
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use bsm_dynamodb::Model;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Model)]
//! #[model(table = "sessions")]
//! struct Session {
//!     #[model(hash_key)]
//!     id: String,
//!     #[model(ttl)]
//!     #[serde(with = "bsm_dynamodb::epoch_seconds")]
//!     expires: SystemTime,
//! }
//!
//! let session = Session {
//!     id: "1".into(),
//!     expires: SystemTime::now() + Duration::from_secs(3600),
//! };
//! ```
//!
//! Source: [Using time to live](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html)
//! in the DynamoDB Developer Guide.

use serde::{Deserializer, Serializer};

pub use super::time::Time;
use super::time::{self, Moment};

/// Writes a time as whole seconds since 1970.
///
/// # Errors
///
/// If the time is before 1970.
pub fn serialize<T: Time, S: Serializer>(time: &T, serializer: S) -> Result<S::Ok, S::Error> {
    time::serialize(time, serializer, |moment| {
        // Time to live counts whole seconds, so the nanoseconds are dropped.
        u64::try_from(moment.seconds).map_err(|_| "a time before 1970 cannot be stored")
    })
}

/// Reads a time from whole seconds since 1970.
///
/// # Errors
///
/// If it is not a whole number of seconds, or no `SystemTime` can be so late.
pub fn deserialize<'de, T: Time, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    time::deserialize(deserializer, |seconds: u64| {
        let seconds =
            i64::try_from(seconds).map_err(|_| "the number of seconds is too large for a time")?;
        Ok(Moment {
            seconds,
            nanoseconds: 0,
        })
    })
}
