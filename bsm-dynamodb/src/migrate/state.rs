//! What the checkpoint says: how far a migration has come, and what it has changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::load_method::LoadMethod;
use super::options::MigrateOptions;
use super::progress::{Counts, MigrationPhase};
use crate::copy::checkpoint::{TableIdentity, TargetLocation};

/// The state of a migration, as the checkpoint records it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MigrationState {
    /// Tells this file from other files, and from those of other versions.
    pub(super) migration: u32,
    pub(super) source: TableIdentity,
    pub(super) location: TargetLocation,
    pub(super) settings: RecordedSettings,
    pub(super) load_method: LoadMethod,
    /// What the migration has turned on, or is about to.
    pub(super) turned_on: EnabledSettings,
    /// The target, once it exists.
    pub(super) target: Option<TableIdentity>,
    pub(super) counts: Counts,
    pub(super) step: Step,
}

/// The version of the file.
pub(super) const VERSION: u32 = 1;

/// The settings that must not change between the runs of one migration.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedSettings {
    pub(super) bucket: String,
    pub(super) bucket_owner: String,
    pub(super) prefix: String,
    pub(super) export_key: Option<String>,
    pub(super) uses_stream: bool,
}

impl RecordedSettings {
    pub(super) fn of(options: &MigrateOptions, bucket_owner: &str) -> Self {
        Self {
            // Concurrency, capacity and the other options may change between the runs.
            bucket: options.bucket.clone(),
            bucket_owner: bucket_owner.to_owned(),
            prefix: options.prefix.clone(),
            export_key: options.export_key.clone(),
            uses_stream: options.uses_stream,
        }
    }

    /// Returns the first setting in which a run differs.
    pub(super) fn difference(&self, run: &Self) -> Option<&'static str> {
        [
            (self.bucket != run.bucket, "another bucket"),
            (
                self.bucket_owner != run.bucket_owner,
                "another owner of the bucket",
            ),
            (self.prefix != run.prefix, "another prefix"),
            (
                self.export_key != run.export_key,
                "another KMS key for the export",
            ),
            (
                self.uses_stream != run.uses_stream,
                "another setting of stream()",
            ),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}

/// The settings of the source that a migration turns on, and off at its end.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnabledSettings {
    pub(super) recovery: bool,
    pub(super) stream: bool,
}

/// How far a migration has come. Times are in seconds since the Unix epoch.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    Preparing {},
    Exporting(Job<i64>),
    Importing {
        export: Exported,
        import: Job<()>,
    },
    Loading {
        export: Exported,
        files: FileProgress,
    },
    CatchingUp {
        /// All writes before this time are in the target.
        position: i64,
        window: Option<Window>,
        /// When the writers had stopped, if they have: the windows must reach it.
        stopped: Option<i64>,
    },
    Streaming {
        /// The ARN of the stream. A stream that is turned off and on again is another one, which lacks
        /// the writes in between.
        stream: String,
        /// All writes before this time, by DynamoDB's clock, were in the target when the streaming
        /// began.
        position: i64,
        /// When the target last had every record, by DynamoDB's clock.
        read_at: i64,
        shards: BTreeMap<String, ShardState>,
    },
    Finishing {},
}

impl Step {
    pub(super) fn phase(&self) -> MigrationPhase {
        match self {
            Self::Preparing {} => MigrationPhase::Preparing,
            Self::Exporting(_) => MigrationPhase::Exporting,
            Self::Importing { .. } | Self::Loading { .. } => MigrationPhase::Loading,
            Self::CatchingUp { stopped: None, .. } => MigrationPhase::CatchingUp,
            Self::CatchingUp { .. } => MigrationPhase::Draining,
            Self::Streaming { .. } => MigrationPhase::Streaming,
            Self::Finishing {} => MigrationPhase::Finishing,
        }
    }
}

/// An export or import of AWS.
///
/// The client token is recorded before the request is sent, so that a run that was killed in between
/// finds the job it has started instead of starting another one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job<T> {
    pub(super) token: String,
    /// The time of a full export.
    pub(super) time: T,
    pub(super) arn: Option<String>,
}

impl<T> Job<T> {
    pub(super) fn new(time: T) -> Self {
        Self {
            // 128 random bits, so that two jobs never share a token.
            token: format!("{:032x}", fastrand::u128(..)),
            time,
            arn: None,
        }
    }
}

/// A full export that has ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exported {
    pub(super) time: i64,
    pub(super) manifest: String,
    pub(super) items: u64,
}

/// A window of changes that is being exported and loaded.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) job: Job<()>,
    pub(super) files: FileProgress,
}

/// Which files of an export are in the target.
///
/// Files are begun in order, so the files before `next` are done unless they are open.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileProgress {
    pub(super) next: usize,
    /// The lines that are in the target, for each open file.
    pub(super) open: BTreeMap<usize, u64>,
}

impl FileProgress {
    /// Returns the files that are left, with the lines to skip: first those that were begun.
    pub(super) fn left(&self, files: usize) -> Vec<(usize, u64)> {
        let open = self.open.iter().map(|(&file, &lines)| (file, lines));
        let rest = (self.next..files).map(|file| (file, 0));
        open.chain(rest).collect()
    }

    pub(super) fn begin(&mut self, file: usize) {
        // A file that an earlier run has begun is before `next` already.
        if file >= self.next {
            self.next = file + 1;
        }
        self.open.entry(file).or_default();
    }

    pub(super) fn advance(&mut self, file: usize, lines: u64) {
        *self.open.entry(file).or_default() += lines;
    }

    /// Forgets the lines of a file that has to be loaded again, and returns their number.
    pub(super) fn restart(&mut self, file: usize) -> u64 {
        self.open.insert(file, 0).unwrap_or_default()
    }

    pub(super) fn finish(&mut self, file: usize) {
        self.open.remove(&file);
    }
}

/// How far a shard of the stream has been read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShardState {
    pub(super) parent: Option<String>,
    /// The sequence number of the last record that is in the target.
    pub(super) after: Option<String>,
    /// Whether the shard has ended, and all of its records are in the target.
    pub(super) is_done: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_load_begins_with_the_files_that_were_open() {
        let mut files = FileProgress::default();
        for file in 0..4 {
            files.begin(file);
        }
        files.advance(1, 25);
        files.advance(1, 25);
        files.finish(0);
        files.finish(2);
        assert_eq!(files.left(6), [(1, 50), (3, 0), (4, 0), (5, 0)]);
        assert_eq!(files.restart(1), 50);
        assert_eq!(files.left(4), [(1, 0), (3, 0)]);
    }
}
