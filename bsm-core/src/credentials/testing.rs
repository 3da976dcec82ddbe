//! A clock that is set by hand, and a source that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use futures_core::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Refresher;
use super::provider::{CredentialProvider, SharedProvider};
use crate::error::{Error, ErrorKind};

/// The time limit of a [`Fake`].
pub(super) const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(super) struct Clock {
    id: usize,
    now: Arc<Mutex<SystemTime>>,
}

impl Clock {
    pub(super) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            now: Arc::new(Mutex::new(start)),
        }
    }

    /// Returns an endpoint that no other test has.
    pub(super) fn endpoint(&self) -> String {
        format!("http://test-{}.invalid", self.id)
    }

    pub(super) fn advance(&self, seconds: u64) {
        *self.now.lock() += Duration::from_secs(seconds);
    }

    pub(super) fn set_back(&self, seconds: u64) {
        *self.now.lock() -= Duration::from_secs(seconds);
    }

    pub(super) fn shared(&self) -> SharedTimeSource {
        SharedTimeSource::new(self.clone())
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        *self.now.lock()
    }
}

/// What a [`Fake`] does when it is asked.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// Credentials for so many seconds.
    Give(u64),
    Fail(ErrorKind),
    Panic,
    /// No answer, until the behaviour changes.
    Hang,
}

/// A source of credentials that counts how often it is asked. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    clock: Clock,
    behaviour: Arc<Mutex<Behaviour>>,
    changed: Arc<Notify>,
    calls: Arc<AtomicUsize>,
    /// What prompts a person: the fake itself, or the refresh of its parent.
    prompts: Prompts,
}

#[derive(Clone, Debug)]
enum Prompts {
    Never,
    Always,
    ForParent(Refresher),
}

impl Fake {
    pub(super) fn new(clock: &Clock, behaviour: Behaviour) -> Self {
        Self {
            clock: clock.clone(),
            behaviour: Arc::new(Mutex::new(behaviour)),
            changed: Arc::default(),
            calls: Arc::default(),
            prompts: Prompts::Never,
        }
    }

    /// As [`new`](Self::new); it may prompt a person.
    pub(super) fn prompting(clock: &Clock, behaviour: Behaviour) -> Self {
        Self {
            prompts: Prompts::Always,
            ..Self::new(clock, behaviour)
        }
    }

    /// Returns one that gives credentials for an hour, and needs those of a parent.
    pub(super) fn of_parent(clock: &Clock, parent: &Refresher) -> Self {
        Self {
            prompts: Prompts::ForParent(parent.clone()),
            ..Self::new(clock, Behaviour::Give(3_600))
        }
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock() = behaviour;
        self.changed.notify_waiters();
    }

    pub(super) fn provider(&self) -> SharedProvider {
        Arc::new(self.clone())
    }

    async fn answer(&self) -> Result<Credentials, Error> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        // So that callers do come together.
        tokio::task::yield_now().await;
        loop {
            let changed = self.changed.notified();
            let behaviour = self.behaviour.lock().clone();
            match behaviour {
                Behaviour::Give(seconds) => {
                    let expiry = self.clock.now() + Duration::from_secs(seconds);
                    return Ok(Credentials::new(
                        format!("key {call}"),
                        "secret",
                        None,
                        Some(expiry),
                        "fake",
                    ));
                }
                Behaviour::Fail(kind) => {
                    return Err(Error::new(kind, format!("failure {call}")));
                }
                Behaviour::Panic => panic!("the source is broken"),
                Behaviour::Hang => changed.await,
            }
        }
    }
}

impl CredentialProvider for Fake {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.answer())
    }

    fn step(&self) -> String {
        "the fake".to_owned()
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn may_prompt(&self) -> bool {
        match &self.prompts {
            Prompts::Never => false,
            Prompts::Always => true,
            Prompts::ForParent(parent) => parent.may_prompt(),
        }
    }
}
