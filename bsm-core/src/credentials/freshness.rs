//! Cached credentials, and when they are refreshed.
//!
//! Two clocks decide whether credentials have expired. The wall clock, corrected by the skew that the
//! response with the credentials showed, includes the time that the machine was suspended. The monotonic clock ignores
//! changes to the wall clock. The smaller remaining time applies.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use tokio::time::Instant;

use crate::time::Moment;
use crate::transport::server_clock::ClockSkew;

/// How long before the expiry of credentials they are refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    /// From here on, a refresh runs in the background.
    advisory: Duration,
    /// From here on, callers wait for it.
    pub(super) mandatory: Duration,
}

impl Windows {
    fn for_lifetime(lifetime: Duration) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        // The windows are those of AWS's static-stability standard, shorter for short lifetimes.
        let advisory = if lifetime <= 20 * MINUTE {
            // Half the lifetime, because credentials that live for a few minutes would otherwise
            // never be fresh. A source that returns the same credentials again, with ever less time
            // left, is then called now and then.
            (5 * MINUTE).min(lifetime / 2)
        } else if lifetime < 90 * MINUTE {
            15 * MINUTE
        } else {
            60 * MINUTE
        };
        Self {
            advisory,
            // Credentials that live for a minute would otherwise make every caller wait.
            mandatory: MINUTE.min(lifetime / 4),
        }
    }
}

/// Credentials, and when to refresh them.
#[derive(Debug)]
pub(super) struct CachedCredentials {
    pub(super) credentials: Credentials,
    /// `None` for credentials that do not expire.
    lifetime: Option<Lifetime>,
    obtained: Moment,
    /// After which time credentials that do not expire are fetched again.
    check_after: Option<Duration>,
}

/// The time in which credentials are valid.
#[derive(Clone, Copy, Debug)]
struct Lifetime {
    /// By the manager's wall clock.
    expiry: SystemTime,
    obtained: Instant,
    /// From `obtained` to `expiry`.
    length: Duration,
    windows: Windows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Freshness {
    Fresh,
    Advisory,
    Mandatory,
    Expired,
}

impl CachedCredentials {
    pub(super) fn new(credentials: Credentials, now: Moment) -> Self {
        // Only credentials that STS or the SSO portal has issued to this process have a skew.
        let skew = credentials.get_property::<ClockSkew>().copied();
        let lifetime = credentials.expiry().map(|expiry| {
            let (expiry, length) = match skew {
                Some(skew) => {
                    let left = skew.until(expiry, now);
                    (now.wall.checked_add(left).unwrap_or(expiry), left)
                }
                None => (expiry, expiry.duration_since(now.wall).unwrap_or_default()),
            };
            Lifetime {
                expiry,
                obtained: now.monotonic,
                length,
                windows: Windows::for_lifetime(length),
            }
        });
        Self {
            credentials,
            lifetime,
            obtained: now,
            check_after: None,
        }
    }

    /// Fetches credentials that do not expire again after some time, as in an advisory window.
    pub(super) fn checked_every(mut self, every: Option<Duration>) -> Self {
        self.check_after = every;
        self
    }

    /// Returns `true` if the time to the next check has passed by one of the clocks.
    fn is_check_due(&self, now: Moment) -> bool {
        let Some(every) = self.check_after else {
            return false;
        };
        // An error is a wall clock that was set back.
        let by_wall = now.wall.duration_since(self.obtained.wall);
        now.monotonic
            .saturating_duration_since(self.obtained.monotonic)
            >= every
            || by_wall.is_ok_and(|passed| passed >= every)
    }

    pub(super) fn freshness(&self, now: Moment) -> Freshness {
        let (Some(left), Some(windows)) = (self.remaining(now), self.windows()) else {
            // Advisory at most: nobody waits for the check of keys that never expire.
            return match self.is_check_due(now) {
                true => Freshness::Advisory,
                false => Freshness::Fresh,
            };
        };
        if left.is_zero() {
            Freshness::Expired
        } else if left <= windows.mandatory {
            Freshness::Mandatory
        } else if left <= windows.advisory {
            Freshness::Advisory
        } else {
            Freshness::Fresh
        }
    }

    pub(super) fn is_valid(&self, now: Moment) -> bool {
        self.freshness(now) < Freshness::Expired
    }

    /// Returns the remaining time, or `None` for credentials that do not expire.
    pub(super) fn remaining(&self, now: Moment) -> Option<Duration> {
        let lifetime = self.lifetime.as_ref()?;
        let by_wall = lifetime.expiry.duration_since(now.wall).unwrap_or_default();
        let passed = now.monotonic.saturating_duration_since(lifetime.obtained);
        Some(by_wall.min(lifetime.length.saturating_sub(passed)))
    }

    pub(super) fn windows(&self) -> Option<Windows> {
        Some(self.lifetime?.windows)
    }

    /// Returns the time that remained when they were obtained, or `None` for credentials that do
    /// not expire.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        Some(self.lifetime?.length)
    }

    pub(super) fn lasts_for(&self, at_least: Duration, now: Moment) -> bool {
        self.remaining(now).is_none_or(|left| left >= at_least)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn windows(lifetime: Duration) -> (Duration, Duration) {
        let windows = Windows::for_lifetime(lifetime);
        (windows.advisory, windows.mandatory)
    }

    /// A moment at which only the wall clock has moved on.
    fn at(wall: SystemTime) -> Moment {
        static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        Moment {
            wall,
            monotonic: *START,
        }
    }

    fn cached(expiry: Option<SystemTime>, now: Moment) -> CachedCredentials {
        CachedCredentials::new(Credentials::new("id", "secret", None, expiry, "test"), now)
    }

    #[test]
    fn the_windows_are_those_of_the_static_stability_standard() {
        assert_eq!(windows(10 * MINUTE), (5 * MINUTE, MINUTE));
        assert_eq!(windows(15 * MINUTE), (5 * MINUTE, MINUTE));
        assert_eq!(windows(20 * MINUTE), (5 * MINUTE, MINUTE));
        assert_eq!(windows(21 * MINUTE), (15 * MINUTE, MINUTE));
        assert_eq!(windows(60 * MINUTE), (15 * MINUTE, MINUTE));
        let almost = 90 * MINUTE - Duration::from_secs(1);
        assert_eq!(windows(almost), (15 * MINUTE, MINUTE));
        assert_eq!(windows(90 * MINUTE), (60 * MINUTE, MINUTE));
        assert_eq!(windows(720 * MINUTE), (60 * MINUTE, MINUTE));
    }

    #[test]
    fn the_windows_of_short_lifetimes_are_parts_of_them() {
        assert_eq!(windows(8 * MINUTE), (4 * MINUTE, MINUTE));
        assert_eq!(windows(2 * MINUTE), (MINUTE, MINUTE / 2));
        assert_eq!(windows(MINUTE), (MINUTE / 2, MINUTE / 4));
    }

    #[test]
    fn short_lived_credentials_are_fresh_for_a_while() {
        let now = UNIX_EPOCH + 1_000 * MINUTE;
        for seconds in 1..300 {
            let expiry = now + Duration::from_secs(seconds);
            let cached = cached(Some(expiry), at(now));
            assert_eq!(cached.freshness(at(now)), Freshness::Fresh, "{seconds} s");
            assert_eq!(
                cached.freshness(at(expiry)),
                Freshness::Expired,
                "{seconds} s"
            );
        }
    }

    #[test]
    fn credentials_without_an_expiry_stay_fresh() {
        let cached = cached(None, at(UNIX_EPOCH));
        let late = at(UNIX_EPOCH + 100_000_000 * MINUTE);
        assert_eq!(cached.freshness(late), Freshness::Fresh);
        assert!(cached.lasts_for(Duration::MAX, late));
    }

    /// Each boundary belongs to the window that begins there.
    #[test]
    fn every_window_begins_at_its_boundary() {
        let now = UNIX_EPOCH + 1_000 * MINUTE;
        let cached = cached(Some(now + 60 * MINUTE), at(now));
        let second = Duration::from_secs(1);
        for (left, expected) in [
            (15 * MINUTE + second, Freshness::Fresh),
            (15 * MINUTE, Freshness::Advisory),
            (MINUTE + second, Freshness::Advisory),
            (MINUTE, Freshness::Mandatory),
            (second, Freshness::Mandatory),
            (Duration::ZERO, Freshness::Expired),
        ] {
            let wall = now + 60 * MINUTE - left;
            assert_eq!(cached.freshness(at(wall)), expected, "{left:?}");
            assert_eq!(cached.is_valid(at(wall)), expected != Freshness::Expired);
        }
        assert!(cached.lasts_for(60 * MINUTE, at(now)));
        assert!(!cached.lasts_for(60 * MINUTE + second, at(now)));
    }

    #[test]
    fn the_clock_that_is_further_counts() {
        let wall = UNIX_EPOCH + 100_000 * MINUTE;
        let start = at(wall);
        let cached = cached(Some(wall + 60 * MINUTE), start);
        let day = 24 * 60 * MINUTE;
        let now = |wall, passed| Moment {
            wall,
            monotonic: start.monotonic + passed,
        };
        for (now, left) in [
            (now(wall + 10 * MINUTE, 10 * MINUTE), 50 * MINUTE),
            // The machine was suspended.
            (now(wall + 70 * MINUTE, MINUTE), Duration::ZERO),
            // The wall clock was set back, by a day and by half an hour.
            (now(wall - day, 61 * MINUTE), Duration::ZERO),
            (now(wall - day, 10 * MINUTE), 50 * MINUTE),
            (now(wall, 30 * MINUTE), 30 * MINUTE),
        ] {
            assert_eq!(cached.remaining(now), Some(left), "{now:?}");
        }
    }
}
