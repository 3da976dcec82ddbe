//! The guard that refuses credentials of another account.

use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::SdkConfig;

use crate::error::{Error, ErrorKind};
use crate::identity::CallerIdentity;

/// A source of credentials that passes on only those of one account.
///
/// It sits below the cache, so it asks STS once for every refresh, and no request can be signed
/// with credentials that it has not passed.
#[derive(Debug)]
pub(crate) struct AccountGuard {
    account: String,
    source: SharedCredentialsProvider,
    sts: SdkConfig,
}

impl AccountGuard {
    /// `sts` says how STS is reached.
    pub(crate) fn new(account: String, source: SharedCredentialsProvider, sts: SdkConfig) -> Self {
        Self {
            account,
            source,
            sts,
        }
    }

    async fn checked(&self) -> Result<Credentials, Error> {
        let credentials = self.source.provide_credentials().await?;
        let caller = CallerIdentity::of(&credentials, &self.sts).await?;
        if caller.account() == self.account {
            return Ok(credentials);
        }
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
}

impl ProvideCredentials for AccountGuard {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move { provider::Result::Ok(self.checked().await?) })
    }
}
