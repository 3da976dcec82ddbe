//! What a copy is going to do.

use std::fmt;

use super::settings::{PlannedSetting, SettingOutcome};

/// What a copy is going to do; see [`CopyTable::preflight`](crate::CopyTable::preflight).
///
/// `Display` shows it for people to confirm: the two tables, a line for what is resumed, and a line
/// for the settings that the new table does not get.
///
/// ```text
/// from table users in 222222222222, us-east-1 (profile "staging")
/// to   table users in 333333333333, us-east-1 (profile "production") (to be created)
/// left behind: tags (team, stage), point-in-time recovery (35 days)
/// ```
#[derive(Clone, Debug)]
pub struct CopyPlan {
    pub(super) source: TableLocation,
    pub(super) target: TableLocation,
    pub(super) target_state: TargetState,
    /// The source items that an interrupted copy has got past, if one is resumed: written, skipped,
    /// filtered or merged.
    pub(super) resumed_items: Option<u64>,
    pub(super) segments: u32,
    pub(super) expected_items: Option<u64>,
    pub(super) expected_bytes: Option<u64>,
    pub(super) settings: Vec<PlannedSetting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetState {
    Existing,
    Missing,
    /// An interrupted copy has begun to create it.
    HalfCreated,
    Created,
}

impl CopyPlan {
    /// Returns the table that is read.
    pub fn source(&self) -> &TableLocation {
        &self.source
    }

    /// Returns the table that is written.
    pub fn target(&self) -> &TableLocation {
        &self.target
    }

    /// Returns `true` if the copy creates the target table, or has created it.
    ///
    /// That includes finishing a creation in which an earlier copy was interrupted: the table may
    /// exist then, and [`TableLocation::arn`] is known.
    pub fn creates_target(&self) -> bool {
        self.target_state != TargetState::Existing
    }

    /// Returns `true` if the copy resumes an interrupted one from its checkpoint.
    pub fn resumes(&self) -> bool {
        self.resumed_items.is_some()
    }

    /// Returns how many segments the source is divided into.
    pub fn segments(&self) -> u32 {
        self.segments
    }

    /// Returns the number of items in the source, as DynamoDB counted them in the last six hours;
    /// `None` if it has not counted yet.
    pub fn expected_items(&self) -> Option<u64> {
        self.expected_items
    }

    /// Returns the size of the source in bytes, counted when the [items](Self::expected_items) were.
    pub fn expected_bytes(&self) -> Option<u64> {
        self.expected_bytes
    }

    /// Returns the settings of the source that a new target gets only on request, or not at all.
    ///
    /// Empty if the copy does not create the target: a table that exists keeps its settings. Alarms,
    /// backups and the contents of streams belong to other services, and are not listed.
    pub fn settings(&self) -> &[PlannedSetting] {
        &self.settings
    }
}

impl fmt::Display for CopyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}\nto   {}", self.source, self.target)?;
        f.write_str(match self.target_state {
            TargetState::Missing => " (to be created)",
            TargetState::HalfCreated => " (its creation is unfinished)",
            TargetState::Created => " (created)",
            TargetState::Existing => " (exists, its settings are left alone)",
        })?;
        if let Some(items) = self.resumed_items {
            write!(
                f,
                "\nresumes a copy that has processed {items} items of the source"
            )?;
        }
        write_settings(f, &self.settings)
    }
}

/// Writes a line for each outcome that there is.
pub(crate) fn write_settings(
    f: &mut fmt::Formatter<'_>,
    settings: &[PlannedSetting],
) -> fmt::Result {
    for (outcome, title) in [
        (SettingOutcome::Copied, "copies"),
        (SettingOutcome::LeftBehind, "left behind"),
        (SettingOutcome::Unknown, "left behind, if there is one"),
    ] {
        let settings = settings.iter().filter(|it| it.outcome() == outcome);
        let settings: Vec<_> = settings.map(ToString::to_string).collect();
        if !settings.is_empty() {
            write!(f, "\n{title}: {}", settings.join(", "))?;
        }
    }
    Ok(())
}

/// Where a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLocation {
    pub(crate) table: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) manager: String,
    pub(crate) arn: Option<String>,
}

impl TableLocation {
    /// Returns the name of the table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the account id.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the table's ARN, if the table exists.
    pub fn arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }
}

impl fmt::Display for TableLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            account,
            region,
            manager,
            ..
        } = self;
        // The ARN is left out: it repeats the region, the account and the name.
        write!(f, "table {table} in {account}, {region} ({manager})")
    }
}
