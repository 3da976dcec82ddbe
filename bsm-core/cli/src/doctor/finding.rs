//! What is wrong, where, and how to repair it.

use std::path::PathBuf;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It cannot be used.
    Error,
    /// It works, but certainly not as it was meant.
    Warning,
}

/// A problem and its repair. It quotes no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// `None` for the environment.
    pub(crate) file: Option<PathBuf>,
    pub(crate) line: Option<usize>,
    pub(crate) profile: Option<String>,
    pub(crate) problem: String,
    pub(crate) repair: String,
}

impl Finding {
    pub(super) fn error(problem: impl Into<String>, repair: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: None,
            line: None,
            profile: None,
            problem: problem.into(),
            repair: repair.into(),
        }
    }

    pub(super) fn warning(problem: impl Into<String>, repair: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(problem, repair)
        }
    }

    /// Splits a message of bsm-core, which is one clause of fact and one of remedy.
    pub(super) fn of_message(message: &str) -> Self {
        // The remedy is last. If the fact has a colon of its own, bsm-core puts a semicolon
        // between.
        let at = message.rfind("; ").or_else(|| message.rfind(": "));
        match at {
            Some(at) => Self::error(&message[..at], &message[at + 2..]),
            None => Self::error(message, "correct this setting"),
        }
    }

    pub(super) fn at(mut self, file: &std::path::Path, line: usize) -> Self {
        self.file = Some(file.to_owned());
        self.line = Some(line);
        self
    }

    pub(super) fn of_profile(mut self, profile: &str) -> Self {
        self.profile = Some(profile.to_owned());
        self
    }

    /// Returns where it is: `~/.aws/config:7`, or the environment.
    pub(crate) fn place(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{}:{line}", file.display()),
            (Some(file), None) => file.display().to_string(),
            (None, _) => "environment".to_owned(),
        }
    }
}
