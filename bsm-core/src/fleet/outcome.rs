//! The outcome of a call.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::fleet::entry::{Call, ReportEntry, Status};

/// How one call ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome<T, E> {
    /// The closure returned a value.
    Done(T),
    /// The closure returned an error.
    Failed(E),
    /// The account's credentials could not be obtained, so the closure was not called.
    NoSession(Error),
    /// The closure panicked. The panic's message is in the output of the process.
    Panicked,
    /// The call took longer than the time limit.
    TimedOut,
}

/// A call that has ended: which one, how, and after how long.
#[derive(Debug)]
pub struct Finished<T, E> {
    pub(super) call: Call,
    pub(super) outcome: Outcome<T, E>,
    pub(super) elapsed: Duration,
}

impl<T, E> Outcome<T, E> {
    /// Returns the status in a report.
    pub fn status(&self) -> Status {
        match self {
            Self::Done(_) => Status::Done,
            Self::Failed(_) => Status::Failed,
            Self::NoSession(_) => Status::NoSession,
            Self::Panicked => Status::Panicked,
            Self::TimedOut => Status::TimedOut,
        }
    }

    /// Returns the value, or `None` if the call has none.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Done(value) => Some(value),
            _ => None,
        }
    }
}

impl<T, E: fmt::Display> Outcome<T, E> {
    /// Returns the message of the error, if there is one.
    pub(super) fn message(&self) -> Option<String> {
        match self {
            Self::Failed(error) => Some(error.to_string()),
            Self::NoSession(error) => Some(error.to_string()),
            Self::Done(_) | Self::Panicked | Self::TimedOut => None,
        }
    }
}

impl<T, E: fmt::Display> Finished<T, E> {
    /// Returns the entry of the call in a report.
    pub(super) fn entry(&self) -> ReportEntry {
        let Self {
            call,
            outcome,
            elapsed,
        } = self;
        ReportEntry::ended(call.clone(), outcome.status(), outcome.message(), *elapsed)
    }
}

impl<T, E> Finished<T, E> {
    /// Returns the account and region.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Returns how the call ended.
    pub fn outcome(&self) -> &Outcome<T, E> {
        &self.outcome
    }

    /// Returns how the call ended, with its value.
    pub fn into_outcome(self) -> Outcome<T, E> {
        self.outcome
    }

    /// Returns how long the call took, including the account's credentials.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}
