//! Stores a `SystemTime` as whole seconds of the Unix epoch, which is what time to live needs.
//!
//! For a field of type `SystemTime` or `Option<SystemTime>`; fractions of a second are cut off. Add
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

use std::time::{Duration, SystemTime};

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::ValueFree;

/// Writes a time as whole seconds since 1970.
///
/// # Errors
///
/// If the time is before 1970.
pub fn serialize<T: Time, S: Serializer>(time: &T, serializer: S) -> Result<S::Ok, S::Error> {
    match time.to_seconds() {
        Some(seconds) => seconds.serialize(serializer),
        None => Err(S::Error::custom(ValueFree(
            "a time before 1970 cannot be stored",
        ))),
    }
}

/// Reads a time from whole seconds since 1970.
///
/// # Errors
///
/// If it is not a whole number of seconds, or no `SystemTime` can be so late.
pub fn deserialize<'de, T: Time, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let seconds = T::Seconds::deserialize(deserializer)?;
    T::from_seconds(seconds).ok_or_else(|| D::Error::custom(ValueFree("no time can be so late")))
}

/// `SystemTime` or `Option<SystemTime>`.
pub trait Time: Sized + sealed::Sealed {
    #[doc(hidden)]
    type Seconds: Serialize + for<'de> Deserialize<'de>;

    #[doc(hidden)]
    fn to_seconds(&self) -> Option<Self::Seconds>;

    #[doc(hidden)]
    fn from_seconds(seconds: Self::Seconds) -> Option<Self>;
}

impl Time for SystemTime {
    type Seconds = u64;

    fn to_seconds(&self) -> Option<u64> {
        let since = self.duration_since(Self::UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    }

    fn from_seconds(seconds: u64) -> Option<Self> {
        Self::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }
}

impl Time for Option<SystemTime> {
    type Seconds = Option<u64>;

    fn to_seconds(&self) -> Option<Option<u64>> {
        match self {
            Some(time) => time.to_seconds().map(Some),
            None => Some(None),
        }
    }

    fn from_seconds(seconds: Option<u64>) -> Option<Self> {
        match seconds {
            Some(seconds) => SystemTime::from_seconds(seconds).map(Some),
            None => Some(None),
        }
    }
}

mod sealed {
    use std::time::SystemTime;

    pub trait Sealed {}
    impl Sealed for SystemTime {}
    impl Sealed for Option<SystemTime> {}
}
