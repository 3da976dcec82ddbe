//! The checkpoint of a migration.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task;

use super::state::{MigrationState, VERSION};
use crate::copy::TableClient;
use crate::copy::checkpoint::{Document, locate, wait_for_lock};
use crate::error::{Error, ErrorKind};

/// The locked checkpoint of a run.
#[derive(Clone)]
pub(super) struct Checkpoint {
    path: PathBuf,
    document: Arc<Mutex<Document>>,
    table: TableClient,
}

impl Checkpoint {
    /// Locks the checkpoint. The table is the one that errors name.
    pub(super) async fn lock(path: &Path, table: &TableClient) -> Result<Self, Error> {
        // Without links, so that all names of the file share one lock.
        let path = find(path, table).await?;
        let document = wait_for_lock(&path, table, Document::lock).await?;
        Ok(Self {
            path,
            document: Arc::new(Mutex::new(document)),
            table: table.clone(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the recorded state, and returns when it is on the disk.
    ///
    /// A write that has begun continues if the run is dropped, and holds the lock to its end.
    pub(super) async fn save(&self, state: &MigrationState) -> Result<(), Error> {
        let (document, state) = (Arc::clone(&self.document), state.clone());
        let written = task::spawn_blocking(move || {
            let mut document = document.lock().unwrap_or_else(PoisonError::into_inner);
            // On a thread for blocking work: the write waits for the disk.
            document.write(&state)
        });
        let cause = match written.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure,
            // The write has panicked, or the runtime is shutting down.
            Err(failure) => failure.into(),
        };
        let message = "the checkpoint cannot be written: check that its folder exists and has room";
        let error = self.table.error(ErrorKind::Checkpoint, message);
        Err(error.with_source(cause))
    }

    /// Removes the file.
    pub(super) async fn remove(&self) -> Result<(), Error> {
        let document = Arc::clone(&self.document);
        let removed = task::spawn_blocking(move || {
            let mut document = document.lock().unwrap_or_else(PoisonError::into_inner);
            document.remove()
        });
        let removed = removed.await.map_err(std::io::Error::from).flatten();
        removed.map_err(|error| {
            let path = self.path.display();
            let message = format!(
                "the checkpoint {path} is not needed any longer, but cannot be removed: delete it"
            );
            self.table
                .error(ErrorKind::Checkpoint, message)
                .with_source(error)
        })
    }
}

/// Reads a checkpoint; returns `None` if it does not exist.
pub(super) async fn read(
    path: &Path,
    table: &TableClient,
) -> Result<Option<MigrationState>, Error> {
    let path = find(path, table).await?;
    let location = path.clone();
    let read = task::spawn_blocking(move || Document::read::<MigrationState>(&location));
    let problem = match read.await {
        Ok(Ok(Some(state))) if state.migration != VERSION => {
            format!("it has the version {}, not {VERSION}", state.migration).into()
        }
        Ok(Ok(state)) => return Ok(state),
        Ok(Err(failure)) => failure,
        Err(failure) => failure.into(),
    };
    let message = format!(
        "the checkpoint {} is not one that a migration has written: give another path, and keep the \
         file if a migration is to be resumed or aborted",
        path.display()
    );
    let error = table.error(ErrorKind::Checkpoint, message);
    Err(error.with_source(problem))
}

async fn find(path: &Path, table: &TableClient) -> Result<PathBuf, Error> {
    let given = path.to_owned();
    let found = task::spawn_blocking(move || locate(&given)).await;
    let found = found.map_err(std::io::Error::from).flatten();
    found.map_err(|error| {
        let path = path.display();
        let message = format!(
            "the checkpoint {path} cannot be used: check that its folder exists, and that it is a \
             regular file"
        );
        table
            .error(ErrorKind::Checkpoint, message)
            .with_source(error)
    })
}
