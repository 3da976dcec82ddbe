//! What a command fails with: the message, the remedy, and the exit code.

use std::error::Error as StdError;
use std::{fmt, io};

use bsm_core::ErrorKind;
use serde_json::json;

use crate::terminal::{self, ERROR, HINT};

/// A failure of a command, to be reported once, at the end.
#[derive(Debug)]
pub(crate) struct Failure {
    class: Class,
    kind: String,
    message: String,
    hint: Option<String>,
    causes: Vec<String>,
    /// The profile that it is about, where the command has several.
    profile: Option<Box<str>>,
}

/// What a script can do about a failure. The numbers are the exit codes, which are documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Failed = 1,
    Usage = 2,
    Config = 3,
    Credentials = 4,
    Refused = 5,
    /// The program of `bsm exec` exists, but cannot be run. The numbers are those of env(1).
    NotExecutable = 126,
    NotFound = 127,
}

/// The exit code of `bsm exec` if it fails before the program starts.
const EXEC_FAILED: u8 = 125;

impl Failure {
    /// Creates a failure from one clause of fact and one of remedy.
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            kind: format!("{class:?}"),
            message: message.into(),
            hint: None,
            causes: Vec::new(),
            profile: None,
        }
    }

    /// Creates a failure from an error whose message and causes contain no secrets.
    pub(crate) fn of_error(class: Class, kind: String, error: &dyn StdError) -> Self {
        Self {
            kind,
            causes: causes(error),
            ..Self::new(class, error.to_string())
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Class::Usage, message)
    }

    pub(crate) fn io(what: impl Into<String>, error: io::Error) -> Self {
        let message = format!("{}: {error}", what.into());
        Self::new(Class::Failed, message)
    }

    /// Replaces the message of a library that names what only its callers have.
    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the profile that the failure is about, of a command that has several.
    pub(crate) fn of_profile(mut self, profile: &str) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Adds a hint to a failure that is about credentials and has none yet.
    pub(crate) fn or_hint(mut self, hint: impl FnOnce(&Self) -> Option<String>) -> Self {
        if self.class == Class::Credentials && self.hint.is_none() {
            self.hint = hint(&self);
        }
        self
    }

    pub(crate) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    pub(crate) fn is_sign_in_required(&self) -> bool {
        self.kind == "SignInRequired"
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn status(&self) -> u8 {
        self.class as u8
    }

    /// Returns the exit code of `bsm exec`, in which low numbers belong to the program that it runs.
    pub(crate) fn exec_status(&self) -> u8 {
        match self.class {
            Class::NotExecutable | Class::NotFound => self.class as u8,
            _ => EXEC_FAILED,
        }
    }

    /// Prints the failure on the standard error.
    pub(crate) fn report(&self, as_json: bool, with_causes: bool) {
        if as_json {
            let error = json!({
                "kind": self.kind,
                "message": self.message,
                "hint": self.hint,
                "causes": self.causes,
            });
            terminal::say(json!({ "error": error }));
            return;
        }
        terminal::say(format_args!("{ERROR}error:{ERROR:#} {}", self.message));
        // The message of a file that cannot be parsed leaves the line to its cause.
        if with_causes || self.class == Class::Config {
            for cause in &self.causes {
                terminal::say(format_args!("  caused by: {cause}"));
            }
        } else if !self.causes.is_empty() {
            terminal::say("  --verbose shows the cause");
        }
        if let Some(hint) = &self.hint {
            terminal::say(format_args!("  {HINT}hint:{HINT:#} {hint}"));
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<bsm_core::Error> for Failure {
    fn from(error: bsm_core::Error) -> Self {
        let class = match error.kind() {
            ErrorKind::ProfileNotFound
            | ErrorKind::InvalidConfig
            | ErrorKind::NoRegion
            | ErrorKind::InvalidSnapshot
            | ErrorKind::UnsupportedSnapshot => Class::Config,
            // What the library calls an input is an option of the command line here.
            ErrorKind::InvalidInput => Class::Usage,
            ErrorKind::NoCredentials
            | ErrorKind::CredentialsUnavailable
            | ErrorKind::SignInRequired
            | ErrorKind::SignInFailed
            | ErrorKind::MfaCodeUnavailable
            | ErrorKind::MfaCodeRejected
            | ErrorKind::CredentialsRejected
            | ErrorKind::SnapshotExpired => Class::Credentials,
            ErrorKind::AccountMismatch | ErrorKind::RegionMismatch => Class::Refused,
            _ => Class::Failed,
        };
        let failure = Self::of_error(class, format!("{:?}", error.kind()), &error);
        // The message of the library names the method of its builder.
        let hint = match error.is_no_region() {
            true => Some("on the command line, add --region"),
            false if failure.message.contains("expect_account") => Some(
                "the expected account comes from --expect-account, or from bsm_expect_account in the profile",
            ),
            false => None,
        };
        Self {
            hint: hint.map(str::to_owned),
            ..failure
        }
    }
}

fn causes(error: &dyn StdError) -> Vec<String> {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).collect()
}
