//! The directory of the entries.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::key::Key;
use crate::shared_file::{self, LockAttempt};
use crate::small_file;

/// The longest entry that is read: real ones have a few KiB, and another file must not fill the
/// memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// A directory of entries.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    /// Whether an entry counts only for the identity that assumed its role.
    pub(super) same_source_only: bool,
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
        let read = small_file::blocking(move || small_file::read(&path, MAX_BYTES)).await;
        read.ok()?.ok()
    }

    /// Replaces an entry.
    pub(super) async fn write(&self, key: &Key, text: Zeroizing<String>) {
        let path = self.path(key, "json");
        let written = small_file::blocking(move || shared_file::replace(&path, text.as_bytes()));
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, directory = %self.directory.display(), "the credentials could not be put into the AWS CLI's cache");
        }
    }

    /// Tries to lock an entry. Never waits.
    pub(super) async fn try_lock(&self, key: &Key) -> LockAttempt {
        shared_file::try_lock_async(self.path(key, "lock")).await
    }

    fn path(&self, key: &Key, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", key.as_str()))
    }
}
