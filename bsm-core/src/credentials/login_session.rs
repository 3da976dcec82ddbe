//! Login sessions, which `aws login` makes: the provider is aws-config's.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, error::CredentialsError};
use futures_core::future::BoxFuture;

use super::provider::CredentialProvider;
use crate::error::{Error, ErrorKind};
use crate::transport::{self, SdkFailure};

/// The time limit of the provider, which can make several requests with retries.
const LIMIT: Duration = Duration::from_secs(60);

/// The credentials of a login session.
#[derive(Debug)]
pub(super) struct LoginSession {
    what: String,
    profile: String,
    provider: LoginCredentialsProvider,
}

impl LoginSession {
    /// `what` names the source in errors.
    pub(super) fn new(what: String, profile: &str, session: String, config: &SdkConfig) -> Self {
        let mut provider = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_behavior_version(config.behavior_version())
            .with_time_source(config.time_source().unwrap_or_default())
            .with_use_fips(config.use_fips())
            .with_use_dual_stack(config.use_dual_stack());
        if let Some(http_client) = config.http_client() {
            provider = provider.with_http_client(http_client);
        }
        let builder = LoginCredentialsProvider::builder(session);
        Self {
            what,
            profile: profile.to_owned(),
            provider: builder.configure(&provider).build(),
        }
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        let credentials = transport::unlogged(self.provider.provide_credentials());
        credentials.await.map_err(|error| self.explain(error))
    }

    fn explain(&self, error: CredentialsError) -> Error {
        let kind = match &error {
            CredentialsError::ProviderTimedOut(_) => ErrorKind::Unreachable,
            CredentialsError::InvalidConfiguration(_) => ErrorKind::InvalidConfig,
            // aws-config has no variant for a login that is missing, expired or refused.
            _ => ErrorKind::SignInRequired,
        };
        let message = format!(
            "no credentials from {}: sign in with `aws login --profile {}`",
            self.what, self.profile
        );
        if let Some(ours) = Error::find_in(&error) {
            return ours.clone();
        }
        Error::new(kind, message).with_source(SdkFailure::of_provider(error))
    }
}

impl CredentialProvider for LoginSession {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.credentials())
    }

    fn step(&self) -> String {
        self.what.clone()
    }

    fn limit(&self) -> Duration {
        LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// aws-config's provider reads the home directory of the process, whatever the manager was given.
    #[tokio::test]
    async fn given_variables_never_lead_to_the_login_of_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let config = "[profile p]\nlogin_session = arn:aws:iam::111122223333:user/me\n";
        std::fs::write(dir.path().join("config"), config).unwrap();
        let bsm = crate::BotoSesManager::builder()
            .profile_name("p")
            .config_file(dir.path().join("config"))
            .shared_credentials_file(dir.path().join("credentials"))
            .environment([("HOME", "/nowhere")])
            .build();
        let error = bsm.credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{error}");
        assert!(
            error
                .to_string()
                .starts_with("there are no credentials from"),
            "{error}"
        );
    }

    #[test]
    fn a_login_that_never_answers_is_given_up_after_a_minute() {
        let config = SdkConfig::builder().build();
        let login = LoginSession::new("a login".to_owned(), "p", "session".to_owned(), &config);
        assert_eq!(login.limit(), Duration::from_secs(60));
    }
}
