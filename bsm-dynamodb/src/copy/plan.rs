//! What a copy is going to do.

use std::fmt;

/// What a copy is going to do; see [`CopyTable::preflight`](crate::CopyTable::preflight).
///
/// `Display` says it in two lines, for somebody to confirm.
#[derive(Clone, Debug)]
pub struct CopyPlan {
    pub(super) source: TablePlace,
    pub(super) target: TablePlace,
    pub(super) creates_target: bool,
    pub(super) resumes: bool,
    pub(super) segments: u32,
    pub(super) expected_items: Option<u64>,
    pub(super) expected_bytes: Option<u64>,
}

impl CopyPlan {
    /// Returns which table is read.
    pub fn source(&self) -> &TablePlace {
        &self.source
    }

    /// Returns which table is written.
    pub fn target(&self) -> &TablePlace {
        &self.target
    }

    /// Says whether the target table has to be created.
    ///
    /// It is true as well if an earlier copy was interrupted while it created the table, and the
    /// rest is left to do: the table is then there, and [`TablePlace::arn`] is known.
    pub fn creates_target(&self) -> bool {
        self.creates_target
    }

    /// Says whether an earlier copy is gone on with, from its checkpoint.
    pub fn resumes(&self) -> bool {
        self.resumes
    }

    /// Returns into how many segments the source is divided.
    pub fn segments(&self) -> u32 {
        self.segments
    }

    /// Returns how many items the source has, as DynamoDB counted them in the last six hours;
    /// `None` if it has not counted yet.
    pub fn expected_items(&self) -> Option<u64> {
        self.expected_items
    }

    /// Returns how large the source is, as [`expected_items`](Self::expected_items).
    pub fn expected_bytes(&self) -> Option<u64> {
        self.expected_bytes
    }
}

impl fmt::Display for CopyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}\nto   {}", self.source, self.target)?;
        f.write_str(match (self.creates_target, &self.target.arn) {
            (true, None) => " (to be created)",
            (true, Some(_)) => " (its creation is to be finished)",
            (false, _) => " (exists, its settings are left alone)",
        })
    }
}

/// Where a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePlace {
    pub(super) table: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) manager: String,
    pub(super) arn: Option<String>,
}

impl TablePlace {
    /// Returns the name of the table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the id of the account.
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

impl fmt::Display for TablePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            account,
            region,
            manager,
            ..
        } = self;
        write!(f, "table {table} in {account}, {region} ({manager})")
    }
}
