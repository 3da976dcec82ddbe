//! Work that runs once for all callers that wait for it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::{self, Handle};
use tokio::sync::watch;
use tracing::Instrument as _;

use crate::error::{Error, ErrorKind};

/// The attempts of a waiter whose work ends without a result. One restart survives a runtime that
/// shuts down; work that ends twice without a result would never finish.
const MAX_STARTS: usize = 2;

/// Runs one piece of work at a time, and shares its result, success or error, among all callers
/// that wait for it.
///
/// The work runs as a task of its own, so a dropped waiter does not cancel it. If its runtime shuts
/// down, the waiters start it again on theirs. Waiters of different runtimes never wait for each
/// other, because the other runtime can be idle: there is one piece of work at a time *per
/// runtime*.
pub(crate) struct SingleFlight<T> {
    in_flight: Mutex<Vec<InFlight<T>>>,
}

struct InFlight<T> {
    runtime: runtime::Id,
    outcome: Outcome<T>,
}

/// The result of work; `None` while it is in flight. The channel closes without a result if the
/// runtime shuts down.
pub(crate) type Outcome<T> = watch::Receiver<Option<Result<T, Error>>>;

impl<T> InFlight<T> {
    fn is_finished(&self) -> bool {
        self.outcome.borrow().is_some() || self.outcome.has_changed().is_err()
    }
}

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self {
            in_flight: Mutex::new(Vec::new()),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Joins the work in flight on this runtime, or else starts `work`.
    pub(crate) async fn join<F>(&self, work: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        for _ in 0..MAX_STARTS {
            let mut outcome = self.start(&work)?;
            if let Ok(outcome) = outcome.wait_for(Option::is_some).await
                && let Some(outcome) = outcome.clone()
            {
                drop(self.remove_finished());
                return outcome;
            }
        }
        Err(Error::new(
            ErrorKind::Runtime,
            "the work was cancelled, because its runtime is shutting down",
        ))
    }

    /// Starts `work` unless some is in flight on this runtime. Doesn't wait for it.
    pub(crate) fn start<F>(&self, work: impl Fn() -> F) -> Result<Outcome<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let handle = Handle::try_current().map_err(|_| no_runtime())?;
        let mut in_flight = self.remove_finished();
        let here = |flight: &&InFlight<T>| flight.runtime == handle.id();
        if let Some(flight) = in_flight.iter().find(here) {
            return Ok(flight.outcome.clone());
        }
        let (landed, outcome) = watch::channel(None);
        let work = catch_panic(work()).in_current_span();
        handle.spawn(async move {
            let result = work.await;
            landed.send_replace(Some(result));
        });
        in_flight.push(InFlight {
            runtime: handle.id(),
            outcome: outcome.clone(),
        });
        Ok(outcome)
    }

    /// Returns whether work is in flight on this runtime, or is just being started. Never blocks.
    pub(crate) fn is_in_flight(&self) -> bool {
        let Ok(handle) = Handle::try_current() else {
            return false;
        };
        self.in_flight.try_lock().is_none_or(|in_flight| {
            let mut flights = in_flight.iter();
            flights.any(|flight| flight.runtime == handle.id() && !flight.is_finished())
        })
    }

    fn remove_finished(&self) -> MutexGuard<'_, Vec<InFlight<T>>> {
        let mut in_flight = self.in_flight.lock();
        in_flight.retain(|flight| !flight.is_finished());
        if in_flight.is_empty() {
            // Free the memory: most work runs once, and a process can have thousands of sessions.
            *in_flight = Vec::new();
        }
        in_flight
    }
}

fn no_runtime() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "AWS sessions need a tokio runtime: call this inside one",
    )
}

/// Turns a panic of the work into an error.
///
/// The state of the work is dropped, so that no later start can see it.
pub(crate) async fn catch_panic<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll,
            // Drop the payload: a panic message can contain anything, secrets included.
            Err(_) => Poll::Ready(Err(panicked())),
        }
    })
    .await
}

fn panicked() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "the work panicked: look for the panic's own message in the output of the process",
    )
}

/// A value that is resolved on first use and cached; an error is not cached.
pub(crate) struct AsyncOnce<T> {
    value: Arc<OnceLock<T>>,
    flight: SingleFlight<T>,
}

impl<T> Default for AsyncOnce<T> {
    fn default() -> Self {
        Self {
            value: Arc::default(),
            flight: SingleFlight::default(),
        }
    }
}

impl<T> fmt::Debug for AsyncOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncOnce").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static> AsyncOnce<T> {
    /// Returns the value if it has been resolved.
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Returns the value, resolving it with `work` if that has not been done.
    pub(crate) async fn get_or_resolve<F>(&self, work: impl Fn() -> F) -> Result<&T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let resolved = self.flight.join(|| self.resolve_once(work())).await?;
        Ok(self.value.get_or_init(|| resolved))
    }

    // Stores the value before any waiter gets it, and checks first: another caller can have
    // finished between this caller's check and its start.
    fn resolve_once<F>(&self, work: F) -> impl Future<Output = Result<T, Error>> + Send + use<T, F>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let value = Arc::clone(&self.value);
        async move {
            if let Some(value) = value.get() {
                return Ok(value.clone());
            }
            let resolved = work.await?;
            Ok(value.get_or_init(|| resolved).clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::sync::Notify;

    use super::*;

    fn runtime() -> runtime::Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[tokio::test]
    async fn a_waiter_that_is_dropped_does_not_lose_the_work() {
        let flight = Arc::new(SingleFlight::default());
        let (go, starts) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let join = || {
            let (flight, go, starts) = (flight.clone(), go.clone(), starts.clone());
            async move {
                let work = || {
                    let go = go.clone();
                    starts.fetch_add(1, Ordering::SeqCst);
                    async move {
                        go.notified().await;
                        Ok(7)
                    }
                };
                flight.join(work).await
            }
        };
        let first = tokio::spawn(join());
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let second = tokio::spawn(join());
        tokio::task::yield_now().await;
        go.notify_one();
        assert_eq!(second.await.unwrap().unwrap(), 7);
        assert_eq!(starts.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_for_every_waiter() {
        let flight = SingleFlight::<()>::default();
        let work = || async { panic!("the work is broken") };
        let waiters = (0..10).map(|_| flight.join(work));
        for outcome in futures_util::future::join_all(waiters).await {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Runtime);
        }
    }

    #[test]
    fn work_whose_runtime_shut_down_is_started_again_on_another() {
        let flight = SingleFlight::default();
        let first = runtime();
        first.block_on(async {
            flight
                .start(std::future::pending::<Result<i32, Error>>)
                .unwrap();
            tokio::task::yield_now().await;
        });
        drop(first);
        let landed = runtime().block_on(flight.join(|| async { Ok(7) }));
        assert_eq!(landed.unwrap(), 7);
    }

    #[test]
    fn an_idle_runtime_blocks_no_waiter_of_another() {
        let flight = SingleFlight::default();
        let still = runtime();
        still.block_on(async {
            flight.start(|| async { Ok(1) }).unwrap();
        });
        let landed = runtime().block_on(flight.join(|| async { Ok(2) }));
        assert_eq!(landed.unwrap(), 2);
        // The first one resumes.
        let landed = still.block_on(flight.join(|| async { Ok(3) }));
        assert_eq!(landed.unwrap(), 1);
    }

    #[test]
    fn work_on_a_runtime_that_is_shutting_down_ends_in_an_error() {
        let flight = Arc::new(SingleFlight::<()>::default());
        let dying = runtime();
        let handle = dying.handle().clone();
        dying.shutdown_timeout(Duration::ZERO);
        let _inside = handle.enter();
        let outcome = futures_util::FutureExt::now_or_never(flight.join(|| async { Ok(()) }));
        assert_eq!(outcome.unwrap().unwrap_err().kind(), ErrorKind::Runtime);
    }
}
