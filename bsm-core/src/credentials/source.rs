//! Where credentials come from in the first place.
//!
//! Everything but the role links is aws-config's own.

use aws_config::credential_process::CredentialProcessProvider;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::credentials::SsoCredentialsProvider;
use aws_config::web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::cli_cache::CachedSso;
use super::role::{AssumedRole, Means};
use super::{Refresher, Supply};
use crate::error::{Error, ErrorKind};
use crate::profile::{Plan, RoleLink, Source, Sso};
use crate::settings::{Settings, behavior_version};

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
        AssumedRole::supply(role.into(), &means)
            .map_err(|error| Error::new(error.kind(), format!("profile {profile:?}: {error}")))
    }

    pub(crate) fn of_source(&self, source: Source) -> Result<Supply, Error> {
        let is_role = matches!(source, Source::WebIdentity { .. } | Source::Sso(_));
        let provider = self.provider_of(source)?;
        Ok(match is_role {
            true => Supply::of_role(provider),
            false => provider.into(),
        })
    }

    fn provider_of(&self, source: Source) -> Result<SharedCredentialsProvider, Error> {
        Ok(match source {
            Source::Keys(keys) => SharedCredentialsProvider::new(keys),
            Source::WebIdentity {
                role_arn,
                token_file,
                session_name,
            } => self.web_identity(role_arn, token_file, session_name),
            Source::Sso(sso) => self.sso(sso),
            Source::Process(command) => {
                SharedCredentialsProvider::new(CredentialProcessProvider::new(command))
            }
            Source::Environment => match environment_keys(self.settings)? {
                Some(keys) => SharedCredentialsProvider::new(keys),
                None => {
                    return Err(Error::new(
                        ErrorKind::NoCredentials,
                        "the profile's credential_source is Environment, but AWS_ACCESS_KEY_ID is \
                         not set",
                    ));
                }
            },
            Source::Ec2InstanceMetadata => SharedCredentialsProvider::new(self.imds()),
            Source::EcsContainer => SharedCredentialsProvider::new(self.ecs()),
        })
    }

    /// The end of the default chain: what a container, a function or an instance is given.
    ///
    /// An environment that was given in place of the process's own has none of these.
    pub(crate) fn of_the_machine(&self) -> Option<SharedCredentialsProvider> {
        if self.settings.ambient.environment.is_some() {
            return None;
        }
        let chain = CredentialsProviderChain::first_try("EcsContainer", self.ecs())
            .or_else("Ec2InstanceMetadata", self.imds());
        Some(SharedCredentialsProvider::new(chain))
    }

    fn web_identity(
        &self,
        role_arn: String,
        token_file: String,
        session_name: Option<String>,
    ) -> SharedCredentialsProvider {
        let provider = WebIdentityTokenCredentialsProvider::builder()
            .configure(&self.provider_config())
            .static_configuration(StaticConfiguration {
                web_identity_token_file: token_file.into(),
                role_arn,
                session_name: session_name.unwrap_or_else(|| "bsm-session".to_owned()),
            })
            .build();
        SharedCredentialsProvider::new(provider)
    }

    fn sso(&self, sso: Sso) -> SharedCredentialsProvider {
        match self.settings.cli_cache() {
            None => self.sso_itself(sso),
            Some(store) => SharedCredentialsProvider::new(CachedSso::new(
                self.sso_itself(sso.clone()),
                &sso,
                store,
                self.settings.time_source(),
            )),
        }
    }

    fn sso_itself(&self, sso: Sso) -> SharedCredentialsProvider {
        let mut builder = SsoCredentialsProvider::builder()
            .configure(&self.provider_config())
            .account_id(sso.account_id)
            .role_name(sso.role_name)
            .start_url(sso.start_url)
            .region(Region::new(sso.region));
        builder.set_session_name(sso.session_name);
        SharedCredentialsProvider::new(builder.build())
    }

    fn ecs(&self) -> impl ProvideCredentials + use<> {
        EcsCredentialsProvider::builder()
            .configure(&self.provider_config())
            .build()
    }

    fn imds(&self) -> impl ProvideCredentials + use<> {
        ImdsCredentialsProvider::builder()
            .configure(&self.provider_config())
            .build()
    }

    pub(crate) fn provider_config(&self) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(self.sts.region().cloned())
            .with_behavior_version(Some(behavior_version()))
            .with_http_client(self.settings.http_client())
            .with_time_source(self.settings.time_source())
    }
}

/// The keys in the environment; half a pair is an error.
pub(crate) fn environment_keys(settings: &Settings) -> Result<Option<Credentials>, Error> {
    let var = |name| settings.ambient.var(name);
    let half = |given: &str, missing: &str| {
        Err(Error::new(
            ErrorKind::InvalidConfig,
            format!("{given} is set, but {missing} is not: set both or neither"),
        ))
    };
    match (var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY")) {
        (None, None) => Ok(None),
        (Some(_), None) => half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        // botocore looks at the id alone.
        (None, Some(_)) => Ok(None),
        (Some(id), Some(secret)) => {
            let mut keys = Credentials::builder()
                .access_key_id(id)
                .secret_access_key(secret)
                .provider_name("environment");
            keys.set_session_token(var("AWS_SESSION_TOKEN").or_else(|| var("AWS_SECURITY_TOKEN")));
            Ok(Some(keys.build()))
        }
    }
}

/// The web identity that the environment names, as EKS does.
pub(crate) fn environment_web_identity(settings: &Settings) -> Option<Source> {
    let var = |name| settings.ambient.var(name);
    Some(Source::WebIdentity {
        role_arn: var("AWS_ROLE_ARN")?,
        token_file: var("AWS_WEB_IDENTITY_TOKEN_FILE")?,
        session_name: var("AWS_ROLE_SESSION_NAME"),
    })
}
