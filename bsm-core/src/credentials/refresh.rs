//! Keeping temporary credentials fresh.
//!
//! | credentials | what a caller gets |
//! |---|---|
//! | fresh | the kept ones, without a lock |
//! | in the advisory window | the kept ones; one refresh runs in the background |
//! | in the mandatory window | everyone waits for one refresh and shares its result |
//! | expired, or none yet | the same, and a failure is everyone's error |
//!
//! A refresh that fails while the kept credentials are valid fails nobody: they are used until
//! their last second, and the source is asked again after a pause. The windows are those of AWS's
//! static-stability standard, which botocore and the Rust SDK are both taking over; see
//! [`Windows`].

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::time::SharedTimeSource;
use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;

use crate::error::{Error, ErrorKind};
use crate::flight::Flight;

/// How long before the expiry of credentials they are refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Windows {
    /// From here on a refresh runs in the background.
    advisory: Duration,
    /// From here on callers wait for it.
    mandatory: Duration,
}

impl Windows {
    fn for_lifetime(lifetime: Duration) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        let advisory = if lifetime <= 20 * MINUTE {
            5 * MINUTE
        } else if lifetime < 90 * MINUTE {
            15 * MINUTE
        } else {
            60 * MINUTE
        };
        // Credentials that live for a few minutes would otherwise never be fresh.
        Self {
            advisory: advisory.min(lifetime / 2),
            mandatory: MINUTE.min(lifetime / 4),
        }
    }
}

/// Credentials, and when to replace them.
#[derive(Debug)]
struct Kept {
    credentials: Credentials,
    /// When the windows open; `None` for credentials that do not expire.
    deadlines: Option<Deadlines>,
}

#[derive(Clone, Copy, Debug)]
struct Deadlines {
    advisory: SystemTime,
    mandatory: SystemTime,
    expiry: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Fresh,
    Advisory,
    Mandatory,
    Expired,
}

impl Kept {
    fn new(credentials: Credentials, now: SystemTime) -> Self {
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
        }
    }

    fn age(&self, now: SystemTime) -> Age {
        match self.deadlines {
            Some(at) if now >= at.expiry => Age::Expired,
            Some(at) if now >= at.mandatory => Age::Mandatory,
            Some(at) if now >= at.advisory => Age::Advisory,
            _ => Age::Fresh,
        }
    }

    /// Time left, or `None` for credentials that do not expire.
    fn remaining(&self, now: SystemTime) -> Option<Duration> {
        let expiry = self.deadlines?.expiry;
        Some(expiry.duration_since(now).unwrap_or_default())
    }
}

/// A source of credentials behind a cache that keeps them fresh.
///
/// It is itself a source, to be given to the SDK, whose own cache is to be off.
#[derive(Clone)]
pub(crate) struct Refresher {
    inner: Arc<Inner>,
}

struct Inner {
    source: SharedCredentialsProvider,
    time: SharedTimeSource,
    kept: ArcSwapOption<Kept>,
    /// Until when the source is left alone, and its last error.
    pause: Mutex<Option<Pause>>,
    flight: Flight<Arc<Kept>>,
}

struct Pause {
    until: SystemTime,
    error: Error,
}

impl Refresher {
    pub(crate) fn new(source: impl ProvideCredentials + 'static, time: SharedTimeSource) -> Self {
        Self {
            inner: Arc::new(Inner {
                source: SharedCredentialsProvider::new(source),
                time,
                kept: ArcSwapOption::empty(),
                pause: Mutex::new(None),
                flight: Flight::default(),
            }),
        }
    }

    /// Returns credentials that are valid now.
    pub(crate) async fn credentials(&self) -> Result<Credentials, Error> {
        match self.inner.without_waiting() {
            Some(kept) => Ok(kept.credentials.clone()),
            None => Ok(self.wait_for_refresh().await?.credentials.clone()),
        }
    }

    /// Returns credentials that are valid for at least `at_least` from now.
    pub(crate) async fn credentials_for(&self, at_least: Duration) -> Result<Credentials, Error> {
        let enough = |kept: &Kept| {
            let remaining = kept.remaining(self.inner.time.now());
            remaining.is_none_or(|remaining| remaining >= at_least)
        };
        if let Some(kept) = self.inner.without_waiting().filter(|kept| enough(kept)) {
            return Ok(kept.credentials.clone());
        }
        let kept = self.wait_for_refresh().await?;
        if enough(&kept) {
            return Ok(kept.credentials.clone());
        }
        let remaining = kept.remaining(self.inner.time.now()).unwrap_or_default();
        Err(Error::new(
            ErrorKind::CredentialsUnavailable,
            format!(
                "credentials for {} s were asked for, but new ones are valid for only {} s: ask \
                 for less, or raise the duration of the role",
                at_least.as_secs(),
                remaining.as_secs()
            ),
        ))
    }

    /// Returns when the kept credentials expire; `None` if there are none, or they do not expire.
    pub(crate) fn expiration(&self) -> Option<SystemTime> {
        Some(self.inner.kept.load().as_ref()?.deadlines?.expiry)
    }

    async fn wait_for_refresh(&self) -> Result<Arc<Kept>, Error> {
        let seen = self.inner.kept.load_full();
        let inner = Arc::downgrade(&self.inner);
        let source = &self.inner.source;
        self.inner
            .flight
            .join(|| refresh(inner.clone(), source.clone(), seen.clone()))
            .await
    }
}

impl Inner {
    /// Returns the kept credentials if nobody need wait for others, and sees to their refresh.
    fn without_waiting(self: &Arc<Self>) -> Option<Arc<Kept>> {
        let kept = self.kept.load_full()?;
        let now = self.time.now();
        match kept.age(now) {
            Age::Fresh => Some(kept),
            Age::Advisory => {
                if !self.is_paused(now) {
                    self.refresh_in_background(&kept);
                }
                Some(kept)
            }
            Age::Mandatory => self.is_paused(now).then_some(kept),
            Age::Expired => None,
        }
    }

    fn refresh_in_background(self: &Arc<Self>, kept: &Arc<Kept>) {
        let inner = Arc::downgrade(self);
        let started = self
            .flight
            .start(|| refresh(inner.clone(), self.source.clone(), Some(Arc::clone(kept))));
        if let Err(error) = started {
            tracing::debug!(%error, "the advisory refresh could not be started");
        }
    }

    fn is_paused(&self, now: SystemTime) -> bool {
        matches!(&*self.pause.lock(), Some(pause) if now < pause.until)
    }

    /// The last error of the source, while it is left alone.
    fn pause_error(&self, now: SystemTime) -> Option<Error> {
        let pause = self.pause.lock();
        let pause = pause.as_ref().filter(|pause| now < pause.until)?;
        Some(pause.error.clone())
    }

    fn succeeded(&self, credentials: Credentials) -> Result<Arc<Kept>, Error> {
        let now = self.time.now();
        let kept = Arc::new(Kept::new(credentials, now));
        if kept.age(now) == Age::Expired {
            return Err(already_expired(&kept.credentials));
        }
        tracing::debug!(
            expiration = kept.credentials.expiry().map(rfc3339),
            "refreshed credentials"
        );
        *self.pause.lock() = None;
        self.kept.store(Some(Arc::clone(&kept)));
        Ok(kept)
    }

    /// Lets the source alone for a while, and says what callers get meanwhile.
    fn failed(&self, error: Error) -> Result<Arc<Kept>, Error> {
        let now = self.time.now();
        let kept = self.kept.load_full();
        let valid = kept.filter(|kept| kept.age(now) < Age::Expired);
        let mandatory = valid.as_ref().and_then(|kept| kept.deadlines);
        let until = match mandatory {
            Some(at) if now < at.mandatory => (now + jitter(300.0..600.0)).min(at.mandatory),
            _ => now + jitter(1.0..5.0),
        };
        *self.pause.lock() = Some(Pause {
            until,
            error: error.clone(),
        });
        match valid {
            Some(kept) => {
                tracing::warn!(%error, "a refresh failed; the old credentials are still valid");
                Ok(kept)
            }
            None => Err(error),
        }
    }
}

/// Asks the source once, unless somebody else has since the caller `seen` what there was.
///
/// It holds the cache weakly: a refresh in the background keeps no manager alive.
async fn refresh(
    inner: Weak<Inner>,
    source: SharedCredentialsProvider,
    seen: Option<Arc<Kept>>,
) -> Result<Arc<Kept>, Error> {
    if let Some(inner) = inner.upgrade() {
        let kept = inner.kept.load_full();
        let landed = kept
            .filter(|kept| !matches!(&seen, Some(seen) if Arc::ptr_eq(seen, kept)))
            .filter(|kept| kept.age(inner.time.now()) < Age::Expired);
        if let Some(kept) = landed {
            return Ok(kept);
        }
        if let Some(error) = inner.pause_error(inner.time.now()) {
            let valid = seen.filter(|kept| kept.age(inner.time.now()) < Age::Expired);
            return valid.ok_or(error);
        }
    }
    let outcome = source.provide_credentials().await.map_err(Error::from);
    let Some(inner) = inner.upgrade() else {
        return Err(Error::new(
            ErrorKind::Runtime,
            "the session was dropped while its credentials were being refreshed",
        ));
    };
    outcome
        .and_then(|credentials| inner.succeeded(credentials))
        .or_else(|error| inner.failed(error))
}

impl ProvideCredentials for Refresher {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.inner.without_waiting() {
            Some(kept) => future::ProvideCredentials::ready(Ok(kept.credentials.clone())),
            None => future::ProvideCredentials::new(async move {
                let kept = self.wait_for_refresh().await?;
                provider::Result::Ok(kept.credentials.clone())
            }),
        }
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        let kept = self.inner.kept.load_full()?;
        let valid = kept.age(self.inner.time.now()) < Age::Expired;
        valid.then(|| kept.credentials.clone())
    }
}

impl fmt::Debug for Refresher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher")
            .field("expiration", &self.expiration().map(rfc3339))
            .finish_non_exhaustive()
    }
}

fn already_expired(credentials: &Credentials) -> Error {
    let expiry = credentials.expiry().map(rfc3339).unwrap_or_default();
    Error::new(
        ErrorKind::CredentialsRejected,
        format!("the credentials expired at {expiry}: get new ones from where these came from"),
    )
}

fn rfc3339(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A random number of seconds in a range, so that many processes do not act in step.
fn jitter(seconds: std::ops::Range<f64>) -> Duration {
    let spread = seconds.end - seconds.start;
    Duration::from_secs_f64(seconds.start + spread * fastrand::f64())
}
