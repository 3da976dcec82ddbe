//! The command line.

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, Parser, Subcommand};

#[cfg(feature = "migrate")]
use crate::commands::migrate::Migrate;
use crate::commands::{
    completions::Completions, console::Console, credential_process::CredentialProcess,
    doctor::Doctor, each::Each, env::Env, exec::Exec, export::Export, list::List, login::Login,
    logout::Logout, man::Man, profiles::Profiles, serve::Serve, sessions::Sessions, whoami::Whoami,
};
#[cfg(feature = "dynamodb")]
use crate::commands::{copy::CopyCommand, tables::Tables};
use crate::failure::Failure;
use crate::global::Global;
use crate::session::SessionArguments;

const AFTER_HELP: &str = "\
Examples:
  bsm list                               which profiles there are
  bsm whoami -p staging                  which account a profile leads to, and why
  bsm login -p staging                   sign in to IAM Identity Center
  bsm profiles sync                      write a profile for each role of a login
  bsm exec -p staging -- aws s3 ls       run a program as a profile
  eval \"$(bsm env -p staging)\"           give this shell the credentials
  bsm exec --server -p staging -- CMD    run a program for hours, with refreshed credentials
  bsm each --profiles 'prod-*' -- CMD    run a program in many accounts
  bsm doctor                             find mistakes in the profiles

Exit codes:
  0  success
  1  AWS, the network or the system refused or failed
  2  the command line is wrong
  3  a profile is missing, or a profile file or a variable has a value that cannot be used
  4  there are no credentials, or they have expired: sign in
  5  refused for safety: another account or region than expected, or you answered no
`bsm exec` ends with the status of the program that it runs, and `bsm each` with the number of
failures. If they fail themselves, they end with 125; 126 means that the program cannot be run, and 127
that it was not found.";

/// AWS sessions for people and scripts that work with more than one account.
///
/// It reads the profiles of the AWS CLI. A named profile takes precedence over keys in the environment, and a
/// missing profile is an error: no command falls back to another account.
#[derive(Parser)]
#[command(name = "bsm", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Returns the options that select the session that a failure is about.
    pub(crate) fn session_of(&self, failure: &Failure) -> SessionArguments {
        let session = self.global.session.clone();
        let profile = failure.profile().map(str::to_owned);
        SessionArguments {
            profile: profile.or(session.profile),
            ..session
        }
    }

    /// Returns what to do about a failure that is about credentials.
    pub(crate) fn advice(&self, failure: &Failure) -> Option<String> {
        let is_known = failure.profile().is_some() || !self.command.has_several_sessions();
        // The message names the profile whose login has ended, and the options need not.
        if failure.is_sign_in_required() && !is_known {
            return None;
        }
        self.session_of(failure).advice(failure)
    }
}

/// Returns the exit code for a wrong command line.
pub(crate) fn usage_status() -> ExitCode {
    // The error does not say which command it is of.
    let partial = Arguments::command().ignore_errors(true).try_get_matches();
    let of_command = partial.as_ref().ok().and_then(ArgMatches::subcommand_name);
    let failure = Failure::usage("");
    ExitCode::from(match of_command {
        Some("exec" | "each") => failure.exec_status(),
        _ => failure.status(),
    })
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Whoami(Whoami),
    List(List),
    Login(Login),
    Logout(Logout),
    Sessions(Sessions),
    Profiles(Profiles),
    Exec(Exec),
    // Boxed, because every value of the enum is as large as its largest variant.
    Each(Box<Each>),
    Env(Env),
    Export(Export),
    CredentialProcess(CredentialProcess),
    Serve(Serve),
    Console(Console),
    Doctor(Doctor),
    #[cfg(feature = "dynamodb")]
    Tables(Tables),
    #[cfg(feature = "dynamodb")]
    Copy(Box<CopyCommand>),
    #[cfg(feature = "migrate")]
    Migrate(Box<Migrate>),
    Completions(Completions),
    Man(Man),
}

impl Command {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        match self {
            Self::Whoami(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Login(command) => command.run(global).await,
            Self::Logout(command) => command.run(global).await,
            Self::Sessions(command) => command.run(global).await,
            Self::Profiles(command) => command.run(global).await,
            Self::Exec(command) => command.run(global).await,
            Self::Each(command) => command.run(global).await,
            Self::Env(command) => command.run(global).await,
            Self::Export(command) => command.run(global).await,
            Self::CredentialProcess(command) => command.run(global).await,
            Self::Serve(command) => command.run(global).await,
            Self::Console(command) => command.run(global).await,
            Self::Doctor(command) => command.run(global).await,
            #[cfg(feature = "dynamodb")]
            Self::Tables(command) => command.run(global).await,
            #[cfg(feature = "dynamodb")]
            Self::Copy(command) => command.run(global).await,
            #[cfg(feature = "migrate")]
            Self::Migrate(command) => command.run(global).await,
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(),
        }
    }

    /// Returns `true` if a command has done nothing yet when its session has no credentials, and can be run
    /// again. The output of `credential-process` is for a program, which does not wait for a person.
    pub(crate) fn can_run_again(&self) -> bool {
        #[cfg(feature = "dynamodb")]
        if matches!(self, Self::Tables(_)) {
            return true;
        }
        matches!(
            self,
            Self::Whoami(_)
                | Self::Exec(_)
                | Self::Env(_)
                | Self::Export(_)
                | Self::Serve(_)
                | Self::Console(_)
        )
    }

    /// Returns `true` if a command has sessions that other options than those of every command select.
    fn has_several_sessions(&self) -> bool {
        #[cfg(feature = "dynamodb")]
        if matches!(self, Self::Copy(_)) {
            return true;
        }
        #[cfg(feature = "migrate")]
        if matches!(self, Self::Migrate(_)) {
            return true;
        }
        matches!(self, Self::Each(_))
    }

    /// Returns `true` if a command has enough to do for more than one thread.
    pub(crate) fn needs_workers(&self) -> bool {
        self.has_several_sessions()
    }

    /// Returns the exit code for a failure.
    pub(crate) fn exit_code(&self, failure: &Failure) -> ExitCode {
        match self {
            // As env(1) does, so that a script can tell its own failures from the program's.
            Self::Exec(_) | Self::Each(_) => ExitCode::from(failure.exec_status()),
            _ => ExitCode::from(failure.status()),
        }
    }
}
