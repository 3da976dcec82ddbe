//! The lock that keeps two runs from using one checkpoint.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::path::{beside, refuse_special};

/// A locked file beside the checkpoint, `users.json.lock` for `users.json`.
///
/// It is a lock of the operating system, which ends with its process, however that ends. The
/// checkpoint itself cannot be locked, because it is replaced from time to time.
pub(super) struct CheckpointLock {
    file: Option<File>,
    path: PathBuf,
}

impl CheckpointLock {
    /// Locks a checkpoint; returns `None` if another run has locked it.
    pub(super) fn acquire(checkpoint: &Path) -> io::Result<Option<Self>> {
        let path = beside(checkpoint, ".lock");
        loop {
            refuse_special(&path)?;
            let file = bsm_core::open_lock(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The last holder may have removed the file after it was opened here. A lock on a file
            // that other runs cannot open excludes none of them.
            if is_still_there(&file, &path)? {
                let file = Some(file);
                return Ok(Some(Self { file, path }));
            }
        }
    }
}

impl Drop for CheckpointLock {
    fn drop(&mut self) {
        // Remove before unlocking: a run that opens the file in between sees that it has been removed.
        // Systems where that cannot be seen keep the file.
        if cfg!(unix) {
            _ = std::fs::remove_file(&self.path);
        }
        drop(self.file.take());
    }
}

#[cfg(unix)]
fn is_still_there(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let opened = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((opened.dev(), opened.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_still_there(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        let lock = CheckpointLock::acquire(&path).unwrap();
        assert!(lock.is_some());
        assert!(CheckpointLock::acquire(&path).unwrap().is_none());
        assert!(
            CheckpointLock::acquire(&folder.path().join("other.json"))
                .unwrap()
                .is_some()
        );
        drop(lock);
        assert!(CheckpointLock::acquire(&path).unwrap().is_some());
        #[cfg(unix)]
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_is_a_regular_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        let lock = folder.path().join("users.json.lock");
        let made = std::process::Command::new("mkfifo").arg(&lock).status();
        assert!(made.unwrap().success());
        assert!(CheckpointLock::acquire(&path).is_err());

        std::fs::remove_file(&lock).unwrap();
        std::os::unix::fs::symlink("elsewhere", &lock).unwrap();
        assert!(CheckpointLock::acquire(&path).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_removed_meanwhile_is_not_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json.lock");
        let opened = File::create(&path).unwrap();
        assert!(is_still_there(&opened, &path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_still_there(&opened, &path).unwrap());
        File::create(&path).unwrap();
        assert!(!is_still_there(&opened, &path).unwrap());
    }
}
