//! What a program learns of refreshes.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;
use std::{fmt, process, thread};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tracing::dispatcher;

use crate::error::Error;
use crate::time::to_utc;

/// The end of a refresh of a session's credentials; see
/// [`Builder::on_refresh`](crate::Builder::on_refresh).
#[derive(Clone, Debug)]
pub struct RefreshEvent {
    session: String,
    expiry: Option<SystemTime>,
    error: Option<Error>,
}

impl RefreshEvent {
    /// Returns the session as its manager's `Display` form shows it: `profile "staging"`, or
    /// `role arn:aws:iam::222222222222:role/App through profile "staging"`.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Returns why the refresh failed; `None` if it succeeded.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Returns when the credentials expire that are used from now on. After a failure, those are the old ones.
    ///
    /// `None` if there are no valid ones, or if they don't expire.
    pub fn expiration(&self) -> Option<DateTime<Utc>> {
        to_utc(self.expiry?)
    }
}

/// How many events wait for a function that does not return. Each may hold an error.
const MAX_WAITING: usize = 1_000;

/// A function of the user that is called for each refresh, on a thread of its own: a function that blocks
/// must not hold up the sessions.
#[derive(Clone)]
pub(crate) struct OnRefresh(Arc<Calls>);

struct Calls {
    function: Box<dyn Fn(&RefreshEvent) + Send + Sync>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<RefreshEvent>,
    /// The process whose thread takes the events out. After a fork, the thread of the parent does not exist.
    taken_by: Option<u32>,
}

impl OnRefresh {
    pub(crate) fn new(function: impl Fn(&RefreshEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Calls {
            function: Box::new(function),
            queue: Mutex::default(),
        }))
    }

    /// Calls the function after the events before this one. Never waits.
    fn call(&self, event: RefreshEvent) {
        let mut queue = self.0.queue.lock();
        if queue.waiting.len() == MAX_WAITING {
            tracing::error!(
                session = event.session,
                "the function given to on_refresh does not return: an event was dropped"
            );
            return;
        }
        queue.waiting.push_back(event);
        let process = Some(process::id());
        if queue.taken_by == process {
            return;
        }
        let calls = Arc::clone(&self.0);
        // What the function logs goes where the events of the refresh go.
        let log = dispatcher::get_default(Clone::clone);
        let thread = thread::Builder::new().name("bsm-on-refresh".to_owned());
        let started = thread.spawn(move || dispatcher::with_default(&log, || calls.call_waiting()));
        match started {
            Ok(_) => queue.taken_by = process,
            // The next event tries again.
            Err(error) => {
                tracing::error!(%error, "no thread could be started for the function given to on_refresh");
            }
        }
    }
}

impl Calls {
    fn call_waiting(&self) {
        while let Some(event) = self.next() {
            // No caller waits for what the user's function does.
            if catch_unwind(AssertUnwindSafe(|| (self.function)(&event))).is_err() {
                tracing::error!("the function given to on_refresh panicked");
            }
        }
    }

    /// Returns the next event; after the last one, the thread must end.
    fn next(&self) -> Option<RefreshEvent> {
        let mut queue = self.queue.lock();
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.taken_by = None;
        }
        next
    }
}

/// Whose refreshes these are, and who learns of them.
#[derive(Default)]
pub(crate) struct Observer {
    pub(super) session: String,
    function: Option<OnRefresh>,
}

impl Observer {
    /// Returns one for the log alone.
    pub(crate) fn of_session(session: String) -> Self {
        Self {
            session,
            function: None,
        }
    }

    /// As [`of_session`](Self::of_session); it also calls the function of the user, if there is one.
    pub(crate) fn with_function(mut self, function: Option<OnRefresh>) -> Self {
        self.function = function;
        self
    }

    pub(super) fn notify(&self, expiry: Option<SystemTime>, error: Option<&Error>) {
        if let Some(function) = &self.function {
            function.call(RefreshEvent {
                session: self.session.clone(),
                expiry,
                error: error.cloned(),
            });
        }
    }
}

impl fmt::Debug for OnRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnRefresh").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// How long a test waits for what must come.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn event(session: usize) -> RefreshEvent {
        RefreshEvent {
            session: session.to_string(),
            expiry: None,
            error: None,
        }
    }

    #[test]
    fn a_function_that_does_not_return_holds_up_nothing_and_gets_a_bounded_number_of_events() {
        let (go, may_go) = mpsc::channel::<()>();
        let (called, calls) = mpsc::channel();
        let may_go = Mutex::new(may_go);
        let function = OnRefresh::new(move |event| {
            let _ = called.send(event.session.clone());
            // Ends with the sender.
            let _ = may_go.lock().recv();
        });
        function.call(event(0));
        assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), "0");
        for number in 1..=MAX_WAITING + 10 {
            function.call(event(number));
        }
        drop(go);
        for number in 1..=MAX_WAITING {
            assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), number.to_string());
        }
        // The next one comes, and none of those that found no room.
        while function.0.queue.lock().taken_by.is_some() {
            thread::yield_now();
        }
        function.call(event(7));
        assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), "7");
    }
}
