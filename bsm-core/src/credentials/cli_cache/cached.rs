//! Providers that look into the cache first.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_async::time::SharedTimeSource;
use futures_core::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::entry::{self, Entry};
use super::key::Key;
use super::store::Store;
use crate::credentials::assume_role::AssumedRole;
use crate::credentials::provider::{self, CredentialProvider, SharedProvider};
use crate::error::Error;
use crate::identity::CallerIdentity;
use crate::profile::Sso;
use crate::shared_file::{Lock, LockAttempt};
use crate::sync::single_flight::AsyncOnce;

/// How long to wait for another process that is assuming the role: longer than three attempts of ten
/// seconds each, and the pauses between them.
const MAX_WAIT: Duration = Duration::from_secs(40);

/// The time between two attempts at the lock.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

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
        if let Some(credentials) = self.find(key, source).await {
            return Ok(credentials);
        }
        let lock = match self.find_or_lock(key, source).await {
            Ok(credentials) => return Ok(credentials),
            Err(lock) => lock,
        };
        let assumed = self.role.assume().await?;
        if let Some(text) = entry::write(self.role.request(), &assumed, source) {
            self.store.write(key, text).await;
        }
        drop(lock);
        Ok(assumed.credentials)
    }

    /// Waits for the lock of the entry, or for the entry that the holder of the lock writes.
    ///
    /// It polls, so that another process never blocks a thread of this one. Without locks, or if
    /// the other process takes too long, it returns without the lock.
    async fn find_or_lock(
        &self,
        key: &Key,
        source: Option<&str>,
    ) -> Result<Credentials, Option<Lock>> {
        let give_up = Instant::now() + MAX_WAIT;
        loop {
            let lock = match self.store.try_lock(key).await {
                LockAttempt::Acquired(lock) => Some(lock),
                LockAttempt::Held if Instant::now() < give_up => None,
                LockAttempt::Held => {
                    tracing::warn!(
                        key = key.as_str(),
                        "another process has been assuming the role for too long: continuing \
                         without the AWS CLI's cache"
                    );
                    return Err(None);
                }
                LockAttempt::Unsupported => return Err(None),
            };
            if let Some(credentials) = self.find(key, source).await {
                return Ok(credentials);
            }
            if lock.is_some() {
                return Err(lock);
            }
            tokio::time::sleep(POLL_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    async fn find(&self, key: &Key, source: Option<&str>) -> Option<Credentials> {
        let text = self.store.read(key).await?;
        let key = key.as_str();
        let Some(entry) = Entry::parse(&text) else {
            tracing::warn!(
                key,
                "an entry of the AWS CLI's cache is damaged, and will be replaced"
            );
            return None;
        };
        let is_ours = source.is_none_or(|source| entry.is_from(source));
        if !entry.is_for(self.role.request()) || !is_ours {
            tracing::warn!(
                key,
                "an entry of the AWS CLI's cache is for another identity"
            );
            return None;
        }
        let credentials = entry.credentials(self.role.time().now(), "CliCache")?;
        if self.last.lock().as_deref() == Some(credentials.access_key_id()) {
            return None;
        }
        tracing::debug!(key, "found the role's credentials in the AWS CLI's cache");
        Some(credentials)
    }

    /// Returns the identity that assumes the role, without the session name of a role.
    async fn source(&self) -> Result<String, Error> {
        let ask = || {
            let (parent, sts) = (self.role.parent().clone(), self.role.sts().clone());
            async move {
                let credentials = parent.credentials().await?;
                let caller = CallerIdentity::of(&credentials, &sts).await?;
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
        role.saturating_add(role).saturating_add(MAX_WAIT)
    }

    fn is_role(&self) -> bool {
        self.role.is_role()
    }

    fn may_prompt(&self) -> bool {
        self.role.may_prompt()
    }
}

/// An SSO role whose credentials the AWS CLI may have left in the cache.
#[derive(Debug)]
pub(crate) struct CachedSso {
    sso: SharedProvider,
    key: Key,
    account: String,
    store: Store,
    time: SharedTimeSource,
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

    async fn find(&self) -> Option<Credentials> {
        let text = self.store.read(&self.key).await?;
        let credentials = Entry::parse(&text)?.credentials(self.time.now(), "CliCache")?;
        let account = credentials
            .account_id()
            .map(|account| account.as_str().to_owned());
        let is_ours = account.is_none_or(|account| account == self.account);
        let mut last = self.last.lock();
        if !is_ours || last.as_deref() == Some(credentials.access_key_id()) {
            return None;
        }
        *last = Some(credentials.access_key_id().to_owned());
        Some(credentials)
    }
}

impl CredentialProvider for CachedSso {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(async {
            match self.find().await {
                Some(credentials) => Ok(credentials),
                None => provider::provide(&*self.sso).await,
            }
        })
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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use aws_types::SdkConfig;

    use crate::credentials::Refresher;
    use crate::credentials::role_request::RoleRequest;
    use crate::credentials::testing::{Behaviour, Clock, Fake};

    #[tokio::test(start_paused = true)]
    async fn a_process_that_holds_the_lock_forever_is_waited_for_only_so_long() {
        let clock = Clock::new();
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().to_owned(), false);
        let request = RoleRequest {
            role_arn: "arn:aws:iam::111122223333:role/Admin".to_owned(),
            ..RoleRequest::default()
        };
        let fake = Fake::new(&clock, Behaviour::Give(3_600));
        let parent = Refresher::new(fake.provider(), clock.shared());
        let sts = SdkConfig::builder().build();
        let cached = CachedRole::new(AssumedRole::new(request, &parent, &sts, None), store);
        let key = cached.key.clone().unwrap();

        let lock = directory.path().join(format!("{}.lock", key.as_str()));
        let theirs = File::create(&lock).unwrap();
        theirs.lock().unwrap();
        let before = Instant::now();
        let outcome = cached.find_or_lock(&key, None).await;
        assert!(matches!(outcome, Err(None)));
        assert!(before.elapsed() >= MAX_WAIT && before.elapsed() < MAX_WAIT + POLL_INTERVAL * 2);

        drop(theirs);
        assert!(matches!(
            cached.find_or_lock(&key, None).await,
            Err(Some(_))
        ));
    }
}
