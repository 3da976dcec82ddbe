//! SSO roles that look into the cache first.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_async::time::SharedTimeSource;
use futures_core::future::BoxFuture;
use parking_lot::Mutex;

use super::entry::{self, Entry};
use super::key::Key;
use super::store::{MAX_WAIT, Store};
use crate::credentials::provider::{self, CredentialProvider, SharedProvider};
use crate::error::Error;
use crate::profile::Sso;

/// An SSO role whose credentials are shared through the cache.
#[derive(Debug)]
pub(crate) struct CachedSso {
    sso: SharedProvider,
    key: Key,
    account: String,
    store: Store,
    time: SharedTimeSource,
    /// The access key that was returned last. A caller that comes back needs other credentials.
    last: Mutex<Option<String>>,
}

impl CachedSso {
    pub(crate) fn new(
        provider: SharedProvider,
        sso: &Sso,
        store: Store,
        time: SharedTimeSource,
    ) -> Self {
        Self {
            sso: provider,
            key: Key::of_sso(sso),
            account: sso.account_id.clone(),
            store,
            time,
            last: Mutex::new(None),
        }
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        let credentials = self.through_cache().await?;
        *self.last.lock() = Some(credentials.access_key_id().to_owned());
        Ok(credentials)
    }

    async fn through_cache(&self) -> Result<Credentials, Error> {
        let find = |_| self.find();
        let get = async {
            let credentials = provider::provide(&*self.sso).await?;
            let text = entry::write_sso(&self.account, &credentials);
            Ok((credentials, text))
        };
        self.store.find_or_get(&self.key, MAX_WAIT, find, get).await
    }

    async fn find(&self) -> Option<Credentials> {
        let text = self.store.read(&self.key).await?;
        let credentials = Entry::parse(&text)?.credentials(self.time.now(), "CliCache")?;
        let account = credentials.account_id().map(|account| account.as_str());
        let is_ours = account.is_none_or(|account| account == self.account);
        let is_new = self.last.lock().as_deref() != Some(credentials.access_key_id());
        (is_ours && is_new).then_some(credentials)
    }
}

impl CredentialProvider for CachedSso {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.credentials())
    }

    fn step(&self) -> String {
        self.sso.step()
    }

    fn limit(&self) -> Duration {
        self.sso.limit().saturating_add(MAX_WAIT)
    }

    fn is_role(&self) -> bool {
        self.sso.is_role()
    }

    fn may_prompt(&self) -> bool {
        self.sso.may_prompt()
    }
}
