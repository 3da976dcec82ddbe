//! Stores a time as text that sorts as the time does, such as `2026-11-26T14:47:40.000000000Z`.
//!
//! For a field of type `SystemTime`, `chrono::DateTime<Utc>`, or an `Option` of one. Add
//! `#[serde(default)]` if the attribute may be missing. As a key, a time needs this module or
//! [`epoch_seconds`](crate::epoch_seconds): serde's own forms of times do not sort.
//!
//! The text is RFC 3339 in UTC with nine digits after the second, so nothing is cut off. Any form of RFC
//! 3339 is read.
//!
//! # Examples
//!
//! ```
//! use std::time::SystemTime;
//!
//! use bsm_dynamodb::Model;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Model)]
//! #[model(table = "events")]
//! struct Event {
//!     #[model(hash_key)]
//!     source: String,
//!     #[model(range_key)]
//!     #[serde(with = "bsm_dynamodb::rfc3339")]
//!     at: SystemTime,
//! }
//!
//! let latest = Event::query("door").descending().limit(1);
//! ```

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use serde::{Deserializer, Serializer};

pub use super::time::Time;
use super::time::{self, Moment};

/// Writes a time as text.
///
/// # Errors
///
/// If the time is before the year 0 or after the year 9999, whose text would not sort.
pub fn serialize<T: Time, S: Serializer>(time: &T, serializer: S) -> Result<S::Ok, S::Error> {
    time::serialize(time, serializer, |moment| {
        DateTime::<Utc>::from_timestamp(moment.seconds, moment.nanoseconds)
            // RFC 3339 has four digits for the year. chrono writes other years with a sign, which would not sort.
            .filter(|date| (0..=9999).contains(&date.year()))
            .map(|date| date.to_rfc3339_opts(SecondsFormat::Nanos, true))
            .ok_or("a time before the year 0 or after the year 9999 cannot be stored")
    })
}

/// Reads a time from text.
///
/// # Errors
///
/// If it is not RFC 3339.
pub fn deserialize<'de, T: Time, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    time::deserialize(deserializer, |text: String| {
        let date = DateTime::parse_from_rfc3339(&text)
            .map_err(|_| "the text is not a time in RFC 3339")?;
        Ok(Moment {
            seconds: date.timestamp(),
            // chrono counts a leap second as more than a billion nanoseconds.
            nanoseconds: date.timestamp_subsec_nanos().min(999_999_999),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    struct At<T: super::Time>(#[serde(with = "super")] T);

    fn text<T: super::Time>(time: T) -> String {
        serde_json::to_string(&At(time)).unwrap()
    }

    /// Times on both sides of the epoch.
    fn times() -> impl Strategy<Value = SystemTime> {
        (-60_000_000_000_i64..200_000_000_000, 0u32..1_000_000_000).prop_map(|(seconds, nanos)| {
            let duration = Duration::from_secs(seconds.unsigned_abs());
            let whole = match seconds {
                0.. => SystemTime::UNIX_EPOCH + duration,
                _ => SystemTime::UNIX_EPOCH - duration,
            };
            whole + Duration::from_nanos(nanos.into())
        })
    }

    proptest! {
        #[test]
        fn text_sorts_as_time_does_and_is_read_back(one in times(), two in times()) {
            prop_assert_eq!(text(one).cmp(&text(two)), one.cmp(&two));
            let read: At<SystemTime> = serde_json::from_str(&text(one)).unwrap();
            prop_assert_eq!(read, At(one));
            let date = chrono::DateTime::<chrono::Utc>::from(one);
            prop_assert_eq!(text(date), text(one));
            let read: At<Option<chrono::DateTime<chrono::Utc>>> =
                serde_json::from_str(&text(Some(date))).unwrap();
            prop_assert_eq!(read, At(Some(date)));
        }
    }

    #[test]
    fn the_text_has_nine_digits_and_any_form_is_read() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_358_860_500);
        assert_eq!(text(time), r#""2026-11-22T14:47:40.500000000Z""#);
        assert_eq!(text(None::<SystemTime>), "null");
        for other in ["2026-11-22T14:47:40.5Z", "2026-11-22T15:47:40.5+01:00"] {
            let read: At<SystemTime> = serde_json::from_str(&format!("{other:?}")).unwrap();
            assert_eq!(read, At(time), "{other}");
        }
    }

    #[test]
    fn a_time_whose_text_would_not_sort_is_refused() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(300_000_000_000);
        let error = serde_json::to_string(&At(far)).unwrap_err().to_string();
        assert!(error.contains("after the year 9999"), "{error}");
        assert!(serde_json::from_str::<At<SystemTime>>(r#""yesterday""#).is_err());
    }
}
