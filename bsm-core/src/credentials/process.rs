//! `credential_process`: a program that prints credentials.
//!
//! Source: the page [Process credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html).
//! aws-config runs the command in a shell and writes it to the log; botocore does neither.

use std::process::{Output, Stdio};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::profile::{Command, shlex};

/// The credentials that the `credential_process` of a profile prints; it is run at every call.
#[derive(Debug)]
pub(crate) struct CredentialProcess {
    profile: String,
    command: Command,
}

/// What the program prints. It has no `Debug`, because it is a secret.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: i64,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
    account_id: Option<String>,
}

impl CredentialProcess {
    pub(crate) fn new(profile: String, command: Command) -> Self {
        Self { profile, command }
    }

    async fn run(&self) -> Result<Credentials, Error> {
        tracing::debug!(profile = self.profile, "running a credential_process");
        let mut command = self.command()?;
        let output = command
            .stdin(Stdio::inherit())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| {
                self.failed("could not be started: check the path of the program")
                    .with_source(error)
            })?;
        if !output.status.success() {
            return Err(self.failed(&unsuccessful(&output)));
        }
        self.parse(&output.stdout)
    }

    #[cfg(not(windows))]
    fn command(&self) -> Result<tokio::process::Command, Error> {
        let words = shlex::split(&self.command.0).unwrap_or_default();
        let Some((program, arguments)) = words.split_first() else {
            let message = format!(
                "the credential_process of profile {:?} is not a command line: close its quotes",
                self.profile
            );
            return Err(Error::new(ErrorKind::InvalidConfig, message));
        };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments);
        Ok(command)
    }

    /// Windows programs split their command line themselves.
    #[cfg(windows)]
    fn command(&self) -> Result<tokio::process::Command, Error> {
        let mut command = tokio::process::Command::new("cmd.exe");
        command.arg("/C").raw_arg(format!("\"{}\"", self.command.0));
        Ok(command)
    }

    /// The parser's error is not passed on: it may quote what it stumbled over.
    fn parse(&self, output: &[u8]) -> Result<Credentials, Error> {
        let printed: Printed = serde_json::from_slice(output).map_err(|error| {
            self.failed(&format!(
                "did not print credentials (line {}, column {}): it has to print JSON with \
                 Version, AccessKeyId and SecretAccessKey",
                error.line(),
                error.column()
            ))
        })?;
        if printed.version != 1 {
            return Err(self.failed("printed a Version other than 1, the only one there is"));
        }
        let mut credentials = Credentials::builder()
            .access_key_id(printed.access_key_id)
            .secret_access_key(printed.secret_access_key)
            .provider_name("credential_process");
        credentials.set_session_token(printed.session_token);
        credentials.set_account_id(printed.account_id.map(Into::into));
        if let Some(expiration) = printed.expiration {
            let expiry = expiry(&expiration).ok_or_else(|| {
                self.failed("printed an Expiration that is not a time such as 2026-11-22T14:47:40Z")
            })?;
            credentials.set_expiry(Some(expiry.into()));
        }
        Ok(credentials.build())
    }

    fn failed(&self, why: &str) -> Error {
        let message = format!("the credential_process of profile {:?} {why}", self.profile);
        Error::new(ErrorKind::CredentialsUnavailable, message)
    }
}

impl ProvideCredentials for CredentialProcess {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move { provider::Result::Ok(self.run().await?) })
    }
}

/// The last line of the error output says what went wrong, unless it is where a program in trouble
/// printed its credentials.
fn unsuccessful(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().map(str::trim).rfind(|line| !line.is_empty());
    let harmless = |line: &&str| !line.contains(['{', '"']) && !line.contains("ey");
    match last.filter(harmless) {
        Some(line) => format!("failed ({}): {line}", output.status),
        None => format!("failed ({}): run it yourself to see why", output.status),
    }
}

/// RFC 3339, and the same with `UTC` in place of the zone, as the AWS CLI once wrote it.
fn expiry(text: &str) -> Option<DateTime<Utc>> {
    let rfc3339 = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let with_utc = || {
        let text = text.strip_suffix("UTC")?.trim_end();
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()
    };
    rfc3339.ok().or_else(|| Some(with_utc()?.and_utc()))
}
