//! Identities: account, ARN and user id.

pub(crate) mod arn;
mod mask;
mod per_credentials;

use std::fmt;

use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use serde::Serialize;

use self::mask::{mask_account, mask_arn, mask_user_id};
pub(crate) use self::per_credentials::PerCredentials;
use crate::error::{Error, ErrorKind};
use crate::transport;

/// The identity that AWS sees behind a session's credentials.
///
/// It comes from STS
/// [GetCallerIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html),
/// which needs no permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

    /// Returns the account id for eyes that need not know it: `12********12`.
    pub fn masked_account(&self) -> String {
        mask_account(&self.account)
    }

    /// Returns the ARN with its account masked.
    pub fn masked_arn(&self) -> String {
        mask_arn(&self.arn)
    }

    /// Returns the unique id masked: `AROA***E:me`.
    pub fn masked_user_id(&self) -> String {
        mask_user_id(&self.user_id)
    }

    /// Asks STS, reached as `config` says, whose these credentials are.
    pub(crate) async fn of(credentials: &Credentials, config: &SdkConfig) -> Result<Self, Error> {
        let config = with_fixed(credentials, config);
        let call = transport::client(&config, aws_sdk_sts::Client::new)?.get_caller_identity();
        let answer = transport::unlogged(call.send())
            .await
            .map_err(|error| {
                let secrets: Vec<_> = transport::secrets_of(credentials).collect();
                transport::failed("ask STS for the caller identity", error, &secrets)
            })
            .inspect_err(|error| tracing::debug!(%error, "the identity is not known"))?;
        match (answer.account, answer.arn, answer.user_id) {
            (Some(account), Some(arn), Some(user_id)) => {
                tracing::debug!(
                    account,
                    arn,
                    access_key_id = credentials.access_key_id(),
                    "looked up the caller identity"
                );
                Ok(Self {
                    account,
                    arn,
                    user_id,
                })
            }
            _ => Err(Error::new(
                ErrorKind::Service,
                "STS answered without an account, ARN or user id: check that the endpoint is an \
                 AWS endpoint",
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

/// Returns a configuration whose requests are signed with these credentials.
///
/// The session's own could be refreshed in the meantime, and lead into another account.
fn with_fixed(credentials: &Credentials, config: &SdkConfig) -> SdkConfig {
    config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
        // The credentials are fixed and used once: there is nothing to cache.
        .identity_cache(IdentityCache::no_cache())
        .build()
}

/// Asks IAM for the account's alias; an account has one or none.
#[cfg(feature = "iam")]
pub(crate) async fn account_alias(
    credentials: &Credentials,
    config: &SdkConfig,
) -> Result<Option<String>, Error> {
    let config = with_fixed(credentials, config);
    let call = transport::client(&config, aws_sdk_iam::Client::new)?.list_account_aliases();
    let answer = transport::unlogged(call.send()).await.map_err(|error| {
        let secrets: Vec<_> = transport::secrets_of(credentials).collect();
        transport::failed("ask IAM for the account alias", error, &secrets)
    })?;
    // An account has at most one alias, although the API returns a list.
    let alias = answer.account_aliases.into_iter().next();
    tracing::debug!(alias, "looked up the account alias");
    Ok(alias)
}

/// Who a session is, to print or to log; see
/// [`BotoSesManager::who_am_i`](crate::BotoSesManager::who_am_i).
///
/// `Display` masks the account and the user id, so that it can be shown on a screen that others
/// see; [`unmasked`](Self::unmasked) prints them whole. `Serialize` writes the fields `account`,
/// `arn`, `user_id` and `region` whole, and [`masked`](Self::masked) makes a copy without them.
///
/// ```text
/// account  22********22
/// arn      arn:aws:sts::22********22:assumed-role/Staging/me
/// user id  AROA***E:me
/// region   us-east-1
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhoAmI {
    #[serde(flatten)]
    caller: CallerIdentity,
    region: Option<String>,
}

impl WhoAmI {
    pub(crate) fn new(caller: CallerIdentity, region: Option<String>) -> Self {
        Self { caller, region }
    }

    /// Returns account, ARN and user id.
    pub fn caller(&self) -> &CallerIdentity {
        &self.caller
    }

    /// Returns the region, if one is known.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns a copy in which account, ARN and user id are masked.
    #[must_use]
    pub fn masked(&self) -> Self {
        Self {
            caller: CallerIdentity {
                account: self.caller.masked_account(),
                arn: self.caller.masked_arn(),
                user_id: self.caller.masked_user_id(),
            },
            region: self.region.clone(),
        }
    }

    /// Prints everything, unlike this type's own `Display`.
    pub fn unmasked(&self) -> impl fmt::Display + '_ {
        Whole(self)
    }
}

/// Prints one fact a line, the account and the user id masked.
impl fmt::Display for WhoAmI {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Whole(&self.masked()).fmt(f)
    }
}

struct Whole<'a>(&'a WhoAmI);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WhoAmI { caller, region } = self.0;
        writeln!(f, "account  {}", caller.account)?;
        writeln!(f, "arn      {}", caller.arn)?;
        writeln!(f, "user id  {}", caller.user_id)?;
        write!(f, "region   {}", region.as_deref().unwrap_or("unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_am_i_prints_masked_and_serializes_whole() {
        let who = WhoAmI::new(
            CallerIdentity {
                account: "222222222222".into(),
                arn: "arn:aws:iam::222222222222:user/alice".into(),
                user_id: "AIDAEXAMPLEALICE".into(),
            },
            Some("eu-central-1".into()),
        );
        let printed = who.to_string();
        assert!(!printed.contains("222222222222"), "{printed}");
        assert!(printed.contains("22********22"), "{printed}");
        assert!(who.unmasked().to_string().contains("222222222222"));
        assert_eq!(
            serde_json::to_value(&who).unwrap(),
            serde_json::json!({
                "account": "222222222222",
                "arn": "arn:aws:iam::222222222222:user/alice",
                "user_id": "AIDAEXAMPLEALICE",
                "region": "eu-central-1",
            })
        );
        assert_eq!(who.masked().caller().account(), "22********22");
    }
}
