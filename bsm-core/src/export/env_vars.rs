//! Sessions for child processes.
//!
//! The environment of this process is never written: that would be another process-wide default,
//! and a race between threads. A child gets its own.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use zeroize::Zeroizing;

use super::exported_session::ExportedSession;
use super::shell::Shell;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::secret::{SecretText, json};
use crate::session::destinations::ENDPOINT_VARIABLE;

const ENDPOINT_FOR_ALL: &str = "AWS_ENDPOINT_URL";
const IGNORE_CONFIGURED: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// Variables that would give a child another identity, send its requests elsewhere, or keep it from
/// starting. Those of [`CLEARED_PREFIXES`] are cleared as well.
const CLEARED: [&str; 23] = [
    ENDPOINT_FOR_ALL,
    IGNORE_CONFIGURED,
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    // The older name of the session token. botocore prefers it to the new one.
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    // botocore refuses keys whose expiry has passed, also if the expiry was inherited.
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCOUNT_ID",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    // Older names, which the SDKs for Go, Java and Ruby also read.
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AMAZON_ACCESS_KEY_ID",
    "AMAZON_SECRET_ACCESS_KEY",
    "AMAZON_SESSION_TOKEN",
    "AMAZON_REGION",
];

/// Variables of single services: the endpoint, and a token that is sent in place of a signature.
const CLEARED_PREFIXES: [&str; 2] = [ENDPOINT_VARIABLE, "AWS_BEARER_TOKEN_"];

/// Environment variables that give a process a session, and those that would take it away.
///
/// See [`BotoSesManager::env_vars`](crate::BotoSesManager::env_vars). The `Debug` form shows no secret.
///
/// | set | when |
/// |---|---|
/// | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | always |
/// | `AWS_SESSION_TOKEN`, `AWS_CREDENTIAL_EXPIRATION` | the credentials have one; that of temporary keys in the environment is passed on |
/// | `AWS_REGION`, `AWS_DEFAULT_REGION` | a region is known |
/// | `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_…` | the manager's requests go there, whichever setting says so |
/// | `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` | there are endpoints above (`false`), or the manager ignores configured ones and has none (`true`) |
/// | `AWS_CA_BUNDLE` | the manager has one; as an absolute path |
///
/// What is not set of these variables is cleared, except `AWS_CA_BUNDLE`. So is whatever could give the
/// child another identity: `AWS_PROFILE`, `AWS_DEFAULT_PROFILE`, `AWS_SECURITY_TOKEN`,
/// `AWS_ACCOUNT_ID`, `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME`, `AWS_WEB_IDENTITY_TOKEN_FILE`,
/// `AWS_ACCESS_KEY`, `AWS_SECRET_KEY`, their `AMAZON_…` forms, `AWS_CONTAINER_CREDENTIALS_…`,
/// `AWS_CONTAINER_AUTHORIZATION_TOKEN…` and `AWS_BEARER_TOKEN_…`.
#[derive(Clone)]
pub struct EnvVars {
    session: ExportedSession,
    set: Vec<(String, Zeroizing<String>)>,
    cleared: Vec<String>,
}

impl EnvVars {
    pub(crate) fn new(session: ExportedSession) -> Result<Self, Error> {
        let credentials = &session.credentials;
        let region = session.region.as_deref();
        let expiration = session.rfc3339_expiration();
        let always = [
            ("AWS_ACCESS_KEY_ID", Some(credentials.access_key_id())),
            (
                "AWS_SECRET_ACCESS_KEY",
                Some(credentials.secret_access_key()),
            ),
            ("AWS_SESSION_TOKEN", credentials.session_token()),
            ("AWS_CREDENTIAL_EXPIRATION", expiration.as_deref()),
            // boto3 reads only `AWS_DEFAULT_REGION`, and some other SDKs only `AWS_REGION`.
            ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region),
            (ENDPOINT_FOR_ALL, session.endpoint_url.as_deref()),
            (IGNORE_CONFIGURED, ignore_configured(&session)),
            ("AWS_CA_BUNDLE", session.ca_bundle.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let services = session.service_endpoint_urls.iter();
        let services = services.map(|(service, url)| {
            let name = format!("{ENDPOINT_VARIABLE}{}", service.to_ascii_uppercase());
            (name, url.as_str())
        });
        let set: Vec<_> = always
            .chain(services)
            .map(|(name, value)| (name, Zeroizing::new(value.to_owned())))
            .collect();
        // The operating system would cut the one off at NUL, and take the other apart at `=`.
        let impossible = |(name, value): &&(String, Zeroizing<String>)| {
            name_is_odd(name) || value.contains('\0')
        };
        match set.iter().find(impossible) {
            None => {
                let cleared = cleared(&set);
                Ok(Self {
                    session,
                    set,
                    cleared,
                })
            }
            Some((name, _)) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("{name:?} and its value cannot be an environment variable"),
            )),
        }
    }

    /// Sets and clears the variables of a command.
    ///
    /// It takes the `Command` of the standard library and tokio's. Other variables of the command
    /// stay as they are. An endpoint that the command must use instead of the manager's is set afterwards.
    pub fn apply_to(&self, command: &mut impl ChildCommand) {
        let command = command.as_std_command();
        let of_services = service_variables(command);
        // Removed first: the session may set some of the endpoints that the command already has.
        for name in self.cleared().chain(of_services.iter().map(String::as_str)) {
            command.env_remove(name);
        }
        for (name, value) in self.set() {
            command.env(name, value);
        }
    }

    /// Returns the variables to set, with their values: secrets and all.
    pub fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the variables to clear.
    pub fn cleared(&self) -> impl Iterator<Item = &str> {
        self.cleared.iter().map(String::as_str)
    }

    /// Returns when the credentials expire, if they do.
    pub fn expiration(&self) -> Option<DateTime<Utc>> {
        self.session.expiration()
    }

    /// Writes the commands that set and clear the variables in a shell, to be evaluated there.
    ///
    /// ```text
    /// eval "$(my-tool env)"                             # sh
    /// my-tool env | source                              # fish
    /// my-tool env | Out-String | Invoke-Expression      # PowerShell
    /// ```
    pub fn to_shell(&self, shell: Shell) -> SecretText {
        // An upper bound: a string that grows leaves copies of its secrets in memory.
        // A quote takes four bytes in sh, which is the longest escape of the three shells.
        let room = |text: &str| 4 * text.len() + 64;
        let set = self.set().map(|(name, value)| room(name) + room(value));
        let cleared = self.cleared().map(room);
        let mut text = String::with_capacity(set.chain(cleared).sum());
        for name in self.cleared() {
            shell.clear(&mut text, name);
        }
        for (name, value) in self.set() {
            shell.set(&mut text, name, value);
        }
        SecretText::new(Zeroizing::new(text))
    }

    /// Writes the credentials as a
    /// [`credential_process`](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html)
    /// prints them. Region and endpoints have no place in it.
    pub fn to_credential_process(&self) -> SecretText {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output<'a> {
            version: u8,
            access_key_id: &'a str,
            secret_access_key: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            session_token: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            expiration: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            account_id: Option<&'a str>,
        }
        let credentials = &self.session.credentials;
        let output = Output {
            version: 1,
            access_key_id: credentials.access_key_id(),
            secret_access_key: credentials.secret_access_key(),
            session_token: credentials.session_token(),
            expiration: self.session.rfc3339_expiration(),
            account_id: credentials.account_id().map(|id| id.as_str()),
        };
        json(&output, self.session.json_capacity())
    }
}

/// Shows the names of the variables, and no value.
impl fmt::Debug for EnvVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<_> = self.set().map(|(name, _)| name).collect();
        f.debug_struct("EnvVars")
            .field("access_key_id", &self.session.credentials.access_key_id())
            .field("region", &self.session.region)
            .field("expiration", &self.session.rfc3339_expiration())
            .field("set", &set)
            .finish_non_exhaustive()
    }
}

/// A command whose environment can be set: the standard library's or tokio's.
pub trait ChildCommand: sealed::Sealed {
    #[doc(hidden)]
    fn as_std_command(&mut self) -> &mut std::process::Command;
}

impl ChildCommand for std::process::Command {
    fn as_std_command(&mut self) -> &mut std::process::Command {
        self
    }
}

impl ChildCommand for tokio::process::Command {
    fn as_std_command(&mut self) -> &mut std::process::Command {
        self.as_std_mut()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for std::process::Command {}
    impl Sealed for tokio::process::Command {}
}

/// Returns whether the child must ignore the endpoints in its profile files, if that must be said.
fn ignore_configured(session: &ExportedSession) -> Option<&'static str> {
    if session.endpoint_url.is_some() || !session.service_endpoint_urls.is_empty() {
        // The child reads its own default profile, which must not make it ignore these endpoints.
        return Some("false");
    }
    session.ignore_configured_endpoint_urls.then_some("true")
}

/// Returns the variables to clear: the fixed ones, and those of services that the child would inherit
/// from this process.
fn cleared(set: &[(String, Zeroizing<String>)]) -> Vec<String> {
    // The environment of the process, whatever the manager's own is: the child inherits this one.
    let inherited = |prefix: &'static str| {
        let services = Environment::default().suffixes_of(prefix).into_iter();
        services.map(move |service| format!("{prefix}{service}"))
    };
    let inherited = CLEARED_PREFIXES.into_iter().flat_map(inherited);
    let names = CLEARED.into_iter().map(str::to_owned).chain(inherited);
    let is_set = |cleared: &String| set.iter().any(|(name, _)| name == cleared);
    // A shell evaluates these names. No SDK reads an odd one.
    names
        .filter(|name| !is_set(name) && !name_is_odd(name))
        .collect()
}

/// Returns the variables of single services that a command itself sets.
fn service_variables(command: &std::process::Command) -> Vec<String> {
    let names = command.get_envs().filter_map(|(name, _)| name.to_str());
    let of_services = |name: &&str| {
        CLEARED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    names.filter(of_services).map(str::to_owned).collect()
}

// The user names the services of endpoints, and a shell evaluates these names.
fn name_is_odd(name: &str) -> bool {
    !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::process::Command;
    use std::time::{Duration, SystemTime};

    use aws_credential_types::Credentials;

    use super::*;

    const SECRET: &str = "it's $HOME\\ `x` \"q\" \u{2019}\nend";

    fn variables(token: Option<&str>, region: Option<&str>) -> EnvVars {
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_553_445);
        let credentials = Credentials::new(
            "ASIAEXAMPLE",
            SECRET,
            token.map(str::to_owned),
            token.map(|_| expiry),
            "test",
        );
        EnvVars::new(ExportedSession {
            credentials,
            region: region.map(str::to_owned),
            endpoint_url: None,
            service_endpoint_urls: BTreeMap::new(),
            ignore_configured_endpoint_urls: false,
            ca_bundle: None,
        })
        .unwrap()
    }

    #[test]
    fn a_command_gets_the_session_and_loses_every_other_one() {
        let mut command = Command::new("x");
        command
            .env("AWS_PROFILE", "hostile")
            .env("AWS_ENDPOINT_URL_S3", "http://hostile")
            .env("AWS_BEARER_TOKEN_BEDROCK", "hostile")
            .env("PAGER", "cat");
        variables(Some("token"), Some("eu-west-1")).apply_to(&mut command);
        let changes: BTreeMap<_, _> = command
            .get_envs()
            .map(|(name, value)| (name.to_str().unwrap(), value.map(|v| v.to_str().unwrap())))
            .collect();
        let expected = BTreeMap::from([
            ("AWS_ACCESS_KEY_ID", Some("ASIAEXAMPLE")),
            ("AWS_SECRET_ACCESS_KEY", Some(SECRET)),
            ("AWS_SESSION_TOKEN", Some("token")),
            ("AWS_REGION", Some("eu-west-1")),
            ("AWS_DEFAULT_REGION", Some("eu-west-1")),
            ("AWS_CREDENTIAL_EXPIRATION", Some("2030-01-02T03:04:05Z")),
            ("AWS_ENDPOINT_URL", None),
            ("AWS_ENDPOINT_URL_S3", None),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", None),
            ("AWS_PROFILE", None),
            ("AWS_DEFAULT_PROFILE", None),
            ("AWS_SECURITY_TOKEN", None),
            ("AWS_ACCOUNT_ID", None),
            ("AWS_ROLE_ARN", None),
            ("AWS_ROLE_SESSION_NAME", None),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", None),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", None),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", None),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", None),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", None),
            ("AWS_ACCESS_KEY", None),
            ("AWS_SECRET_KEY", None),
            ("AMAZON_ACCESS_KEY_ID", None),
            ("AMAZON_SECRET_ACCESS_KEY", None),
            ("AMAZON_SESSION_TOKEN", None),
            ("AMAZON_REGION", None),
            ("AWS_BEARER_TOKEN_BEDROCK", None),
            ("PAGER", Some("cat")),
        ]);
        assert_eq!(changes, expected);
    }

    #[test]
    fn keys_without_a_token_or_a_region_clear_those_of_the_parent() {
        let variables = variables(None, None);
        let cleared: Vec<_> = variables.cleared().collect();
        for name in [
            "AWS_SESSION_TOKEN",
            "AWS_CREDENTIAL_EXPIRATION",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
        ] {
            assert!(cleared.contains(&name), "{name}");
        }
        assert_eq!(variables.set().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_that_runs_the_text_has_the_session() {
        let text = variables(None, Some("eu-west-1")).to_shell(Shell::Posix);
        let script = format!(
            "{}printf '%s|%s|%s' \"$AWS_SECRET_ACCESS_KEY\" \"$AWS_REGION\" \"${{AWS_PROFILE-}}\"",
            text.expose()
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .env("AWS_PROFILE", "hostile")
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, format!("{SECRET}|eu-west-1|"));
    }

    #[test]
    fn credential_process_output_has_what_aws_asks_for() {
        let text = variables(Some("token"), None).to_credential_process();
        let output: serde_json::Value = serde_json::from_str(text.expose()).unwrap();
        assert_eq!(
            output,
            serde_json::json!({
                "Version": 1,
                "AccessKeyId": "ASIAEXAMPLE",
                "SecretAccessKey": SECRET,
                "SessionToken": "token",
                "Expiration": "2030-01-02T03:04:05Z",
            })
        );
    }

    #[test]
    fn what_cannot_be_a_variable_is_an_error() {
        for (service, url) in [("s3; rm", "http://x"), ("s3", "http://x\0")] {
            let error = EnvVars::new(ExportedSession {
                credentials: Credentials::new("AKIA", "hush", None, None, "test"),
                region: None,
                endpoint_url: None,
                service_endpoint_urls: BTreeMap::from([(service.into(), url.into())]),
                ignore_configured_endpoint_urls: false,
                ca_bundle: None,
            })
            .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        }
    }
}
