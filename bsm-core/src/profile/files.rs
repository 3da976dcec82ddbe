//! The profile files, read once and put together as botocore does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use super::ini::{self, Section, Value};
use super::shlex;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};

/// The settings that are credentials.
const KEYS: [&str; 4] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
];

/// The contents of the config file and the credentials file.
#[derive(Clone, Default)]
pub(crate) struct Profiles {
    profiles: BTreeMap<String, Profile>,
    sso_sessions: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
    searched: Vec<PathBuf>,
}

/// One profile. The credentials file takes precedence over the config file.
#[derive(Clone)]
pub(crate) struct Profile {
    name: String,
    config: Section,
    credentials: Section,
}

/// The settings of one profile, without its keys: a session keeps them for as long as it lives.
pub(crate) struct SettingsWithoutKeys {
    profile: Box<str>,
    settings: Box<[(Box<str>, Box<str>)]>,
}

/// A `services` section: settings of single services.
pub(crate) struct Services(Section);

/// One of the two profile files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Config,
    Credentials,
}

impl Profiles {
    /// Reads the profile files of an environment. A file that does not exist counts as empty.
    pub(crate) fn load(environment: &Environment) -> Result<Self, Error> {
        Self::read(environment.config_file(), environment.credentials_file())
    }

    /// Reads both files. A file that does not exist counts as empty.
    pub(crate) fn read(
        config: Option<PathBuf>,
        credentials: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let mut profiles = Self::default();
        if let Some(path) = config {
            profiles.add_config(parse(&path)?);
            profiles.searched.push(path);
        }
        if let Some(path) = credentials {
            profiles.add_credentials(parse(&path)?);
            profiles.searched.push(path);
        }
        let names: Vec<_> = profiles.names().collect();
        tracing::debug!(profiles = ?names, "read the profile files");
        Ok(profiles)
    }

    fn add_config(&mut self, sections: Vec<(String, Section)>) {
        for (title, section) in sections {
            if title == "default" {
                self.add_profile(title, section);
                continue;
            }
            // botocore ignores sections with other titles, and so must this parser: other tools
            // keep theirs here.
            let Some(Ok([_, name])) = shlex::split(&title).map(<[String; 2]>::try_from) else {
                continue;
            };
            if title.starts_with("profile") {
                self.add_profile(name, section);
            } else if title.starts_with("sso-session") {
                self.sso_sessions.insert(name, section);
            } else if title.starts_with("services") {
                self.services.insert(name, section);
            }
        }
    }

    // botocore does not merge sections within a file: `[profile "a"]` replaces an earlier `[profile
    // a]`.
    fn add_profile(&mut self, name: String, config: Section) {
        let profile = Profile {
            config,
            ..Profile::empty(&name)
        };
        self.profiles.insert(name, profile);
    }

    fn add_credentials(&mut self, sections: Vec<(String, Section)>) {
        for (name, section) in sections {
            let profile = self.profiles.entry(name);
            let profile = profile.or_insert_with_key(|name| Profile::empty(name));
            profile.credentials = section;
        }
    }

    /// Returns the names of the profiles, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    pub(crate) fn sso_session(&self, name: &str) -> Option<&Section> {
        self.sso_sessions.get(name)
    }

    /// Returns the `services` section that a profile names.
    pub(crate) fn services_of(&self, profile: &Profile) -> Services {
        let section = || self.services.get(profile.get("services")?);
        Services(section().cloned().unwrap_or_default())
    }

    /// Checks that the `services` section that a profile names exists.
    pub(crate) fn require_services(&self, profile: &Profile) -> Result<(), Error> {
        match profile.get("services") {
            Some(name) if !self.services.contains_key(name) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "profile {:?} names the services section {name:?}, which does not exist: add a \
                     section [services {name}] to the config file",
                    profile.name()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Returns a profile.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ProfileNotFound`], naming the files that were searched and the profiles in
    /// them.
    pub(crate) fn require(&self, name: &str) -> Result<&Profile, Error> {
        self.get(name).ok_or_else(|| {
            let message = format!("profile {name:?} does not exist in {}", self.contents());
            Error::new(ErrorKind::ProfileNotFound, message)
        })
    }

    /// Describes which files were read and which profiles they contain.
    pub(crate) fn contents(&self) -> String {
        let names: Vec<_> = self.names().collect();
        let found = match names.as_slice() {
            [] => "there are no profiles in them".to_owned(),
            names => format!("the profiles there are: {}", names.join(", ")),
        };
        format!("{}; {found}", list(&self.searched))
    }
}

impl Profile {
    /// Returns a profile without settings.
    pub(crate) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            config: Section::new(),
            credentials: Section::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns a setting; an empty one counts as not set.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let value = self.credentials.get(key).or_else(|| self.config.get(key))?;
        value.text().filter(not_empty)
    }

    /// Returns a setting of the environment, or else of the profile.
    pub(crate) fn setting(
        &self,
        environment: &Environment,
        variable: &str,
        key: &str,
    ) -> Option<String> {
        let value = environment.var(variable);
        value.or_else(|| self.get(key).map(str::to_owned))
    }

    /// Returns `true` if endpoint URLs of the environment and the profile do not apply.
    pub(crate) fn ignores_configured_endpoints(&self, environment: &Environment) -> bool {
        self.setting(
            environment,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "ignore_configured_endpoint_urls",
        )
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Returns all settings except the keys.
    pub(crate) fn settings_without_keys(&self) -> SettingsWithoutKeys {
        let names: BTreeSet<_> = self.config.keys().chain(self.credentials.keys()).collect();
        let names = names
            .into_iter()
            .filter(|name| !KEYS.contains(&name.as_str()));
        let settings =
            names.filter_map(|name| Some((name.as_str().into(), self.get(name)?.into())));
        SettingsWithoutKeys {
            profile: self.name.as_str().into(),
            settings: settings.collect(),
        }
    }

    /// Returns a setting of one of the two files.
    pub(crate) fn get_in(&self, file: File, key: &str) -> Option<&str> {
        let section = match file {
            File::Config => &self.config,
            File::Credentials => &self.credentials,
        };
        section.get(key)?.text().filter(not_empty)
    }
}

impl SettingsWithoutKeys {
    /// Returns the name of the profile.
    pub(crate) fn profile(&self) -> &str {
        &self.profile
    }

    /// Returns a setting; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut settings = self.settings.iter();
        let (_, value) = settings.find(|(found, _)| **found == *name)?;
        Some(value)
    }
}

impl Services {
    /// Returns a setting of one service; an empty one counts as not set.
    pub(crate) fn get(&self, service: &str, key: &str) -> Option<&str> {
        match self.0.get(service)? {
            Value::Nested(settings) => settings.get(key).map(String::as_str).filter(not_empty),
            Value::Text(_) => None,
        }
    }
}

/// Shows which settings there are, but not their values.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("config", &self.config.keys())
            .field("credentials", &self.credentials.keys())
            .finish()
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config => "the config file",
            Self::Credentials => "the credentials file",
        })
    }
}

fn not_empty(value: &&str) -> bool {
    !value.is_empty()
}

fn parse(path: &Path) -> Result<Vec<(String, Section)>, Error> {
    if !path.is_file() {
        tracing::debug!(file = %path.display(), "there is no such profile file");
        return Ok(Vec::new());
    }
    tracing::debug!(file = %path.display(), "reading a profile file");
    let contents = match std::fs::read_to_string(path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let message = format!(
                "{} cannot be read: check its permissions and that it is text",
                path.display()
            );
            return Err(Error::new(ErrorKind::InvalidConfig, message).with_source(error));
        }
    };
    ini::parse(&contents).map_err(|malformed| {
        let message = format!(
            "the AWS profile file {} cannot be parsed: fix the line that the cause names",
            path.display()
        );
        Error::new(ErrorKind::InvalidConfig, message).with_source(malformed)
    })
}

fn list(paths: &[PathBuf]) -> String {
    match paths {
        [] => "any file, because there is no home directory".to_owned(),
        paths => {
            let paths: Vec<_> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            paths.join(" or ")
        }
    }
}
