//! `bsm exec`

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode};

use clap::Args;

use crate::arguments::Global;
use crate::failure::{Class, Failure};
use crate::lifetime::MinLifetime;
use crate::session::{Questions, Session};

/// Run a program with a session's credentials in its environment
///
/// The program replaces bsm: it has the same process id, and gets signals and ends as if it had been
/// started without bsm. It cannot refresh its credentials.
#[derive(Args)]
pub(crate) struct Exec {
    /// Do not ask before a program runs with a production profile
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    lifetime: MinLifetime,
    /// The program and its arguments; write -- in front of it if they begin with a dash
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Exec {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::usage(
                "there is no program to run: write bsm exec -p PROFILE -- PROGRAM ARGUMENTS",
            ));
        };
        let session = global.session.select(Questions::Allowed)?;
        let mut command = Command::new(program);
        command.args(arguments);
        self.apply_credentials(&session, &mut command).await?;
        let action = format!("Run {}", program.display());
        session.confirm_production(&action, self.yes)?;
        become_program(command).map_err(|error| cannot_run(program, &error))
    }

    async fn apply_credentials(
        &self,
        session: &Session,
        command: &mut Command,
    ) -> Result<(), Failure> {
        if let Some(at_least) = self.lifetime.min_lifetime {
            session.manager.credentials_for(at_least).await?;
        }
        session.manager.env_vars().await?.apply_to(command);
        Ok(())
    }
}

/// Replaces this process, so that nothing stands between the program and its signals, its process
/// group and its terminal. Returns only if the program cannot be started.
#[cfg(unix)]
fn become_program(mut command: Command) -> io::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;

    Err(command.exec())
}

/// Windows cannot replace a process: this one waits, and ends with the program's status.
#[cfg(not(unix))]
fn become_program(mut command: Command) -> io::Result<ExitCode> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1))
}

fn cannot_run(program: &OsString, error: &io::Error) -> Failure {
    let program = program.display();
    match error.kind() {
        io::ErrorKind::NotFound => Failure::new(
            Class::NotFound,
            format!("there is no program {program}: check the spelling and PATH"),
        ),
        _ => Failure::new(
            Class::NotExecutable,
            format!("{program} cannot be run: {error}"),
        ),
    }
}
