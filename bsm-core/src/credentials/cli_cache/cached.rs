//! Assumed roles that look into the cache first.

use std::time::Duration;

use aws_credential_types::Credentials;
use futures_core::future::BoxFuture;
use parking_lot::Mutex;

use super::entry::{self, Entry};
use super::key::Key;
use super::store::{self, Store};
use crate::credentials::assume_role::AssumedRole;
use crate::credentials::provider::CredentialProvider;
use crate::error::Error;
use crate::identity::CallerIdentity;
use crate::sync::single_flight::AsyncOnce;

/// A role whose credentials are shared through the cache.
#[derive(Debug)]
pub(crate) struct CachedRole {
    role: AssumedRole,
    key: Option<Key>,
    store: Store,
    /// The access key that was returned last. A caller that comes back needs other credentials.
    last: Mutex<Option<String>>,
    source: AsyncOnce<String>,
}

impl CachedRole {
    pub(crate) fn new(role: AssumedRole, store: Store) -> Self {
        Self {
            key: Key::of_role(role.request()),
            role,
            store,
            last: Mutex::new(None),
            source: AsyncOnce::default(),
        }
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        // The cache does not know that the keys, with which the role was assumed, are of another account now.
        self.role.check_source()?;
        let credentials = match &self.key {
            Some(key) => self.through_cache(key).await?,
            None => self.role.assume().await?.credentials,
        };
        *self.last.lock() = Some(credentials.access_key_id().to_owned());
        Ok(credentials)
    }

    async fn through_cache(&self, key: &Key) -> Result<Credentials, Error> {
        let source = match self.store.same_source_only {
            true => Some(self.source().await?),
            false => None,
        };
        let source = source.as_deref();
        // While another process has the lock, the same entry is read many times a second.
        let find = |warns| self.find(key, source, warns);
        let assume = async {
            let assumed = self.role.assume().await?;
            let text = entry::write(self.role.request(), &assumed, source);
            Ok((assumed.credentials, text))
        };
        let wait = self.max_wait();
        self.store.find_or_get(key, wait, find, assume).await
    }

    async fn find(&self, key: &Key, source: Option<&str>, warns: bool) -> Option<Credentials> {
        let text = self.store.read(key).await?;
        let key = key.as_str();
        let Some(entry) = Entry::parse(&text) else {
            if warns {
                tracing::warn!(
                    key,
                    "an entry of the AWS CLI's cache is damaged, and will be replaced"
                );
            }
            return None;
        };
        // Without a source, as in the CLI, it does not matter who assumed the role.
        let is_ours = source.is_none_or(|source| entry.is_from(source));
        if !entry.is_for(self.role.request()) || !is_ours {
            if warns {
                tracing::warn!(
                    key,
                    "an entry of the AWS CLI's cache is for another identity"
                );
            }
            return None;
        }
        let credentials = entry.credentials(self.role.time().now(), "CliCache")?;
        if self.last.lock().as_deref() == Some(credentials.access_key_id()) {
            return None;
        }
        tracing::debug!(key, "found the role's credentials in the AWS CLI's cache");
        Some(credentials)
    }

    fn max_wait(&self) -> Duration {
        store::max_wait(self.role.request().mfa_serial.as_deref())
    }

    /// Returns the identity that assumes the role, without the session name of a role.
    async fn source(&self) -> Result<String, Error> {
        let ask = || {
            let (parent, sts) = (self.role.parent().clone(), self.role.sts().clone());
            async move {
                let credentials = parent.credentials().await?;
                let caller = CallerIdentity::of(&credentials, &sts).await?;
                // A generated session name differs between processes of the same identity.
                Ok(without_session(caller.arn()).to_owned())
            }
        };
        self.source.get_or_resolve(ask).await.cloned()
    }
}

fn without_session(arn: &str) -> &str {
    match arn.rsplit_once('/') {
        Some((role, _)) if arn.contains(":assumed-role/") => role,
        _ => arn,
    }
}

impl CredentialProvider for CachedRole {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.credentials())
    }

    fn step(&self) -> String {
        self.role.step()
    }

    fn limit(&self) -> Duration {
        // The look-up of the source takes no longer than the role does.
        let role = self.role.limit();
        role.saturating_add(role).saturating_add(self.max_wait())
    }

    fn is_role(&self) -> bool {
        self.role.is_role()
    }

    fn may_prompt(&self) -> bool {
        self.role.may_prompt()
    }

    fn check_source(&self) -> Result<(), Error> {
        self.role.check_source()
    }
}
