//! Temporary folders, also those that a killed process has left.

use std::fs::{self, DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use tempfile::TempDir;

const PREFIX: &str = "bsm-local-aws-";

/// How old a folder is that a killed process has left. A younger one may not be locked yet.
const ABANDONED: Duration = Duration::from_secs(600);

/// A folder that is deleted when it is dropped.
///
/// Its lock is held for as long. The system releases the lock of a process that is killed, so that a later
/// process can tell its folder from those in use, and deletes it.
pub(crate) struct TemporaryFolder {
    // Before the folder, because not every system deletes a file that is open.
    lock: File,
    folder: TempDir,
    /// The folder of the files, beside the lock.
    files: PathBuf,
}

impl TemporaryFolder {
    /// Creates a folder. The first one of a process deletes what killed processes have left.
    pub(crate) fn new() -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let parent = std::env::temp_dir();
        let folder = Self::new_in(&parent)?;
        SWEPT.call_once(|| sweep(&parent, &folder));
        Ok(folder)
    }

    fn new_in(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create(lock_of(folder.path()))?;
        // On a file system without locks, no other process gets the lock either, and none deletes the folder.
        _ = lock.try_lock();
        let files = folder.path().join("files");
        fs::create_dir(&files)?;
        Ok(Self {
            lock,
            folder,
            files,
        })
    }

    /// Returns the path of an empty folder.
    pub(crate) fn path(&self) -> &Path {
        &self.files
    }
}

/// Deletes the folders of the same user that no process uses. What cannot be deleted stays.
fn sweep(parent: &Path, own: &TemporaryFolder) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
            && entry.path() != own.folder.path()
            && is_of_owner(&entry, &own.lock)
            && is_abandoned(&entry.path())
        {
            _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns `true` if a folder, and not a link to one, has the owner of a file.
fn is_of_owner(folder: &DirEntry, file: &File) -> bool {
    // Metadata of the entry itself, which does not follow a link.
    let (Ok(folder), Ok(file)) = (folder.metadata(), file.metadata()) else {
        return false;
    };
    #[cfg(unix)]
    let is_same = {
        use std::os::unix::fs::MetadataExt as _;
        folder.uid() == file.uid()
    };
    // Elsewhere, each user has a temporary directory.
    #[cfg(not(unix))]
    let is_same = file.is_file();
    folder.is_dir() && is_same
}

fn is_abandoned(folder: &Path) -> bool {
    let Ok(lock) = File::open(lock_of(folder)) else {
        return false;
    };
    let modified = lock.metadata().and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age >= ABANDONED) && lock.try_lock().is_ok()
}

fn lock_of(folder: &Path) -> PathBuf {
    folder.join("lock")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Creates a folder, and says that this was a while ago.
    fn created(parent: &Path, ago: Duration) -> TemporaryFolder {
        let folder = TemporaryFolder::new_in(parent).unwrap();
        folder.lock.set_modified(SystemTime::now() - ago).unwrap();
        fs::write(folder.path().join("object"), "data").unwrap();
        folder
    }

    /// Leaves a folder as a killed process does: on the disk, without its lock.
    fn left(parent: &Path, ago: Duration) -> PathBuf {
        created(parent, ago).folder.keep()
    }

    #[test]
    fn what_a_killed_process_has_left_is_deleted_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path();
        let killed = left(parent, HOUR);
        let in_use = created(parent, HOUR);
        let other_name = parent.join("other-folder");
        fs::rename(left(parent, HOUR), &other_name).unwrap();
        let without_lock = left(parent, HOUR);
        fs::remove_file(lock_of(&without_lock)).unwrap();
        let kept = [
            in_use.path().to_owned(),
            other_name,
            without_lock,
            left(parent, ABANDONED - Duration::from_secs(60)),
        ];

        let own = TemporaryFolder::new_in(parent).unwrap();
        sweep(parent, &own);
        assert!(!killed.exists());
        for folder in kept.iter().map(PathBuf::as_path).chain([own.path()]) {
            assert!(folder.exists(), "{folder:?}");
        }
    }

    #[test]
    fn a_folder_is_deleted_with_its_handle() {
        let parent = tempfile::tempdir().unwrap();
        drop(created(parent.path(), HOUR));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let killed = left(elsewhere.path(), HOUR);
        let link = parent.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink(&killed, &link).unwrap();
        sweep(
            parent.path(),
            &TemporaryFolder::new_in(parent.path()).unwrap(),
        );
        assert!(killed.exists());
        assert!(link.exists());
    }
}
