//! Session tokens that look into the cache first.
//!
//! The AWS CLI has no entries for them: it gets no session tokens for itself.

use std::time::Duration;

use aws_credential_types::Credentials;
use futures_core::future::BoxFuture;
use parking_lot::Mutex;

use super::entry::{self, Entry};
use super::key::Key;
use super::store::{self, Store};
use crate::credentials::provider::CredentialProvider;
use crate::credentials::session_token::SessionTokenProvider;
use crate::error::Error;

/// A session token that is shared through the cache.
#[derive(Debug)]
pub(crate) struct CachedSessionToken {
    token: SessionTokenProvider,
    store: Store,
    /// The access key that was returned last. A caller that comes back needs other credentials.
    last: Mutex<Option<String>>,
}

impl CachedSessionToken {
    pub(crate) fn new(token: SessionTokenProvider, store: Store) -> Self {
        Self {
            token,
            store,
            last: Mutex::new(None),
        }
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        // Each time: the keys may have been rotated, and their entries differ.
        let keys = self.token.parent().credentials().await?;
        let key = Key::of_session_token(self.token.request(), keys.access_key_id());
        let credentials = self.through_cache(&key).await?;
        *self.last.lock() = Some(credentials.access_key_id().to_owned());
        Ok(credentials)
    }

    async fn through_cache(&self, key: &Key) -> Result<Credentials, Error> {
        let find = |_| self.find(key);
        let get = async {
            let credentials = self.token.get().await?;
            let text = entry::write_session_token(key, &credentials);
            Ok((credentials, text))
        };
        let wait = self.max_wait();
        self.store.find_or_get(key, wait, find, get).await
    }

    async fn find(&self, key: &Key) -> Option<Credentials> {
        let text = self.store.read(key).await?;
        let entry = Entry::parse(&text).filter(|entry| entry.is_named(key))?;
        let credentials = entry.credentials(self.token.time().now(), "CliCache")?;
        if self.last.lock().as_deref() == Some(credentials.access_key_id()) {
            return None;
        }
        let key = key.as_str();
        tracing::debug!(key, "found a session token in the AWS CLI's cache");
        Some(credentials)
    }

    fn max_wait(&self) -> Duration {
        store::max_wait(self.token.request().mfa_serial.as_deref())
    }
}

impl CredentialProvider for CachedSessionToken {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.credentials())
    }

    fn step(&self) -> String {
        self.token.step()
    }

    fn limit(&self) -> Duration {
        self.token.limit().saturating_add(self.max_wait())
    }

    fn may_prompt(&self) -> bool {
        self.token.may_prompt()
    }

    fn check_source(&self) -> Result<(), Error> {
        self.token.check_source()
    }
}
