//! A command that runs with a session, and can be printed.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use tokio::process::{Child, Command};

/// A command whose process gets a session; see
/// [`BotoSesManager::command`](crate::BotoSesManager::command).
///
/// It has the common methods of [`tokio::process::Command`], which it wraps because the `Debug` form
/// of that type prints the environment, secrets included. [`as_tokio_mut`](Self::as_tokio_mut) gives
/// access to the others.
#[must_use = "a command does nothing until it is run"]
pub struct SessionCommand {
    command: Command,
}

impl SessionCommand {
    pub(crate) fn new(command: Command) -> Self {
        Self { command }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.command.env_remove(name);
        self
    }

    /// Sets the working directory.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.command.current_dir(dir);
        self
    }

    /// Sets the standard input. Default: as in [`tokio::process::Command`].
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.command.stdin(stdin);
        self
    }

    /// Sets the standard output. Default: as in [`tokio::process::Command`].
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.command.stdout(stdout);
        self
    }

    /// Sets the standard error. Default: as in [`tokio::process::Command`].
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.command.stderr(stderr);
        self
    }

    /// Sets whether the process is killed when its [`Child`] is dropped. Default: it is not.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.command.kill_on_drop(kill);
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    ///
    /// The system's, for example if there is no such program.
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.command.spawn()
    }

    /// Starts the process and waits for its exit.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        self.command.status().await
    }

    /// Starts the process, waits for its exit, and returns what it printed.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub async fn output(&mut self) -> io::Result<Output> {
        self.command.output().await
    }

    /// Returns tokio's command, whose `Debug` form prints secrets.
    pub fn as_tokio_mut(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Converts it into tokio's command, whose `Debug` form prints secrets.
    pub fn into_tokio(self) -> Command {
        self.command
    }

    /// Converts it into the standard library's command, whose `Debug` form prints secrets.
    pub fn into_std(self) -> std::process::Command {
        self.command.into_std()
    }
}

/// Shows the program, and neither its environment nor its arguments.
impl fmt::Debug for SessionCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCommand")
            .field("program", &self.command.as_std().get_program())
            .finish_non_exhaustive()
    }
}
