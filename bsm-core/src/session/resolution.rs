//! What the environment, the profile files and the builder come to: a region and a source.
//!
//! Nothing is sent here, so that a choice can be explained, and compared with botocore's.

use aws_credential_types::Credentials;

use crate::error::{Error, ErrorKind};
use crate::profile::{Plan, Profile, Profiles, Source, WebIdentityVariables, plan};
use crate::session::settings::Settings;
use crate::validation::check_region;

/// What was found out without asking anybody.
pub(crate) struct Resolution {
    pub(crate) profiles: Profiles,
    /// The profile whose settings hold; it is empty if there is none and none was named.
    pub(crate) profile: Profile,
    pub(crate) region: Option<String>,
    pub(crate) chosen: Chosen,
}

/// Where the credentials come from.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// From the builder, which was given them.
    Told,
    Environment(Credentials),
    Plan(Plan),
    /// From the container or the instance that the program runs in.
    Machine,
}

impl Resolution {
    /// Resolves what the settings leave open. `told` says whether they come with credentials.
    pub(crate) fn of(settings: &Settings, told: bool) -> Result<Self, Error> {
        let explicit = settings.profile_name.clone();
        let named = explicit.clone().or_else(|| settings.ambient.profile_name());
        let name = named.as_deref().unwrap_or("default");
        let profiles = settings.ambient.profiles()?;
        // Whoever gives keys need not have the profile that the environment happens to name.
        let profile = match explicit.is_some() || (named.is_some() && !told) {
            true => profiles.require(name)?.clone(),
            false => profiles
                .get(name)
                .cloned()
                .unwrap_or_else(|| Profile::empty(name)),
        };
        if !settings.ignores_configured_endpoints(&profile) {
            profiles.require_services(&profile)?;
        }
        let chosen = match (told, explicit.is_some()) {
            (true, _) => Chosen::Told,
            (false, true) => plan(&profiles, &profile, &WebIdentityVariables::default())?
                .map(Chosen::Plan)
                .ok_or_else(|| without_credentials(name))?,
            (false, false) => Self::choose(settings, &profiles, &profile)?,
        };
        if let Chosen::Plan(plan) = &chosen {
            require_source(&plan.source, settings)?;
        }
        let region = region(settings, &profile);
        tracing::debug!(
            profile = name,
            explicit_profile = explicit.is_some(),
            source = %chosen,
            region,
            "chose the source of the credentials"
        );
        Ok(Self {
            profiles,
            profile,
            region,
            chosen,
        })
    }

    /// Checks the region, naming the setting that it comes from.
    pub(crate) fn check_region(&self, settings: &Settings) -> Result<(), Error> {
        settings.check_region()?;
        if settings.region.is_some() {
            return Ok(());
        }
        if let Some((variable, region)) = settings.ambient.region() {
            return check_region(&region, variable, ErrorKind::InvalidConfig);
        }
        let Some(region) = self.profile.get("region") else {
            return Ok(());
        };
        let setting = format!("region of profile {:?}", self.profile.name());
        check_region(region, &setting, ErrorKind::InvalidConfig)
    }

    /// The default chain.
    fn choose(
        settings: &Settings,
        profiles: &Profiles,
        profile: &Profile,
    ) -> Result<Chosen, Error> {
        if let Some(keys) = settings.ambient.keys()? {
            return Ok(Chosen::Environment(keys));
        }
        let plan = plan(profiles, profile, &settings.ambient.web_identity())?;
        Ok(plan.map_or(Chosen::Machine, Chosen::Plan))
    }
}

/// Checks what can be checked of a `credential_source` without asking anybody.
fn require_source(source: &Source, settings: &Settings) -> Result<(), Error> {
    let why = match source {
        Source::Environment if settings.ambient.keys()?.is_none() => "AWS_ACCESS_KEY_ID is not set",
        Source::EcsContainer if !settings.ambient.has_container() => {
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI are not \
             set"
        }
        _ => return Ok(()),
    };
    let message = format!("the profile's credential_source is {source}, but {why}");
    Err(Error::new(ErrorKind::CredentialsUnavailable, message))
}

fn region(settings: &Settings, profile: &Profile) -> Option<String> {
    let told = settings.region.clone();
    told.or_else(|| Some(settings.ambient.region()?.1))
        .or_else(|| profile.get("region").map(str::to_owned))
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Told => f.write_str("the builder"),
            Self::Environment(_) => f.write_str("environment"),
            Self::Plan(plan) => write!(f, "{plan}"),
            Self::Machine => f.write_str("container or instance"),
        }
    }
}

fn without_credentials(profile: &str) -> Error {
    Error::new(
        ErrorKind::NoCredentials,
        format!(
            "profile {profile:?} has no credentials: give it keys, a role_arn with a \
             source_profile, an sso_session or a credential_process"
        ),
    )
}
