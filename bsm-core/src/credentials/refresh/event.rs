//! What a program learns of refreshes.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

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

/// A function of the user that is called for each refresh.
#[derive(Clone)]
pub(crate) struct OnRefresh(Arc<dyn Fn(&RefreshEvent) + Send + Sync>);

impl OnRefresh {
    pub(crate) fn new(function: impl Fn(&RefreshEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    fn call(&self, event: &RefreshEvent) {
        // Callers wait for the refresh, and not for what the user's function makes of it.
        if catch_unwind(AssertUnwindSafe(|| self.0(event))).is_err() {
            tracing::error!("the function given to on_refresh panicked");
        }
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
            function.call(&RefreshEvent {
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
