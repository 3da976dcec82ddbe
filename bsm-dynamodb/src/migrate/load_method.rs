//! How the items of a full export get into the target.

use serde::{Deserialize, Serialize};

/// How the full export gets into the target.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoadMethod {
    /// DynamoDB imports it as a new table.
    Import,
    /// The migration creates the table and writes the items.
    NewTable,
    /// The migration writes the items to the table that exists, and is empty.
    ExistingTable,
}

/// The number of files that an import reads at most.
///
/// Source: "Import quotas" of the DynamoDB Developer Guide, which counts objects in S3.
const MAX_IMPORTED_FILES: usize = 50_000;

impl LoadMethod {
    /// Returns the method for an export of this many files: a table that DynamoDB cannot import is loaded.
    pub(super) fn for_files(self, files: usize) -> Self {
        match self {
            Self::Import if files > MAX_IMPORTED_FILES => Self::NewTable,
            method => method,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_of_more_files_than_an_import_reads_is_loaded() {
        use LoadMethod::{ExistingTable, Import, NewTable};
        for (method, files, expected) in [
            (Import, 0, Import),
            (Import, MAX_IMPORTED_FILES, Import),
            (Import, MAX_IMPORTED_FILES + 1, NewTable),
            (NewTable, 1, NewTable),
            (ExistingTable, MAX_IMPORTED_FILES + 1, ExistingTable),
        ] {
            assert_eq!(method.for_files(files), expected, "{method:?} {files}");
        }
    }
}
