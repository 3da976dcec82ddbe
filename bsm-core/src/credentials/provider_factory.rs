//! The providers of credentials, created from resolved settings.
//!
//! Those for SSO, login sessions, containers and instances are aws-config's; the others are this
//! crate's own.

use std::sync::Arc;
use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::credentials::SsoCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_smithy_async::time::SharedTimeSource;
use futures_core::future::BoxFuture;

use super::Refresher;
use super::assume_role::AssumedRole;
use super::cli_cache::{CachedRole, CachedSso, Store};
use super::mfa::TokenCodes;
use super::process::{CredentialProcess, Streams};
use super::provider::{CredentialProvider, SharedProvider};
use super::role_request::RoleRequest;
use super::web_identity::WebIdentityRole;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::profile::{BaseProvider, ChainedRole, ProfileChain, Sso};
use crate::transport::{self, SdkFailure};
use crate::validation;

/// Whose credentials a role is assumed with, and how.
#[derive(Clone, Debug)]
pub(crate) struct AssumeRoleContext<'a> {
    pub(crate) parent: &'a Refresher,
    /// The configuration of requests to STS.
    pub(crate) sts: &'a SdkConfig,
    pub(crate) mfa: Option<&'a TokenCodes>,
    pub(crate) cli_cache: Option<Store>,
}

/// Returns the source of a role's credentials, behind the AWS CLI's cache if that is enabled.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] for parameters that STS would reject.
pub(crate) fn assumed_role(
    request: RoleRequest,
    context: &AssumeRoleContext<'_>,
) -> Result<SharedProvider, Error> {
    request.check(context.parent.is_role())?;
    let role = AssumedRole::new(request, context.parent, context.sts, context.mfa);
    Ok(match &context.cli_cache {
        Some(store) => Arc::new(CachedRole::new(role, store.clone())),
        None => Arc::new(role),
    })
}

/// Creates the providers that profile chains name, and the roles on top of them.
pub(crate) struct ProviderFactory<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) mfa: Option<&'a TokenCodes>,
    pub(crate) cli_cache: Option<Store>,
    pub(crate) process_streams: Streams,
    pub(crate) process_timeout: Duration,
    pub(crate) process_variables: &'a [(String, String)],
    pub(crate) time_source: SharedTimeSource,
    /// The configuration of requests to STS.
    pub(crate) sts: &'a SdkConfig,
}

impl ProviderFactory<'_> {
    pub(crate) fn for_chain(&self, chain: ProfileChain) -> Result<SharedProvider, Error> {
        let base = self.provider_of(chain.base)?;
        chain
            .roles
            .into_iter()
            .try_fold(base, |source, role| self.assumed(source, role))
    }

    fn assumed(&self, source: SharedProvider, role: ChainedRole) -> Result<SharedProvider, Error> {
        let profile = role.profile.clone();
        let context = AssumeRoleContext {
            parent: &Refresher::new(source, self.time_source.clone()),
            sts: self.sts,
            mfa: self.mfa,
            cli_cache: self.cli_cache.clone(),
        };
        assumed_role(role.into(), &context).map_err(|error| {
            let message = format!("profile {profile:?} cannot be used: {error}");
            Error::new(ErrorKind::InvalidConfig, message)
        })
    }

    fn provider_of(&self, base: BaseProvider) -> Result<SharedProvider, Error> {
        let what = base.to_string();
        Ok(match base {
            BaseProvider::Keys { keys, profile, .. } => {
                validation::check(&keys, &validation::KeySettingNames::of_profile(&profile))?;
                Arc::new(keys)
            }
            BaseProvider::WebIdentity(identity) => {
                Arc::new(WebIdentityRole::new(identity, self.sts)?)
            }
            BaseProvider::Sso(sso) => self.cached_sso(what, sso),
            BaseProvider::Login { profile, session } => self.login(what, &profile, session)?,
            BaseProvider::Process {
                profile,
                command,
                account_id,
            } => {
                if let Some(account) = &account_id {
                    validation::KeySettingNames::of_profile(&profile).check_account(account)?;
                }
                let streams = self.process_streams;
                let process = CredentialProcess::new(
                    profile,
                    command,
                    account_id,
                    streams,
                    self.process_timeout,
                );
                let variables = self.process_variables.to_vec();
                Arc::new(process.with_variables(variables))
            }
            BaseProvider::Environment => match self.environment.keys()? {
                Some(keys) => Arc::new(keys),
                None => return Err(unavailable(&what)),
            },
            BaseProvider::EcsContainer | BaseProvider::Ec2InstanceMetadata
                if !self.environment.is_process() =>
            {
                // Given variables have neither: a test must not reach the machine it runs on.
                return Err(unavailable(&what));
            }
            BaseProvider::EcsContainer => {
                self.environment.check_container()?;
                WithContext::shared(what, "does the task have a role?".into(), self.ecs())
            }
            BaseProvider::Ec2InstanceMetadata => {
                self.environment.check_metadata_service()?;
                WithContext::shared(what, "does the instance have a role?".into(), self.imds())
            }
        })
    }

    /// Returns the end of the default chain: the provider of a container, a function or an
    /// instance.
    ///
    /// Variables that were given in place of the process's own have none of these.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if a variable that says where they are is not a URL.
    pub(crate) fn container_or_instance(&self) -> Result<Option<SharedProvider>, Error> {
        if !self.environment.is_process() {
            return Ok(None);
        }
        self.environment.check_container()?;
        self.environment.check_metadata_service()?;
        Ok(Some(Arc::new(ContainerOrInstance {
            container: self.ecs(),
            instance: self.imds(),
        })))
    }

    /// Returns the SSO provider, behind the AWS CLI's cache if that is enabled.
    fn cached_sso(&self, what: String, sso: Sso) -> SharedProvider {
        let advice = format!("sign in with `aws sso login --profile {}`", sso.profile);
        let provider: SharedProvider = Arc::new(WithContext {
            is_role: true,
            ..WithContext::new(what, advice, self.sso(sso.clone()))
        });
        match self.cli_cache.clone() {
            None => provider,
            Some(store) => Arc::new(CachedSso::new(
                provider,
                &sso,
                store,
                self.time_source.clone(),
            )),
        }
    }

    fn sso(&self, sso: Sso) -> SsoCredentialsProvider {
        let mut builder = SsoCredentialsProvider::builder()
            .configure(&self.provider_config())
            .account_id(sso.account_id)
            .role_name(sso.role_name)
            .start_url(sso.start_url)
            .region(Region::new(sso.region));
        builder.set_session_name(sso.session_name);
        builder.build()
    }

    #[cfg(feature = "login")]
    fn login(&self, what: String, profile: &str, session: String) -> Result<SharedProvider, Error> {
        let provider = aws_config::login::LoginCredentialsProvider::builder(session)
            .configure(&self.provider_config())
            .build();
        let advice = format!("sign in with `aws login --profile {profile}`");
        Ok(WithContext::shared(what, advice, provider))
    }

    #[cfg(not(feature = "login"))]
    #[expect(clippy::unused_self, reason = "the signature is that of the feature")]
    fn login(&self, _: String, profile: &str, _: String) -> Result<SharedProvider, Error> {
        Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "profile {profile:?} has a login_session, which this program was built without: \
                 turn on the feature `login` of bsm-core"
            ),
        ))
    }

    fn ecs(&self) -> EcsCredentialsProvider {
        EcsCredentialsProvider::builder()
            .configure(&self.provider_config())
            .build()
    }

    fn imds(&self) -> ImdsCredentialsProvider {
        ImdsCredentialsProvider::builder()
            .configure(&self.provider_config())
            .build()
    }

    pub(crate) fn provider_config(&self) -> ProviderConfig {
        let config = ProviderConfig::without_region()
            .with_region(self.sts.region().cloned())
            .with_behavior_version(self.sts.behavior_version())
            .with_time_source(self.time_source.clone());
        match self.sts.http_client() {
            Some(http_client) => config.with_http_client(http_client),
            None => config,
        }
    }
}

/// The time limit of a provider of aws-config, which can make several requests with retries.
const LIMIT: Duration = Duration::from_secs(60);

/// The provider of the container, or of the instance if there is no container.
///
/// The chain of aws-config does the same, but logs the errors, which quote what an endpoint responded
/// with.
#[derive(Debug)]
struct ContainerOrInstance<C, I> {
    container: C,
    instance: I,
}

impl<C, I> CredentialProvider for ContainerOrInstance<C, I>
where
    C: ProvideCredentials + 'static,
    I: ProvideCredentials + 'static,
{
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(async {
            // The provider of a container logs what the endpoint responded with.
            match transport::unlogged(self.container.provide_credentials()).await {
                Err(CredentialsError::CredentialsNotLoaded(_)) => {
                    tracing::debug!("there is no container: asking the instance for credentials");
                    Ok(self.instance.provide_credentials().await?)
                }
                outcome => Ok(outcome?),
            }
        })
    }

    fn step(&self) -> String {
        "the container or the instance".to_owned()
    }

    fn limit(&self) -> Duration {
        LIMIT
    }
}

/// A provider of aws-config whose errors name the provider, and what to do.
#[derive(Debug)]
struct WithContext<P> {
    what: String,
    advice: String,
    source: P,
    is_role: bool,
}

impl<P: ProvideCredentials + 'static> WithContext<P> {
    fn shared(what: String, advice: String, source: P) -> SharedProvider {
        Arc::new(Self::new(what, advice, source))
    }

    fn new(what: String, advice: String, source: P) -> Self {
        Self {
            what,
            advice,
            source,
            is_role: false,
        }
    }

    fn explain(&self, error: CredentialsError) -> Error {
        let kind = match &error {
            CredentialsError::ProviderTimedOut(_) => ErrorKind::Unreachable,
            CredentialsError::InvalidConfiguration(_) => ErrorKind::InvalidConfig,
            _ => ErrorKind::CredentialsUnavailable,
        };
        let message = format!("no credentials from {}: {}", self.what, self.advice);
        if let Some(ours) = Error::find_in(&error) {
            return ours.clone();
        }
        Error::new(kind, message).with_source(SdkFailure::of_provider(error))
    }
}

impl<P: ProvideCredentials + 'static> CredentialProvider for WithContext<P> {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(async {
            // The provider of a container logs what the endpoint responded with.
            let credentials = transport::unlogged(self.source.provide_credentials());
            credentials.await.map_err(|error| self.explain(error))
        })
    }

    fn step(&self) -> String {
        self.what.clone()
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn is_role(&self) -> bool {
        self.is_role
    }
}

fn unavailable(what: &str) -> Error {
    let message = format!("there are no credentials from {what} here");
    Error::new(ErrorKind::CredentialsUnavailable, message)
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::future;

    use super::*;

    async fn ask<C, I>(container: C, instance: I) -> Result<Credentials, Error>
    where
        C: ProvideCredentials + 'static,
        I: ProvideCredentials + 'static,
    {
        let chain = ContainerOrInstance {
            container,
            instance,
        };
        chain.provide().await
    }

    fn keys(id: &str) -> Credentials {
        Credentials::new(id, "secret", None, None, "test")
    }

    #[derive(Debug)]
    struct Fails(fn() -> CredentialsError);

    impl ProvideCredentials for Fails {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err((self.0)()))
        }
    }

    #[tokio::test]
    async fn the_instance_is_asked_only_if_there_is_no_container() {
        let found = ask(keys("C"), keys("I")).await.unwrap();
        assert_eq!(found.access_key_id(), "C");
        let none = Fails(|| CredentialsError::not_loaded("no container"));
        let found = ask(none, keys("I")).await.unwrap();
        assert_eq!(found.access_key_id(), "I");
        let broken = Fails(|| CredentialsError::provider_error("broken"));
        let error = ask(broken, keys("I")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{error:?}");
    }
}
