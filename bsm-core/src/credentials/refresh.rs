//! The cache that refreshes temporary credentials.
//!
//! | credentials | what a caller gets |
//! |---|---|
//! | fresh | the cached ones, without a lock |
//! | in the advisory window | the cached ones; one refresh runs in the background |
//! | in the mandatory window | the result of one shared refresh, for which callers wait a few seconds |
//! | expired, or none yet | the result of one shared refresh, or its error |
//!
//! A refresh that fails while the cached credentials are valid fails no caller: they are used until
//! they expire, and the provider is called again after a cooldown. The windows are those of AWS's
//! static-stability standard, which botocore and the Rust SDK are both adopting; they depend on the
//! lifetime, see [`CachedCredentials`].
//!
//! *How often the provider is called.* Once per window if it succeeds. If it fails, once in 5 to 10
//! minutes in the advisory window and once in 1 to 5 seconds after it, for any number of callers;
//! in between, callers get the cached credentials or the last error. Each time, a role makes as many
//! attempts at AssumeRole as the retry configuration says, three by default.
//!
//! *MFA.* A refresh that prompts for a code never runs in the background: only a caller who waits
//! can expect the prompt. It is postponed to the mandatory window, and if the user enters no code
//! there, to the expiry.

mod event;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{self as aws, ProvideCredentials, future};
use aws_smithy_async::time::SharedTimeSource;
use parking_lot::Mutex;

pub use self::event::RefreshEvent;
pub(crate) use self::event::{Observer, OnRefresh};
use super::freshness::{CachedCredentials, Freshness};
use super::provider::{self, SharedProvider};
use crate::error::{Error, ErrorKind};
use crate::sync::engine::Engine;
use crate::sync::single_flight::SingleFlight;
use crate::time::{Moment, format_rfc3339};

/// How long a caller waits for new credentials while the cached ones are valid. Longer than a slow
/// STS call, shorter than the usual time-out of a request.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How long the cache remembers that new credentials are too short-lived for a caller. A minute
/// keeps a loop from calling STS each time, and a role whose duration was raised is soon used.
const TOO_SHORT_FOR: Duration = Duration::from_secs(60);

/// A source of credentials behind a cache that refreshes them.
///
/// It is a provider for the SDK, whose own cache must be off: it would hide the refresh.
#[derive(Clone)]
pub(crate) struct Refresher {
    inner: Arc<Inner>,
}

struct Inner {
    provider: SharedProvider,
    time: SharedTimeSource,
    cached: ArcSwapOption<CachedCredentials>,
    cooldown: Mutex<Option<Cooldown>>,
    /// When, and for how long, the source last gave credentials that expire too early for a caller.
    too_short: Mutex<Option<(SystemTime, Duration)>>,
    flight: SingleFlight<Refreshed>,
    observer: Observer,
}

/// The time after a failure in which the source is not called.
struct Cooldown {
    since: SystemTime,
    /// Until when valid credentials are returned without a refresh.
    serve_stale_until: SystemTime,
    /// Until when the source is not called, even if there are no valid credentials.
    until: SystemTime,
    error: Error,
}

/// The outcome of a refresh: new credentials, or the old ones and the error.
#[derive(Clone)]
struct Refreshed {
    cached: Arc<CachedCredentials>,
    failure: Option<Error>,
}

impl Refresher {
    pub(crate) fn new(
        provider: SharedProvider,
        time: SharedTimeSource,
        observer: Observer,
    ) -> Self {
        Self::with(Engine::default(), provider, time, observer)
    }

    /// As [`new`](Self::new), with the engine on which refreshes run.
    #[cfg(test)]
    pub(crate) fn on(engine: Engine, provider: SharedProvider, time: SharedTimeSource) -> Self {
        Self::with(engine, provider, time, Observer::default())
    }

    fn with(
        engine: Engine,
        provider: SharedProvider,
        time: SharedTimeSource,
        observer: Observer,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                provider,
                time,
                cached: ArcSwapOption::empty(),
                cooldown: Mutex::new(None),
                too_short: Mutex::new(None),
                flight: SingleFlight::on(engine),
                observer,
            }),
        }
    }

    /// Returns credentials that are valid now.
    pub(crate) async fn credentials(&self) -> Result<Credentials, Error> {
        let cached = match self.inner.cached() {
            Some(cached) => cached,
            None => self.refresh_or_cached().await?,
        };
        Ok(cached.credentials.clone())
    }

    /// Returns credentials that are valid for at least `at_least` from now.
    pub(crate) async fn credentials_for(&self, at_least: Duration) -> Result<Credentials, Error> {
        let now = || self.inner.now();
        if let Some(cached) = self.inner.cached()
            && cached.lasts_for(at_least, now())
        {
            return Ok(cached.credentials.clone());
        }
        if let Some(lifetime) = self.inner.known_too_short(at_least) {
            return Err(too_short(at_least, lifetime));
        }
        let mut lifetime = Duration::ZERO;
        // Twice: the first credentials can come from a cache that other processes share, with
        // little time left.
        for _ in 0..2 {
            let Refreshed { cached, failure } = self.refreshed().await?;
            match (cached.lasts_for(at_least, now()), failure) {
                (true, _) => return Ok(cached.credentials.clone()),
                // Valid credentials are not enough here, so the caller gets the reason.
                (false, Some(failure)) => return Err(failure),
                (false, None) => lifetime = cached.lifetime().unwrap_or(Duration::MAX),
            }
        }
        *self.inner.too_short.lock() = Some((now().wall, lifetime));
        Err(too_short(at_least, lifetime))
    }

    /// Returns when the cached credentials expire; `None` if there are none, or they do not expire.
    pub(crate) fn expiration(&self) -> Option<SystemTime> {
        self.inner.cached.load().as_ref()?.credentials.expiry()
    }

    /// Returns `true` if the cached credentials expire within `margin`.
    pub(crate) fn expires_within(&self, margin: Duration) -> bool {
        let cached = self.inner.cached.load();
        let left = cached
            .as_ref()
            .and_then(|cached| cached.remaining(self.inner.now()));
        left.is_some_and(|left| left <= margin)
    }

    /// Returns the cached credentials, whether or not they are still valid. Never waits.
    pub(crate) fn cached_if_any(&self) -> Option<Credentials> {
        let cached = self.inner.cached.load();
        Some(cached.as_ref()?.credentials.clone())
    }

    /// Returns `true` if the credentials are those of a role.
    pub(crate) fn is_role(&self) -> bool {
        self.inner.provider.is_role()
    }

    /// Returns how long a refresh may take.
    pub(super) fn limit(&self) -> Duration {
        self.inner.provider.limit()
    }

    /// Returns `true` if a request for credentials can prompt now.
    pub(super) fn may_prompt(&self) -> bool {
        let cached = self.inner.cached.load_full();
        let now = self.inner.now();
        // From the mandatory window on, a request waits for a refresh.
        let at_hand = cached.is_some_and(|cached| cached.freshness(now) < Freshness::Mandatory);
        !at_hand && self.inner.provider.may_prompt()
    }

    /// Fails if the credentials are those of a source that is checked, and are of another account now. Never
    /// waits: a check that is due runs in the background.
    pub(super) fn check(&self) -> Result<(), Error> {
        let inner = &self.inner;
        if inner.provider.check_every().is_none() {
            return inner.provider.check_source();
        }
        if inner.cached().is_some() {
            return Ok(());
        }
        // Until the source succeeds again, and so longer than the cooldown itself.
        let cooldown = inner.cooldown.lock();
        match cooldown.as_ref().map(|cooldown| &cooldown.error) {
            Some(error) if error.kind() == ErrorKind::AccountMismatch => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Refreshes the credentials; falls back to valid cached ones after [`MAX_WAIT`].
    async fn refresh_or_cached(&self) -> Result<Arc<CachedCredentials>, Error> {
        let inner = &self.inner;
        if let Some(cached) = inner.valid() {
            let engine = inner.flight.engine();
            let error = match engine.timeout(MAX_WAIT, self.refreshed()).await {
                Some(Ok(refreshed)) => return Ok(refreshed.cached),
                Some(Err(error)) => error,
                None => slow(),
            };
            // Recorded, so that the next callers do not wait as long. The credentials may have
            // expired meanwhile; then the provider's own limit ends the wait below.
            if cached.is_valid(inner.now()) {
                inner.cooldown(error, Some(&cached));
                return Ok(cached);
            }
        }
        Ok(self.refreshed().await?.cached)
    }

    async fn refreshed(&self) -> Result<Refreshed, Error> {
        // Before the join: a refresh that ends in between must not be followed by another one.
        let seen = self.inner.cached.load_full();
        let inner = Arc::downgrade(&self.inner);
        let provider = &self.inner.provider;
        self.inner
            .flight
            .join(|| refresh(inner.clone(), Arc::clone(provider), seen.clone()))
            .await
    }
}

impl Inner {
    fn now(&self) -> Moment {
        Moment::now(&self.time)
    }

    /// Returns the cached credentials if no caller has to wait, and starts an advisory refresh if
    /// it is due.
    fn cached(self: &Arc<Self>) -> Option<Arc<CachedCredentials>> {
        let cached = self.cached.load_full()?;
        if self.provider.check_source().is_err() {
            // They would hide that the keys, for which they were issued, can no longer be used. Only these: the
            // keys may have become usable again meanwhile.
            self.cached.compare_and_swap(&cached, None);
            return None;
        }
        let now = self.now();
        match cached.freshness(now) {
            Freshness::Fresh => Some(cached),
            Freshness::Advisory => {
                if !self.serves_stale(now.wall) && !self.provider.may_prompt() {
                    self.refresh_in_background(&cached);
                }
                Some(cached)
            }
            // In a cooldown, a caller would wait for a source that has just failed.
            Freshness::Mandatory => self.serves_stale(now.wall).then_some(cached),
            Freshness::Expired => None,
        }
    }

    fn refresh_in_background(self: &Arc<Self>, cached: &Arc<CachedCredentials>) {
        // `start` would record a caller for each request that comes during the refresh.
        if self.flight.is_in_flight() {
            return;
        }
        let inner = Arc::downgrade(self);
        let provider = &self.provider;
        let started = self.flight.start(|| {
            refresh(
                inner.clone(),
                Arc::clone(provider),
                Some(Arc::clone(cached)),
            )
        });
        // No caller waits for it, and the next one starts it again.
        if let Err(error) = started {
            let session = &self.observer.session;
            tracing::debug!(session, %error, "the advisory refresh could not be started");
        }
    }

    fn valid(&self) -> Option<Arc<CachedCredentials>> {
        let cached = self.cached.load_full()?;
        cached.is_valid(self.now()).then_some(cached)
    }

    fn serves_stale(&self, now: SystemTime) -> bool {
        let cooldown = self.cooldown.lock();
        cooldown
            .as_ref()
            .is_some_and(|cooldown| cooldown.lasts(now, cooldown.serve_stale_until))
    }

    /// Returns the last error of the source during its cooldown.
    fn cooldown_error(&self, now: SystemTime) -> Option<Error> {
        let cooldown = self.cooldown.lock();
        let cooldown = cooldown
            .as_ref()
            .filter(|cooldown| cooldown.lasts(now, cooldown.until))?;
        Some(cooldown.error.clone())
    }

    /// Returns the lifetime of the source's credentials if it is known to be too short.
    fn known_too_short(&self, at_least: Duration) -> Option<Duration> {
        let (since, lifetime) = (*self.too_short.lock())?;
        // An error is a clock that was set back, and ends the memory.
        let ago = self.time.now().duration_since(since).ok()?;
        (ago < TOO_SHORT_FOR && lifetime < at_least).then_some(lifetime)
    }

    /// Caches new credentials.
    fn succeeded(&self, credentials: Credentials) -> Result<Refreshed, Error> {
        let now = self.now();
        let cached = CachedCredentials::new(credentials, now);
        let cached = Arc::new(cached.checked_every(self.provider.check_every()));
        // Not cached: the old credentials may last longer.
        if !cached.is_valid(now) {
            return Err(already_expired(&cached.credentials));
        }
        tracing::debug!(
            session = self.observer.session,
            source = self.provider.step(),
            expiration = cached.credentials.expiry().map(rfc3339),
            "refreshed credentials"
        );
        self.cached.store(Some(Arc::clone(&cached)));
        *self.cooldown.lock() = None;
        // After the store, so that the user's function finds the new credentials.
        self.notify(cached.credentials.expiry(), None);
        Ok(Refreshed {
            cached,
            failure: None,
        })
    }

    /// Starts a cooldown after a failure, and returns what callers get meanwhile.
    fn failed(&self, error: Error) -> Result<Refreshed, Error> {
        if error.kind() == ErrorKind::AccountMismatch && self.provider.check_every().is_some() {
            // The old keys never expire, and would hide for good that the new ones cannot be used.
            self.cached.store(None);
        }
        // After the store above: dropped keys must not be returned as still valid.
        let valid = self.valid();
        self.cooldown(error.clone(), valid.as_ref());
        let expiry = valid.as_ref().and_then(|valid| valid.credentials.expiry());
        self.notify(expiry, Some(&error));
        match valid {
            Some(cached) => {
                tracing::warn!(
                    session = self.observer.session,
                    source = self.provider.step(),
                    %error,
                    "a refresh failed; the old credentials are still valid"
                );
                Ok(Refreshed {
                    cached,
                    failure: Some(error),
                })
            }
            None => Err(error),
        }
    }

    fn notify(&self, expiry: Option<SystemTime>, error: Option<&Error>) {
        self.observer.notify(expiry, error);
    }

    /// Returns credentials that another refresh has cached since the caller saw `seen`.
    fn newer_than(&self, seen: Option<&Arc<CachedCredentials>>) -> Option<Arc<CachedCredentials>> {
        // By address: a source may return equal credentials again.
        let same =
            |cached: &Arc<CachedCredentials>| seen.is_some_and(|seen| Arc::ptr_eq(seen, cached));
        self.valid().filter(|cached| !same(cached))
    }

    fn cooldown(&self, error: Error, valid: Option<&Arc<CachedCredentials>>) {
        let Moment { wall: now, .. } = self.now();
        let until = now + jitter(1.0..5.0);
        let left =
            valid.and_then(|cached| Some((cached.remaining(self.now())?, cached.windows()?)));
        let serve_stale_until = match left {
            // The user entered no code: no further prompt until the credentials have expired.
            Some((left, _)) if error.kind() == ErrorKind::MfaCodeUnavailable => now + left,
            // At most until the mandatory window: the expiry is near then, and attempts are due
            // every few seconds.
            Some((left, windows)) if left > windows.mandatory => {
                now + jitter(300.0..600.0).min(left - windows.mandatory)
            }
            // Keys that do not expire are checked again after the usual time.
            None if valid.is_some() => now + self.provider.check_every().unwrap_or_default(),
            // A mistyped code can be corrected at once, so there is no cooldown.
            None if error.kind() == ErrorKind::MfaCodeRejected => return,
            _ => until,
        };
        *self.cooldown.lock() = Some(Cooldown {
            since: now,
            serve_stale_until,
            until,
            error,
        });
    }
}

impl Cooldown {
    /// Returns `true` until `until`. A clock that was set back ends the cooldown as well.
    fn lasts(&self, now: SystemTime, until: SystemTime) -> bool {
        (self.since..until).contains(&now)
    }
}

/// Calls the source once, unless newer credentials have been cached since the caller saw `seen`.
///
/// It holds the cache weakly, so that a refresh in the background keeps no manager alive.
async fn refresh(
    inner: Weak<Inner>,
    provider: SharedProvider,
    seen: Option<Arc<CachedCredentials>>,
) -> Result<Refreshed, Error> {
    if let Some(inner) = inner.upgrade() {
        if let Some(cached) = inner.newer_than(seen.as_ref()) {
            return Ok(Refreshed {
                cached,
                failure: None,
            });
        }
        // Here, where all callers pass: with no valid credentials, nothing else keeps them from
        // calling a source that has just failed.
        if let Some(error) = inner.cooldown_error(inner.time.now()) {
            return match inner.valid() {
                Some(cached) => Ok(Refreshed {
                    cached,
                    failure: Some(error),
                }),
                None => Err(error),
            };
        }
    }
    // The strong reference has ended above: the cache can be dropped during the call.
    let outcome = provider::provide(&*provider).await;
    let Some(inner) = inner.upgrade() else {
        return Err(Error::new(
            ErrorKind::Runtime,
            "the session was dropped while its credentials were being refreshed: keep the manager \
             while it is in use",
        ));
    };
    outcome
        // Credentials that have already expired are a failure as well, with its cooldown.
        .and_then(|credentials| inner.succeeded(credentials))
        .or_else(|error| inner.failed(error))
}

impl ProvideCredentials for Refresher {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.inner.cached() {
            Some(cached) => future::ProvideCredentials::ready(Ok(cached.credentials.clone())),
            None => future::ProvideCredentials::new(async move {
                let cached = self.refresh_or_cached().await?;
                aws::Result::Ok(cached.credentials.clone())
            }),
        }
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        // The SDK's own cache, if a user adds it, calls this when its load time-out passes.
        Some(self.inner.valid()?.credentials.clone())
    }
}

impl fmt::Debug for Refresher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher")
            .field("expiration", &self.expiration().map(rfc3339))
            .finish_non_exhaustive()
    }
}

fn slow() -> Error {
    Error::new(
        ErrorKind::Unreachable,
        "timed out waiting for the credentials provider, which is slow or unreachable",
    )
}

fn too_short(at_least: Duration, lifetime: Duration) -> Error {
    Error::new(
        ErrorKind::CredentialsUnavailable,
        format!(
            "credentials valid for {} s were requested, but new ones are valid for only {} s: \
             request less, or raise the duration of the role",
            at_least.as_secs(),
            lifetime.as_secs()
        ),
    )
}

fn already_expired(credentials: &Credentials) -> Error {
    let expiry = credentials.expiry().map(rfc3339).unwrap_or_default();
    Error::new(
        ErrorKind::CredentialsRejected,
        format!("the credentials expired at {expiry}: get new ones from the same source"),
    )
}

fn rfc3339(time: SystemTime) -> String {
    format_rfc3339(time).unwrap_or_else(|| "the end of time".to_owned())
}

/// Returns a random number of seconds in a range, so that many processes do not call at the same
/// moment.
fn jitter(seconds: std::ops::Range<f64>) -> Duration {
    let spread = seconds.end - seconds.start;
    Duration::from_secs_f64(seconds.start + spread * fastrand::f64())
}

#[cfg(test)]
mod tests;
