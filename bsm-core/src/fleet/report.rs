//! The report of a run: which calls there were, and how they ended.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::fleet::journal;

/// How much of an error's message a report keeps, in characters. A report has thousands of entries, and the
/// message is the user's own.
const MAX_MESSAGE: usize = 500;

/// One account in one region; `None` for the region of the account's manager.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call {
    pub(super) account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
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

/// What happened where, in one run and those that it resumed.
///
/// It keeps the outcomes and not the values. `Display` prints the counts, and `Serialize` writes the list of
/// entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    entries: BTreeMap<Call, ReportEntry>,
    skipped: usize,
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
    const ALL: [(Self, &'static str); 7] = [
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::NoSession, "without a session"),
        (Self::Panicked, "panicked"),
        (Self::TimedOut, "timed out"),
        (Self::Started, "started"),
        (Self::NotStarted, "not started"),
    ];

    /// Returns `true` if the call was started, and nobody knows how much of its work is done.
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

impl Report {
    /// Reads the report of a run that was [recorded](super::Fleet::record).
    ///
    /// A last line that a killed process wrote in part is left out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if the file cannot be read, is longer than 256 MiB, or holds something else.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut report = Self::default();
        for entry in journal::read(path.as_ref())? {
            report.add(entry);
        }
        Ok(report)
    }

    /// Returns the entries, by account and region.
    pub fn entries(&self) -> impl Iterator<Item = &ReportEntry> {
        self.entries.values()
    }

    /// Returns the number of calls with this status.
    pub fn count(&self, status: Status) -> usize {
        let entries = self.entries.values();
        entries.filter(|entry| entry.status == status).count()
    }

    /// Returns the number of calls that the run skipped, because of the report that it resumed.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Returns `true` if all calls are done.
    pub fn is_complete(&self) -> bool {
        self.entries
            .values()
            .all(|entry| entry.status == Status::Done)
    }

    /// Returns how far a call got, or `None` if it is not in the report.
    pub fn status(&self, call: &Call) -> Option<Status> {
        Some(self.entries.get(call)?.status)
    }

    pub(super) fn add(&mut self, entry: ReportEntry) {
        self.entries.insert(entry.call.clone(), entry);
    }

    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }
}

/// Prints the counts: `4900 done, 98 without a session, 2 timed out`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Status::ALL.map(|(status, name)| (self.count(status), name));
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        match counts.as_slice() {
            [] => f.write_str("no accounts"),
            counts => f.write_str(&counts.join(", ")),
        }
    }
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.values())
    }
}
