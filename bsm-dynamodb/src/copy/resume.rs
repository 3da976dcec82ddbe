//! Going on from an earlier run's checkpoint.

use std::fmt::Display;
use std::path::Path;

use aws_sdk_dynamodb::types::TableDescription;

use super::Settings;
use super::checkpoint::{Checkpoint, NewTable, TableIdentity, Target};
use super::preflight::identity;
use super::side::Side;
use crate::error::{Error, ErrorKind};

/// Reads the checkpoint of an earlier run, if there is one, and refuses that of another copy.
pub(super) fn earlier<'a>(
    source: &'a Side,
    source_table: &TableDescription,
    settings: &'a Settings,
) -> Result<Option<(CheckpointFile<'a>, Checkpoint)>, Error> {
    let Some(path) = &settings.checkpoint else {
        return Ok(None);
    };
    let file = CheckpointFile { path, side: source };
    let earlier = Checkpoint::read(path)
        .map_err(|error| file.refused("cannot be read").with_source(error))?;
    let Some(earlier) = earlier else {
        return Ok(None);
    };
    file.check_table("source", &earlier.source, &identity(source_table))?;
    let recorded = earlier.segments.len();
    match settings.segments {
        Some(segments) if segments as usize != recorded => Err(file.refused(format!(
            "belongs to a copy in {recorded} segments, not {segments}"
        ))),
        _ => Ok(Some((file, earlier))),
    }
}

/// The file that a checkpoint was read from.
pub(super) struct CheckpointFile<'a> {
    path: &'a Path,
    side: &'a Side,
}

impl CheckpointFile<'_> {
    /// Refuses another target, and says whether the earlier copy was still creating this one.
    pub(super) fn check_target(
        &self,
        earlier: &Checkpoint,
        place: &NewTable,
        table: Option<&TableDescription>,
    ) -> Result<bool, Error> {
        match &earlier.target {
            Target::Existing(recorded) => match table {
                Some(table) => {
                    self.check_table("target", recorded, &identity(table))?;
                    Ok(false)
                }
                None => Err(self.refused(format!(
                    "belongs to a target that is not there, {}",
                    recorded.arn
                ))),
            },
            Target::New { creating } if creating == place => Ok(true),
            Target::New { creating } => {
                let NewTable {
                    table,
                    account,
                    region,
                } = creating;
                Err(self.refused(format!(
                    "belongs to another target, the new table {table} in {account}, {region}"
                )))
            }
        }
    }

    fn check_table(
        &self,
        role: &str,
        recorded: &TableIdentity,
        actual: &TableIdentity,
    ) -> Result<(), Error> {
        if recorded.arn != actual.arn {
            let arn = &recorded.arn;
            return Err(self.refused(format!("belongs to another {role}, {arn}")));
        }
        if !recorded.is_same(actual) {
            return Err(self.refused(format!(
                "belongs to a {role} table that has been deleted and created again since"
            )));
        }
        Ok(())
    }

    fn refused(&self, fact: impl Display) -> Error {
        let message = format!(
            "the checkpoint {} {fact}: give another path, or delete it to copy from the start",
            self.path.display()
        );
        self.side.error(ErrorKind::Checkpoint, message)
    }
}
