//! Where credentials come from in the first place.
//!
//! SSO, login sessions, containers and instances are aws-config's; the rest is our own.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::credentials::SsoCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::{
    self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};

use super::cli_cache::CachedSso;
use super::process::CredentialProcess;
use super::role::{AssumedRole, Means};
use super::web_identity::WebIdentityRole;
use super::{Refresher, Supply};
use crate::error::{Error, ErrorKind};
use crate::profile::{Plan, RoleLink, Source, Sso};
use crate::session::settings::{Settings, behavior_version};
use crate::transport::SdkFailure;
use crate::validation;

/// Makes the sources that plans name, and the role links on top of them.
pub(crate) struct Sources<'a> {
    pub(crate) settings: &'a Settings,
    /// How STS is reached.
    pub(crate) sts: &'a SdkConfig,
}

impl Sources<'_> {
    pub(crate) fn of_plan(&self, plan: Plan) -> Result<Supply, Error> {
        let source = self.of_source(plan.source)?;
        plan.roles
            .into_iter()
            .try_fold(source, |source, role| self.assumed(source, role))
    }

    fn assumed(&self, source: Supply, role: RoleLink) -> Result<Supply, Error> {
        let profile = role.profile.clone();
        let means = Means {
            parent: &Refresher::new(source, self.settings.time_source()),
            sts: self.sts,
            mfa: self.settings.mfa.as_ref(),
            cli_cache: self.settings.cli_cache(),
        };
        AssumedRole::supply(role.into(), &means).map_err(|error| {
            let message = format!("profile {profile:?} cannot be used: {error}");
            Error::new(ErrorKind::InvalidConfig, message)
        })
    }

    fn of_source(&self, source: Source) -> Result<Supply, Error> {
        let is_role = matches!(source, Source::WebIdentity(_) | Source::Sso(_));
        let provider = self.provider_of(source)?;
        Ok(match is_role {
            true => Supply::of_role(provider),
            false => provider.into(),
        })
    }

    fn provider_of(&self, source: Source) -> Result<SharedCredentialsProvider, Error> {
        let what = source.to_string();
        Ok(match source {
            Source::Keys { keys, profile, .. } => {
                validation::check(&keys, &validation::Names::of_profile(&profile))?;
                SharedCredentialsProvider::new(keys)
            }
            Source::WebIdentity(identity) => {
                SharedCredentialsProvider::new(WebIdentityRole::new(identity, self.sts)?)
            }
            Source::Sso(sso) => self.cached_sso(what, sso),
            Source::Login { profile, session } => self.login(what, &profile, session)?,
            Source::Process {
                profile,
                command,
                account_id,
            } => {
                let streams = self.settings.process_streams;
                let process = CredentialProcess::new(profile, command, account_id, streams);
                SharedCredentialsProvider::new(process)
            }
            Source::Environment => match self.settings.ambient.keys()? {
                Some(keys) => SharedCredentialsProvider::new(keys),
                None => return Err(unavailable(&what)),
            },
            Source::EcsContainer | Source::Ec2InstanceMetadata
                if self.settings.ambient.environment.is_some() =>
            {
                // A given environment has neither.
                return Err(unavailable(&what));
            }
            Source::EcsContainer => {
                self.settings.ambient.check_container()?;
                Explained::shared(what, "does the task have a role?".into(), self.ecs())
            }
            Source::Ec2InstanceMetadata => {
                self.settings.ambient.check_metadata_service()?;
                Explained::shared(what, "does the instance have a role?".into(), self.imds())
            }
        })
    }

    /// The end of the default chain: what a container, a function or an instance is given.
    ///
    /// An environment that was given in place of the process's own has none of these.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if a variable that says where they are is not a URL.
    pub(crate) fn of_the_machine(&self) -> Result<Option<SharedCredentialsProvider>, Error> {
        if self.settings.ambient.environment.is_some() {
            return Ok(None);
        }
        self.settings.ambient.check_container()?;
        self.settings.ambient.check_metadata_service()?;
        let chain = CredentialsProviderChain::first_try("EcsContainer", self.ecs())
            .or_else("Ec2InstanceMetadata", self.imds());
        Ok(Some(SharedCredentialsProvider::new(chain)))
    }

    /// SSO, behind the AWS CLI's cache if that is to be used.
    fn cached_sso(&self, what: String, sso: Sso) -> SharedCredentialsProvider {
        let advice = format!("sign in with `aws sso login --profile {}`", sso.profile);
        let provider = Explained::shared(what, advice, self.sso(sso.clone()));
        match self.settings.cli_cache() {
            None => provider,
            Some(store) => SharedCredentialsProvider::new(CachedSso::new(
                provider,
                &sso,
                store,
                self.settings.time_source(),
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
    fn login(
        &self,
        what: String,
        profile: &str,
        session: String,
    ) -> Result<SharedCredentialsProvider, Error> {
        let provider = aws_config::login::LoginCredentialsProvider::builder(session)
            .configure(&self.provider_config())
            .build();
        let advice = format!("sign in with `aws login --profile {profile}`");
        Ok(Explained::shared(what, advice, provider))
    }

    #[cfg(not(feature = "login"))]
    #[expect(clippy::unused_self, reason = "the signature is that of the feature")]
    fn login(
        &self,
        _: String,
        profile: &str,
        _: String,
    ) -> Result<SharedCredentialsProvider, Error> {
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
            .with_behavior_version(Some(behavior_version()))
            .with_time_source(self.settings.time_source());
        match self.sts.http_client() {
            Some(http_client) => config.with_http_client(http_client),
            None => config,
        }
    }
}

/// A source of aws-config, whose errors say which of our sources failed, and what to do.
#[derive(Debug)]
struct Explained<P> {
    what: String,
    advice: String,
    source: P,
}

impl<P: ProvideCredentials + 'static> Explained<P> {
    fn shared(what: String, advice: String, source: P) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Self {
            what,
            advice,
            source,
        })
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

impl<P: ProvideCredentials + 'static> ProvideCredentials for Explained<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let credentials = self.source.provide_credentials().await;
            provider::Result::Ok(credentials.map_err(|error| self.explain(error))?)
        })
    }
}

fn unavailable(what: &str) -> Error {
    let message = format!("there are no credentials from {what} here");
    Error::new(ErrorKind::CredentialsUnavailable, message)
}
