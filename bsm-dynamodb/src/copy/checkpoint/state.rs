//! What a checkpoint says of a table.

use std::error::Error as StdError;

use aws_sdk_dynamodb::types::TableDescription;
use serde::{Deserialize, Serialize};

use crate::codec::Item;
use crate::copy::options::CopyOptions;
use crate::wire::attribute_value;

pub(crate) type Failure = Box<dyn StdError + Send + Sync>;

/// DynamoDB's limit for TotalSegments. A damaged number must not become an allocation.
///
/// Source: [Scan](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html) in
/// the API Reference.
pub(crate) const MAX_SEGMENTS: u32 = 1_000_000;

/// How far the copy of one table has come.
#[derive(Clone, Debug)]
pub(crate) struct TableCheckpoint {
    pub(crate) source: TableIdentity,
    pub(crate) location: TargetLocation,
    pub(crate) target: RecordedTarget,
    pub(crate) settings: RecordedSettings,
    pub(crate) segments: Vec<SegmentState>,
    /// Whether a request that writes items may have been sent.
    pub(crate) is_writing: bool,
    /// Whether the copy has ended, its comparison included.
    pub(crate) is_done: bool,
    /// Whether a comparison found the target as it should be.
    pub(crate) is_verified: bool,
}

impl TableCheckpoint {
    pub(crate) fn new(
        source: TableIdentity,
        location: TargetLocation,
        target: RecordedTarget,
        settings: RecordedSettings,
        segments: u32,
    ) -> Self {
        Self {
            source,
            location,
            target,
            settings,
            segments: vec![SegmentState::default(); segments as usize],
            is_writing: false,
            is_done: false,
            is_verified: false,
        }
    }

    /// Returns `true` if a run with these options has nothing left to do.
    pub(crate) fn is_finished(&self, options: &CopyOptions) -> bool {
        self.is_done && (self.is_verified || !options.verify)
    }

    pub(crate) fn segment_count(&self) -> u32 {
        u32::try_from(self.segments.len()).unwrap_or(u32::MAX)
    }

    /// Returns the number of source items that need no further work.
    pub(crate) fn stored(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.stored))
    }

    /// Returns the number of items that are known to be written.
    pub(crate) fn written(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.written))
    }
}

/// Adds counts that come from a file, and may be anything.
fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// A table, and which of the tables that have had its name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableIdentity {
    pub(crate) arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

impl TableIdentity {
    pub(crate) fn of(table: &TableDescription) -> Self {
        Self {
            arn: table.table_arn.clone().unwrap_or_default(),
            id: table.table_id.clone(),
        }
    }

    /// Returns `false` if this is another table, or one that was deleted and created again.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        // A table that was deleted and created again keeps its ARN and gets another id.
        // Where one side has no id, the ARN decides.
        let recreated = matches!((&self.id, &other.id), (Some(one), Some(other)) if one != other);
        self.arn == other.arn && !recreated
    }
}

/// Where the target is. Known before the table exists.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetLocation {
    pub(crate) table: String,
    pub(crate) account: String,
    pub(crate) region: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RecordedTarget {
    /// The copy creates the table, and has not finished.
    Creating,
    Existing(TableIdentity),
}

/// The settings that decide what the target contains in the end.
///
/// A run with other settings would leave a mixed table. The settings that only decide how fast a
/// copy is may change from run to run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordedSettings {
    policy: String,
    filter: bool,
    transform: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    copy_settings: Vec<String>,
}

impl RecordedSettings {
    pub(crate) fn of(options: &CopyOptions) -> Self {
        let copy_settings = options.copy_settings.iter();
        let mut copy_settings: Vec<_> = copy_settings
            .map(|setting| format!("{setting:?}"))
            .collect();
        // The order of the call, and repetitions in it, do not change what the target gets.
        copy_settings.sort();
        copy_settings.dedup();
        Self {
            // The name of the variant is part of the file: after a renaming, older checkpoints are refused.
            policy: format!("{:?}", options.policy),
            // Closures cannot be compared. `fingerprint` is the caller's name for what they do.
            filter: options.filter.is_some(),
            transform: options.transform.is_some(),
            fingerprint: options.fingerprint.clone(),
            copy_settings,
        }
    }

    /// Returns how the recorded settings differ from those of this run, if they do.
    pub(crate) fn difference(&self, now: &Self) -> Option<String> {
        let with = |has: bool| if has { "with" } else { "without" };
        let named = |fingerprint: &Option<String>| match fingerprint {
            Some(text) => format!("{text:?}"),
            None => "none".to_owned(),
        };
        if self.policy != now.policy {
            let (before, now) = (&self.policy, &now.policy);
            Some(format!("the policy {before}, not {now}"))
        } else if self.filter != now.filter {
            let (before, now) = (with(self.filter), with(now.filter));
            Some(format!("{before} a filter, not {now} one"))
        } else if self.transform != now.transform {
            let (before, now) = (with(self.transform), with(now.transform));
            Some(format!("{before} a transform, not {now} one"))
        } else if self.fingerprint != now.fingerprint {
            let (before, now) = (named(&self.fingerprint), named(&now.fingerprint));
            Some(format!("the fingerprint {before}, not {now}"))
        } else if self.copy_settings != now.copy_settings {
            let (before, now) = (self.copy_settings.join(", "), now.copy_settings.join(", "));
            Some(format!(
                "copy_settings([{before}]), not copy_settings([{now}])"
            ))
        } else {
            None
        }
    }
}

/// How far a segment is stored in the target.
#[derive(Clone, Debug, Default)]
pub(crate) struct SegmentState {
    pub(crate) position: ScanPosition,
    /// The source items before the position: written, skipped, filtered or merged.
    pub(crate) stored: u64,
    /// Those of them that were written.
    pub(crate) written: u64,
}

/// Where the next page of a segment begins.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScanPosition {
    #[default]
    Start,
    /// After the item with this key.
    After(#[serde(with = "attribute_value")] Item),
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_was_created_again_is_another_one() {
        let identity = |id: Option<&str>| TableIdentity {
            arn: "arn".to_owned(),
            id: id.map(ToOwned::to_owned),
        };
        let table = identity(Some("1"));
        assert!(table.is_same(&identity(Some("1"))));
        assert!(!table.is_same(&identity(Some("2"))));
        assert!(table.is_same(&identity(None)));
        assert!(!table.is_same(&TableIdentity::default()));
    }

    #[test]
    fn huge_counts_do_not_overflow() {
        let counts = [u64::MAX, 1, u64::MAX];
        assert_eq!(total(counts.into_iter()), u64::MAX);
    }
}
