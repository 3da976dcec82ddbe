//! `bsm exec`

mod replace;
mod server;
#[cfg(unix)]
mod supervise;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Args;

use crate::failure::{Class, Failure};
use crate::global::Global;
use crate::lifetime::MinLifetime;
use crate::session::{Narrow, Questions, Session};

/// Run a program with a session's credentials
///
/// The program replaces bsm: it has the same process id, gets the same signals, and its exit status is
/// the command's. It gets credentials in its environment, and cannot refresh them. With --server, bsm
/// stays, and the program gets its credentials from it for as long as it runs. Keys that never expire,
/// and temporary keys of the environment, are passed as variables even with --server.
///
/// --read-only, --policy, --tag and --source-identity restrict the credentials that the program gets,
/// and nothing can widen them again. They need a role: that of the profile, or of --role. This is
/// not a sandbox: a program that can read your home directory can use your profiles.
#[derive(Args)]
pub(crate) struct Exec {
    /// Serve credentials to the program and refresh them, instead of putting them into its environment
    #[arg(long, conflicts_with = "min_lifetime")]
    server: bool,
    /// Do not ask before a program runs with a production profile
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    lifetime: MinLifetime,
    #[command(flatten)]
    narrow: Narrow,
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
        let session = global
            .session
            .select_narrowed(Questions::Allowed, &self.narrow)?;
        let name = Path::new(program).file_name().unwrap_or(program);
        let audit = session.audit(&format!("exec {}", name.display()));
        session.require(&self.lifetime).await?;
        let mut command = Command::new(program);
        command.args(arguments);
        let question = || self.confirm(&session, program);
        let variables = session.issue_after(audit.as_ref(), question).await?;
        let failed = |error: io::Error| cannot_run(program, &error);
        // Without an expiry there is nothing to refresh, and the container protocol requires one. That of keys in the
        // environment is not the session's.
        let credentials = session.manager.credentials().await?;
        if self.server && credentials.expiry().is_some() {
            return server::run(&session, &variables, audit, command)
                .await?
                .map_err(failed);
        }
        variables.apply_to(&mut command);
        replace::exec_program(command).map_err(failed)
    }

    fn confirm(&self, session: &Session, program: &OsString) -> Result<(), Failure> {
        session.confirm_production(&format!("Run {}", program.display()), self.yes)
    }
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
