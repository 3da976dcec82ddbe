//! Work that is done once for everyone who waits for it.

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

/// How often a waiter starts work that ends without a result before it gives up.
const MAX_STARTS: usize = 2;

/// One piece of work at a time, whose result, success or error, goes to all who wait for it.
///
/// The work runs as a task of its own: a waiter that is dropped takes nothing with it. If the
/// runtime goes away under the work, the waiters start it again on theirs. Waiters of different
/// runtimes never wait for each other, because nobody may be driving the other runtime: there is
/// one piece of work at a time *per runtime*.
pub(crate) struct SingleFlight<T> {
    in_flight: Mutex<Vec<InFlight<T>>>,
}

struct InFlight<T> {
    runtime: runtime::Id,
    outcome: Outcome<T>,
}

/// `None` while the work is under way; closed without a result if its runtime went away.
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
    /// Joins the work under way on this runtime, or starts `work` if there is none.
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
            "the work was given up, because its runtime is shutting down",
        ))
    }

    /// Starts `work` unless it is under way on this runtime, and does not wait for it.
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

    /// Says whether work is under way on this runtime, or somebody is just seeing to it.
    ///
    /// Nobody is kept waiting for the answer.
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
            // Most work is done once, and there may be thousands of sessions.
            *in_flight = Vec::new();
        }
        in_flight
    }
}

fn no_runtime() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "AWS sessions need a tokio runtime: call this from inside of one",
    )
}

/// Turns a panic of the work into an error.
///
/// What the work has left behind is not seen again: it is dropped, and a later start begins anew.
pub(crate) async fn catch_panic<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll,
            // What it panicked with may hold anything, secrets too.
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

/// A value that is resolved on first use and kept; an error is not kept.
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

    /// Keeps the value before anyone is told of it, and looks first: a caller that found nothing
    /// may come to start its flight when another has just landed.
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
    fn a_runtime_that_went_away_takes_its_work_along_and_another_starts_it_again() {
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
    fn a_runtime_that_stands_still_holds_nobody_up() {
        let flight = SingleFlight::default();
        let still = runtime();
        still.block_on(async {
            flight.start(|| async { Ok(1) }).unwrap();
        });
        let landed = runtime().block_on(flight.join(|| async { Ok(2) }));
        assert_eq!(landed.unwrap(), 2);
        // The first one goes on where it stood.
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
