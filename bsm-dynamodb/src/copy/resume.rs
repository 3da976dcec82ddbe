//! The search for a copy in the checkpoint of earlier runs.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::TableDescription;
use tokio::task;

use super::checkpoint::{
    self, RecordedSettings, RecordedTarget, TableCheckpoint, TableIdentity, Tables, TargetLocation,
};
use super::options::CopyOptions;
use super::table::TableClient;
use crate::error::{Error, ErrorKind};

/// The checkpoint of earlier runs.
pub(super) struct Recorded<'a> {
    path: &'a Path,
    kind: Tables,
    tables: Vec<TableCheckpoint>,
}

/// Returns the path of a checkpoint without links. The table is the one that errors name.
pub(super) async fn locate(
    path: Option<&PathBuf>,
    table: &TableClient,
) -> Result<Option<PathBuf>, Error> {
    let Some(path) = path else { return Ok(None) };
    let given = path.clone();
    let located = task::spawn_blocking(move || checkpoint::locate(&given)).await;
    let located = located.map_err(io::Error::from).flatten();
    located.map(Some).map_err(|error| {
        let message = format!(
            "the checkpoint {} cannot be used: check that its folder exists, and that it is a file",
            path.display()
        );
        let failure = table.error(ErrorKind::Checkpoint, message);
        failure.with_source(error)
    })
}

/// What identifies a copy among those of a checkpoint.
pub(super) struct CopyIdentity<'a> {
    pub(super) source_table: &'a TableDescription,
    pub(super) location: &'a TargetLocation,
    pub(super) target_table: Option<&'a TableDescription>,
    pub(super) settings: &'a RecordedSettings,
}

impl<'a> Recorded<'a> {
    /// Reads a checkpoint; returns `None` if the copy has no checkpoint, or its file does not exist.
    ///
    /// The table is the one that errors name.
    pub(super) async fn read(
        path: Option<&'a Path>,
        kind: Tables,
        table: &TableClient,
    ) -> Result<Option<Self>, Error> {
        let Some(path) = path else { return Ok(None) };
        let path_to_read = path.to_owned();
        let read = task::spawn_blocking(move || checkpoint::read(&path_to_read)).await;
        let read = read.map_err(Into::into).flatten();
        let read =
            read.map_err(|error| refused(path, kind, table, "cannot be read").with_source(error))?;
        let Some((recorded_kind, tables)) = read else {
            return Ok(None);
        };
        if recorded_kind != kind {
            return Err(refused(
                path,
                recorded_kind,
                table,
                match recorded_kind {
                    Tables::One => "belongs to copy_table(), not copy_tables()",
                    Tables::Several => "belongs to copy_tables(), not copy_table()",
                },
            ));
        }
        Ok(Some(Self { path, kind, tables }))
    }

    /// Returns the number and the state of a copy, or `None` if no earlier run has begun it.
    ///
    /// # Errors
    ///
    /// If the checkpoint belongs to another copy, or to this one with other settings.
    pub(super) fn find(
        &self,
        source: &TableClient,
        copy: &CopyIdentity<'_>,
        options: &CopyOptions,
    ) -> Result<Option<(usize, &TableCheckpoint)>, Error> {
        let source_identity = TableIdentity::of(copy.source_table);
        let found = match self.kind {
            // The one table of the file is this one, or the file is another copy's.
            Tables::One => self.tables.first().map(|table| (0, table)),
            Tables::Several => {
                let mut tables = self.tables.iter().enumerate();
                tables.find(|(_, table)| {
                    table.source.arn == source_identity.arn && table.location == *copy.location
                })
            }
        };
        // A table that the file does not name is new: tables may be added to a call between two runs.
        let Some((number, table)) = found else {
            return Ok(None);
        };
        let refuse = |fact: String| Err(refused(self.path, self.kind, source, fact));
        if let Some(fact) = mismatch("source", &table.source, &source_identity) {
            return refuse(fact);
        }
        match (&table.target, copy.target_table) {
            (RecordedTarget::Existing(recorded), Some(target)) => {
                if let Some(fact) = mismatch("target", recorded, &TableIdentity::of(target)) {
                    return refuse(fact);
                }
            }
            // Not created again: what the checkpoint counts as stored is gone with the table.
            (RecordedTarget::Existing(recorded), None) => {
                let arn = &recorded.arn;
                return refuse(format!("belongs to a target that does not exist, {arn}"));
            }
            // The table may exist by now, and may be another program's: `check_target` decides.
            (RecordedTarget::Creating, _) if table.location == *copy.location => {}
            (RecordedTarget::Creating, _) => {
                let TargetLocation {
                    table,
                    account,
                    region,
                } = &table.location;
                return refuse(format!(
                    "belongs to another target, the new table {table} in {account}, {region}"
                ));
            }
        }
        if let Some(difference) = table.settings.difference(copy.settings) {
            return refuse(format!("belongs to a copy with {difference}"));
        }
        let recorded = table.segment_count();
        // Positions belong to one division of the source: with another one, items would be left out.
        match options.segments {
            Some(segments) if segments != recorded => refuse(format!(
                "belongs to a copy in {recorded} segments, not {segments}"
            )),
            _ => Ok(Some((number, table))),
        }
    }
}

fn mismatch(role: &str, recorded: &TableIdentity, actual: &TableIdentity) -> Option<String> {
    if recorded.arn != actual.arn {
        let arn = &recorded.arn;
        return Some(format!("belongs to another {role}, {arn}"));
    }
    (!recorded.is_same(actual))
        .then(|| format!("belongs to a {role} table that has been deleted and created again since"))
}

fn refused(path: &Path, kind: Tables, table: &TableClient, fact: impl Display) -> Error {
    let remedy = match kind {
        Tables::One => "give another path, or delete it to copy from the start",
        // Deleting the file would copy to tables again that may be in use by now.
        Tables::Several => {
            "copy the tables that are not done with another path, and keep this file, which records \
             those that are"
        }
    };
    let message = format!("the checkpoint {} {fact}: {remedy}", path.display());
    table.error(ErrorKind::Checkpoint, message)
}
