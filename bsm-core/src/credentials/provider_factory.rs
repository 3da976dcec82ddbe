//! The providers of credentials, created from resolved settings.
//!
//! None is aws-config's, which read the settings of the process.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::assume_role::AssumedRole;
use super::cli_cache::{CachedRole, CachedSso, Store};
use super::container::Container;
use super::imds::Instance;
#[cfg(feature = "login")]
use super::login_session::{LoginFile, LoginSession};
use super::mfa::TokenCodes;
use super::process::{CredentialProcess, Streams};
use super::provider::SharedProvider;
use super::reloaded_keys::{ProfileKeys, ReloadedKeys};
use super::role_request::RoleRequest;
use super::sso::{SsoRole, SsoSession, SsoTokenProvider, sso_config};
use super::web_identity::WebIdentityRole;
use super::{Observer, Refresher};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::profile::{BaseProvider, ChainedRole, File, Profile, ProfileChain, Sso};
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
    /// The session in the words of the log.
    pub(crate) session: String,
    pub(crate) environment: &'a Environment,
    pub(crate) mfa: Option<&'a TokenCodes>,
    pub(crate) cli_cache: Option<Store>,
    pub(crate) process_streams: Streams,
    pub(crate) process_timeout: Duration,
    pub(crate) process_variables: &'a [(String, String)],
    pub(crate) time_source: SharedTimeSource,
    pub(crate) reload_static_keys: bool,
    pub(crate) config: &'a SdkConfig,
    /// The configuration of requests to STS.
    pub(crate) sts: &'a SdkConfig,
    /// The profile whose settings apply.
    pub(crate) profile: &'a Profile,
    /// Whether the user chose the number of attempts.
    pub(crate) are_retries_set: bool,
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
            // A cache for each role of the chain: those below are not assumed at each refresh.
            parent: &Refresher::new(
                source,
                self.time_source.clone(),
                Observer::of_session(self.session.clone()),
            ),
            sts: self.sts,
            mfa: self.mfa,
            cli_cache: self.cli_cache.clone(),
        };
        assumed_role(role.into(), &context).map_err(|error| {
            // The parameters come from a profile, not from the program, so the kind changes.
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
            BaseProvider::Sso(sso) => self.sso(sso)?,
            BaseProvider::Login { profile, session } => self.login(what, &profile, &session)?,
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
            // A `credential_source` without credentials is an error: no other source replaces it.
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
        // The region is optional: the settings of an instance must not fail a container's session.
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
    fn sso(&self, sso: Sso) -> Result<SharedProvider, Error> {
        // Not `sts`, whose time limits are those of fewer attempts.
        let config = sso_config(self.config, &sso.region, self.are_retries_set);
        let login = SsoTokenProvider::new(
            SsoSession::from(&sso),
            Some(sso.profile.clone()),
            self.environment.home(),
            config.clone(),
        )?;
        let provider: SharedProvider = Arc::new(SsoRole::new(sso.clone(), login, config));
        Ok(match self.cli_cache.clone() {
            None => provider,
            Some(store) => Arc::new(CachedSso::new(
                provider,
                &sso,
                store,
                self.time_source.clone(),
            )),
        })
    }

    #[cfg(feature = "login")]
    fn login(&self, what: String, profile: &str, session: &str) -> Result<SharedProvider, Error> {
        let Some(file) = LoginFile::of(self.environment, session) else {
            return Err(unavailable(&what));
        };
        // Not `sts`, whose time limits are those of fewer attempts.
        let login = LoginSession::new(what, profile, file, self.config);
        Ok(Arc::new(login))
    }

    #[cfg(not(feature = "login"))]
    #[expect(clippy::unused_self, reason = "the signature is that of the feature")]
    fn login(&self, _: String, profile: &str, _: &str) -> Result<SharedProvider, Error> {
        Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "profile {profile:?} has a login_session, but this program was built without the \
                 feature `login` of bsm-core: enable it"
            ),
        ))
    }
}

fn unavailable(what: &str) -> Error {
    let message = format!("there are no credentials from {what} here");
    Error::new(ErrorKind::CredentialsUnavailable, message)
}
