//! The file that a run appends its starts and ends to.
//!
//! One line of JSON each, so that a process that is killed loses at most the line that it was writing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::fleet::entry::ReportEntry;
use crate::small_file;

/// The marker in the first line.
const FORMAT: &str = "bsm-fleet-report";

/// The version of the schema. A reader rejects any other.
const VERSION: u64 = 1;

/// The longest file that is read: two lines of a few hundred bytes for each of 100,000 calls.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

#[derive(Deserialize, Serialize)]
struct Header {
    format: String,
    version: u64,
}

/// An open file. Clones append to the same one.
#[derive(Clone)]
pub(super) struct Journal {
    file: Arc<Mutex<File>>,
}

impl Journal {
    /// Opens a file to append to, and writes the header if it is new.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error: io::Error| {
            let message = format!(
                "the report {} cannot be written: check its directory",
                path.display()
            );
            Error::new(ErrorKind::File, message).with_source(error)
        };
        // Anything else that is there would be spoilt.
        let is_new = match std::fs::metadata(path) {
            Ok(found) if found.is_file() && found.len() == 0 => true,
            Ok(_) => {
                read(path)?;
                false
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(failed(error)),
        };
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // ARNs and the messages of the caller's own errors are not for other users of the machine.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        let first = match is_new {
            true => line(&Header {
                format: FORMAT.to_owned(),
                version: VERSION,
            }),
            // Ends the line that a killed process may have left unfinished.
            false => "\n".to_owned(),
        };
        file.write_all(first.as_bytes()).map_err(failed)?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// Appends an entry.
    pub(super) fn write(&self, entry: &ReportEntry) -> io::Result<()> {
        let mut file = self.file.lock();
        // One call, so that two lines don't mix.
        file.write_all(line(entry).as_bytes()).inspect_err(|_| {
            // A full disk may have taken a part of the line, and the next entry must not continue it.
            _ = file.write_all(b"\n");
        })
    }
}

/// Reads the entries, oldest first.
pub(super) fn read(path: &Path) -> Result<Vec<ReportEntry>, Error> {
    let text = small_file::read(path, MAX_BYTES).map_err(|error| {
        let message = format!(
            "the report {} cannot be read: check its path and permissions",
            path.display()
        );
        Error::new(ErrorKind::File, message).with_source(error)
    })?;
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let header: Option<Header> = serde_json::from_str(header).ok();
    match header {
        Some(header) if header.format == FORMAT && header.version == VERSION => {}
        Some(header) if header.format == FORMAT => {
            return Err(foreign(path, "was written by another version of bsm-core"));
        }
        _ => return Err(foreign(path, "is not the report of a fleet")),
    }
    // A line that does not parse is one that a killed process wrote in part.
    Ok(lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("structs of strings can be written as JSON");
    line.push('\n');
    line
}

fn foreign(path: &Path, what: &str) -> Error {
    let message = format!("{} {what}: name another file", path.display());
    Error::new(ErrorKind::File, message)
}
