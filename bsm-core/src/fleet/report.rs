//! The report of a run: which calls there were, and how they ended.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::fleet::entry::{Call, ReportEntry, Status};
use crate::fleet::journal;

/// What happened where, in one run and those that it resumed.
///
/// It keeps the outcomes and not the values. `Display` prints the counts, and `Serialize` writes the list of
/// entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    entries: BTreeMap<Call, ReportEntry>,
    skipped: usize,
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
            // Later lines replace earlier ones of the same call, as its end replaces its start.
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
        entries.filter(|entry| entry.status() == status).count()
    }

    /// Returns the number of calls that the run skipped, because of the report that it resumed.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Returns `true` if all calls are done.
    pub fn is_complete(&self) -> bool {
        self.entries
            .values()
            .all(|entry| entry.status() == Status::Done)
    }

    /// Returns how far a call got, or `None` if it is not in the report.
    pub fn status(&self, call: &Call) -> Option<Status> {
        Some(self.entries.get(call)?.status())
    }

    pub(super) fn add(&mut self, entry: ReportEntry) {
        self.entries.insert(entry.call().clone(), entry);
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
