//! Reading of files that a user names: regular files only, with a limit on their size, and off the
//! threads that run tasks.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tracing::{Span, dispatcher};
use zeroize::Zeroizing;

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::sync::engine::{self, Engine};

/// Entries of a directory that are looked at for left files: `/tmp` can have any number.
const MAX_SEARCHED: usize = 10_000;

/// Reads a text file of at most `limit` bytes; see [`read_bytes`].
pub fn read(path: &Path, limit: u64) -> io::Result<Zeroizing<String>> {
    let mut bytes = read_bytes(path, limit)?;
    // Without a copy, which would have to be overwritten as well.
    String::from_utf8(std::mem::take(&mut *bytes))
        .map(Zeroizing::new)
        .map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text")
        })
}

/// Reads a file of at most `limit` bytes.
///
/// A FIFO would wait for its writer, and a device such as `/dev/zero` has no end, so only regular
/// files are read.
///
/// # Errors
///
/// The system's, and [`io::ErrorKind::InvalidInput`] or [`io::ErrorKind::FileTooLarge`].
pub fn read_bytes(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    refuse_special(path)?;
    let file = File::open(path)?;
    let found = file.metadata()?;
    // The path can lead to something else since it was checked.
    if !found.is_file() {
        return Err(special());
    }
    // As large as the file, because a buffer that grows leaves copies behind.
    let size = usize::try_from(found.len().min(limit)).unwrap_or_default();
    // One byte more, so that the read that finds the end has room without growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    // One byte beyond the limit tells a longer file from one that just fits.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("it is longer than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// Opens a file that is only locked, and creates it for its owner alone if there is none.
///
/// # Errors
///
/// The system's, and [`io::ErrorKind::InvalidInput`] for anything but a regular file.
pub fn open_lock(path: &Path) -> io::Result<File> {
    match refuse_special(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    // Never truncated: the file may contain the note of an earlier holder.
    options.create(true).read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Returns the files of a directory that begin and end like this and were last written to so long ago:
/// those that killed processes have left.
pub(crate) fn older_than(
    age: Duration,
    directory: &Path,
    (prefix, suffix): (&str, &str),
) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let now = SystemTime::now();
    let files = entries.take(MAX_SEARCHED).flatten().filter(|entry| {
        let name = entry.file_name();
        let is_one = |name: &str| name.starts_with(prefix) && name.ends_with(suffix);
        // Of the entry itself, and not of what a link leads to.
        name.to_str().is_some_and(is_one)
            && entry.metadata().is_ok_and(|found| {
                let modified = found.modified().ok();
                let ago = modified.and_then(|modified| now.duration_since(modified).ok());
                found.is_file() && ago.is_some_and(|ago| ago > age)
            })
    });
    files.map(|entry| entry.path()).collect()
}

/// How long work on a file may take. The files are small, so a drive that takes longer does not respond.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Runs work on files on a thread that may block: a network file system may take its time, and would
/// hold up every task of the runtime's thread.
///
/// # Errors
///
/// [`ErrorKind::TimedOut`] if the drive does not respond, and [`ErrorKind::Runtime`] if the engine is shut
/// down.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    blocking_within(LIMIT, work).await
}

async fn blocking_within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    // What the work logs goes where the caller's events go.
    let log = dispatcher::get_default(Clone::clone);
    let span = Span::current();
    let work = move || dispatcher::with_default(&log, || span.in_scope(work));
    #[cfg(test)]
    let process = engine::simulated::current();
    #[cfg(test)]
    let work = {
        let process = process.clone();
        move || engine::simulated::work_of(process, work)
    };
    let engine = Engine::default();
    // The caller need not have a runtime. If it has one, time that is paused in a test stands still
    // until the work is done.
    let runtime = match Handle::try_current() {
        Ok(runtime) => runtime,
        Err(_) => engine.handle()?,
    };
    let work = runtime.spawn_blocking(work);
    let outcome = engine.timeout(limit, work).await;
    #[cfg(test)]
    engine::simulated::end_if_dead(process).await;
    match outcome {
        Some(Ok(outcome)) => Ok(outcome),
        // A panic is a bug of the work, and goes to the caller as without the thread.
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Some(Err(_)) => Err(engine::shut_down()),
        // The thread itself cannot be interrupted: it keeps waiting for the drive.
        None => Err(Error::timed_out(
            limit,
            "a file: its drive does not respond",
        )),
    }
}

/// Refuses what is not a regular file. Call it before the file is opened, because opening a FIFO
/// already waits.
fn refuse_special(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(special()),
    }
}

fn special() -> io::Error {
    let message = "it is a directory, a FIFO or a device, and not a file";
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn a_drive_that_does_not_respond_holds_up_neither_the_caller_nor_its_thread() {
        // Ends with the test.
        let (respond, drive) = std::sync::mpsc::channel::<()>();
        let limit = Duration::from_millis(20);
        let reading = blocking_within(limit, move || drive.recv());
        // On one thread, so the other branch runs only if the work is not on it.
        let (read, ()) = tokio::join!(reading, tokio::task::yield_now());
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("its drive does not respond"));
        drop(respond);
        assert_eq!(LIMIT, Duration::from_secs(30));
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(*read(&path, 4).unwrap(), "four");
        let error = read(&path, 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(&path, [0xff]).unwrap();
        let error = read(&path, 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_a_file_is_neither_read_nor_opened_as_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        let (fifo, link) = (dir.path().join("fifo"), dir.path().join("link"));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        for path in [dir.path(), &fifo, &link, Path::new("/dev/null")] {
            let error = read_bytes(path, 4).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path:?}");
            let error = open_lock(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
        open_lock(&dir.path().join("lock")).unwrap();
    }
}
