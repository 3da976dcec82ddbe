//! Files that several processes share: replaced in one piece, and locked while one of them works.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::time::Instant;

use crate::small_file;
#[cfg(test)]
use crate::sync::engine::simulated::{self, step};

/// What a file is called until it has replaced another.
const UNFINISHED: (&str, &str) = (".bsm-", ".tmp");

/// How old an unfinished file is that a killed process has left. Writing one takes milliseconds.
const ABANDONED: Duration = Duration::from_secs(600);

/// How long a file that cannot be parsed may be in the middle of a write: the AWS CLI empties it before it
/// writes it again.
pub(crate) const MAX_WRITE: Duration = Duration::from_secs(1);

/// The time between two looks at such a file.
const WRITE_INTERVAL: Duration = Duration::from_millis(50);

/// The time between two attempts at a lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(25);

/// How much of a note is read.
const MAX_NOTE: u64 = 256;

/// A lock, held until it is dropped. The system gives up the lock of a process that is killed.
///
/// The file stays. A process that removed it could remove the lock of another process with it.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    Missing,
    Damaged,
    Unreadable(io::Error),
}

/// The outcome of an attempt at a lock.
#[derive(Debug)]
pub(crate) enum LockAttempt {
    Acquired(Lock),
    /// Another process holds it.
    Held,
    /// The file system has no locks, or the directory cannot be written.
    Unsupported,
}

/// What follows an attempt at a lock by a caller that waits for it.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The caller has the lock, or there are no locks.
    Taken(Option<Lock>),
    /// Another process holds it. Some time has passed since the attempt.
    Again,
    /// Another process has held it until the deadline.
    Late,
}

impl LockAttempt {
    /// Waits a moment if another process holds the lock; `give_up` is the deadline, if there is one.
    pub(crate) async fn turn(self, give_up: Option<Instant>) -> Turn {
        match self {
            Self::Acquired(lock) => Turn::Taken(Some(lock)),
            Self::Unsupported => Turn::Taken(None),
            Self::Held if give_up.is_none_or(|at| Instant::now() < at) => {
                // Spread, so that the waiting processes do not poll at the same moment.
                tokio::time::sleep(LOCK_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
                Turn::Again
            }
            Self::Held => Turn::Late,
        }
    }
}

impl Lock {
    /// Returns what an earlier holder has noted; empty if nothing.
    pub(crate) fn note(&mut self) -> String {
        let mut text = String::new();
        let read = self.0.rewind();
        let read = read.and_then(|()| (&self.0).take(MAX_NOTE).read_to_string(&mut text));
        match read {
            Ok(_) => text,
            Err(_) => String::new(),
        }
    }

    /// Leaves a note to later holders, in place of any other.
    pub(crate) fn leave_note(&mut self, text: &str) -> io::Result<()> {
        self.0.set_len(0)?;
        // The file is in append mode, so the text begins at the new end.
        self.0.write_all(text.as_bytes())
    }
}

/// Reads a file that other programs also write. One that cannot be parsed may be in the middle of a write, so
/// it is read again for a second.
pub(crate) async fn read_parsed<T>(
    path: &Path,
    max_bytes: u64,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Unusable> {
    let give_up = Instant::now() + MAX_WRITE;
    loop {
        let file = path.to_owned();
        let read = small_file::blocking(move || small_file::read(&file, max_bytes)).await;
        let text = match read.map_err(io::Error::other).flatten() {
            Ok(text) => text,
            // Every writer leaves the file in place, so there is no write to wait for.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Missing),
            Err(error) => return Err(Unusable::Unreadable(error)),
        };
        match parse(&text) {
            Some(parsed) => return Ok(parsed),
            None if Instant::now() < give_up => tokio::time::sleep(WRITE_INTERVAL).await,
            None => return Err(Unusable::Damaged),
        }
    }
}

/// As [`replace`], on a thread that may block.
pub(crate) async fn replace_async(
    path: PathBuf,
    contents: impl AsRef<[u8]> + Send + 'static,
) -> io::Result<()> {
    let written = small_file::blocking(move || replace(&path, contents.as_ref())).await;
    written.map_err(io::Error::other)?
}

/// Replaces a file, which is readable for the user alone, in one piece.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    step()?;
    make(directory)?;
    step()?;
    let mut file = unfinished(directory)?;
    match write(&mut file, contents) {
        // A process that is killed leaves its file.
        #[cfg(test)]
        Err(error) if simulated::is_dead() => {
            file.disable_cleanup(true);
            return Err(error);
        }
        written => written?,
    }
    file.persist(path)?;
    step()
}

fn write(file: &mut NamedTempFile, contents: &[u8]) -> io::Result<()> {
    step()?;
    #[cfg(test)]
    if simulated::step().is_err() {
        // Killed in the middle.
        file.write_all(&contents[..contents.len() / 2])?;
    }
    step()?;
    file.write_all(contents)?;
    step()?;
    // Before the rename: after a power failure, the path must not lead to an empty file.
    file.as_file().sync_all()?;
    step()
}

/// A point between two operations, where the simulation can kill the process.
#[cfg(not(test))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature is that of the tests"
)]
fn step() -> io::Result<()> {
    Ok(())
}

/// Creates the file that is to replace another one in a directory, and removes those that killed processes
/// have left there. It is removed unless it is persisted.
pub fn unfinished(directory: &Path) -> io::Result<NamedTempFile> {
    for path in small_file::older_than(ABANDONED, directory, UNFINISHED) {
        // Another process may be doing the same.
        _ = std::fs::remove_file(path);
    }
    tempfile::Builder::new()
        .prefix(UNFINISHED.0)
        .suffix(UNFINISHED.1)
        // On Unix, tempfile creates it for the user alone.
        .tempfile_in(directory)
}

/// Tries to lock a file, which is created if it does not exist. Never waits.
pub(crate) fn try_lock(path: &Path) -> LockAttempt {
    let open = || {
        step()?;
        make(directory_of(path))?;
        step()?;
        let file = small_file::open_lock(path)?;
        step()?;
        Ok(file)
    };
    let file = match open() {
        Ok(file) => file,
        Err(error) => return no_locks(&error, path),
    };
    match file.try_lock() {
        Ok(()) => LockAttempt::Acquired(Lock(file)),
        Err(TryLockError::WouldBlock) => LockAttempt::Held,
        Err(TryLockError::Error(error)) => no_locks(&error, path),
    }
}

/// As [`try_lock`], on a thread that may block.
pub(crate) async fn try_lock_async(path: PathBuf) -> LockAttempt {
    let attempt = small_file::blocking(move || try_lock(&path)).await;
    // A drive that does not respond has no locks either, and the caller continues without.
    attempt.unwrap_or(LockAttempt::Unsupported)
}

fn no_locks(error: &io::Error, path: &Path) -> LockAttempt {
    tracing::debug!(%error, path = %path.display(), "the file cannot be locked");
    LockAttempt::Unsupported
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn make(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    // Only new directories get the mode: a directory of the user keeps its own.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_a_killed_process_has_left_is_removed_by_the_next_write_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let written = |name: &str, ago: Duration| {
            let path = dir.path().join(name);
            let file = File::create(&path).unwrap();
            file.set_modified(SystemTime::now() - ago).unwrap();
            path
        };
        let hour = Duration::from_secs(3_600);
        let left = written(".bsm-0a1B2c.tmp", hour);
        let kept = [
            // Another process may be writing it.
            written(".bsm-0a1B2d.tmp", ABANDONED - Duration::from_secs(60)),
            written(".bsm-0a1B2c.json", hour),
            written("bsm-0a1B2c.tmp", hour),
        ];
        let path = dir.path().join("entry.json");
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(!left.exists());
        for path in kept {
            assert!(path.exists(), "{path:?}");
        }
    }

    #[test]
    fn a_process_that_is_killed_at_any_step_leaves_the_old_file_or_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new").join("entry.json");
        let (mut old, mut left) = (None, 0);
        for step in 1.. {
            let process = Arc::<simulated::Tasks>::default();
            process.kill_at_step(step);
            let new = format!("entry {step}");
            let work = || replace(&path, new.as_bytes());
            let written = simulated::work_of(Some(Arc::clone(&process)), work);
            assert_eq!(written.is_err(), process.is_dead());
            let found = std::fs::read_to_string(&path).ok();
            if found.as_ref() != Some(&new) {
                assert_eq!(found, old, "killed at step {step}");
            }
            old = found;
            let files = std::fs::read_dir(path.parent().unwrap()).into_iter();
            left = files.flatten().count().saturating_sub(1).max(left);
            if !process.is_dead() {
                break;
            }
        }
        // One is empty, one has a half, and two have all of it.
        assert!(left >= 4, "{left}");
        assert!(old.is_some());
    }

    #[test]
    fn a_process_that_is_killed_holds_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("entry.lock");
        for step in 1..=3 {
            let process = Arc::<simulated::Tasks>::default();
            process.kill_at_step(step);
            let work = || try_lock(&path);
            let attempt = simulated::work_of(Some(process), work);
            assert!(matches!(attempt, LockAttempt::Unsupported));
            assert!(matches!(try_lock(&path), LockAttempt::Acquired(_)));
        }
    }
}
