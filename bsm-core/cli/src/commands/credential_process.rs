//! `bsm credential-process`

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::global::Global;
use crate::output::print;
use crate::session::Questions;
use crate::shell::Form;

/// Print credentials as JSON, for the credential_process setting of a profile
///
///   [profile staging-for-others]
///   credential_process = bsm credential-process -p staging
///
/// It prompts for MFA codes only, and only on a terminal. The profile must not be
/// the one that runs this command.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CredentialProcess {}

impl CredentialProcess {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let session = global.session.select(Questions::Never)?;
        let audit = session.audit("credential-process");
        let variables = session.issue(audit.as_ref()).await?;
        print(&Form::CredentialProcess.write(&variables)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
