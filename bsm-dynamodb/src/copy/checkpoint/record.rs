//! The lines of a checkpoint, and the state that they add up to.

use serde::{Deserialize, Serialize};

use super::state::{
    Failure, MAX_SEGMENTS, RecordedSettings, RecordedTarget, ScanPosition, SegmentState,
    TableCheckpoint, TableIdentity, TargetLocation,
};

/// The first line of a file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    version: u32,
    tables: Tables,
}

impl Header {
    /// Version 1 recorded neither settings nor checksums, so it proves too little to resume from.
    pub(super) const VERSION: u32 = 2;

    pub(super) fn new(tables: Tables) -> Self {
        Self {
            version: Self::VERSION,
            tables,
        }
    }
}

/// Whether a checkpoint belongs to `copy_table` or to `copy_tables`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tables {
    One,
    Several,
}

/// Every other line: one thing that has happened.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Record {
    /// The copy of a table begins. The records that follow are about it.
    Begin(Begin),
    /// The copy of the table with this number is resumed. The records that follow are about it.
    Resume(usize),
    /// The target was created.
    Created(TableIdentity),
    /// The first item is about to be written.
    // With braces it is a JSON object, which a line must be: the checksum becomes its first member.
    Writing {},
    /// A segment has advanced.
    Segment(SegmentRecord),
    /// The copy of the table has ended.
    Done {
        /// Whether a comparison found the target as it should be.
        #[serde(default)]
        verified: bool,
    },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {
    source: TableIdentity,
    location: TargetLocation,
    target: RecordedTarget,
    settings: RecordedSettings,
    segments: u32,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentRecord {
    number: u32,
    position: ScanPosition,
    stored: u64,
    written: u64,
}

impl Record {
    pub(crate) fn begin(table: &TableCheckpoint) -> Self {
        Self::Begin(Begin {
            source: table.source.clone(),
            location: table.location.clone(),
            target: table.target.clone(),
            settings: table.settings.clone(),
            segments: table.segment_count(),
        })
    }

    pub(crate) fn segment(number: u32, state: &SegmentState) -> Self {
        Self::Segment(SegmentRecord {
            number,
            position: state.position.clone(),
            stored: state.stored,
            written: state.written,
        })
    }
}

/// Everything that a checkpoint says.
pub(super) struct Contents {
    pub(super) kind: Tables,
    pub(super) tables: Vec<TableCheckpoint>,
    current: usize,
}

impl Contents {
    pub(super) fn new(kind: Tables) -> Self {
        Self {
            kind,
            tables: Vec::new(),
            current: 0,
        }
    }

    /// Returns the state at the header's line, which must be valid JSON of a known version.
    pub(super) fn from_header(line: &str) -> Result<Self, Failure> {
        let header: Header = serde_json::from_str(line)?;
        Ok(Self::new(header.tables))
    }

    pub(super) fn apply(&mut self, record: Record) -> Result<(), Failure> {
        if let Record::Begin(begin) = record {
            return self.begin(begin);
        }
        if let Record::Resume(number) = record {
            self.current = number;
        }
        let table = self.tables.get_mut(self.current);
        let table = table.ok_or("it has a record of a table that it does not name")?;
        match record {
            Record::Begin(_) | Record::Resume(_) => {}
            Record::Created(identity) => table.target = RecordedTarget::Existing(identity),
            Record::Writing {} => table.is_writing = true,
            Record::Done { verified } => {
                table.is_done = true;
                // A later run that compares nothing does not undo what a comparison has found.
                table.is_verified |= verified;
            }
            Record::Segment(record) => {
                // Correct checksums prove nothing about the numbers: another program can compute them as well.
                let segment = table.segments.get_mut(record.number as usize);
                let segment = segment.ok_or("it has a record of a segment beyond the last one")?;
                // A written item lets the next run accept a target with items, so its count must at least be possible.
                if record.written > record.stored {
                    return Err("it counts more items as written than as read".into());
                }
                *segment = SegmentState {
                    position: record.position,
                    stored: record.stored,
                    written: record.written,
                };
            }
        }
        Ok(())
    }

    fn begin(&mut self, begin: Begin) -> Result<(), Failure> {
        // Checked before the segments are allocated.
        if !(1..=MAX_SEGMENTS).contains(&begin.segments) {
            return Err(format!(
                "it has {} segments, not 1 to {MAX_SEGMENTS}",
                begin.segments
            )
            .into());
        }
        self.current = self.tables.len();
        self.tables.push(TableCheckpoint::new(
            begin.source,
            begin.location,
            begin.target,
            begin.settings,
            begin.segments,
        ));
        Ok(())
    }

    /// Returns the fewest records that add up to this state.
    pub(super) fn to_records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for table in &self.tables {
            records.push(Record::begin(table));
            records.extend(table.is_writing.then_some(Record::Writing {}));
            let segments = (0..).zip(&table.segments);
            // A segment at its start has stored nothing, and the line of the table implies it.
            let advanced = segments.filter(|(_, state)| state.position != ScanPosition::Start);
            records.extend(advanced.map(|(number, state)| Record::segment(number, state)));
            records.extend(table.is_done.then_some(Record::Done {
                verified: table.is_verified,
            }));
        }
        // The records that follow are about the last table, unless a line names another one.
        if self.current + 1 < self.tables.len() {
            records.push(Record::Resume(self.current));
        }
        records
    }
}
