//! `bsm logout`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::global::Global;
use crate::output::print_json;
use crate::session::Questions;
use crate::terminal;

/// End the login of a profile, for all programs that use it
///
/// Credentials that programs have already got stay valid until they expire.
#[derive(Args)]
pub(crate) struct Logout {}

impl Logout {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let session = global.session.select(Questions::Allowed)?;
        let ended = session.manager.sso_logout().await?;
        if global.json {
            print_json(&json!({ "ended": ended }))?;
        } else if ended {
            terminal::say("signed out");
        } else {
            terminal::say("there was no login");
        }
        Ok(ExitCode::SUCCESS)
    }
}
