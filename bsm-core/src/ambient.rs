//! What surrounds a manager: environment variables and profile files.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use aws_config::profile::{Profile, ProfileSet};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};

use crate::error::{Error, ErrorKind};

/// Where environment variables and profile files are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ambient {
    /// The environment that was given in place of the process's own.
    pub(crate) environment: Option<Env>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) shared_credentials_file: Option<PathBuf>,
}

impl Ambient {
    /// The environment: the process's own, unless another was given.
    pub(crate) fn environment(&self) -> Env {
        self.environment.clone().unwrap_or_default()
    }

    /// Reads an environment variable; an empty one counts as not set, as it does in botocore.
    pub(crate) fn var(&self, name: &str) -> Option<String> {
        let value = self.environment().get(name).ok()?;
        (!value.is_empty()).then_some(value)
    }

    /// Returns the profile that the environment names.
    ///
    /// botocore reads `AWS_DEFAULT_PROFILE` before `AWS_PROFILE`; the Rust SDK only the latter.
    pub(crate) fn profile_name(&self) -> Option<String> {
        self.var("AWS_DEFAULT_PROFILE")
            .or_else(|| self.var("AWS_PROFILE"))
    }

    /// Returns the region that the environment names.
    pub(crate) fn region(&self) -> Option<String> {
        self.var("AWS_REGION")
            .or_else(|| self.var("AWS_DEFAULT_REGION"))
    }

    /// Reads the profile files; a file that does not exist is an empty one.
    pub(crate) async fn profiles(&self, selected: &str) -> Result<Profiles, Error> {
        let config = self.file(&self.config_file, "AWS_CONFIG_FILE", "config");
        let credentials = self.file(
            &self.shared_credentials_file,
            "AWS_SHARED_CREDENTIALS_FILE",
            "credentials",
        );
        let mut files = EnvConfigFiles::builder();
        for (kind, path) in [
            (EnvConfigFileKind::Config, &config),
            (EnvConfigFileKind::Credentials, &credentials),
        ] {
            // aws-config panics on an empty list of files, so one that is nowhere is an empty one.
            let contents = path.as_deref().map(read).transpose()?.unwrap_or_default();
            files = files.with_contents(kind, contents);
        }
        let files = files.build();
        let searched: Vec<_> = [config, credentials].into_iter().flatten().collect();
        let set = aws_config::profile::load(
            &Fs::real(),
            &self.environment(),
            &files,
            Some(Cow::Owned(selected.to_owned())),
        )
        .await
        .map_err(|error| {
            let message = format!(
                "the AWS profile files cannot be parsed ({}): mend the line that the cause names",
                list(&searched)
            );
            Error::new(ErrorKind::InvalidConfig, message).with_source(error)
        })?;
        Ok(Profiles {
            set,
            files,
            searched,
        })
    }

    fn file(&self, given: &Option<PathBuf>, variable: &str, name: &str) -> Option<PathBuf> {
        let path = match (given, self.var(variable)) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) => PathBuf::from(path),
            (None, None) => return Some(self.home()?.join(".aws").join(name)),
        };
        match path.strip_prefix("~") {
            Ok(rest) => Some(self.home()?.join(rest)),
            Err(_) => Some(path),
        }
    }

    pub(crate) fn home(&self) -> Option<PathBuf> {
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        self.var(home).map(PathBuf::from)
    }
}

/// The profile files, read once.
pub(crate) struct Profiles {
    pub(crate) set: ProfileSet,
    /// The contents, to hand to aws-config.
    pub(crate) files: EnvConfigFiles,
    searched: Vec<PathBuf>,
}

impl Profiles {
    /// Returns a profile.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ProfileNotFound`], naming the files that were searched and the profiles in
    /// them. `wanted_by` says who asked, for example "the source_profile of profile x".
    pub(crate) fn require(&self, name: &str, wanted_by: Option<&str>) -> Result<&Profile, Error> {
        self.set.get_profile(name).ok_or_else(|| {
            let mut found: Vec<_> = self.set.profiles().collect();
            found.sort_unstable();
            let found = match found.as_slice() {
                [] => "there are no profiles in them".to_owned(),
                names => format!("the profiles there are: {}", names.join(", ")),
            };
            let wanted_by = wanted_by.map(|by| format!(", {by},")).unwrap_or_default();
            Error::new(
                ErrorKind::ProfileNotFound,
                format!(
                    "profile {name:?}{wanted_by} does not exist in {}; {found}",
                    list(&self.searched)
                ),
            )
        })
    }
}

fn read(path: &Path) -> Result<String, Error> {
    match std::fs::read_to_string(path) {
        Ok(contents) => Ok(contents),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "{} cannot be read: check its permissions and that it is text",
                path.display()
            ),
        )
        .with_source(error)),
    }
}

fn list(paths: &[PathBuf]) -> String {
    match paths {
        [] => "any file, because there is no home directory".to_owned(),
        paths => paths
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(" or "),
    }
}
