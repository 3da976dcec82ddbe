//! The types of times that the helpers for `#[serde(with)]` store.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::ValueFree;

/// `SystemTime`, `chrono::DateTime<Utc>`, or an `Option` of one.
pub trait Time: Sized + sealed::Sealed {
    /// `true` for an `Option`.
    #[doc(hidden)]
    const IS_OPTION: bool = false;

    /// Returns `None` for a `None`.
    #[doc(hidden)]
    fn to_moment(&self) -> Option<Moment>;

    /// Returns `None` if the type has no such time.
    #[doc(hidden)]
    fn from_moment(moment: Option<Moment>) -> Option<Self>;
}

/// A point in time, relative to the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Whole seconds, rounded down.
    pub(super) seconds: i64,
    /// Below a billion.
    pub(super) nanoseconds: u32,
}

/// Writes what `write` makes of a time.
pub(super) fn serialize<T: Time, V: Serialize, S: Serializer>(
    time: &T,
    serializer: S,
    write: impl FnOnce(Moment) -> Result<V, &'static str>,
) -> Result<S::Ok, S::Error> {
    let Some(moment) = time.to_moment() else {
        return serializer.serialize_none();
    };
    let value = write(moment).map_err(|reason| S::Error::custom(ValueFree(reason)))?;
    // Formats other than the codec's may write `Some(x)` differently from `x`.
    match T::IS_OPTION {
        true => serializer.serialize_some(&value),
        false => value.serialize(serializer),
    }
}

/// Reads a time with `read`.
pub(super) fn deserialize<'de, T: Time, V: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    read: impl FnOnce(V) -> Result<Moment, &'static str>,
) -> Result<T, D::Error> {
    let value = match T::IS_OPTION {
        true => Option::<V>::deserialize(deserializer)?,
        false => Some(V::deserialize(deserializer)?),
    };
    let moment = value.map(read).transpose();
    let moment = moment.map_err(|reason| D::Error::custom(ValueFree(reason)))?;
    T::from_moment(moment)
        .ok_or_else(|| D::Error::custom(ValueFree("the time is outside the range of its type")))
}

impl Time for SystemTime {
    fn to_moment(&self) -> Option<Moment> {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Some(match self.duration_since(Self::UNIX_EPOCH) {
            Ok(since) => Moment {
                seconds: seconds(since),
                nanoseconds: since.subsec_nanos(),
            },
            Err(error) => {
                let before = error.duration();
                // Seconds are rounded down, so a fraction before 1970 counts upwards from the second below it.
                let (seconds, nanoseconds) = match before.subsec_nanos() {
                    0 => (-seconds(before), 0),
                    fraction => (-seconds(before) - 1, 1_000_000_000 - fraction),
                };
                Moment {
                    seconds,
                    nanoseconds,
                }
            }
        })
    }

    fn from_moment(moment: Option<Moment>) -> Option<Self> {
        let moment = moment?;
        let seconds = Duration::from_secs(moment.seconds.unsigned_abs());
        // Checked, because the range of a `SystemTime` depends on the platform.
        let whole = match moment.seconds {
            0.. => Self::UNIX_EPOCH.checked_add(seconds),
            _ => Self::UNIX_EPOCH.checked_sub(seconds),
        };
        whole?.checked_add(Duration::from_nanos(moment.nanoseconds.into()))
    }
}

impl Time for DateTime<Utc> {
    fn to_moment(&self) -> Option<Moment> {
        Some(Moment {
            seconds: self.timestamp(),
            // chrono counts a leap second as more than a billion.
            nanoseconds: self.timestamp_subsec_nanos().min(999_999_999),
        })
    }

    fn from_moment(moment: Option<Moment>) -> Option<Self> {
        let moment = moment?;
        Self::from_timestamp(moment.seconds, moment.nanoseconds)
    }
}

impl<T: Time> Time for Option<T> {
    const IS_OPTION: bool = true;

    fn to_moment(&self) -> Option<Moment> {
        self.as_ref()?.to_moment()
    }

    fn from_moment(moment: Option<Moment>) -> Option<Self> {
        match moment {
            // The outer `Option` is `None` if the type has no such time; the inner one is the field's value.
            None => Some(None),
            moment => T::from_moment(moment).map(Some),
        }
    }
}

mod sealed {
    use std::time::SystemTime;

    use chrono::{DateTime, Utc};

    pub trait Sealed {}
    impl Sealed for SystemTime {}
    impl Sealed for DateTime<Utc> {}
    impl<T: Sealed> Sealed for Option<T> {}
}
