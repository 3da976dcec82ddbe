//! Work that is done once for everyone who waits for it.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
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
/// runtimes never wait for each other, because nobody may be driving the other runtime.
pub(crate) struct Flight<T> {
    under_way: Mutex<Option<UnderWay<T>>>,
}

struct UnderWay<T> {
    runtime: runtime::Id,
    outcome: watch::Receiver<Option<Result<T, Error>>>,
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self {
            under_way: Mutex::new(None),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
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
                return outcome;
            }
        }
        Err(Error::new(
            ErrorKind::Runtime,
            "the work was given up, because its runtime shut down or the work panicked",
        ))
    }

    /// Starts `work` unless it is under way on this runtime, and does not wait for it.
    pub(crate) fn start<F>(
        &self,
        work: impl Fn() -> F,
    ) -> Result<watch::Receiver<Option<Result<T, Error>>>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let handle = Handle::try_current().map_err(|_| no_runtime())?;
        let mut under_way = self.under_way.lock();
        if let Some(flight) = &*under_way
            && flight.runtime == handle.id()
            && flight.outcome.borrow().is_none()
            && flight.outcome.has_changed().is_ok()
        {
            return Ok(flight.outcome.clone());
        }
        let (landed, outcome) = watch::channel(None);
        let work = work().in_current_span();
        handle.spawn(async move {
            let result = work.await;
            landed.send_replace(Some(result));
        });
        *under_way = Some(UnderWay {
            runtime: handle.id(),
            outcome: outcome.clone(),
        });
        Ok(outcome)
    }
}

fn no_runtime() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "AWS sessions need a tokio runtime: call this from inside of one",
    )
}

/// A value that is resolved on first use and kept; an error is not kept.
pub(crate) struct Once<T> {
    value: Arc<OnceLock<T>>,
    flight: Flight<T>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self {
            value: Arc::default(),
            flight: Flight::default(),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Once<T> {
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
