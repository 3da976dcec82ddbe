//! The clock that decides what has expired.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::TimeSource;
use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde::Serializer;

/// A clock that runs with the machine's and can be moved by hand.
///
/// Everything the server says or decides about time comes from it: when credentials expire, whether
/// a signature is too old, which MFA code is right, the `Date` header. It starts at the real time.
/// Clones share one time, and a clone is a [`TimeSource`], so a client under test can live in the
/// server's time:
///
/// ```
/// # use std::time::Duration;
/// let clock = bsm_local_aws::Clock::new();
/// let client_side = clock.clone(); // `.time_source(client_side)` on a client's configuration
/// let before = client_side.now();
/// clock.advance(Duration::from_secs(3600));
/// assert!(client_side.now() >= before + Duration::from_secs(3600));
/// ```
///
/// [`Clock::frozen_at`] makes one that does not run by itself.
#[derive(Clone, Debug)]
pub struct Clock {
    reading: Arc<Mutex<Reading>>,
}

#[derive(Debug)]
enum Reading {
    /// The machine's time plus what it was moved by.
    Running {
        ahead: Duration,
        behind: Duration,
    },
    Frozen(SystemTime),
}

impl Clock {
    /// Makes a clock that shows the machine's time and runs with it.
    pub fn new() -> Self {
        Self::reading(Reading::Running {
            ahead: Duration::ZERO,
            behind: Duration::ZERO,
        })
    }

    /// Makes a clock that stands still at `time` and moves only by [`advance`](Self::advance) and
    /// [`set`](Self::set).
    pub fn frozen_at(time: SystemTime) -> Self {
        Self::reading(Reading::Frozen(time))
    }

    /// Tells the time.
    pub fn now(&self) -> SystemTime {
        match *self.reading.lock() {
            Reading::Running { ahead, behind } => SystemTime::now() + ahead - behind,
            Reading::Frozen(time) => time,
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        match &mut *self.reading.lock() {
            Reading::Running { ahead, .. } => *ahead += by,
            Reading::Frozen(time) => *time += by,
        }
    }

    /// Sets the clock to `time`, from which it runs on if it is a running one.
    pub fn set(&self, time: SystemTime) {
        match &mut *self.reading.lock() {
            Reading::Running { ahead, behind } => {
                let machine = SystemTime::now();
                *ahead = time.duration_since(machine).unwrap_or_default();
                *behind = machine.duration_since(time).unwrap_or_default();
            }
            Reading::Frozen(frozen) => *frozen = time,
        }
    }

    /// Returns the time as whole seconds since the Unix epoch.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.since_epoch().as_secs()
    }

    fn since_epoch(&self) -> Duration {
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn reading(reading: Reading) -> Self {
        Self {
            reading: Arc::new(Mutex::new(reading)),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Clock::now(self)
    }
}

/// Item expiry and stream records follow the same clock.
impl dynoxide::storage_backend::Clock for Clock {
    fn now_unix_secs(&self) -> u64 {
        self.unix_seconds()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.since_epoch().as_secs_f64()
    }
}

/// Formats a time as STS does: `2026-11-22T14:47:40Z`.
pub(crate) fn iso8601(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Serializes a time as STS formats it.
pub(crate) fn serialize_iso8601<S: Serializer>(
    time: &SystemTime,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso8601(*time))
}

/// Formats a time as SigV4 does: `20261122T144740Z`.
pub(crate) fn basic(time: SystemTime) -> String {
    DateTime::<Utc>::from(time)
        .format("%Y%m%dT%H%M%SZ")
        .to_string()
}

/// Formats a time as the HTTP `Date` header does.
pub(crate) fn http_date(time: SystemTime) -> String {
    DateTime::<Utc>::from(time)
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_by_hand() {
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let clock = Clock::frozen_at(start);
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now(), start + Duration::from_secs(60));
        clock.set(start);
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn a_running_clock_can_be_set_back_and_runs_on() {
        let clock = Clock::new();
        let past = SystemTime::now() - Duration::from_secs(86_400);
        clock.set(past);
        let now = clock.now();
        assert!(now >= past && now < past + Duration::from_secs(3600));
    }

    #[test]
    fn times_are_written_as_aws_writes_them() {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_358_860);
        assert_eq!(iso8601(time), "2026-11-22T14:47:40Z");
        assert_eq!(basic(time), "20261122T144740Z");
        assert_eq!(http_date(time), "Sun, 22 Nov 2026 14:47:40 GMT");
    }
}
