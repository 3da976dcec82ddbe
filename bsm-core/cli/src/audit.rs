//! The audit log: one line of JSON for each set of credentials that a command issues.
//!
//! It is off unless `BSM_AUDIT_LOG` names a file. It contains no secret.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bsm_core::BotoSesManager;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::Serialize;

use crate::failure::Failure;
use crate::lifetime::rfc3339;

const VARIABLE: &str = "BSM_AUDIT_LOG";

/// Records the credentials that one command issues.
pub(crate) struct Audit {
    path: PathBuf,
    profile: String,
    command: String,
    /// The access key of the last record, so that a server records each set once.
    last: Mutex<Option<String>>,
}

#[derive(Serialize)]
struct Record<'a> {
    time: String,
    command: &'a str,
    profile: &'a str,
    account: &'a str,
    principal: &'a str,
    access_key_id: &'a str,
    expiration: Option<String>,
    pid: u32,
    parent_pid: Option<u32>,
}

impl Audit {
    /// Returns the audit of a command, if the environment asks for one. The command is named without
    /// its arguments, which may contain secrets.
    pub(crate) fn of(profile: &str, command: &str) -> Option<Self> {
        let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty())?;
        Some(Self {
            path: path.into(),
            profile: profile.to_owned(),
            command: command.to_owned(),
            last: Mutex::default(),
        })
    }

    /// Records credentials of a manager, unless they were the last that were recorded.
    ///
    /// # Errors
    ///
    /// If the identity is not known or the file cannot be written. Credentials that cannot be recorded
    /// must not be issued.
    pub(crate) async fn record(
        &self,
        manager: &BotoSesManager,
        access_key_id: &str,
        expiration: Option<DateTime<Utc>>,
    ) -> Result<(), Failure> {
        // The lock is released at the end of the condition, and not held across the request below.
        if self.last.lock().as_deref() == Some(access_key_id) {
            return Ok(());
        }
        let caller = manager.caller_identity().await?;
        let record = Record {
            time: rfc3339(Utc::now()),
            command: &self.command,
            profile: &self.profile,
            account: caller.account(),
            principal: caller.arn(),
            access_key_id,
            expiration: expiration.map(rfc3339),
            pid: std::process::id(),
            parent_pid: parent_pid(),
        };
        let mut line = serde_json::to_string(&record).expect("strings and numbers are JSON");
        line.push('\n');
        append(&self.path, &line).map_err(|error| {
            let path = self.path.display();
            Failure::io(
                format!("{VARIABLE} {path} cannot be written, so no credentials are issued"),
                error,
            )
        })?;
        // Only after the write: if it fails, the next call for the same key records it.
        *self.last.lock() = Some(access_key_id.to_owned());
        Ok(())
    }
}

/// Appends a line with one write, so that the lines of two processes do not mix.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // With O_APPEND, the system finds the end of the file in the same step in which it writes.
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // The records name accounts and principals. An existing file keeps its own mode.
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    // `write_all` would complete a short write with a second one, behind another process's line.
    let length = file.write(line.as_bytes())?;
    if length == line.len() {
        return Ok(());
    }
    Err(io::ErrorKind::WriteZero.into())
}

#[cfg(unix)]
fn parent_pid() -> Option<u32> {
    Some(std::os::unix::process::parent_id())
}

#[cfg(not(unix))]
fn parent_pid() -> Option<u32> {
    None
}
