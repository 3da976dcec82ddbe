//! Cached credentials, and when they are refreshed.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;

/// How long before the expiry of credentials they are refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Windows {
    /// From here on, a refresh runs in the background.
    advisory: Duration,
    /// From here on, callers wait for it.
    mandatory: Duration,
}

impl Windows {
    fn for_lifetime(lifetime: Duration) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
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
            mandatory: MINUTE.min(lifetime / 4),
        }
    }
}

/// Credentials, and when to refresh them.
#[derive(Debug)]
pub(super) struct CachedCredentials {
    pub(super) credentials: Credentials,
    /// When the windows open; `None` for credentials that do not expire.
    pub(super) deadlines: Option<Deadlines>,
    obtained: SystemTime,
    /// When credentials that do not expire are fetched again.
    check_at: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    pub(super) advisory: SystemTime,
    pub(super) mandatory: SystemTime,
    pub(super) expiry: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Freshness {
    Fresh,
    Advisory,
    Mandatory,
    Expired,
}

impl CachedCredentials {
    pub(super) fn new(credentials: Credentials, now: SystemTime) -> Self {
        let deadlines = credentials.expiry().map(|expiry| {
            let windows = Windows::for_lifetime(expiry.duration_since(now).unwrap_or_default());
            Deadlines {
                advisory: expiry - windows.advisory,
                mandatory: expiry - windows.mandatory,
                expiry,
            }
        });
        Self {
            credentials,
            deadlines,
            obtained: now,
            check_at: None,
        }
    }

    /// Fetches credentials that do not expire again after some time, as in an advisory window.
    pub(super) fn checked_every(mut self, every: Option<Duration>) -> Self {
        self.check_at = every.and_then(|every| self.obtained.checked_add(every));
        self
    }

    pub(super) fn freshness(&self, now: SystemTime) -> Freshness {
        match self.deadlines {
            Some(at) if now >= at.expiry => Freshness::Expired,
            Some(at) if now >= at.mandatory => Freshness::Mandatory,
            Some(at) if now >= at.advisory => Freshness::Advisory,
            None if self.check_at.is_some_and(|at| now >= at) => Freshness::Advisory,
            _ => Freshness::Fresh,
        }
    }

    pub(super) fn is_valid(&self, now: SystemTime) -> bool {
        self.freshness(now) < Freshness::Expired
    }

    pub(super) fn expiry(&self) -> Option<SystemTime> {
        Some(self.deadlines?.expiry)
    }

    /// Returns the remaining time, or `None` for credentials that do not expire.
    pub(super) fn remaining(&self, now: SystemTime) -> Option<Duration> {
        Some(self.expiry()?.duration_since(now).unwrap_or_default())
    }

    /// Returns the time that remained when they were obtained, or `None` for credentials that do
    /// not expire.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.remaining(self.obtained)
    }

    pub(super) fn lasts_for(&self, at_least: Duration, now: SystemTime) -> bool {
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

    #[test]
    fn the_windows_are_those_of_the_static_stability_standard() {
        assert_eq!(windows(15 * MINUTE), (5 * MINUTE, MINUTE));
        assert_eq!(windows(20 * MINUTE), (5 * MINUTE, MINUTE));
        assert_eq!(windows(21 * MINUTE), (15 * MINUTE, MINUTE));
        assert_eq!(windows(60 * MINUTE), (15 * MINUTE, MINUTE));
        assert_eq!(windows(90 * MINUTE), (60 * MINUTE, MINUTE));
        assert_eq!(windows(720 * MINUTE), (60 * MINUTE, MINUTE));
    }

    #[test]
    fn short_lived_credentials_are_fresh_for_a_while() {
        let now = UNIX_EPOCH + 1_000 * MINUTE;
        for seconds in 1..300 {
            let expiry = now + Duration::from_secs(seconds);
            let cached = CachedCredentials::new(
                Credentials::new("id", "secret", None, Some(expiry), "test"),
                now,
            );
            assert_eq!(cached.freshness(now), Freshness::Fresh, "{seconds} s");
            assert_eq!(cached.freshness(expiry), Freshness::Expired, "{seconds} s");
        }
    }

    #[test]
    fn credentials_without_an_expiry_stay_fresh() {
        let cached = CachedCredentials::new(
            Credentials::new("id", "secret", None, None, "test"),
            UNIX_EPOCH,
        );
        assert_eq!(
            cached.freshness(UNIX_EPOCH + 100_000_000 * MINUTE),
            Freshness::Fresh
        );
        assert!(cached.lasts_for(Duration::MAX, UNIX_EPOCH));
    }
}
