//! The profile files, read once and put together as botocore does.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::ini::{Section, Value};
use super::not_found;
use super::parsed::{File, ReadFile};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::small_file;

/// The contents of the config file and the credentials file.
#[derive(Clone, Default)]
pub(crate) struct Profiles {
    config: ReadFile,
    credentials: ReadFile,
    searched: Vec<PathBuf>,
}

/// One profile. The credentials file takes precedence over the config file.
#[derive(Clone)]
pub(crate) struct Profile {
    name: String,
    config: OfFile,
    credentials: OfFile,
}

/// The section of a profile in one of the files, and the text of that file.
#[derive(Clone, Default)]
struct OfFile {
    section: Arc<Section>,
    text: Arc<Zeroizing<String>>,
}

/// The settings of one profile, without its keys: a session keeps them for as long as it lives.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SettingsWithoutKeys {
    profile: Box<str>,
    settings: Box<[(Box<str>, Box<str>)]>,
}

/// A `services` section: settings of single services.
pub(crate) struct Services(Section);

impl Profiles {
    /// Reads the profile files of an environment. A file that does not exist counts as empty.
    pub(crate) fn load(environment: &Environment) -> Result<Self, Error> {
        Self::read(environment.config_file(), environment.credentials_file())
    }

    /// As [`load`](Self::load), on a thread that may block.
    pub(crate) async fn load_blocking(environment: &Environment) -> Result<Self, Error> {
        let environment = environment.clone();
        small_file::blocking(move || Self::load(&environment)).await?
    }

    /// Reads both files. A file that does not exist counts as empty.
    pub(crate) fn read(
        config: Option<PathBuf>,
        credentials: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let mut profiles = Self::default();
        if let Some(path) = config {
            profiles.config = ReadFile::read(File::Config, &path)?;
            profiles.searched.push(path);
        }
        if let Some(path) = credentials {
            profiles.credentials = ReadFile::read(File::Credentials, &path)?;
            profiles.searched.push(path);
        }
        tracing::debug!(found = profiles.listed(), "read the profile files");
        Ok(profiles)
    }

    /// Returns the names of the profiles, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let files = [&self.config, &self.credentials].into_iter();
        let names: BTreeSet<_> = files
            .flat_map(|file| file.sections.profiles.keys())
            .collect();
        names.into_iter().map(String::as_str)
    }

    /// Returns the titles of the sections of the config file that mean nothing to AWS's tools.
    pub(super) fn other_titles(&self) -> impl Iterator<Item = &str> {
        self.config.sections.others.iter().map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Profile> {
        self.names().filter_map(|name| self.get(name))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Profile> {
        let of_file = |file: &ReadFile| {
            Some(OfFile {
                section: Arc::clone(file.sections.profiles.get(name)?),
                text: Arc::clone(&file.text),
            })
        };
        let (config, credentials) = (of_file(&self.config), of_file(&self.credentials));
        if config.is_none() && credentials.is_none() {
            return None;
        }
        Some(Profile {
            name: name.to_owned(),
            config: config.unwrap_or_default(),
            credentials: credentials.unwrap_or_default(),
        })
    }

    #[cfg(feature = "sso-login")]
    pub(crate) fn sso_session_names(&self) -> impl Iterator<Item = &str> {
        self.config.sections.sso_sessions.keys().map(String::as_str)
    }

    pub(crate) fn sso_session(&self, name: &str) -> Option<&Section> {
        self.config.sections.sso_sessions.get(name)
    }

    /// Returns the `services` section that a profile names.
    pub(crate) fn services_of(&self, profile: &Profile) -> Services {
        let section = || self.config.sections.services.get(profile.get("services")?);
        // `require_services` reports a name without a section.
        Services(section().cloned().unwrap_or_default())
    }

    /// Checks that the `services` section that a profile names exists.
    pub(crate) fn require_services(&self, profile: &Profile) -> Result<(), Error> {
        match profile.get("services") {
            Some(name) if !self.config.sections.services.contains_key(name) => Err(Error::new(
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
    /// [`ErrorKind::ProfileNotFound`], naming the files that were searched, some of the profiles in
    /// them, and what was probably meant.
    pub(crate) fn require(&self, name: &str) -> Result<Profile, Error> {
        self.get(name).ok_or_else(|| {
            let message = format!(
                "profile {name:?} does not exist in {}",
                self.searched_for(name)
            );
            Error::new(ErrorKind::ProfileNotFound, message)
        })
    }

    /// Says which files were read, which profiles they contain, and which one was probably meant.
    pub(super) fn searched_for(&self, name: &str) -> String {
        let names: Vec<_> = self.names().collect();
        format!(
            "{}; {}",
            list(&self.searched),
            not_found::advice(name, &names, self.other_titles())
        )
    }

    fn listed(&self) -> String {
        not_found::listed(&self.names().collect::<Vec<_>>())
    }
}

impl Profile {
    /// Returns a profile without settings.
    pub(crate) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            config: OfFile::default(),
            credentials: OfFile::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns a setting that is not a key; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.value(name)?.text().filter(not_empty)
    }

    /// Returns `true` if there is a setting, which can be a key.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(is_set)
    }

    fn value(&self, name: &str) -> Option<&Value> {
        let section = &self.credentials.section;
        // An empty setting of the credentials file hides that of the config file: botocore merges
        // the sections before anything looks at the values.
        section.get(name).or_else(|| self.config.section.get(name))
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
        // botocore takes any other value for false.
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Returns all settings except the keys.
    pub(crate) fn settings_without_keys(&self) -> SettingsWithoutKeys {
        let sections = [&self.config.section, &self.credentials.section].into_iter();
        let names: BTreeSet<_> = sections.flat_map(|section| section.names()).collect();
        let settings = names
            .into_iter()
            // `get` returns no keys, because the section has only `Value::Withheld` of them.
            .filter_map(|name| Some((name.as_str().into(), self.get(name)?.into())));
        SettingsWithoutKeys {
            profile: self.name.as_str().into(),
            settings: settings.collect(),
        }
    }

    /// Returns a setting of one of the two files that is not a key.
    pub(crate) fn get_in(&self, file: File, name: &str) -> Option<&str> {
        self.of(file).section.get(name)?.text().filter(not_empty)
    }

    /// Returns `true` if there is a setting in one of the two files, which can be a key.
    pub(crate) fn has_in(&self, file: File, name: &str) -> bool {
        self.of(file).section.get(name).is_some_and(is_set)
    }

    /// Reads an access key or a session token; an empty one counts as not set.
    pub(crate) fn key_in(&self, file: File, name: &str) -> Option<Zeroizing<String>> {
        let OfFile { section, text } = self.of(file);
        section.key(text, name).filter(|key| !key.is_empty())
    }

    fn of(&self, file: File) -> &OfFile {
        match file {
            File::Config => &self.config,
            File::Credentials => &self.credentials,
        }
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Text(text) => !text.is_empty(),
        Value::Nested(_) => false,
        Value::Withheld => true,
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
    /// Returns the services with settings of their own.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let is_nested = |name: &&String| matches!(self.0.get(name), Some(Value::Nested(_)));
        self.0.names().filter(is_nested).map(String::as_str)
    }

    /// Returns a setting of one service; an empty one counts as not set.
    pub(crate) fn get(&self, service: &str, key: &str) -> Option<&str> {
        match self.0.get(service)? {
            Value::Nested(settings) => settings.get(key).map(String::as_str).filter(not_empty),
            Value::Text(_) | Value::Withheld => None,
        }
    }
}

/// Shows which settings there are, but not their values.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |of: &OfFile| of.section.names().cloned().collect::<Vec<_>>();
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("config", &names(&self.config))
            .field("credentials", &names(&self.credentials))
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
