//! A value that belongs to the credentials it was looked up with.

use std::future::Future;
use std::sync::Arc;

use aws_credential_types::Credentials;
use parking_lot::Mutex;

use crate::error::Error;
use crate::sync::single_flight::AsyncOnce;

/// The value of the credentials that were last asked about.
///
/// A provider can return credentials of another account when they are refreshed, so nothing that was
/// looked up with the old ones may be returned for the new ones.
pub(crate) struct PerCredentials<T> {
    last: Mutex<Option<Entry<T>>>,
}

struct Entry<T> {
    credentials: Credentials,
    value: Arc<AsyncOnce<T>>,
}

impl<T: Clone + Send + Sync + 'static> PerCredentials<T> {
    /// Returns the value of these credentials, looking it up with `work` if that has not been done.
    pub(crate) async fn get_or_resolve<F>(
        &self,
        credentials: &Credentials,
        work: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.of(credentials).get_or_resolve(work).await.cloned()
    }

    /// Returns the value of these credentials if it has been looked up.
    pub(crate) fn get(&self, credentials: &Credentials) -> Option<T> {
        let last = self.last.lock();
        let entry = last.as_ref().filter(|entry| entry.is_of(credentials))?;
        entry.value.get().cloned()
    }

    /// Sets the value of these credentials.
    pub(crate) fn set(&self, credentials: &Credentials, value: T) {
        self.of(credentials).set(value);
    }

    fn of(&self, credentials: &Credentials) -> Arc<AsyncOnce<T>> {
        let mut last = self.last.lock();
        if let Some(entry) = last.as_ref().filter(|entry| entry.is_of(credentials)) {
            return Arc::clone(&entry.value);
        }
        let value = Arc::<AsyncOnce<T>>::default();
        // A lookup that is in flight for the old credentials still has its own cell.
        *last = Some(Entry {
            credentials: credentials.clone(),
            value: Arc::clone(&value),
        });
        value
    }
}

impl<T> Default for PerCredentials<T> {
    fn default() -> Self {
        Self {
            last: Mutex::new(None),
        }
    }
}

impl<T> Entry<T> {
    /// Compares the keys. The rest of the credentials, such as the expiry, says nothing about whose they
    /// are.
    fn is_of(&self, other: &Credentials) -> bool {
        let own = &self.credentials;
        own.access_key_id() == other.access_key_id()
            && own.secret_access_key() == other.secret_access_key()
            && own.session_token() == other.session_token()
    }
}
