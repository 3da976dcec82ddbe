//! MFA codes from a program.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use tokio::process::Command;

use super::{BoxFuture, Internal, MfaTokenProvider, TokenRequest};
use crate::credentials::process::{ProcessStdio, Streams, run};
use crate::error::{Error, ErrorKind};

/// The time-out of a program: time enough to unlock a password manager.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs a program that prints the code, a password manager for example.
///
/// The program is run as it is, without a shell. Its standard error goes to that of this process,
/// and the device's serial is in its environment, in `BSM_MFA_SERIAL`.
///
/// ```
/// use bsm_core::{BotoSesManager, mfa::TokenCommand};
///
/// let bsm = BotoSesManager::builder()
///     .profile_name("production")
///     .mfa_token_provider(TokenCommand::new("op").args(["item", "get", "aws", "--otp"]))
///     .build();
/// ```
#[derive(Clone)]
pub struct TokenCommand {
    program: OsString,
    args: Vec<OsString>,
    timeout: Duration,
    is_unattended: bool,
}

impl TokenCommand {
    /// Names the program.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            timeout: TIMEOUT,
            is_unattended: false,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        self.args.extend(args);
        self
    }

    /// Sets how long the program may take. Default: 60 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Declares that the program needs no person, not even a fingerprint, so that a background
    /// refresh can run it.
    ///
    /// Default: it needs a person.
    #[must_use]
    pub fn unattended(mut self) -> Self {
        self.is_unattended = true;
        self
    }

    async fn run(&self, request: &TokenRequest) -> Result<String, Error> {
        let failed = |reason: &str| {
            Error::new(
                ErrorKind::MfaCodeUnavailable,
                format!(
                    "the program {:?} gave no code of the MFA device {}: {reason}",
                    self.program,
                    request.serial()
                ),
            )
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env("BSM_MFA_SERIAL", request.serial());
        // Standard input may be data for this process. A password manager prompts on standard
        // error, or opens the terminal itself.
        let streams = Streams {
            stdin: ProcessStdio::Detached,
            stderr: ProcessStdio::Inherit,
        };
        // The program is killed when its future is dropped by the time-out.
        let ran = tokio::time::timeout(self.timeout, run(command, streams))
            .await
            .map_err(|_| failed("it timed out"))?
            .map_err(|error| failed("it could not be run").with_source(error))?;
        if !ran.status.success() {
            return Err(failed(&format!("it ended with {}", ran.status)));
        }
        let printed = ran.stdout.ok_or_else(|| failed("it printed too much"))?;
        let code = std::str::from_utf8(&printed);
        code.map(str::to_owned)
            .map_err(|_| failed("it printed something other than text"))
    }
}

impl MfaTokenProvider for TokenCommand {
    fn token_code<'a>(&'a self, request: &'a TokenRequest) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move {
            if request.is_repeat() {
                request.next_code().await;
            }
            self.run(request).await
        })
    }

    fn is_interactive(&self) -> bool {
        !self.is_unattended
    }

    fn runs_anywhere(&self, _: Internal) -> bool {
        true
    }
}

/// Shows the program, but not its arguments: there may be a secret among them.
impl std::fmt::Debug for TokenCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCommand")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}
