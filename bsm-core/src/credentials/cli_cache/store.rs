//! The directory of the entries.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use aws_credential_types::Credentials;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::key::Key;
use crate::credentials::mfa;
use crate::error::Error;
use crate::shared_file::{self, Lock, LockAttempt};
use crate::small_file;

/// The longest entry that is read: real ones have a few KiB, and another file must not fill the
/// memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// How long to wait for another process that is getting the credentials: longer than three attempts of ten
/// seconds each, and the pauses between them.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(40);

/// Returns how long to wait for another process, which can have to ask a person for an MFA code first.
pub(super) fn max_wait(mfa_serial: Option<&str>) -> Duration {
    match mfa_serial {
        Some(_) => MAX_WAIT + mfa::MAX_ANSWER,
        None => MAX_WAIT,
    }
}

/// The time between two attempts at the lock.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

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

    #[cfg(feature = "sso-login")]
    pub(crate) fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    /// Reads an entry; `None` if it does not exist or cannot be read.
    pub(super) async fn read(&self, key: &Key) -> Option<Zeroizing<String>> {
        let path = self.path(key, "json");
        let read = small_file::blocking(move || small_file::read(&path, MAX_BYTES)).await;
        read.ok()?.ok()
    }

    /// Replaces an entry.
    async fn write(&self, key: &Key, text: Zeroizing<String>) {
        let path = self.path(key, "json");
        if let Err(error) = shared_file::replace_async(path, text).await {
            tracing::warn!(%error, directory = %self.directory.display(), "the credentials could not be put into the AWS CLI's cache");
        }
    }

    /// Tries to lock an entry. Never waits.
    async fn try_lock(&self, key: &Key) -> LockAttempt {
        // Beside the entry: a lock on the file itself would stay with the one that is replaced.
        shared_file::try_lock_async(self.path(key, "lock")).await
    }

    /// Returns the credentials of an entry, or else gets them and writes the entry, while other processes wait.
    ///
    /// `find` looks for the entry, and knows whether it does so for the first time. `get` also returns the text
    /// of the entry, if there can be one.
    pub(super) async fn find_or_get<F>(
        &self,
        key: &Key,
        max_wait: Duration,
        find: impl Fn(bool) -> F,
        get: impl Future<Output = Result<(Credentials, Option<Zeroizing<String>>), Error>>,
    ) -> Result<Credentials, Error>
    where
        F: Future<Output = Option<Credentials>>,
    {
        // Without the lock first: in the usual case the entry is there.
        if let Some(credentials) = find(true).await {
            return Ok(credentials);
        }
        let lock = match self.find_or_lock(key, max_wait, || find(false)).await {
            Ok(credentials) => return Ok(credentials),
            Err(lock) => lock,
        };
        let (credentials, text) = get.await?;
        if let Some(text) = text {
            self.write(key, text).await;
        }
        // After the write: the next holder looks for the entry before it gets credentials.
        drop(lock);
        Ok(credentials)
    }

    /// Waits for the lock of an entry, or for the entry that the holder of the lock writes.
    ///
    /// It polls, so that another process never blocks a thread of this one. Without locks, or if
    /// the other process takes longer than `max_wait`, it returns without the lock.
    async fn find_or_lock<F>(
        &self,
        key: &Key,
        max_wait: Duration,
        find: impl Fn() -> F,
    ) -> Result<Credentials, Option<Lock>>
    where
        F: Future<Output = Option<Credentials>>,
    {
        let give_up = Instant::now() + max_wait;
        loop {
            let lock = match self.try_lock(key).await {
                LockAttempt::Acquired(lock) => Some(lock),
                LockAttempt::Held if Instant::now() < give_up => None,
                LockAttempt::Held => {
                    tracing::warn!(
                        key = key.as_str(),
                        "another process has held an entry of the AWS CLI's cache for too long: continuing \
                         without the cache"
                    );
                    return Err(None);
                }
                LockAttempt::Unsupported => return Err(None),
            };
            // After the lock: its last holder may have written the entry.
            if let Some(credentials) = find().await {
                return Ok(credentials);
            }
            if lock.is_some() {
                return Err(lock);
            }
            tokio::time::sleep(POLL_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    fn path(&self, key: &Key, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", key.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::credentials::role_request::RoleRequest;

    #[tokio::test(start_paused = true)]
    async fn a_process_that_holds_the_lock_forever_is_waited_for_only_so_long() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().to_owned(), false);
        let request = RoleRequest {
            role_arn: "arn:aws:iam::111122223333:role/Admin".to_owned(),
            ..RoleRequest::default()
        };
        let key = Key::of_role(&request).unwrap();
        let lock = directory.path().join(format!("{}.lock", key.as_str()));
        let theirs = File::create(&lock).unwrap();
        theirs.lock().unwrap();
        let before = Instant::now();
        let find_nothing = || async { None };
        let outcome = store.find_or_lock(&key, MAX_WAIT, find_nothing).await;
        assert!(matches!(outcome, Err(None)));
        assert!(before.elapsed() >= MAX_WAIT && before.elapsed() < MAX_WAIT + POLL_INTERVAL * 2);

        drop(theirs);
        let outcome = store.find_or_lock(&key, MAX_WAIT, find_nothing).await;
        assert!(matches!(outcome, Err(Some(_))));
    }

    #[test]
    fn a_person_who_is_asked_for_a_code_has_more_time_than_a_request() {
        assert_eq!(max_wait(None), Duration::from_secs(40));
        assert_eq!(max_wait(Some("GAHT12345678")), Duration::from_secs(340));
    }
}
