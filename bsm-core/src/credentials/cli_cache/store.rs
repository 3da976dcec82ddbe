//! The directory of the entries.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task;
use zeroize::Zeroizing;

use super::key::Key;
use crate::small_file;

/// The longest entry that is read: real ones have a few KiB, and another file must not fill the
/// memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// What a file is called until it has replaced an entry.
const UNFINISHED: (&str, &str) = (".bsm-", ".tmp");

/// How old an unfinished file is that a killed process has left. Writing one takes milliseconds.
const ABANDONED: Duration = Duration::from_secs(600);

/// A directory of entries.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    /// Whether an entry counts only for the identity that assumed its role.
    pub(super) same_source_only: bool,
}

/// The lock of an entry, held until it is dropped.
///
/// The file stays. A process that removed it could remove the lock of another process with it.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file gives up the lock")] File);

/// The outcome of an attempt at a lock.
#[derive(Debug)]
pub(super) enum LockAttempt {
    Acquired(Lock),
    /// Another process holds it.
    Held,
    /// The file system has no locks, or the directory cannot be written.
    Unsupported,
}

impl Store {
    pub(super) fn new(directory: PathBuf, same_source_only: bool) -> Self {
        Self {
            directory,
            same_source_only,
        }
    }

    /// Reads an entry; `None` if it does not exist or cannot be read.
    pub(super) async fn read(&self, key: &Key) -> Option<Zeroizing<String>> {
        let path = self.path(key, "json");
        blocking(move || read(&path)).await
    }

    /// Replaces an entry.
    pub(super) async fn write(&self, key: &Key, text: Zeroizing<String>) {
        let (directory, path) = (self.directory.clone(), self.path(key, "json"));
        let written = blocking(move || Some(replace(&directory, &path, text.as_bytes()))).await;
        if let Some(Err(error)) = written {
            tracing::warn!(%error, directory = %self.directory.display(), "the credentials could not be put into the AWS CLI's cache");
        }
    }

    /// Tries to lock an entry. Never waits.
    pub(super) async fn try_lock(&self, key: &Key) -> LockAttempt {
        let (directory, path) = (self.directory.clone(), self.path(key, "lock"));
        let turn = blocking(move || Some(try_lock(&directory, &path))).await;
        turn.unwrap_or(LockAttempt::Unsupported)
    }

    fn path(&self, key: &Key, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", key.as_str()))
    }
}

/// Runs file operations on a blocking thread; `None` if the runtime is shutting down.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Option<T> + Send + 'static,
) -> Option<T> {
    task::spawn_blocking(work).await.ok().flatten()
}

fn read(path: &Path) -> Option<Zeroizing<String>> {
    small_file::read(path, MAX_BYTES).ok()
}

fn replace(directory: &Path, path: &Path, contents: &[u8]) -> io::Result<()> {
    make(directory)?;
    for path in small_file::older_than(ABANDONED, directory, UNFINISHED) {
        // Another process may be doing the same.
        _ = std::fs::remove_file(path);
    }
    // Readable for the user alone, and removed again if something fails.
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED.0)
        .suffix(UNFINISHED.1)
        .tempfile_in(directory)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn try_lock(directory: &Path, path: &Path) -> LockAttempt {
    let file = match make(directory).and_then(|()| small_file::open_lock(path)) {
        Ok(file) => file,
        Err(error) => return no_locks(&error, path),
    };
    match file.try_lock() {
        Ok(()) => LockAttempt::Acquired(Lock(file)),
        Err(TryLockError::WouldBlock) => LockAttempt::Held,
        Err(TryLockError::Error(error)) => no_locks(&error, path),
    }
}

fn no_locks(error: &io::Error, path: &Path) -> LockAttempt {
    tracing::debug!(%error, path = %path.display(), "the AWS CLI's cache cannot be locked");
    LockAttempt::Unsupported
}

fn make(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
