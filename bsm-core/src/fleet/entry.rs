//! One entry of a report: a call, and how far it got.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much of an error's message a report keeps, in characters. A report has thousands of entries, and the
/// message is the user's own.
const MAX_MESSAGE: usize = 500;

/// One account in one region; `None` for the region of the account's manager.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call {
    // Shared, because a fleet has thousands of calls, and each is in several places.
    pub(super) account: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<Arc<str>>,
}

/// How far a call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// It was not started: the run was cancelled or killed before.
    NotStarted,
    /// It was started, and the run was cancelled or killed before it ended.
    Started,
    /// The closure returned a value.
    Done,
    /// The closure returned an error.
    Failed,
    /// The account's credentials could not be obtained.
    NoSession,
    /// The closure panicked.
    Panicked,
    /// It took longer than the time limit.
    TimedOut,
}

/// One entry of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportEntry {
    #[serde(flatten)]
    call: Call,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl Call {
    /// Returns the name of the account: the profile, the role's ARN, or what the manager prints.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the region, if the fleet has regions.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

/// Prints the account, and the region if there is one.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.region {
            Some(region) => write!(f, "{} in {region}", self.account),
            None => f.write_str(&self.account),
        }
    }
}

impl Status {
    // In the order in which a report prints the counts, which is not that of the variants.
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::NoSession, "without a session"),
        (Self::Panicked, "panicked"),
        (Self::TimedOut, "timed out"),
        (Self::Started, "interrupted"),
        (Self::NotStarted, "not started"),
    ];

    /// Returns `true` if the call was started, and how much of its work is done is unknown.
    pub fn is_interrupted(self) -> bool {
        matches!(self, Self::Started | Self::Panicked | Self::TimedOut)
    }
}

impl ReportEntry {
    /// Creates the entry of a call that has ended.
    pub(super) fn ended(
        call: Call,
        status: Status,
        message: Option<String>,
        elapsed: Duration,
    ) -> Self {
        let cut = |message: String| message.chars().take(MAX_MESSAGE).collect();
        Self {
            call,
            status,
            error: message.map(cut),
            // Rounded to milliseconds: more digits would only lengthen every line of the journal.
            seconds: Some((elapsed.as_secs_f64() * 1e3).round() / 1e3),
        }
    }

    /// Creates the entry of a call that has not ended.
    pub(super) fn open(call: Call, status: Status) -> Self {
        Self {
            call,
            status,
            error: None,
            seconds: None,
        }
    }

    /// Returns the account and region.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Returns how far the call got.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Returns the first 500 characters of the error's message.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Returns how many seconds the call took, if it has ended.
    pub fn seconds(&self) -> Option<f64> {
        self.seconds
    }
}
