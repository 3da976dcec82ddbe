//! User code (providers and callbacks), which runs on the runtime of a caller that waits for its result.
//!
//! A credentials provider or a callback may need the runtime that its author had in mind, or block it, so
//! it does not run on the engine. If its runtime shuts down, or is blocked while other callers wait,
//! another caller's runtime takes over.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::engine::AbortOnDrop;
use super::panic::panicked;
use super::waits;
use crate::error::{Error, ErrorKind};

/// How often a runtime is checked: a fraction of [`STANDSTILL`].
const TICK: Duration = Duration::from_millis(250);

/// How long a runtime may do nothing before another takes over. A runtime that blocks a second for a
/// file or a hash is alive, and a second call of a provider can cost the user another prompt.
const STANDSTILL: Duration = Duration::from_secs(3);

/// Runs code of the user on a runtime of those who wait for it.
///
/// `work` can be called a second time, if the first runtime shuts down or stands still; the first
/// result is then discarded.
pub(crate) async fn on_callers_runtime<T, F>(work: impl Fn() -> F) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let Some(current) = waits::current() else {
        // This is the caller's own task.
        return work().await;
    };
    let mut tried: Vec<runtime::Id> = Vec::new();
    loop {
        let (runtimes, has_thread_caller) = current.callers.runtimes();
        let next = |handle: &&Handle| !tried.contains(&handle.id());
        let Some(runtime) = runtimes.iter().find(next) else {
            if tried.is_empty() && has_thread_caller {
                return Err(no_runtime());
            }
            // The runtime is gone with its caller. The next caller takes over.
            tokio::time::sleep(TICK).await;
            continue;
        };
        // A runtime that has shut down or stood still is not tried again for this work.
        tried.push(runtime.id());
        // As the user's own, so that work which it starts can call providers on this runtime.
        let task = runtime.spawn(waits::users(current.clone(), work()));
        let is_alone = || {
            let (runtimes, _) = current.callers.runtimes();
            runtimes.iter().all(|handle| tried.contains(&handle.id()))
        };
        if let Some(outcome) = outcome_of(AbortOnDrop(task), runtime, is_alone).await {
            return outcome;
        }
        tracing::warn!("a runtime shut down or stalled while a provider ran on it");
    }
}

/// Waits for a task; returns `None` if its runtime shuts down, or stands still and others wait.
async fn outcome_of<T>(
    mut task: AbortOnDrop<Result<T, Error>>,
    runtime: &Handle,
    is_alone: impl Fn() -> bool,
) -> Option<Result<T, Error>> {
    let mut ping: Option<(JoinHandle<()>, Instant)> = None;
    loop {
        tokio::select! {
            // A result that is there counts, even if the tick has passed as well.
            biased;
            outcome = &mut task.0 => return match outcome {
                Ok(outcome) => Some(outcome),
                Err(error) if error.is_panic() => Some(Err(panicked())),
                // The task was cancelled: its runtime shuts down.
                Err(_) => None,
            },
            () = tokio::time::sleep(TICK) => {}
        }
        // No other runtime could take over, so the state of this one does not matter.
        if is_alone() {
            continue;
        }
        match &ping {
            Some((answer, _)) if answer.is_finished() => ping = None,
            Some((_, since)) if since.elapsed() >= STANDSTILL => return None,
            Some(_) => {}
            None => ping = Some((runtime.spawn(async {}), Instant::now())),
        }
    }
}

fn no_runtime() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "your provider or callback needs a tokio runtime: call this inside one",
    )
}
