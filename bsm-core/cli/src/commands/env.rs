//! `bsm env`

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::global::Global;
use crate::lifetime::MinLifetime;
use crate::output::print;
use crate::session::{Narrow, Questions};
use crate::shell::ShellName;
use crate::terminal;

/// Print the commands that give a shell a session's credentials
///
///   eval "$(bsm env -p staging)"                            bash, zsh, sh
///   bsm env -p staging | source                             fish
///   bsm env -p staging | Out-String | Invoke-Expression     PowerShell
///
/// It clears the variables that would select another identity. The credentials are not refreshed.
///
/// Restricted credentials are not a sandbox: a program that can read your home directory can use your
/// profiles.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Env {
    /// The shell [default: that of SHELL, or the platform's]
    #[arg(long, value_name = "SHELL")]
    shell: Option<ShellName>,
    /// Do not ask before the credentials of a production profile are printed
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    lifetime: MinLifetime,
    #[command(flatten)]
    narrow: Narrow,
}

impl Env {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let session = global
            .session
            .select_narrowed(Questions::Allowed, &self.narrow)?;
        session.require(&self.lifetime).await?;
        let audit = session.audit("env");
        let question =
            || session.confirm_production("Give the credentials to this shell", self.yes);
        let variables = session.issue_after(audit.as_ref(), question).await?;
        let shell = self.shell.unwrap_or_else(ShellName::of_user);
        print(&shell.form().write(&variables)?)?;
        if io::stdout().is_terminal() {
            let command = format!("bsm env -p {}", session.profile_name());
            terminal::note(format_args!(
                "this shell has not changed; run: {}",
                shell.evaluating(&command)
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}
