//! The resolution of settings, environment and profile files: a profile, a region, and the origin
//! of the credentials.
//!
//! It sends no request, so that its outcome can be explained to a user, and compared with
//! botocore's.

use std::fmt;

use aws_credential_types::Credentials;

use super::settings::Settings;
use crate::credentials::container;
use crate::credentials::provider::SharedProvider;
use crate::environment::{Environment, WebIdentityVariables};
use crate::error::{Error, ErrorKind};
use crate::profile::{BaseProvider, Profile, ProfileChain, Profiles};
use crate::validation::check_region;

/// Where the credentials of a session come from.
///
/// There is one variant for each answer, and only the default chain can end at the container or the
/// instance: a session with explicit credentials or a named profile cannot fall through to a
/// machine's role.
#[derive(Debug)]
pub(crate) enum CredentialOrigin {
    /// The caller passed them to the builder.
    Explicit(SharedProvider),
    /// `AWS_ACCESS_KEY_ID` and its companions.
    Environment(Credentials),
    Profile(ProfileChain),
    ContainerOrInstance,
}

/// The outcome of a resolution.
pub(crate) struct Resolution {
    pub(crate) profiles: Profiles,
    /// The profile whose settings apply. Empty if it does not exist and was not named.
    pub(crate) profile: Profile,
    pub(crate) region: Option<String>,
    pub(crate) origin: CredentialOrigin,
}

impl Resolution {
    /// Reads the profile files, and resolves what the settings leave open; `explicit` are the
    /// credentials that the builder was given.
    pub(crate) fn new(
        settings: &Settings,
        explicit: Option<SharedProvider>,
    ) -> Result<Self, Error> {
        Self::with(settings, Profiles::load(&settings.environment)?, explicit)
    }

    /// As [`new`](Self::new), with profile files that have been read.
    pub(crate) fn with(
        settings: &Settings,
        profiles: Profiles,
        explicit: Option<SharedProvider>,
    ) -> Result<Self, Error> {
        let environment = &settings.environment;
        let named = settings.profile_name.as_deref();
        let profile = profile(settings, &profiles, explicit.is_some())?;
        // As in botocore, a `services` section that is named has to exist. It does not matter where
        // its endpoints are ignored.
        if !settings.ignores_configured_endpoints(&profile) {
            profiles.require_services(&profile)?;
        }
        let origin = match (explicit, named) {
            (Some(explicit), _) => CredentialOrigin::Explicit(explicit),
            // Keys in the environment do not replace a profile that the program names.
            (None, Some(_)) => of_profile(&profiles, &profile)?,
            (None, None) => default_chain(environment, &profiles, &profile)?,
        };
        if let CredentialOrigin::Profile(chain) = &origin {
            check_base(&chain.base, environment)?;
        }
        let region = region(settings, &profile);
        tracing::debug!(
            profile = profile.name(),
            explicit_profile = named.is_some(),
            origin = %origin,
            region,
            "resolved the origin of the credentials"
        );
        Ok(Self {
            profiles,
            profile,
            region,
            origin,
        })
    }

    /// Checks the region, naming the setting that it comes from.
    pub(crate) fn check_region(&self, settings: &Settings) -> Result<(), Error> {
        settings.check_region()?;
        if settings.region.is_some() {
            return Ok(());
        }
        // The order is that of `region`: only the setting in use is checked.
        if let Some((variable, region)) = settings.environment.region() {
            return check_region(&region, variable, ErrorKind::InvalidConfig);
        }
        let Some(region) = self.profile.get("region") else {
            return Ok(());
        };
        let setting = format!("region of profile {:?}", self.profile.name());
        check_region(region, &setting, ErrorKind::InvalidConfig)
    }
}

/// Returns the profile whose settings apply. Empty if it does not exist and was not named.
///
/// With explicit credentials, a profile that only the environment names need not exist: it contributes
/// settings, but no credentials.
pub(crate) fn profile(
    settings: &Settings,
    profiles: &Profiles,
    has_credentials: bool,
) -> Result<Profile, Error> {
    let named = settings.profile_name.as_deref();
    let ambient = settings.environment.profile_name();
    let name = named.or(ambient.as_deref()).unwrap_or("default");
    let is_required = named.is_some() || (ambient.is_some() && !has_credentials);
    match profiles.get(name) {
        Some(profile) => Ok(profile),
        None if is_required => profiles.require(name),
        None => Ok(Profile::empty(name)),
    }
}

/// Resolves a profile that was named explicitly: the environment's web identity does not apply to
/// it.
fn of_profile(profiles: &Profiles, profile: &Profile) -> Result<CredentialOrigin, Error> {
    ProfileChain::resolve(profiles, profile, &WebIdentityVariables::default())?
        .map(CredentialOrigin::Profile)
        .ok_or_else(|| without_credentials(profile))
}

/// Resolves the default chain in botocore's order: the keys of the environment, the profile's
/// chain, container, instance. The environment's web identity is part of the profile's chain: it
/// comes after a role of the profile, and before its other providers.
fn default_chain(
    environment: &Environment,
    profiles: &Profiles,
    profile: &Profile,
) -> Result<CredentialOrigin, Error> {
    if let Some(keys) = environment.keys()? {
        return Ok(CredentialOrigin::Environment(keys));
    }
    let chain = ProfileChain::resolve(profiles, profile, &environment.web_identity())?;
    Ok(chain.map_or(
        CredentialOrigin::ContainerOrInstance,
        CredentialOrigin::Profile,
    ))
}

/// Checks what can be checked of a `credential_source` without a request.
fn check_base(base: &BaseProvider, environment: &Environment) -> Result<(), Error> {
    let why = match base {
        BaseProvider::Environment if environment.keys()?.is_none() => {
            "AWS_ACCESS_KEY_ID is not set"
        }
        BaseProvider::EcsContainer if !container::is_configured(environment) => {
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI are not \
             set"
        }
        _ => return Ok(()),
    };
    let message = format!("the profile's credential_source is {base}, but {why}");
    Err(Error::new(ErrorKind::CredentialsUnavailable, message))
}

fn region(settings: &Settings, profile: &Profile) -> Option<String> {
    let explicit = settings.region.clone();
    explicit
        .or_else(|| Some(settings.environment.region()?.1))
        .or_else(|| profile.get("region").map(str::to_owned))
}

impl CredentialOrigin {
    /// Returns the ARN of the role that STS is asked for.
    pub(crate) fn role_arn(&self) -> Option<&str> {
        match self {
            Self::Profile(chain) => chain.role_arn(),
            _ => None,
        }
    }
}

impl fmt::Display for CredentialOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit(_) => f.write_str("the builder"),
            Self::Environment(_) => f.write_str("environment"),
            Self::Profile(chain) => write!(f, "{chain}"),
            Self::ContainerOrInstance => f.write_str("container or instance"),
        }
    }
}

fn without_credentials(profile: &Profile) -> Error {
    Error::new(
        ErrorKind::NoCredentials,
        format!("profile {:?} {}", profile.name(), profile.what_is_missing()),
    )
}
