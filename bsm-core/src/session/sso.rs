//! The login of a session: what a sign-in has to know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_config::SdkConfig;

use super::{Explicit, Session, no_session, resolution, sdk_config};
use crate::credentials::sso::{SsoSession, sso_config};
use crate::environment::{Environment, WebIdentityVariables};
use crate::error::{Error, ErrorKind};
use crate::profile::{BaseProvider, Profile, ProfileChain, Profiles, check_sso_region};

/// What a client is registered for if the section does not say, as in the AWS CLI.
const DEFAULT_SCOPE: &str = "sso:account:access";

/// A login, and how requests about it are sent.
pub(crate) struct SsoAccess {
    pub(crate) session: SsoSession,
    /// The profile that led to the login, if none was named.
    pub(crate) profile: Option<String>,
    /// Empty for profiles of the older form, whose clients are registered without any.
    pub(crate) scopes: Vec<String>,
    /// The home directory, below which the AWS CLI keeps logins.
    pub(crate) home: PathBuf,
    /// The configuration of requests to Identity Center.
    pub(crate) config: SdkConfig,
    /// Whether a browser can be opened here.
    pub(crate) has_display: bool,
}

impl Session {
    /// Returns the login of an `sso-session` section, or else that of the profile.
    pub(crate) async fn sso_access(&self, name: Option<&str>) -> Result<SsoAccess, Error> {
        if matches!(self.explicit, Some(Explicit::NoSession)) {
            return Err(no_session());
        }
        let settings = &self.settings;
        let profiles = Profiles::load_blocking(&settings.environment).await?;
        // A sign-in that names its sso-session needs no profile: one that the environment names
        // need not exist.
        let profile = resolution::profile(settings, &profiles, name.is_some())?;
        let session = match name {
            Some(name) => of_section(&profiles, name)?,
            None => of_profile(&profiles, &profile)?,
        };
        let home = settings.environment.home().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidConfig,
                "there is no home directory, where the AWS CLI keeps logins: set HOME",
            )
        })?;
        let config = sdk_config::load(settings, &profiles, &profile, None).await?;
        let are_retries_set = sdk_config::sets_attempts(settings, &profile);
        Ok(SsoAccess {
            scopes: scopes(&profiles, &session),
            home,
            config: sso_config(&config, &session.region, are_retries_set),
            has_display: has_display(&settings.environment),
            profile: name.is_none().then(|| profile.name().to_owned()),
            session,
        })
    }

    /// Returns the logins that the profile files know, and the home directory, if there is one.
    pub(crate) async fn sso_sessions(&self) -> Result<(Option<PathBuf>, Vec<SsoSession>), Error> {
        let environment = &self.settings.environment;
        let profiles = Profiles::load_blocking(environment).await?;
        // By the name of the token's file: each file is one login.
        let mut sessions = BTreeMap::new();
        for name in profiles.sso_session_names() {
            // An incomplete section has no login.
            if let Ok(session) = of_section(&profiles, name) {
                sessions.insert(name.to_owned(), session);
            }
        }
        for profile in profiles.iter() {
            if let (None, Some(start_url), Some(region)) = (
                profile.get("sso_session"),
                profile.get("sso_start_url"),
                profile.get("sso_region"),
            ) {
                let session = SsoSession {
                    name: None,
                    start_url: start_url.to_owned(),
                    region: region.to_owned(),
                };
                // Profiles of one start URL share a token file.
                sessions.entry(start_url.to_owned()).or_insert(session);
            }
        }
        Ok((environment.home(), sessions.into_values().collect()))
    }
}

/// Returns the login of a profile: of the one at the end of its chain of roles, or the one that it names
/// for bearer tokens.
fn of_profile(profiles: &Profiles, profile: &Profile) -> Result<SsoSession, Error> {
    // The web identity of the environment is no login, and must not hide one.
    let chain = ProfileChain::resolve(profiles, profile, &WebIdentityVariables::default())?;
    if let Some(BaseProvider::Sso(sso)) = chain.map(|chain| chain.base) {
        return Ok(SsoSession::from(&sso));
    }
    match profile.get("sso_session") {
        Some(name) => of_section(profiles, name),
        None => Err(invalid(format!(
            "profile {:?} has no login of IAM Identity Center: name a profile with an sso_session, or the \
             sso-session itself",
            profile.name()
        ))),
    }
}

fn of_section(profiles: &Profiles, name: &str) -> Result<SsoSession, Error> {
    let section = profiles.sso_session(name).ok_or_else(|| {
        invalid(format!(
            "there is no sso-session {name:?}: add a section [sso-session {name}] to the config file"
        ))
    })?;
    let setting = |key: &str| {
        let text = section.get(key).and_then(|value| value.text());
        let text = text.filter(|text| !text.is_empty()).map(str::to_owned);
        text.ok_or_else(|| invalid(format!("the sso-session {name:?} has no {key}: add it")))
    };
    let region = setting("sso_region")?;
    check_sso_region(&region, &format!("sso-session {name:?}"))?;
    Ok(SsoSession {
        name: Some(name.to_owned()),
        start_url: setting("sso_start_url")?,
        region,
    })
}

fn scopes(profiles: &Profiles, session: &SsoSession) -> Vec<String> {
    let Some(name) = &session.name else {
        return Vec::new();
    };
    let section = profiles.sso_session(name);
    let scopes = section.and_then(|section| section.get("sso_registration_scopes")?.text());
    let scopes = scopes.unwrap_or(DEFAULT_SCOPE).split(',').map(str::trim);
    let scopes = scopes.filter(|scope| !scope.is_empty());
    scopes.map(str::to_owned).collect()
}

/// Whether a browser can be opened: not on a machine that the user has reached by SSH.
fn has_display(environment: &Environment) -> bool {
    let is_set = |name: &str| environment.var(name).is_some();
    if is_set("SSH_CONNECTION") || is_set("SSH_TTY") {
        return false;
    }
    let is_unix_desktop = cfg!(unix) && !cfg!(target_os = "macos");
    // Under WSL, the browser is that of Windows.
    let is_wsl = is_set("WSL_DISTRO_NAME");
    !is_unix_desktop || is_wsl || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

#[cfg(test)]
mod tests {
    use aws_types::os_shim_internal::Env;

    use super::*;
    use crate::session::settings::Settings;

    #[tokio::test]
    async fn a_login_is_never_sent_to_a_host_that_its_region_makes_up() {
        let dir = tempfile::tempdir().unwrap();
        let session = |profile: &str, region: &str| {
            let config = format!(
                "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = {region}\n\
                 [profile new]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = R\n\
                 [profile bearer]\nsso_session = corp\n\
                 [profile old]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = {region}\n\
                 sso_account_id = 111122223333\nsso_role_name = R\n"
            );
            std::fs::write(dir.path().join("config"), config).unwrap();
            let environment = Environment {
                variables: Some(Env::from_slice(&[
                    ("HOME", "home"),
                    ("USERPROFILE", "home"),
                ])),
                config_file: Some(dir.path().join("config")),
                shared_credentials_file: Some(dir.path().join("credentials")),
                ..Environment::default()
            };
            let settings = Settings {
                profile_name: Some(profile.to_owned()),
                environment,
                ..Settings::default()
            };
            Session::new(None, settings)
        };
        for profile in ["new", "bearer", "old"] {
            let accepted = session(profile, "eu-west-1")
                .sso_access(None)
                .await
                .unwrap();
            assert_eq!(accepted.session.region, "eu-west-1");
            for region in [
                "eu-west-1.example.com",
                "example.com/",
                "me@example.com",
                "eu_west_1",
                "x:80",
            ] {
                let refused = session(profile, region).sso_access(None).await;
                let error = refused.err().expect("it is refused");
                assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{profile} {region}");
                let message = error.to_string();
                assert!(message.starts_with("sso_region of "), "{message}");
                if profile != "bearer" {
                    let resolved = session(profile, region).resolved().await;
                    let error = resolved.err().expect("it is refused");
                    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{profile} {region}");
                }
            }
        }
    }
}
