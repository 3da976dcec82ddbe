//! What surrounds a manager: environment variables and profile files.

use std::path::PathBuf;

use aws_credential_types::Credentials;
use aws_types::os_shim_internal::Env;

use crate::endpoint::{self, Form, Setting};
use crate::error::{Error, ErrorKind};
use crate::profile::{Profiles, WebIdentityVariables};
use crate::validation;

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

    /// Reads an environment variable; an empty one counts as not set.
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

    /// Returns the region that the environment names, and the variable.
    pub(crate) fn region(&self) -> Option<(&'static str, String)> {
        let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        variables
            .into_iter()
            .find_map(|name| Some((name, self.var(name)?)))
    }

    /// The keys in the environment; an id without a secret is an error, as in botocore.
    pub(crate) fn keys(&self) -> Result<Option<Credentials>, Error> {
        let Some(id) = self.var("AWS_ACCESS_KEY_ID") else {
            return Ok(None);
        };
        let secret = self.var("AWS_SECRET_ACCESS_KEY").ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidConfig,
                "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not: set both or neither",
            )
        })?;
        let token = self.var("AWS_SECURITY_TOKEN");
        let mut keys = Credentials::builder()
            .access_key_id(id)
            .secret_access_key(secret)
            .provider_name("environment");
        keys.set_session_token(token.or_else(|| self.var("AWS_SESSION_TOKEN")));
        keys.set_account_id(self.var("AWS_ACCOUNT_ID").map(Into::into));
        let keys = keys.build();
        validation::check(&keys, &validation::Names::of_environment())?;
        Ok(Some(keys))
    }

    /// What the environment says of a web identity, as EKS does.
    pub(crate) fn web_identity(&self) -> WebIdentityVariables {
        WebIdentityVariables {
            role_arn: self.var("AWS_ROLE_ARN"),
            token_file: self.var("AWS_WEB_IDENTITY_TOKEN_FILE"),
            session_name: self.var("AWS_ROLE_SESSION_NAME"),
        }
    }

    /// Says whether the program runs in a container that offers credentials.
    pub(crate) fn has_container(&self) -> bool {
        [
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ]
        .iter()
        .any(|name| self.var(name).is_some())
    }

    /// Checks the variables that say where a container's credentials are.
    pub(crate) fn check_container(&self) -> Result<(), Error> {
        const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
        const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        if let Some(path) = self.var(RELATIVE) {
            // The path is not shown: whoever knows it gets the credentials.
            let is_path = path.starts_with('/')
                && !path.contains(|c: char| c.is_whitespace() || c.is_control());
            return match is_path {
                true => Ok(()),
                false => Err(Error::new(
                    ErrorKind::InvalidConfig,
                    format!("{RELATIVE} is not a path; it has to begin with / and have no blanks"),
                )),
            };
        }
        match self.var(FULL) {
            Some(url) => endpoint::check(&url, Form::Complete, Setting::Variable(FULL)),
            None => Ok(()),
        }
    }

    /// Checks the variable that says where the metadata service is.
    pub(crate) fn check_metadata_service(&self) -> Result<(), Error> {
        const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
        match self.var(ENDPOINT) {
            Some(url) => endpoint::check(&url, Form::Endpoint, Setting::Variable(ENDPOINT)),
            None => Ok(()),
        }
    }

    /// Reads the profile files; a file that does not exist is an empty one.
    pub(crate) fn profiles(&self) -> Result<Profiles, Error> {
        Profiles::read(
            self.file(&self.config_file, "AWS_CONFIG_FILE", "config"),
            self.file(
                &self.shared_credentials_file,
                "AWS_SHARED_CREDENTIALS_FILE",
                "credentials",
            ),
        )
    }

    fn file(&self, given: &Option<PathBuf>, variable: &str, name: &str) -> Option<PathBuf> {
        match (given, self.var(variable)) {
            (Some(path), _) => self.in_home(path.clone()),
            (None, Some(path)) => self.in_home(self.expanded(&path).into()),
            (None, None) => Some(self.home()?.join(".aws").join(name)),
        }
    }

    /// Replaces a leading `~`.
    pub(crate) fn in_home(&self, path: PathBuf) -> Option<PathBuf> {
        match path.strip_prefix("~") {
            Ok(rest) => Some(self.home()?.join(rest)),
            Err(_) => Some(path),
        }
    }

    /// Replaces `$NAME` and `${NAME}`, where they are set, as botocore does in these two paths.
    fn expanded(&self, path: &str) -> String {
        let mut expanded = String::new();
        let mut rest = path;
        while let Some(at) = rest.find('$') {
            let (before, dollar) = rest.split_at(at);
            expanded.push_str(before);
            let name = match dollar[1..].strip_prefix('{') {
                Some(braced) => braced.split_once('}').map(|(name, _)| name),
                None => dollar[1..]
                    .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .next(),
            };
            let length = |name: &str| name.len() + if dollar.starts_with("${") { 3 } else { 1 };
            match name.and_then(|name| Some((length(name), self.environment().get(name).ok()?))) {
                Some((length, value)) => {
                    expanded.push_str(&value);
                    rest = &dollar[length..];
                }
                None => {
                    expanded.push('$');
                    rest = &dollar[1..];
                }
            }
        }
        expanded.push_str(rest);
        expanded
    }

    pub(crate) fn home(&self) -> Option<PathBuf> {
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        match self.var(home) {
            Some(home) => Some(PathBuf::from(home)),
            // Daemons run without HOME. As in botocore, the password database knows the directory.
            None if self.environment.is_none() && std::env::var_os(home).is_none() => {
                std::env::home_dir()
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_in_a_path_are_replaced_where_they_are_set() {
        let ambient = Ambient {
            environment: Some(Env::from_slice(&[("A", "x"), ("A_1", "y"), ("HOME", "/h")])),
            ..Ambient::default()
        };
        for (path, expanded) in [
            ("/$A/${A}z/$A_1", "/x/xz/y"),
            ("$B/${B}/$/${/$", "$B/${B}/$/${/$"),
            ("é$A", "éx"),
        ] {
            assert_eq!(ambient.expanded(path), expanded);
        }
        assert_eq!(ambient.in_home("~/a".into()), Some("/h/a".into()));
    }
}
