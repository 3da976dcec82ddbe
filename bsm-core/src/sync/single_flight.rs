//! Work that runs once for all callers that wait for it.

use std::fmt;
use std::future::Future;
use std::process;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;

use super::callers::Callers;
use super::engine::{Engine, shut_down};
use super::panic::catch_panic;
use super::waits::{self, Wait, Work, WorkId};
use crate::error::Error;

/// Runs one piece of work at a time for the whole process, and shares its result, success or error,
/// among all callers that wait for it.
///
/// The work runs on the [engine](Engine), so neither a dropped waiter nor a runtime that shuts down
/// cancels it. It keeps the span and the subscriber of the caller that started it.
pub(crate) struct SingleFlight<T> {
    id: WorkId,
    engine: Engine,
    in_flight: Mutex<Option<InFlight<T>>>,
}

struct InFlight<T> {
    /// A fork copies the flight, but not the thread on which it runs.
    process: u32,
    outcome: Outcome<T>,
    callers: Arc<Callers>,
}

/// The result of work that is in flight, or was.
#[derive(Debug)]
pub(crate) struct Outcome<T> {
    result: Arc<OnceLock<Result<T, Error>>>,
    /// Closes when the work has ended: without a result if the engine is shut down.
    ended: watch::Receiver<()>,
}

impl<T: Clone> Outcome<T> {
    /// Waits for the end of the work; returns `None` if the engine is shut down.
    async fn landed(&mut self) -> Option<Result<T, Error>> {
        // Nothing is ever sent, so this is the end of the channel.
        let _ = self.ended.changed().await;
        self.result.get().cloned()
    }
}

// By hand, because a derive would require `T: Clone`.
impl<T> Clone for Outcome<T> {
    fn clone(&self) -> Self {
        Self {
            result: Arc::clone(&self.result),
            ended: self.ended.clone(),
        }
    }
}

impl<T> InFlight<T> {
    fn is_finished(&self) -> bool {
        self.outcome.result.get().is_some()
            // Without a result: the engine was shut down.
            || self.outcome.ended.has_changed().is_err()
            || self.process != process::id()
    }
}

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self::on(Engine::default())
    }
}

impl<T> SingleFlight<T> {
    pub(crate) fn on(engine: Engine) -> Self {
        Self {
            id: WorkId::new(),
            engine,
            in_flight: Mutex::new(None),
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }
}

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Joins the work in flight, or else starts `work`.
    pub(crate) async fn join<F>(&self, work: impl FnOnce() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        // Before the start: work that would wait for itself must not start anything.
        let _wait = Wait::on(self.id)?;
        let mut outcome = self.start(work)?;
        let landed = outcome.landed().await;
        // Otherwise a flight without further callers would keep its result in memory.
        drop(self.remove_finished());
        landed.unwrap_or_else(|| Err(shut_down()))
    }

    /// Starts `work` unless some is in flight. Doesn't wait for it.
    pub(crate) fn start<F>(&self, work: impl FnOnce() -> F) -> Result<Outcome<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        // Locked until the flight is in place, so that no second caller starts the work.
        let mut in_flight = self.remove_finished();
        if let Some(flight) = &*in_flight {
            waits::call(&flight.callers);
            return Ok(flight.outcome.clone());
        }
        let callers = Arc::new(Callers::default());
        // Before the spawn: the work may look for the runtime of a caller at once.
        waits::call(&callers);
        let (end, ended) = watch::channel(());
        let result = Arc::new(OnceLock::new());
        let landed = Arc::downgrade(&result);
        let outcome = Outcome { result, ended };
        let context = Work {
            id: self.id,
            callers: Arc::clone(&callers),
            is_user_code: false,
        };
        let work = waits::working(context, catch_panic(work()));
        let work = async move {
            let result = work.await;
            // Without a flight, no caller waits for the result.
            if let Some(landed) = landed.upgrade() {
                let _ = landed.set(result);
            }
            // Only now, when nothing of the result is held here: a caller can be its only owner.
            drop(end);
        };
        self.engine
            .spawn(work.in_current_span().with_current_subscriber())?;
        *in_flight = Some(InFlight {
            process: process::id(),
            outcome: outcome.clone(),
            callers,
        });
        Ok(outcome)
    }

    /// Returns whether work is in flight, or is just being started. Never blocks.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight.try_lock().is_none_or(|in_flight| {
            in_flight
                .as_ref()
                .is_some_and(|flight| !flight.is_finished())
        })
    }

    fn remove_finished(&self) -> MutexGuard<'_, Option<InFlight<T>>> {
        let mut in_flight = self.in_flight.lock();
        in_flight.take_if(|flight| flight.is_finished());
        in_flight
    }
}

/// Runs work on the [engine](Engine), for a caller whose cancellation must not cancel it.
pub(crate) async fn detached<T, F>(work: F) -> Result<T, Error>
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    SingleFlight::default().join(|| work).await
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

    /// Sets the value, unless it has been resolved.
    pub(crate) fn set(&self, value: T) {
        // The first one stays, as if both had been resolved.
        let _ = self.value.set(value);
    }

    /// Returns the value, resolving it with `work` if that has not been done.
    pub(crate) async fn get_or_resolve<F>(&self, work: impl FnOnce() -> F) -> Result<&T, Error>
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
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::runtime::{self, Builder};
    use tokio::sync::Notify;

    use super::*;
    use crate::error::ErrorKind;
    use crate::sync::on_callers_runtime;

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
    fn work_outlives_the_runtime_of_its_caller() {
        let flight = Arc::new(SingleFlight::default());
        let go = Arc::new(Notify::new());
        let work = || {
            let go = Arc::clone(&go);
            async move {
                go.notified().await;
                Ok(1)
            }
        };
        let first = runtime();
        let mut outcome = first.block_on(async { flight.start(work).unwrap() });
        drop(first);
        go.notify_one();
        let landed = runtime().block_on(outcome.landed());
        assert_eq!(landed.unwrap().unwrap(), 1);
    }

    #[tokio::test]
    async fn the_last_caller_owns_the_result() {
        // Many times, because the engine is another thread.
        for _ in 0..1_000 {
            let flight = SingleFlight::default();
            let result = flight.join(|| async { Ok(Arc::new(())) }).await.unwrap();
            assert_eq!(Arc::strong_count(&result), 1);
        }
    }

    #[test]
    fn a_caller_needs_no_runtime() {
        let flight = SingleFlight::default();
        let landed = flight.join(|| async { Ok(1) }).now_or_never();
        // The engine may be faster than the first look.
        assert!(landed.is_none_or(|landed| landed.is_ok()));
    }

    #[test]
    fn callers_of_eight_runtimes_and_an_idle_one_share_the_work() {
        let flight = Arc::new(SingleFlight::default());
        let (go, starts) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let (go, starts) = (Arc::clone(&go), Arc::clone(&starts));
            async move {
                starts.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                Ok(1)
            }
        };
        let idle = runtime();
        idle.block_on(async { flight.start(work).unwrap() });
        let joined = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            let join = || {
                runtime().block_on(async {
                    let mut joining = pin!(flight.join(work));
                    assert!(joining.as_mut().now_or_never().is_none());
                    joined.fetch_add(1, Ordering::SeqCst);
                    joining.await
                })
            };
            let all: Vec<_> = (0..8).map(|_| threads.spawn(join)).collect();
            while joined.load(Ordering::SeqCst) < 8 {
                std::thread::yield_now();
            }
            go.notify_one();
            for one in all {
                assert_eq!(one.join().unwrap().unwrap(), 1);
            }
        });
        assert_eq!(starts.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn work_that_a_fork_or_a_shutdown_left_behind_is_not_waited_for() {
        let flight = SingleFlight::<i32>::default();
        let forever = || std::future::pending::<Result<i32, Error>>();
        let change: [fn(&mut InFlight<i32>); 2] = [
            |flight| flight.process += 1,
            |flight| flight.outcome.ended = watch::channel(()).1,
        ];
        for change in change {
            flight.start(forever).unwrap();
            assert!(flight.is_in_flight());
            change(flight.in_flight.lock().as_mut().unwrap());
            assert!(!flight.is_in_flight());
            let landed = runtime().block_on(flight.join(|| async { Ok(7) }));
            assert_eq!(landed.unwrap(), 7);
        }
        assert!(flight.in_flight.lock().is_none(), "its memory is freed");
    }

    /// Work that runs a piece of the user's code, which counts its starts.
    async fn of_the_user(
        starts: Arc<AtomicUsize>,
        code: impl Fn(usize) -> BoxedCode,
    ) -> Result<usize, Error> {
        on_callers_runtime(|| code(starts.fetch_add(1, Ordering::SeqCst) + 1)).await
    }

    type BoxedCode = futures_core::future::BoxFuture<'static, Result<usize, Error>>;

    fn forever(_: usize) -> BoxedCode {
        Box::pin(std::future::pending())
    }

    fn at_once(start: usize) -> BoxedCode {
        Box::pin(async move { Ok(start) })
    }

    #[test]
    fn the_next_caller_takes_over_the_users_code_from_a_runtime_that_shut_down() {
        let flight = SingleFlight::default();
        let starts = Arc::new(AtomicUsize::new(0));
        let first = runtime();
        first.block_on(async {
            flight
                .start(|| {
                    of_the_user(Arc::clone(&starts), |start| match start {
                        1 => forever(start),
                        _ => at_once(start),
                    })
                })
                .unwrap();
            while starts.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        });
        drop(first);
        let landed = runtime().block_on(flight.join(|| async { Ok(0) }));
        assert_eq!(landed.unwrap(), 2);
    }

    #[test]
    fn a_caller_takes_over_the_users_code_from_a_runtime_that_stands_still() {
        let flight = SingleFlight::default();
        let starts = Arc::new(AtomicUsize::new(0));
        let idle = runtime();
        idle.block_on(async {
            flight
                .start(|| of_the_user(Arc::clone(&starts), at_once))
                .unwrap();
        });
        let before = std::time::Instant::now();
        let landed = runtime().block_on(flight.join(|| async { Ok(0) }));
        assert!(landed.is_ok());
        assert!(
            before.elapsed() < Duration::from_secs(10),
            "{:?}",
            before.elapsed()
        );
    }

    #[test]
    fn the_users_code_without_a_runtime_is_an_error_that_says_so() {
        let flight = SingleFlight::default();
        let starts = Arc::default();
        let mut outcome = flight.start(|| of_the_user(starts, at_once)).unwrap();
        let landed = runtime().block_on(outcome.landed());
        assert_eq!(landed.unwrap().unwrap_err().kind(), ErrorKind::Runtime);
    }

    #[tokio::test]
    async fn the_users_code_that_panics_or_waits_for_itself_is_an_error_at_once() {
        let flight = Arc::new(SingleFlight::default());
        let other = Arc::new(SingleFlight::default());
        let panic = || of_the_user(Arc::default(), |_| panic!("the code is broken"));
        let error = flight.join(panic).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);

        let ask_itself = {
            let flight = Arc::clone(&flight);
            move |start| {
                let flight = Arc::clone(&flight);
                Box::pin(async move { flight.join(|| at_once(start)).await }) as BoxedCode
            }
        };
        let through_another = {
            let (ask_itself, other) = (ask_itself.clone(), Arc::clone(&other));
            move |start| {
                let (ask_itself, other) = (ask_itself.clone(), Arc::clone(&other));
                Box::pin(async move { other.join(|| ask_itself(start)).await }) as BoxedCode
            }
        };
        let error = flight
            .join(|| of_the_user(Arc::default(), ask_itself))
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("waits for the session that it serves"),
            "{error}"
        );
        let error = flight
            .join(|| of_the_user(Arc::default(), through_another))
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("waits for the session that it serves"),
            "{error}"
        );
    }
}
