//! The engine: the one thread of this process on which sessions do their work.
//!
//! One refresh serves all runtimes of the process, and none of them interrupts it by shutting down or
//! blocking. The thread starts with the first work, and waits for more without a timer.

use std::future::Future;
use std::mem;
use std::process;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::runtime::{self, Builder, Handle};
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};

/// Where work runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Engine {
    /// On the thread of the process.
    #[default]
    Shared,
    /// On the current runtime, so that a test can pause time.
    #[cfg(test)]
    Current,
}

impl Engine {
    /// Returns the runtime of the engine, started if necessary.
    pub(crate) fn handle(self) -> Result<Handle, Error> {
        match self {
            #[cfg(test)]
            Self::Shared if simulated::is_on() => Ok(Handle::current()),
            Self::Shared => Ok(running(process::id())?.handle.clone()),
            #[cfg(test)]
            Self::Current => Ok(Handle::current()),
        }
    }

    /// Starts work on the engine.
    pub(crate) fn spawn(
        self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let handle = self.handle()?;
        #[cfg(test)]
        let work = simulated::in_current_tasks(work);
        handle.spawn(work);
        Ok(())
    }

    /// Waits for a future, at most for a duration.
    ///
    /// The timer is the engine's, so that a caller needs no runtime, and a paused clock of the caller
    /// does not run ahead of the engine's work.
    pub(crate) async fn timeout<F: Future>(self, limit: Duration, future: F) -> Option<F::Output> {
        let Ok(handle) = self.handle() else {
            // Without the thread there is no timer, and work that needs it fails by itself.
            return Some(future.await);
        };
        let mut timer = AbortOnDrop(handle.spawn(tokio::time::sleep(limit)));
        tokio::select! {
            // An output that is ready counts, even if the limit has passed as well.
            biased;
            output = future => Some(output),
            // An error means that the engine was shut down while the caller waited.
            _ = &mut timer.0 => None,
        }
    }
}

/// The error of work that was cut off.
pub(crate) fn shut_down() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "the work was cancelled, because bsm_core::shutdown was called",
    )
}

/// A task that is aborted when this is dropped.
pub(crate) struct AbortOnDrop<T>(pub(crate) tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The engine's thread, and the process that it belongs to.
struct Running {
    process: u32,
    handle: Handle,
    thread: JoinHandle<()>,
    stop: Mutex<Option<oneshot::Sender<Stop>>>,
}

/// The request to end all work.
struct Stop {
    at_most: Duration,
    done: oneshot::Sender<()>,
}

static RUNNING: ArcSwapOption<Running> = ArcSwapOption::const_empty();

impl Running {
    fn start(process: u32) -> Result<Self, Error> {
        let failed = |error| {
            let message = "the thread that refreshes AWS sessions could not be started";
            Error::new(ErrorKind::Runtime, message).with_source(error)
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("bsm-engine-blocking")
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let runtime = OwnedRuntime(Some(runtime));
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("bsm-engine".to_owned())
            .spawn(move || run(runtime, stopped))
            .map_err(failed)?;
        Ok(Self {
            process,
            handle,
            thread,
            stop: Mutex::new(Some(stop)),
        })
    }

    fn serves(&self, process: u32) -> bool {
        self.process == process && !self.thread.is_finished()
    }

    /// Ends the work; returns the signal that it has ended.
    fn stop(&self, at_most: Duration) -> oneshot::Receiver<()> {
        let (done, is_done) = oneshot::channel();
        if let Some(stop) = self.stop.lock().take() {
            // The thread is gone if the send fails, and then `done` is dropped, which is the signal.
            let _ = stop.send(Stop { at_most, done });
        }
        is_done
    }
}

/// The engine's runtime, on its way to the thread. A runtime that is dropped in asynchronous code panics, and
/// that is where the thread fails to start.
struct OwnedRuntime(Option<runtime::Runtime>);

impl Drop for OwnedRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn run(mut runtime: OwnedRuntime, stopped: oneshot::Receiver<Stop>) {
    let Some(runtime) = runtime.0.take() else {
        return;
    };
    // The sender is never dropped before it has sent: `Running` stays in place until it is stopped.
    if let Ok(Stop { at_most, done }) = runtime.block_on(stopped) {
        runtime.shutdown_timeout(at_most);
        // The caller of `shutdown` may have been cancelled.
        let _ = done.send(());
    }
}

/// Returns the engine of a process, which this is: after a fork, the thread of the parent is not there
/// any more.
fn running(process: u32) -> Result<Arc<Running>, Error> {
    loop {
        let current = RUNNING.load_full();
        if let Some(running) = &current
            && running.serves(process)
        {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(Running::start(process)?);
        let previous = RUNNING.compare_and_swap(&current, Some(Arc::clone(&started)));
        if previous.as_ref().map(Arc::as_ptr) == current.as_ref().map(Arc::as_ptr) {
            if let Some(other) = current
                && other.process != process
            {
                // Its parts belong to threads that do not exist here, so nothing may be dropped.
                mem::forget(other);
            }
            return Ok(started);
        }
        // Another thread was faster.
        drop(started.stop(Duration::ZERO));
    }
}

/// Ends the work that sessions do in the background, and waits for its end.
///
/// Refreshes in flight are cancelled, and their callers get an
/// [`ErrorKind::Runtime`]. Processes that print credentials or MFA codes are killed. Work on blocking
/// threads, such as reading a file, is waited for at most `at_most`. Without a call, the work ends with
/// the process.
///
/// A session that is used afterwards starts the work again.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::time::Duration;
///
/// // At the end of main, or on SIGTERM:
/// bsm_core::shutdown(Duration::from_secs(2)).await;
/// # }
/// ```
pub async fn shutdown(at_most: Duration) {
    if let Some(running) = RUNNING.swap(None) {
        // As in `running`: after a fork, nothing of the parent's engine may be dropped.
        if running.process != process::id() {
            mem::forget(running);
            return;
        }
        // An error is the end of the thread as well.
        let _ = running.stop(at_most).await;
    }
}

/// Several processes with an engine each, simulated on one runtime.
#[cfg(test)]
pub(crate) mod simulated {
    use std::cell::{Cell, RefCell};
    use std::future::{Future, pending};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::{AbortHandle, abortable};
    use parking_lot::Mutex;

    thread_local! {
        static IS_ON: Cell<bool> = const { Cell::new(false) };
        /// The process whose work on files runs on this thread.
        static WORKING: RefCell<Option<Arc<Tasks>>> = const { RefCell::new(None) };
    }

    tokio::task_local! {
        static CURRENT: Arc<Tasks>;
    }

    /// Until it is dropped, engines of this thread run on its current runtime.
    pub(crate) struct OnTheCurrentRuntime;

    pub(crate) fn on_the_current_runtime() -> OnTheCurrentRuntime {
        IS_ON.set(true);
        OnTheCurrentRuntime
    }

    impl Drop for OnTheCurrentRuntime {
        fn drop(&mut self) {
            IS_ON.set(false);
        }
    }

    pub(super) fn is_on() -> bool {
        IS_ON.get()
    }

    /// A process that is not killed by its work on files.
    const LIVES: u32 = u32::MAX;

    /// The tasks of a simulated process, or of one of its runtimes, which end together.
    pub(crate) struct Tasks {
        handles: Mutex<Vec<AbortHandle>>,
        /// The work on the engine of a process.
        work: Mutex<Vec<AbortHandle>>,
        /// How many steps of its work on files are left before the process is killed; 0 if it is dead.
        steps: AtomicU32,
    }

    impl Default for Tasks {
        fn default() -> Self {
            Self {
                handles: Mutex::default(),
                work: Mutex::default(),
                steps: AtomicU32::new(LIVES),
            }
        }
    }

    impl Tasks {
        /// Starts a task that ends with these, or with `process`; what it starts on the engine ends only with
        /// `process`.
        pub(crate) fn spawn_in(
            &self,
            process: &Arc<Self>,
            task: impl Future<Output = ()> + Send + 'static,
        ) {
            let (task, handle) = abortable(CURRENT.scope(Arc::clone(process), task));
            self.handles.lock().push(handle.clone());
            process.handles.lock().push(handle);
            tokio::spawn(task);
        }

        pub(crate) fn end(&self) {
            self.shut_down();
            for task in self.handles.lock().drain(..) {
                task.abort();
            }
        }

        /// Ends the work on the engine, as [`shutdown`](super::shutdown) does.
        pub(crate) fn shut_down(&self) {
            for work in self.work.lock().drain(..) {
                work.abort();
            }
        }

        /// Kills the process before a step of its work on files: the next one is number 1.
        pub(crate) fn kill_at_step(&self, step: u32) {
            self.steps.store(step, Ordering::SeqCst);
        }

        /// Undoes [`kill_at_step`](Self::kill_at_step), unless it is too late.
        pub(crate) fn let_live(&self) {
            let change = |steps| (steps > 0).then_some(LIVES);
            // An error is a process that is dead already.
            let _ = self
                .steps
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
        }

        /// Returns `true` if the process was killed by a step of its work on files.
        pub(crate) fn is_dead(&self) -> bool {
            self.steps.load(Ordering::SeqCst) == 0
        }

        fn step(&self) -> io::Result<()> {
            let change = |steps: u32| match steps {
                LIVES => None,
                steps => Some(steps.saturating_sub(1)),
            };
            // An error is a process that lives.
            let _ = self
                .steps
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
            match self.is_dead() {
                true => Err(io::Error::other("the simulated process was killed")),
                false => Ok(()),
            }
        }
    }

    /// A step of work on files, before which its process can be killed. Work that gets the error must do
    /// nothing more.
    pub(crate) fn step() -> io::Result<()> {
        WORKING.with_borrow(|working| working.as_ref().map_or(Ok(()), |process| process.step()))
    }

    /// Returns `true` if the process whose work runs on this thread is dead.
    pub(crate) fn is_dead() -> bool {
        WORKING.with_borrow(|working| working.as_ref().is_some_and(|process| process.is_dead()))
    }

    /// Runs work on files as that of a process.
    pub(crate) fn work_of<T>(process: Option<Arc<Tasks>>, work: impl FnOnce() -> T) -> T {
        let before = WORKING.replace(process);
        let outcome = work();
        WORKING.set(before);
        outcome
    }

    /// Returns the process that the current task belongs to.
    pub(crate) fn current() -> Option<Arc<Tasks>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Ends the tasks of a process that is dead, and with them the one that calls this.
    pub(crate) async fn end_if_dead(process: Option<Arc<Tasks>>) {
        if let Some(process) = process.filter(|process| process.is_dead()) {
            process.end();
            pending().await
        }
    }

    /// Makes work a task of the process that starts it.
    pub(super) fn in_current_tasks(
        work: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let current = current();
        let (work, handle) = abortable(work);
        if let Some(current) = &current {
            current.work.lock().push(handle);
        }
        async move {
            // A process that was killed has no result.
            let _ = match current {
                Some(current) => CURRENT.scope(current, work).await,
                None => work.await,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread_of(running: &Running) -> thread::ThreadId {
        running.thread.thread().id()
    }

    // One test, because the engine is one for the process, and other tests use it as well.
    #[test]
    fn a_process_has_one_thread_and_its_child_another() {
        let (parent, child) = (process::id(), process::id() + 1);
        let first = running(parent).unwrap();
        let threads: Vec<_> = thread::scope(|scope| {
            let started: Vec<_> = (0..8)
                .map(|_| scope.spawn(move || thread_of(&running(parent).unwrap())))
                .collect();
            started.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(threads.iter().all(|thread| *thread == thread_of(&first)));

        let forked = running(child).unwrap();
        assert_ne!(thread_of(&forked), thread_of(&first));
        let answer = forked.handle.spawn(async { 7 });
        assert_eq!(first.handle.block_on(answer).unwrap(), 7);
    }
}
