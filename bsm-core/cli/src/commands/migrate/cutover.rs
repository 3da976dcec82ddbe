//! The moment at which the writers stop.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;

use indicatif::ProgressBar;
use tokio::process::Command;

use crate::failure::Failure;
use crate::{question, terminal};

/// What stops the writers.
pub(super) enum Cutover {
    Program(Vec<OsString>),
    /// The person at the terminal.
    Person,
}

impl Cutover {
    /// Decides before anything is done who can stop the writers hours later.
    pub(super) fn of(command: &[OsString]) -> Result<Self, Failure> {
        if !command.is_empty() {
            return Ok(Self::Program(command.to_vec()));
        }
        match terminal::is_interactive() {
            true => Ok(Self::Person),
            false => Err(Failure::usage(
                "there is no terminal for the question whether the writers have stopped: add -- \
                 and the command that stops them",
            )),
        }
    }

    pub(super) async fn stop_writers(self, bar: &ProgressBar) -> io::Result<()> {
        match self {
            Self::Program(command) => run(&command).await,
            Self::Person => {
                let bar = bar.clone();
                // The prompt blocks its thread, and the migration continues meanwhile.
                let asked = tokio::task::spawn_blocking(move || bar.suspend(ask));
                asked.await.map_err(io::Error::other)?
            }
        }
    }
}

fn ask() -> io::Result<()> {
    terminal::say("The target has caught up. Stop the writers of the source now.");
    match question::confirm("Have they stopped?") {
        Ok(true) => Ok(()),
        Ok(false) => Err(io::Error::other("you answered no")),
        Err(failure) => Err(io::Error::other(failure.to_string())),
    }
}

async fn run(command: &[OsString]) -> io::Result<()> {
    // `Cutover::of` creates a `Program` of at least one word.
    let [program, arguments @ ..] = command else {
        return Ok(());
    };
    let shown = program.display();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        // The standard output is for the summary.
        .stdout(io::stderr())
        // An interrupted migration must not leave a program behind that stops the writers later.
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| io::Error::other(format!("{shown} cannot be run: {error}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{shown} failed: {status}"))),
    }
}
