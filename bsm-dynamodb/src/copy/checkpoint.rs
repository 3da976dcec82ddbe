//! The checkpoint: which tables a copy moves, with which settings, and how far it has come.
//!
//! The file is a journal. A copy appends a line for every segment that has advanced, so what it
//! writes is proportional to its progress, however many segments there are. Every line carries a
//! checksum of everything before it: a line that was edited, moved or removed makes the file
//! unreadable instead of making the copy incomplete. Only the end of the file may be missing, as
//! after a power failure: some pages are copied again then.

#[cfg(feature = "migrate")]
mod document;
mod journal;
mod lock;
mod path;
mod record;
mod state;
mod writer;

#[cfg(any(test, fuzzing))]
pub(crate) use self::journal::parse_any;
pub(super) use self::journal::read;
pub(crate) use self::path::locate;
pub(super) use self::record::{Record, Tables};
pub(super) use self::state::{
    MAX_SEGMENTS, RecordedSettings, RecordedTarget, ScanPosition, SegmentState, TableCheckpoint,
};
pub(crate) use self::state::{TableIdentity, TargetLocation};
pub(super) use self::writer::CheckpointWriter;
#[cfg(feature = "migrate")]
pub(crate) use self::{document::Document, writer::wait_for_lock};
