//! Roles, assumed with a token from a file, as Kubernetes and CI systems write it.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use futures_core::future::BoxFuture;
use zeroize::Zeroizing;

use super::assume_role::{Issue, generated_session_name, time_of};
use super::provider::CredentialProvider;
use super::role_request::check_identity;
use crate::error::{Error, ErrorKind};
use crate::identity::arn;
use crate::profile::WebIdentity;
use crate::small_file;
use crate::transport::server_clock::ServerClock;
use crate::transport::{self, time_limits};
use crate::validation;

/// STS accepts tokens of 4 to 20,000 characters.
const MIN_TOKEN: usize = 4;
const MAX_TOKEN: u64 = 20_000;

/// The credentials of a role, got from STS with a web identity token.
///
/// The file is read at every call, because its writer replaces it before the token expires.
#[derive(Debug)]
pub(crate) struct WebIdentityRole {
    identity: WebIdentity,
    session_name: String,
    sts: SdkConfig,
}

impl WebIdentityRole {
    /// `sts` says how STS is reached; the call is not signed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] for a role or a session name that STS would refuse.
    pub(crate) fn new(identity: WebIdentity, sts: &SdkConfig) -> Result<Self, Error> {
        let session_name = identity.session_name.clone();
        check_identity(&identity.role_arn, session_name.as_deref()).map_err(|error| {
            // The values come from settings, so the kind is not that of the check.
            let message = format!("the web identity cannot be used: {error}");
            Error::new(ErrorKind::InvalidConfig, message)
        })?;
        Ok(Self {
            identity,
            // Generated once, as in botocore: all refreshes are one session in CloudTrail.
            session_name: session_name.unwrap_or_else(|| generated_session_name(&time_of(sts))),
            sts: sts.clone(),
        })
    }

    /// Reads the token. A line break behind it, as editors and `echo` write it, is not part of it.
    async fn token(&self) -> Result<Zeroizing<String>, Error> {
        let file = &self.identity.token_file;
        let path = PathBuf::from(file);
        let text = small_file::blocking(move || small_file::read(&path, MAX_TOKEN)).await?;
        let text = text.map_err(|error| {
            let message = format!(
                "the web identity token file {file} cannot be read: check the path and its \
                 permissions"
            );
            Error::new(ErrorKind::CredentialsUnavailable, message).with_source(error)
        })?;
        let token = text.trim();
        let flaw = match token.len() {
            0 => Some("is empty; check the program that writes it"),
            1..MIN_TOKEN => Some("is too short for a token; check the program that writes it"),
            _ => validation::flaw(token),
        };
        match flaw {
            None => Ok(Zeroizing::new(token.to_owned())),
            Some(flaw) => Err(Error::new(
                ErrorKind::CredentialsUnavailable,
                format!("the web identity token file {file} {flaw}"),
            )),
        }
    }

    async fn assume(&self) -> Result<Credentials, Error> {
        let role_arn = &self.identity.role_arn;
        let token = self.token().await?;
        tracing::debug!(role_arn, "assuming a role with a web identity");
        let call = transport::client(&self.sts, aws_sdk_sts::Client::new)?
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name(&self.session_name)
            .web_identity_token(token.as_str());
        let clock = ServerClock::default();
        let call = call.customize().interceptor(clock.clone());
        let answer = transport::unlogged(call.send()).await.map_err(|error| {
            let doing = format!("assume the role {role_arn} with a web identity");
            transport::failed(&doing, error, &[&token])
        })?;
        let issue = Issue {
            purpose: role_arn,
            account: arn::account(role_arn),
            provider: "AssumeRoleWithWebIdentity",
            skew: clock.skew(),
        };
        issue.of(answer.credentials)
    }
}

impl CredentialProvider for WebIdentityRole {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.assume())
    }

    fn step(&self) -> String {
        format!("the role {} with a web identity", self.identity.role_arn)
    }

    fn limit(&self) -> Duration {
        small_file::LIMIT.saturating_add(time_limits::of_request(&self.sts))
    }

    fn is_role(&self) -> bool {
        true
    }
}
