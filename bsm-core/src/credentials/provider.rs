//! Providers of credentials, and the one way in which they are called.
//!
//! Whatever issues credentials is a [`CredentialProvider`]: keys, a process, STS, a provider that
//! the user gave. [`provide`] calls it, so that no provider can outlast its limit, panic into the
//! task of a caller, or pass on credentials that cannot be signed with. The SDK meets them only
//! behind a [`Refresher`](super::Refresher).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use futures_core::future::BoxFuture;

use crate::error::Error;
use crate::sync::on_callers_runtime;
use crate::sync::panic::catch_panic;
use crate::validation;

/// A provider, as refreshers and other providers hold it.
pub(crate) type SharedProvider = Arc<dyn CredentialProvider>;

/// A provider of credentials.
///
/// It does not cache: it is called when new credentials are needed. Its errors are this crate's, so
/// that none of the SDK's reaches a caller.
pub(crate) trait CredentialProvider: fmt::Debug + Send + Sync + 'static {
    /// Returns new credentials.
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>>;

    /// Names the provider for "timed out after 60 s waiting for ...".
    fn step(&self) -> String;

    /// Returns how long a call may take, including the calls that it makes itself.
    fn limit(&self) -> Duration;

    /// Returns `true` if the credentials are those of a role. A role that is assumed with them lasts
    /// at most an hour.
    fn is_role(&self) -> bool {
        false
    }

    /// Returns `true` if a call now can prompt a person. A background refresh never does:
    /// the person would not know why.
    fn may_prompt(&self) -> bool {
        false
    }

    /// Returns how often credentials without an expiry are fetched again while they are in use; `None`
    /// for those that stay. The credentials of another account then fail the manager.
    fn check_every(&self) -> Option<Duration> {
        None
    }

    /// Fails if credentials that were issued for others must not be used any more, because those are now of
    /// another account. Never waits: what has to be read is read in the background.
    fn check_source(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Calls a provider, within its time limit.
pub(crate) async fn provide(provider: &dyn CredentialProvider) -> Result<Credentials, Error> {
    let limit = provider.limit();
    let call = tokio::time::timeout(limit, catch_panic(provider.provide()));
    let credentials = call
        .await
        .unwrap_or_else(|_| Err(Error::timed_out(limit, &provider.step())))?;
    // Before the check, which takes an empty account id for a malformed one.
    let credentials = validation::without_empty_account(credentials);
    validation::check(&credentials, &validation::KeySettingNames::of_provider())?;
    Ok(credentials)
}

/// Keys are their own provider.
impl CredentialProvider for Credentials {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        let keys = self.clone();
        Box::pin(async { Ok(keys) })
    }

    fn step(&self) -> String {
        "keys".to_owned()
    }

    fn limit(&self) -> Duration {
        // Nothing is waited for. tokio sets no timer if the deadline overflows.
        Duration::MAX
    }
}

/// A provider that the user gave. It runs on the runtime of a caller.
#[derive(Debug)]
pub(crate) struct UserProvider {
    provider: SharedCredentialsProvider,
    limit: Duration,
}

impl UserProvider {
    pub(crate) fn shared(provider: SharedCredentialsProvider, limit: Duration) -> SharedProvider {
        Arc::new(Self { provider, limit })
    }
}

impl CredentialProvider for UserProvider {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(on_callers_runtime(|| {
            // Cloned for each call: the next one may run on another runtime.
            let provider = self.provider.clone();
            // `?` converts the error: that of a foreign provider may quote a response.
            async move { Ok(provider.provide_credentials().await?) }
        }))
    }

    fn step(&self) -> String {
        "the credentials provider that the manager was built with".to_owned()
    }

    fn limit(&self) -> Duration {
        self.limit
    }
}
