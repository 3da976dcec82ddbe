//! The providers of credentials, created from resolved settings.
//!
//! Those for SSO and login sessions are aws-config's; the others are this crate's own.

use std::sync::Arc;
use std::time::Duration;

use aws_config::provider_config::ProviderConfig;
use aws_config::sso::credentials::SsoCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures_core::future::BoxFuture;

use super::Refresher;
use super::assume_role::AssumedRole;
use super::cli_cache::{CachedRole, CachedSso, Store};
use super::container::Container;
use super::imds::Instance;
use super::mfa::TokenCodes;
use super::process::{CredentialProcess, Streams};
use super::provider::{CredentialProvider, SharedProvider};
use super::reloaded_keys::{ProfileKeys, ReloadedKeys};
use super::role_request::RoleRequest;
use super::web_identity::WebIdentityRole;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::profile::{BaseProvider, ChainedRole, File, Profile, ProfileChain, Sso};
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
    pub(crate) reload_static_keys: bool,
    /// The configuration of requests to STS.
    pub(crate) sts: &'a SdkConfig,
    /// The profile whose settings apply.
    pub(crate) profile: &'a Profile,
    /// An HTTP client that uses no proxy.
    pub(crate) direct: SharedHttpClient,
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
            BaseProvider::Keys {
                keys,
                profile,
                file,
            } => {
                validation::check(&keys, &validation::KeySettingNames::of_profile(&profile))?;
                match self.reload_static_keys {
                    true => Arc::new(self.reloaded_keys(profile, file)),
                    false => Arc::new(keys),
                }
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
            BaseProvider::EcsContainer => match self.container()? {
                Some(container) => Arc::new(container),
                None => return Err(unavailable(&what)),
            },
            BaseProvider::Ec2InstanceMetadata => match self.instance()? {
                Some(instance) => Arc::new(instance),
                None => return Err(unavailable(&what)),
            },
        })
    }

    fn reloaded_keys(&self, profile: String, file: File) -> ReloadedKeys {
        let read = ProfileKeys {
            environment: self.environment.clone(),
            profile: profile.clone(),
            file,
        };
        ReloadedKeys::new(profile, read, self.sts.clone())
    }

    /// Returns the end of the default chain: the provider of a container, a function or an
    /// instance. The instance is asked only if there is no container.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if a setting that says where they are cannot be used.
    pub(crate) fn container_or_instance(&self) -> Result<Option<SharedProvider>, Error> {
        if let Some(container) = self.container()? {
            return Ok(Some(Arc::new(container)));
        }
        let instance = self.instance()?;
        Ok(instance.map(|instance| Arc::new(instance) as SharedProvider))
    }

    /// Returns the instance's region; `None` if there is no instance.
    pub(crate) async fn instance_region(&self) -> Option<Region> {
        self.instance().ok()??.region().await
    }

    fn container(&self) -> Result<Option<Container>, Error> {
        Container::from_environment(self.environment, self.sts, self.direct.clone())
    }

    fn instance(&self) -> Result<Option<Instance>, Error> {
        let (environment, profile) = (self.environment, self.profile);
        Instance::from_settings(environment, profile, self.sts, self.direct.clone())
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

    fn provider_config(&self) -> ProviderConfig {
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

/// A provider of aws-config whose errors name the provider, and what to do.
#[derive(Debug)]
struct WithContext<P> {
    what: String,
    advice: String,
    source: P,
    is_role: bool,
}

impl<P: ProvideCredentials + 'static> WithContext<P> {
    #[cfg(feature = "login")]
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
