//! The server's clock, which tests can move.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::TimeSource;
use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde::Serializer;

/// A clock that starts at the machine's time, runs with it, and can be moved.
///
/// The server uses it for everything that depends on time: the expiry of credentials, the age of
/// signatures, MFA codes, the `Date` header and the expiry of items. Clones share one time. A clone
/// is also a [`TimeSource`], so a client under test can use the server's time:
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
/// [`Clock::frozen_at`] creates a clock that does not run by itself.
#[derive(Clone, Debug)]
pub struct Clock {
    time: Arc<Mutex<Time>>,
}

#[derive(Debug)]
enum Time {
    /// The machine's time, moved by two offsets, since a `Duration` cannot be negative.
    Running {
        ahead: Duration,
        behind: Duration,
    },
    Frozen(SystemTime),
}

impl Clock {
    /// Creates a clock that starts at the machine's time and runs with it.
    pub fn new() -> Self {
        Self::starting_with(Time::Running {
            ahead: Duration::ZERO,
            behind: Duration::ZERO,
        })
    }

    /// Creates a clock that stays at `time` until [`advance`](Self::advance) or [`set`](Self::set)
    /// moves it.
    pub fn frozen_at(time: SystemTime) -> Self {
        Self::starting_with(Time::Frozen(time))
    }

    /// Returns the current time of the clock.
    pub fn now(&self) -> SystemTime {
        match *self.time.lock() {
            Time::Running { ahead, behind } => SystemTime::now() + ahead - behind,
            Time::Frozen(time) => time,
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        match &mut *self.time.lock() {
            Time::Running { ahead, .. } => *ahead += by,
            Time::Frozen(time) => *time += by,
        }
    }

    /// Sets the clock to `time`. A running clock continues from there.
    pub fn set(&self, time: SystemTime) {
        match &mut *self.time.lock() {
            Time::Running { ahead, behind } => {
                // `duration_since` fails for an earlier time, so one of the two offsets becomes
                // zero.
                let machine = SystemTime::now();
                *ahead = time.duration_since(machine).unwrap_or_default();
                *behind = machine.duration_since(time).unwrap_or_default();
            }
            Time::Frozen(frozen) => *frozen = time,
        }
    }

    /// Returns the time as whole seconds since the Unix epoch.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.since_epoch().as_secs()
    }

    fn since_epoch(&self) -> Duration {
        // A clock that was set to a time before 1970 is at the epoch for DynamoDB.
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn starting_with(time: Time) -> Self {
        Self {
            time: Arc::new(Mutex::new(time)),
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

/// The DynamoDB engine expires items and dates stream records by the same clock.
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
    fn a_frozen_clock_moves_only_when_set_or_advanced() {
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let clock = Clock::frozen_at(start);
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now(), start + Duration::from_secs(60));
        clock.set(start);
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn a_running_clock_can_be_set_to_the_past() {
        let clock = Clock::new();
        let past = SystemTime::now() - Duration::from_secs(86_400);
        clock.set(past);
        let now = clock.now();
        assert!(now >= past && now < past + Duration::from_secs(3600));
    }

    #[test]
    fn times_have_the_formats_of_sts_sigv4_and_http() {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_358_860);
        assert_eq!(iso8601(time), "2026-11-22T14:47:40Z");
        assert_eq!(basic(time), "20261122T144740Z");
        assert_eq!(http_date(time), "Sun, 22 Nov 2026 14:47:40 GMT");
    }
}
