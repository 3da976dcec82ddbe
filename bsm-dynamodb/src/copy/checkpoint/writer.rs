//! The checkpoint as the tasks of a copy use it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task;
use tokio::time::{self, Instant};

use super::journal::Journal;
use super::record::{Record, Tables};
use super::state::Failure;
use crate::copy::table::TableClient;
use crate::error::{Error, ErrorKind};

/// How long a run waits for the lock. A run of the same process that was dropped a moment ago holds
/// it until its last write is on the disk, which takes milliseconds, or a second on a busy disk.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Appends to a checkpoint, if there is one.
///
/// A write that has begun holds the lock to its end, also if the copy is dropped meanwhile.
#[derive(Clone, Default)]
pub(crate) struct CheckpointWriter(Option<Arc<Open>>);

struct Open {
    path: PathBuf,
    journal: Mutex<Journal>,
}

impl CheckpointWriter {
    /// Locks a checkpoint. The table is the one that errors name.
    pub(crate) async fn lock(
        path: &Path,
        kind: Tables,
        table: &TableClient,
    ) -> Result<Self, Error> {
        let journal = wait_for_lock(path, table, move |path| Journal::lock(path, kind)).await?;
        let journal = Mutex::new(journal);
        let path = path.to_owned();
        Ok(Self(Some(Arc::new(Open { path, journal }))))
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.0.as_deref().map(|open| &*open.path)
    }

    /// Appends records, and returns when they are on the disk.
    pub(crate) async fn append(
        &self,
        records: Vec<Record>,
        table: &TableClient,
    ) -> Result<(), Error> {
        let Some(open) = &self.0 else { return Ok(()) };
        // The supervisor calls this several times a second: while nothing advances, nothing is synced.
        if records.is_empty() {
            return Ok(());
        }
        let open = Arc::clone(open);
        // A write to a disk can take seconds, and must not hold up a thread of the runtime.
        let appended = task::spawn_blocking(move || {
            let mut journal = open.journal.lock().unwrap_or_else(PoisonError::into_inner);
            journal.append(records)
        });
        let cause: Failure = match appended.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure,
            // The write has panicked, or the runtime is shutting down.
            Err(failure) => failure.into(),
        };
        let error = table.error(
            ErrorKind::Checkpoint,
            "the checkpoint cannot be written: check that its folder exists and has room",
        );
        Err(error.with_source(cause))
    }

    /// Removes the checkpoint of a copy that has ended.
    pub(crate) async fn remove(&self, table: &TableClient) -> Result<(), Error> {
        let Some(open) = &self.0 else { return Ok(()) };
        let shared = Arc::clone(open);
        let removed = task::spawn_blocking(move || {
            let mut journal = shared
                .journal
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            journal.remove()
        });
        let removed = removed.await.map_err(io::Error::from).flatten();
        removed.map_err(|error| {
            let message = format!(
                "the copy is done, but its checkpoint {} cannot be removed: delete it",
                open.path.display()
            );
            let failure = table.error(ErrorKind::Checkpoint, message);
            failure.with_source(error)
        })
    }
}

/// Locks a checkpoint, and waits a little for a run that is about to release it.
pub(crate) async fn wait_for_lock<T: Send + 'static>(
    path: &Path,
    table: &TableClient,
    lock: impl Fn(&Path) -> io::Result<Option<T>> + Copy + Send + 'static,
) -> Result<T, Error> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        let path_to_lock = path.to_owned();
        let locked = task::spawn_blocking(move || lock(&path_to_lock)).await;
        let locked = locked.map_err(io::Error::from).flatten();
        let locked = locked.map_err(|error| {
            let message = format!(
                "the checkpoint {} cannot be locked: check that its folder exists and can be \
                 written to, on a file system with locks",
                path.display()
            );
            let failure = table.error(ErrorKind::Checkpoint, message);
            failure.with_source(error)
        })?;
        if let Some(locked) = locked {
            return Ok(locked);
        }
        if Instant::now() >= deadline {
            let message = format!(
                "another run is using the checkpoint {}: wait for it, or stop it",
                path.display()
            );
            return Err(table.error(ErrorKind::Checkpoint, message));
        }
        // Often enough that the caller does not notice, and 40 attempts at most.
        time::sleep(Duration::from_millis(50)).await;
    }
}
