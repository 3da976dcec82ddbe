//! The credentials of a role, which the portal issues for an access token.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use futures_core::future::BoxFuture;

use super::token_provider::SsoTokenProvider;
use crate::credentials::provider::CredentialProvider;
use crate::error::{Error, ErrorKind};
use crate::profile::Sso;
use crate::transport::server_clock::ServerClock;
use crate::transport::{self, time_limits};

/// A role of Identity Center.
#[derive(Debug)]
pub(crate) struct SsoRole {
    sso: Sso,
    login: SsoTokenProvider,
    portal: SdkConfig,
}

/// Why the portal issued nothing.
enum Refusal {
    /// It does not accept the token.
    Token(Error),
    Other(Error),
}

impl SsoRole {
    /// `portal` is the configuration of requests to the portal.
    pub(crate) fn new(sso: Sso, login: SsoTokenProvider, portal: SdkConfig) -> Self {
        Self { sso, login, portal }
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        let token = self.login.access_token().await?;
        match self.ask(&token).await {
            Ok(credentials) => Ok(credentials),
            Err(Refusal::Other(error)) => Err(error),
            // The user may have signed out, or in again, since the file was read.
            Err(Refusal::Token(refused)) => {
                let newer = self.login.other_than(&token).await;
                let newer = newer.map_err(|error| match error.kind() {
                    ErrorKind::SignInRequired => error.with_source(refused),
                    _ => error,
                })?;
                self.ask(&newer).await.map_err(|refusal| match refusal {
                    Refusal::Token(error) | Refusal::Other(error) => error,
                })
            }
        }
    }

    async fn ask(&self, token: &str) -> Result<Credentials, Refusal> {
        let Sso {
            account_id,
            role_name,
            ..
        } = &self.sso;
        tracing::debug!(
            account_id,
            role_name,
            "asking the SSO portal for credentials"
        );
        let call = transport::client(&self.portal, aws_sdk_sso::Client::new)
            .map_err(Refusal::Other)?
            .get_role_credentials()
            .account_id(account_id)
            .role_name(role_name)
            .access_token(token);
        let clock = ServerClock::default();
        let call = call.customize().interceptor(clock.clone());
        let answer = transport::unlogged(call.send()).await.map_err(|error| {
            let is_refused = error
                .as_service_error()
                .is_some_and(|error| error.is_unauthorized_exception());
            let doing = format!("get the role {role_name} in account {account_id} from SSO");
            let error = transport::failed(&doing, error, &[token]);
            match is_refused {
                true => Refusal::Token(error),
                false => Refusal::Other(error),
            }
        })?;
        let issued = answer.role_credentials.and_then(|issued| {
            let expiry = u64::try_from(issued.expiration).ok()?;
            let credentials = Credentials::builder()
                .access_key_id(issued.access_key_id?)
                .secret_access_key(issued.secret_access_key?)
                .session_token(issued.session_token?)
                // The portal counts milliseconds, unlike STS.
                .expiry(UNIX_EPOCH.checked_add(Duration::from_millis(expiry))?)
                // The response names no account, but the request was for one.
                .account_id(account_id.as_str())
                .provider_name("SSO");
            let mut credentials = credentials.build();
            if let Some(skew) = clock.skew() {
                // The expiry is by AWS's clock: the refresher converts it to the local one.
                credentials.set_property(skew);
            }
            Some(credentials)
        });
        issued.ok_or_else(|| {
            Refusal::Other(Error::new(
                ErrorKind::Service,
                "the SSO portal answered without credentials: check that the endpoint is an AWS \
                 endpoint",
            ))
        })
    }
}

impl CredentialProvider for SsoRole {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.credentials())
    }

    fn step(&self) -> String {
        format!("the SSO role of profile {:?}", self.sso.profile)
    }

    fn limit(&self) -> Duration {
        let request = time_limits::of_request(&self.portal);
        let both = request.saturating_add(self.login.limit());
        // A refused token takes a second round with another one.
        both.saturating_mul(2)
    }

    fn is_role(&self) -> bool {
        true
    }
}
