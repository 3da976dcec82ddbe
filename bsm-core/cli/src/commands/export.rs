//! `bsm export`

use std::process::ExitCode;

use bsm_core::Shell;
use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::global::Global;
use crate::lifetime::MinLifetime;
use crate::output::print;
use crate::session::Questions;
use crate::shell::Form;

/// Print a session's credentials in one of the formats of `aws configure export-credentials`
#[derive(Args)]
pub(crate) struct Export {
    /// The format
    #[arg(long, value_name = "FORMAT", default_value = "process")]
    format: Format,
    #[command(flatten)]
    lifetime: MinLifetime,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// JSON, as a credential_process prints it
    Process,
    /// `export` commands for bash, zsh and sh
    Env,
    /// NAME=value lines, as `docker run --env-file` reads them
    EnvNoExport,
    Fish,
    Powershell,
    WindowsCmd,
}

impl Export {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let session = global.session.select(Questions::Allowed)?;
        session.require(&self.lifetime).await?;
        let form = match self.format {
            Format::Process => Form::CredentialProcess,
            Format::Env => Form::Shell(Shell::Posix),
            Format::EnvNoExport => Form::EnvFile,
            Format::Fish => Form::Shell(Shell::Fish),
            Format::Powershell => Form::Shell(Shell::PowerShell),
            Format::WindowsCmd => Form::Cmd,
        };
        let variables = session.issue(session.audit("export").as_ref()).await?;
        print(&form.write(&variables)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
