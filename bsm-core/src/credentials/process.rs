//! `credential_process`: a program that prints credentials.
//!
//! Source: the page [Process credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html).
//! aws-config runs the command in a shell and writes it to the log; botocore does neither.

mod output;
mod run;

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;
use futures_core::future::BoxFuture;

use self::output::Printed;
use self::run::MAX_OUTPUT;
use self::run::Process;
pub use self::run::ProcessStdio;
pub(crate) use self::run::Streams;
pub(in crate::credentials) use self::run::run;
use super::provider::CredentialProvider;
use crate::error::{Error, ErrorKind};
use crate::profile::{Command, shlex};
use crate::secret::SecretText;

/// The credentials that the `credential_process` of a profile prints; it is run at every call.
#[derive(Debug)]
pub(crate) struct CredentialProcess {
    profile: String,
    command: Command,
    /// The account of the credentials, where the program prints none.
    account_id: Option<String>,
    streams: Streams,
    limit: Duration,
    /// Variables that the program gets in addition to those of this process.
    variables: Vec<(String, String)>,
}

impl CredentialProcess {
    pub(crate) fn new(
        profile: String,
        command: Command,
        account_id: Option<String>,
        streams: Streams,
        limit: Duration,
    ) -> Self {
        Self {
            profile,
            command,
            account_id,
            streams,
            limit,
            variables: Vec::new(),
        }
    }

    pub(crate) fn with_variables(self, variables: Vec<(String, String)>) -> Self {
        Self { variables, ..self }
    }

    async fn run(&self) -> Result<Credentials, Error> {
        tracing::debug!(
            profile = self.profile,
            program = self.program(),
            "running a credential_process"
        );
        let mut command = self.command()?;
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let process = Process::spawn(command, self.streams).await;
        let process = process.map_err(|error| {
            self.failed("could not be started: check the path of the program")
                .with_source(error)
        })?;
        let ran = process.finish().await.map_err(|error| {
            self.failed("was started, but its output could not be read: run it yourself to see why")
                .with_source(error)
        })?;
        // Before the status, which is that of the kill after too much output.
        let Some(stdout) = ran.stdout else {
            let limit = MAX_OUTPUT / 1024;
            return Err(self.failed(&format!(
                "printed more than {limit} KiB and was killed: it must print only the credentials"
            )));
        };
        match ran.status {
            status if status.success() => {}
            status => return Err(self.unsuccessful(&status.to_string(), ran.stderr)),
        }
        let printed = Printed::parse(&stdout).map_err(|flaw| self.failed(&flaw))?;
        Ok(printed.into_credentials(self.account_id.as_deref()))
    }

    #[cfg(not(windows))]
    fn command(&self) -> Result<tokio::process::Command, Error> {
        // An open quote gives `None`, and fails below as a command without a program does.
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
        // cmd.exe strips the outer quotes, so those of the command itself stay.
        command.arg("/C").raw_arg(format!("\"{}\"", self.command.0));
        Ok(command)
    }

    /// Returns the file name of the program. Its folder and its arguments may be secret.
    fn program(&self) -> Option<String> {
        let words = shlex::split(&self.command.0)?;
        let program = words.first()?;
        // A variable in front of the program, as shells take it, may be a secret, and the secret may
        // contain a slash: the whole word counts, not its end.
        if program.contains('=') {
            return None;
        }
        let name = program.rsplit(['/', '\\']).next()?;
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn unsuccessful(&self, status: &str, stderr: Option<SecretText>) -> Error {
        let error = self.failed(&format!("failed with {status}: run it yourself to see why"));
        match stderr {
            Some(stderr) => error.with_source(ProcessFailure { stderr }),
            None => error,
        }
    }

    fn failed(&self, why: &str) -> Error {
        let message = format!("{} {why}", self.described());
        Error::new(ErrorKind::CredentialsUnavailable, message)
    }

    /// Names the process: `the credential_process "okta-helper" of profile "dev"`.
    fn described(&self) -> String {
        let program = self.program().map(|program| format!("{program:?} "));
        format!(
            "the credential_process {}of profile {:?}",
            program.unwrap_or_default(),
            self.profile
        )
    }
}

impl CredentialProvider for CredentialProcess {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.run())
    }

    fn step(&self) -> String {
        self.described()
    }

    fn limit(&self) -> Duration {
        self.limit
    }
}

/// What a failed process wrote to its standard error, which nothing prints.
///
/// A program that traces its commands, or is in trouble, writes secrets there.
#[derive(Debug)]
struct ProcessFailure {
    stderr: SecretText,
}

impl fmt::Display for ProcessFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "its standard error is not shown because it may contain secrets; \
             Error::process_stderr returns it",
        )
    }
}

impl std::error::Error for ProcessFailure {}

impl Error {
    /// Returns the end of what a failed `credential_process` wrote to its standard error.
    ///
    /// It may contain secrets, and is in no message, cause, `Debug` form or log. At most the last
    /// 8 KiB are kept. It is `None` if the process shared this process's standard error; see
    /// [`Builder::process_stderr`](crate::Builder::process_stderr).
    pub fn process_stderr(&self) -> Option<&SecretText> {
        let first = std::error::Error::source(self);
        let mut causes = std::iter::successors(first, |&cause| cause.source());
        let failure = causes.find_map(|cause| cause.downcast_ref::<ProcessFailure>())?;
        Some(&failure.stderr)
    }
}

/// Parses the output of a program, for the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_output(output: &[u8]) -> Result<Credentials, String> {
    Printed::parse(output).map(|printed| printed.into_credentials(None))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn process(command: &str) -> CredentialProcess {
        let command = Command(command.to_owned());
        CredentialProcess::new(
            "dev".to_owned(),
            command,
            None,
            Streams::default(),
            Duration::from_secs(60),
        )
    }

    #[test]
    fn a_variable_in_front_of_the_program_is_not_shown() {
        for command in [
            "AWS_SECRET_ACCESS_KEY=wJalr/K7MDENG/bPxRfiCYEXAMPLEKEY helper",
            "KEY=bPxRfiCYEXAMPLEKEY helper",
        ] {
            let process = process(command);
            assert_eq!(process.program(), None);
            let message = process.failed("failed").to_string();
            assert!(!message.contains("bPxRfiCYEXAMPLEKEY"), "{message}");
        }
        let program = process("/opt/bin/helper --key=x").program();
        assert_eq!(program.as_deref(), Some("helper"));
    }

    #[test]
    fn the_standard_error_is_found_behind_other_causes() {
        let stderr = Some(SecretText::new(Zeroizing::new("sign in".to_owned())));
        let inner = process("helper").unsuccessful("exit status: 1", stderr);
        let outer = Error::new(ErrorKind::CredentialsUnavailable, "no role").with_source(inner);
        assert_eq!(
            outer.process_stderr().map(SecretText::expose),
            Some("sign in")
        );
    }
}
