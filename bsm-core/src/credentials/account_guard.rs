//! The guard that rejects credentials of another account.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use futures_core::future::BoxFuture;

use super::provider::{self, CredentialProvider, SharedProvider};
use crate::error::{Error, ErrorKind};
use crate::identity::{CallerIdentity, PerCredentials};
use crate::transport::time_limits;
use crate::validation;

/// A provider that passes on only the credentials of one account.
///
/// It sits below the cache, so it calls STS once for every refresh, and no request is signed
/// with credentials that it has not checked.
pub(crate) struct AccountGuard {
    account: String,
    source: SharedProvider,
    sts: SdkConfig,
    identity: Arc<PerCredentials<CallerIdentity>>,
}

impl AccountGuard {
    /// `sts` says how STS is reached. The identity that passes is left in `identity`, so that it is not
    /// looked up again.
    pub(crate) fn new(
        account: String,
        source: SharedProvider,
        sts: SdkConfig,
        identity: Arc<PerCredentials<CallerIdentity>>,
    ) -> Self {
        Self {
            account,
            source,
            sts,
            identity,
        }
    }

    async fn checked(&self) -> Result<Credentials, Error> {
        // First: a typo must neither run a program nor prompt for a code.
        self.check_expectation()?;
        let credentials = provider::provide(&*self.source).await?;
        // A provider may return the same credentials again, as keys that are checked for a change.
        let caller = match self.identity.get(&credentials) {
            Some(caller) => caller,
            None => CallerIdentity::of(&credentials, &self.sts).await?,
        };
        if caller.account() == self.account {
            tracing::debug!(account = self.account, "the account is the expected one");
            self.identity.set(&credentials, caller);
            return Ok(credentials);
        }
        tracing::warn!(
            account = caller.account(),
            expected = self.account,
            "refused credentials of another account"
        );
        Err(Error::new(
            ErrorKind::AccountMismatch,
            format!(
                "the credentials belong to account {} ({}), but account {} was expected: nothing \
                 was sent; check the profile, or the account given to expect_account",
                caller.account(),
                caller.arn(),
                self.account
            ),
        ))
    }

    /// An account that cannot exist would otherwise look like a mismatch.
    fn check_expectation(&self) -> Result<(), Error> {
        if validation::is_account(&self.account) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{:?}, given to expect_account, is not an account: write its twelve digits",
                self.account
            ),
        ))
    }
}

impl CredentialProvider for AccountGuard {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.checked())
    }

    fn step(&self) -> String {
        self.source.step()
    }

    fn limit(&self) -> Duration {
        let look_up = time_limits::of_request(&self.sts);
        self.source.limit().saturating_add(look_up)
    }

    fn is_role(&self) -> bool {
        self.source.is_role()
    }

    fn may_prompt(&self) -> bool {
        self.source.may_prompt()
    }

    fn check_every(&self) -> Option<Duration> {
        self.source.check_every()
    }

    fn check_source(&self) -> Result<(), Error> {
        self.source.check_source()
    }
}

impl fmt::Debug for AccountGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountGuard")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
