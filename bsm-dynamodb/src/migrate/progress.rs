//! The progress of a migration.

use std::fmt;
use std::time::Duration;

/// The phases of a migration, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MigrationPhase {
    /// Point-in-time recovery and the stream of the source are being turned on.
    Preparing,
    /// DynamoDB is exporting the source to S3.
    Exporting,
    /// The export is being imported, or loaded, into the target.
    Loading,
    /// Incremental exports bring the writes since the export.
    CatchingUp,
    /// The stream of the source brings the writes since then. The tables are compared meanwhile.
    Streaming,
    /// The writers have stopped, and the last writes arrive and are compared.
    Draining,
    /// The source gets back the settings that it had, and the target its time to live.
    Finishing,
}

impl fmt::Display for MigrationPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Preparing => "preparing",
            Self::Exporting => "exporting",
            Self::Loading => "loading",
            Self::CatchingUp => "catching up",
            Self::Streaming => "streaming",
            Self::Draining => "draining",
            Self::Finishing => "finishing",
        })
    }
}

/// The progress of a migration. The counts include those of interrupted runs.
#[derive(Clone, Debug)]
pub struct MigrationProgress {
    pub(super) phase: MigrationPhase,
    pub(super) counts: Counts,
    pub(super) compared: u64,
    pub(super) lag: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counts {
    /// The items of the full export.
    pub(super) exported: u64,
    /// The items of the full export that are in the target.
    pub(super) loaded: u64,
    /// The records of incremental exports that are in the target.
    pub(super) caught_up: u64,
    /// The records of the stream that are in the target.
    pub(super) streamed: u64,
}

impl MigrationProgress {
    /// Returns what the migration is doing.
    pub fn phase(&self) -> MigrationPhase {
        self.phase
    }

    /// Returns the number of items in the full export; 0 until it is done.
    pub fn exported(&self) -> u64 {
        self.counts.exported
    }

    /// Returns the number of items of the full export that have been imported or loaded.
    ///
    /// An import counts its items when it is done.
    pub fn loaded(&self) -> u64 {
        self.counts.loaded
    }

    /// Returns the number of writes that incremental exports have brought.
    pub fn caught_up(&self) -> u64 {
        self.counts.caught_up
    }

    /// Returns the number of records that the stream has brought.
    ///
    /// A run that resumes an interrupted one applies some records again, and counts them.
    pub fn streamed(&self) -> u64 {
        self.counts.streamed
    }

    /// Returns the number of source items compared by this run.
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// Returns the age of the last write that has been applied; `None` before the migration catches
    /// up.
    pub fn lag(&self) -> Option<Duration> {
        self.lag
    }
}
