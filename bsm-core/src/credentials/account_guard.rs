//! The guard that rejects credentials of another account.

use std::sync::{Arc, OnceLock};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::SdkConfig;

use crate::error::{Error, ErrorKind};
use crate::identity::CallerIdentity;
use crate::validation;

/// A provider that passes on only the credentials of one account.
///
/// It sits below the cache, so it calls STS once for every refresh, and no request is signed
/// with credentials that it has not checked.
#[derive(Debug)]
pub(crate) struct AccountGuard {
    account: String,
    source: SharedCredentialsProvider,
    sts: SdkConfig,
    seen: Arc<OnceLock<CallerIdentity>>,
}

impl AccountGuard {
    /// `sts` says how STS is reached. The first identity that passes is left in `seen`, so that
    /// it is not looked up again.
    pub(crate) fn new(
        account: String,
        source: SharedCredentialsProvider,
        sts: SdkConfig,
        seen: Arc<OnceLock<CallerIdentity>>,
    ) -> Self {
        Self {
            account,
            source,
            sts,
            seen,
        }
    }

    async fn checked(&self) -> Result<Credentials, Error> {
        self.check_expectation()?;
        let credentials = self.source.provide_credentials().await?;
        let caller = CallerIdentity::of(&credentials, &self.sts).await?;
        if caller.account() == self.account {
            tracing::debug!(account = self.account, "the account is the expected one");
            self.seen.get_or_init(|| caller);
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

impl ProvideCredentials for AccountGuard {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move { provider::Result::Ok(self.checked().await?) })
    }
}
