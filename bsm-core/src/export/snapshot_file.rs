//! The file of a snapshot.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::export::snapshot::Snapshot;
use crate::small_file;

/// The names of the files in a directory.
const NAMES: (&str, &str) = ("bsm-", ".json");

/// Random characters of such a name.
const RANDOM: usize = 12;

/// How old a file without an owner is when it is removed: a process that has just created one may not
/// have locked it yet.
const ABANDONED: Duration = Duration::from_secs(60);

/// A file with a snapshot, removed when this is dropped.
///
/// See [`BotoSesManager::temp_snapshot`](crate::BotoSesManager::temp_snapshot). The file is locked while
/// the guard lives, so that others can see that its process does. If another file has
/// taken its place meanwhile, that file stays. (On Unix only: elsewhere the two cannot be
/// distinguished.)
#[must_use = "the file is removed when the guard is dropped: bind it to a name"]
pub struct TempSnapshot {
    path: PathBuf,
    file: File,
}

impl TempSnapshot {
    pub(crate) fn write(snapshot: &Snapshot, path: &Path) -> Result<Self, Error> {
        let written = Self::create(path).and_then(|mut guard| {
            let text = snapshot.to_json();
            // If this fails, dropping the guard removes the file.
            guard.file.write_all(text.expose().as_bytes())?;
            Ok(guard)
        });
        let guard = written.map_err(|error| {
            let message = format!(
                "no snapshot can be written to {}: name a directory, or a file that does not exist",
                path.display()
            );
            Error::new(ErrorKind::File, message).with_source(error)
        })?;
        tracing::debug!(path = %guard.path.display(), "wrote a snapshot");
        Ok(guard)
    }

    fn create(path: &Path) -> io::Result<Self> {
        // Absolute, so that the file is found again from another working directory.
        let path = std::path::absolute(path)?;
        if !path.is_dir() {
            let file = create_private(&path)?;
            return Ok(Self { path, file });
        }
        remove_abandoned(&path);
        let (file, path) = tempfile::Builder::new()
            .prefix(NAMES.0)
            .suffix(NAMES.1)
            .rand_bytes(RANDOM)
            .make_in(&path, create_private)?
            // tempfile would remove the path without a check whether the file is still the same.
            .keep()
            .map_err(|error| error.error)?;
        // Only on Unix: elsewhere, the process that the file is for could not read a locked file. Where the
        // file system has no locks, no other process can lock the file either, so none removes it.
        if cfg!(unix) {
            _ = file.try_lock();
        }
        Ok(Self { path, file })
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempSnapshot {
    fn drop(&mut self) {
        if !is_still(&self.file, &self.path) {
            tracing::debug!(path = %self.path.display(), "a snapshot was gone before its guard");
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a snapshot could not be removed");
        }
    }
}

impl fmt::Debug for TempSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TempSnapshot")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Removes the files that killed processes have left in a directory.
fn remove_abandoned(directory: &Path) {
    if cfg!(not(unix)) {
        return;
    }
    for path in small_file::older_than(ABANDONED, directory, NAMES) {
        let name = path.file_name().map_or(0, |name| name.len());
        // Another program's file can have the same prefix and suffix.
        if name != NAMES.0.len() + RANDOM + NAMES.1.len() {
            continue;
        }
        // Its process holds the lock while it lives. A file of another user cannot be opened.
        let has_no_owner = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if has_no_owner && fs::remove_file(&path).is_ok() {
            tracing::debug!(path = %path.display(), "removed the snapshot of a killed process");
        }
    }
}

/// Creates a file for its owner alone; fails if there is anything at `path`, even a dangling link.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    // Not the target of a link: a link in place of the file is another file.
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn snapshot() -> Snapshot {
        let json = r#"{"format":"bsm-session-snapshot","version":1,"access_key_id":"AKIA",
            "secret_access_key":"hush"}"#;
        Snapshot::from_json(json).unwrap()
    }

    #[test]
    fn a_file_in_a_directory_has_a_unique_name_and_goes_with_its_guard() {
        let dir = TempDir::new().unwrap();
        let one = TempSnapshot::write(&snapshot(), dir.path()).unwrap();
        let two = TempSnapshot::write(&snapshot(), dir.path()).unwrap();
        assert_ne!(one.path(), two.path());
        Snapshot::read(one.path()).unwrap();
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists());
        Snapshot::read(two.path()).unwrap();
        drop(two);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_there_already_is_neither_opened_nor_removed() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("mine");
        fs::write(&path, "mine").unwrap();
        let error = TempSnapshot::write(&snapshot(), &path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_file_that_took_the_place_of_ours_stays() {
        let dir = TempDir::new().unwrap();
        let guard = TempSnapshot::write(&snapshot(), &dir.path().join("s.json")).unwrap();
        let path = guard.path().to_owned();
        fs::rename(&path, dir.path().join("moved")).unwrap();
        fs::write(&path, "another").unwrap();
        drop(guard);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another");
    }

    #[cfg(unix)]
    #[test]
    fn what_a_killed_process_has_left_is_removed_and_nothing_else() {
        let dir = TempDir::new().unwrap();
        let old = |name: &str| {
            let path = dir.path().join(name);
            let file = File::create(&path).unwrap();
            let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3_600);
            file.set_modified(hour_ago).unwrap();
            path
        };
        let left = old("bsm-0123456789ab.json");
        let others = [
            "bsm-config.json",
            "bsm-0123456789ab.jsonl",
            "x-0123456789ab.json",
        ]
        .map(old);
        let alive = TempSnapshot::write(&snapshot(), dir.path()).unwrap();
        alive.file.set_modified(std::time::UNIX_EPOCH).unwrap();
        let young = dir.path().join("bsm-ba9876543210.json");
        fs::write(&young, "").unwrap();

        let guard = TempSnapshot::write(&snapshot(), dir.path()).unwrap();
        assert!(!left.exists());
        for path in others.iter().chain([&young]) {
            assert!(path.exists(), "{path:?}");
        }
        assert!(alive.path().exists() && guard.path().exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = TempDir::new().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("s.json")] {
            let guard = TempSnapshot::write(&snapshot(), &path).unwrap();
            let mode = fs::metadata(guard.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed() {
        let dir = TempDir::new().unwrap();
        let target = dir.path().join("target");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let error = TempSnapshot::write(&snapshot(), &link).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(!target.exists());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_from_a_damaged_one() {
        let dir = TempDir::new().unwrap();
        let missing = Snapshot::read(dir.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::File);
        let path = dir.path().join("empty");
        fs::write(&path, "").unwrap();
        let damaged = Snapshot::read(&path).unwrap_err();
        assert_eq!(damaged.kind(), ErrorKind::InvalidSnapshot);
    }
}
