//! Who a session is.

use std::fmt;

use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;

use crate::error::{Error, ErrorKind};

/// The identity that AWS sees behind a session's credentials.
///
/// It comes from STS [GetCallerIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html),
/// which needs no permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    account: String,
    arn: String,
    user_id: String,
}

impl CallerIdentity {
    /// Returns the twelve-digit account id.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the ARN, such as `arn:aws:sts::222222222222:assumed-role/Staging/me`.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Returns the unique id, such as `AROAEXAMPLE:me`.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Asks STS, reached as `config` says, whose these credentials are.
    pub(crate) async fn of(credentials: &Credentials, config: &SdkConfig) -> Result<Self, Error> {
        let config = config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .identity_cache(IdentityCache::no_cache())
            .build();
        let answer = aws_sdk_sts::Client::new(&config)
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| Error::from_call("ask STS for the caller identity", error))?;
        match (answer.account, answer.arn, answer.user_id) {
            (Some(account), Some(arn), Some(user_id)) => Ok(Self {
                account,
                arn,
                user_id,
            }),
            _ => Err(Error::new(
                ErrorKind::Service,
                "STS answered without an account, ARN or user id: is the endpoint an AWS endpoint?",
            )),
        }
    }
}

/// Prints the ARN.
impl fmt::Display for CallerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}
