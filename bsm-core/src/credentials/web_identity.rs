//! Roles, assumed with a token from a file, as Kubernetes and CI systems write it.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, future};

use super::role::{generated_session_name, issued, time_of};
use crate::error::{Error, ErrorKind};
use crate::profile::WebIdentity;

/// The credentials of a role, got from STS with a web identity token.
///
/// The file is read at every call, because whoever wrote it replaces it before the token expires.
#[derive(Debug)]
pub(crate) struct WebIdentityRole {
    identity: WebIdentity,
    session_name: String,
    sts: aws_sdk_sts::Client,
}

impl WebIdentityRole {
    /// `sts` says how STS is reached; the call is not signed.
    pub(crate) fn new(identity: WebIdentity, sts: &SdkConfig) -> Self {
        let session_name = identity.session_name.clone();
        Self {
            identity,
            session_name: session_name.unwrap_or_else(|| generated_session_name(&time_of(sts))),
            sts: aws_sdk_sts::Client::new(sts),
        }
    }

    async fn assume(&self) -> Result<Credentials, Error> {
        let role_arn = &self.identity.role_arn;
        let token = std::fs::read_to_string(&self.identity.token_file).map_err(|error| {
            let message = format!(
                "the web identity token file {} cannot be read: check the path and its permissions",
                self.identity.token_file
            );
            Error::new(ErrorKind::CredentialsUnavailable, message).with_source(error)
        })?;
        tracing::debug!(role_arn, "assuming a role with a web identity");
        let answer = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name(&self.session_name)
            .web_identity_token(token)
            .send()
            .await
            .map_err(|error| {
                let doing = format!("assume the role {role_arn} with a web identity");
                Error::from_call(&doing, error)
            })?;
        issued(answer.credentials, role_arn, "AssumeRoleWithWebIdentity")
    }
}

impl ProvideCredentials for WebIdentityRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move { provider::Result::Ok(self.assume().await?) })
    }
}
