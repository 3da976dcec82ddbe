//! `bsm login`

use std::process::ExitCode;

use bsm_core::sign_in::Terminal;
use clap::Args;

use super::sessions;
use crate::failure::Failure;
use crate::global::Global;
use crate::output::print_json;
use crate::session::Questions;

/// Sign in to IAM Identity Center (SSO), for all programs that use the login
///
/// The login is that of the profile. The AWS CLI, boto3 and other SDKs also use it, and `bsm` uses theirs.
#[derive(Args)]
pub(crate) struct Login {
    /// Sign in to this sso-session, instead of that of the profile
    #[arg(long, value_name = "NAME")]
    sso_session: Option<String>,
    /// Sign in with a device code, in a browser on any machine [default where there is no display]
    #[arg(long)]
    device_code: bool,
    /// Print the address, and open no browser
    #[arg(long)]
    no_browser: bool,
}

impl Login {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let questions = match self.sso_session {
            // A profile adds nothing to it.
            Some(_) => Questions::Never,
            None => Questions::Allowed,
        };
        let mut sign_in = global.session.select(questions)?.manager.sso_login();
        if let Some(name) = &self.sso_session {
            sign_in = sign_in.sso_session(name);
        }
        if self.device_code {
            sign_in = sign_in.device_code();
        }
        if self.no_browser {
            sign_in = sign_in.prompt(Terminal::new());
        }
        let login = sign_in.await?;
        match global.json {
            true => print_json(&sessions::to_json(&login))?,
            false => sessions::print(&[login])?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
