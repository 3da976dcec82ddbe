//! The environment of a manager: variables, and the places of its profile files.

use std::path::PathBuf;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_types::os_shim_internal::Env;

use crate::error::{Error, ErrorKind};
use crate::http::Proxies;
use crate::{time, validation};

/// The variables of the process, or those given in their place, and the profile files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// The variables that were given in place of the process's own.
    pub(crate) variables: Option<Env>,
    /// Their names, which `Env` does not list.
    pub(crate) names: Vec<String>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) shared_credentials_file: Option<PathBuf>,
}

/// The variables of a web identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct WebIdentityVariables {
    pub(crate) role_arn: Option<String>,
    pub(crate) token_file: Option<String>,
    pub(crate) session_name: Option<String>,
}

impl Environment {
    fn env(&self) -> Env {
        self.variables.clone().unwrap_or_default()
    }

    /// Returns `true` if these are the variables of the process.
    pub(crate) fn is_process(&self) -> bool {
        self.variables.is_none()
    }

    /// Returns an environment variable; an empty one counts as not set.
    pub(crate) fn var(&self, name: &str) -> Option<String> {
        let value = self.env().get(name).ok()?;
        (!value.is_empty()).then_some(value)
    }

    /// Returns the rest of the names of all variables that begin with a prefix.
    pub(crate) fn suffixes_of(&self, prefix: &str) -> Vec<String> {
        let behind = |name: &str| Some(name.strip_prefix(prefix)?.to_owned());
        match self.is_process() {
            // `vars` panics if any variable of the process is not Unicode.
            true => std::env::vars_os()
                .filter_map(|(name, _)| behind(name.to_str()?))
                .collect(),
            false => self.names.iter().filter_map(|name| behind(name)).collect(),
        }
    }

    /// Returns the proxies that the environment names.
    pub(crate) fn proxies(&self) -> Result<Proxies, Error> {
        let env = self.env();
        Proxies::read(|name| env.get(name).ok())
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
        // In the order of the AWS CLI and of most SDKs. botocore reads only the second one.
        let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        variables
            .into_iter()
            .find_map(|name| Some((name, self.var(name)?)))
    }

    /// Returns the keys in the environment; an id without a secret is an error, as in botocore.
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
        // The older name takes precedence over `AWS_SESSION_TOKEN` in botocore.
        let token = self.var("AWS_SECURITY_TOKEN");
        let mut keys = Credentials::builder()
            .access_key_id(id)
            .secret_access_key(secret)
            .provider_name("environment");
        keys.set_session_token(token.or_else(|| self.var("AWS_SESSION_TOKEN")));
        keys.set_account_id(self.var("AWS_ACCOUNT_ID").map(Into::into));
        let keys = keys.build();
        validation::check(&keys, &validation::KeySettingNames::of_environment())?;
        Ok(Some(keys))
    }

    /// Returns when credentials expire, if they are the temporary keys of this environment and it says so.
    pub(crate) fn expiry_of(&self, credentials: &Credentials) -> Option<SystemTime> {
        let token = credentials.session_token()?;
        let keys = self.keys().ok()??;
        let are_same = keys.access_key_id() == credentials.access_key_id()
            && keys.session_token() == Some(token);
        time::parse_rfc3339(&self.var("AWS_CREDENTIAL_EXPIRATION").filter(|_| are_same)?)
    }

    /// Returns the variables of a web identity, as EKS sets them.
    pub(crate) fn web_identity(&self) -> WebIdentityVariables {
        WebIdentityVariables {
            role_arn: self.var("AWS_ROLE_ARN"),
            token_file: self.var("AWS_WEB_IDENTITY_TOKEN_FILE"),
            session_name: self.var("AWS_ROLE_SESSION_NAME"),
        }
    }

    /// Returns the path of the config file, if there is a home directory or another place for it.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        self.file(&self.config_file, "AWS_CONFIG_FILE", "config")
    }

    /// Returns the path of the credentials file.
    pub(crate) fn credentials_file(&self) -> Option<PathBuf> {
        self.file(
            &self.shared_credentials_file,
            "AWS_SHARED_CREDENTIALS_FILE",
            "credentials",
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
            // Not `var`: as in Python's `expandvars`, an empty variable is replaced by nothing, and
            // one that is not set stays in the path.
            match name.and_then(|name| Some((length(name), self.env().get(name).ok()?))) {
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
            None if self.is_process() && std::env::var_os(home).is_none() => std::env::home_dir(),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set in the child of the test below.
    #[cfg(unix)]
    const CHILD: &str = "BSM_TEST_WITHOUT_HOME";

    #[cfg(unix)]
    #[test]
    fn without_home_the_password_database_has_the_home_directory() {
        if std::env::var_os(CHILD).is_some() {
            let home = Environment::default().home().unwrap();
            assert!(home.is_absolute(), "{home:?}");
            // Given variables are complete.
            let given = Environment {
                variables: Some(Env::from_slice(&[])),
                ..Environment::default()
            };
            assert_eq!(given.home(), None);
            return;
        }
        let (_, module) = module_path!().split_once("::").unwrap();
        let name = "without_home_the_password_database_has_the_home_directory";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::{name}")])
            .env(CHILD, "1")
            .env_remove("HOME")
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        let printed = String::from_utf8_lossy(&child.stdout);
        assert!(printed.contains("1 passed"), "{printed}");
    }

    #[test]
    fn variables_in_a_path_are_replaced_where_they_are_set() {
        let environment = Environment {
            variables: Some(Env::from_slice(&[("A", "x"), ("A_1", "y"), ("HOME", "/h")])),
            ..Environment::default()
        };
        for (path, expanded) in [
            ("/$A/${A}z/$A_1", "/x/xz/y"),
            ("$B/${B}/$/${/$", "$B/${B}/$/${/$"),
            ("é$A", "éx"),
        ] {
            assert_eq!(environment.expanded(path), expanded);
        }
        assert_eq!(environment.in_home("~/a".into()), Some("/h/a".into()));
    }
}
