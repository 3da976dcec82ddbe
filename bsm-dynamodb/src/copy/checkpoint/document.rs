//! A checkpoint that is replaced as a whole, for states that stay small.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::journal::{Checksum, MAX_BYTES, checked, line, remove_if_there, replace, sync_folder};
use super::lock::CheckpointLock;
use super::path::refuse_special;
use super::state::Failure;

/// A locked file with one line: a JSON object with a checksum.
pub(crate) struct Document {
    path: PathBuf,
    _lock: CheckpointLock,
}

impl Document {
    /// Locks a checkpoint; returns `None` if another run has locked it.
    pub(crate) fn lock(path: &Path) -> io::Result<Option<Self>> {
        let lock = CheckpointLock::acquire(path)?;
        Ok(lock.map(|lock| Self {
            path: path.to_owned(),
            _lock: lock,
        }))
    }

    /// Reads a checkpoint; returns `None` if it does not exist.
    pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
        refuse_special(path)?;
        let text = match bsm_core::read_bytes(path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // The file is replaced as a whole, so it is complete or damaged.
        let json = std::str::from_utf8(&text)?
            .strip_suffix('\n')
            .and_then(|line| checked(&mut Checksum::default(), line))
            .ok_or("it is damaged, or was edited")?;
        Ok(Some(serde_json::from_str(&json)?))
    }

    /// Replaces the file, and returns when it is on the disk.
    pub(crate) fn write(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = line(&mut Checksum::default(), value)?;
        // As a whole: a reader that does not hold the lock finds the old state or the new one.
        replace(&self.path, &text)?;
        Ok(())
    }

    /// Removes the file, if there is one.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        remove_if_there(&self.path)?;
        sync_folder(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct State {
        text: String,
        number: u64,
    }

    #[test]
    fn a_document_is_read_as_it_was_written_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let state = State {
            text: "é\n\"".to_owned(),
            number: u64::MAX,
        };
        let mut document = Document::lock(&path).unwrap().unwrap();
        assert!(Document::lock(&path).unwrap().is_none());
        assert_eq!(Document::read::<State>(&path).unwrap(), None);
        document
            .write(&State {
                text: String::new(),
                number: 0,
            })
            .unwrap();
        document.write(&state).unwrap();
        assert_eq!(Document::read(&path).unwrap(), Some(state));

        let written = fs::read(&path).unwrap();
        for position in 0..written.len() {
            let mut damaged = written.clone();
            damaged[position] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(Document::read::<State>(&path).is_err(), "{position}");
            fs::write(&path, &written[..position]).unwrap();
            assert!(Document::read::<State>(&path).is_err(), "{position}");
        }
        document.remove().unwrap();
        assert_eq!(Document::read::<State>(&path).unwrap(), None);
    }
}
