//! `bsm sessions`

use std::process::ExitCode;

use bsm_core::BotoSesManager;
use bsm_core::sign_in::SsoLogin;
use chrono::Utc;
use clap::Args;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::global::Global;
use crate::lifetime::{remaining, rfc3339};
use crate::output::{print_json, print_table};
use crate::terminal;

/// List the logins of IAM Identity Center (SSO), with the time that is left of each
#[derive(Args)]
pub(crate) struct Sessions {}

impl Sessions {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let logins = BotoSesManager::new().sso_sessions().await?;
        if global.json {
            print_json(&logins.iter().map(to_json).collect::<Vec<_>>())?;
        } else if logins.is_empty() {
            terminal::say("No profile has a login. `aws configure sso` creates one.");
        } else {
            print(&logins)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints logins as a table.
pub(super) fn print(logins: &[SsoLogin]) -> Result<(), Failure> {
    let header = ["LOGIN", "PORTAL", "REGION", "TOKEN"].map(str::to_owned);
    let rows = logins.iter().map(|login| {
        [
            login.sso_session().unwrap_or("-").to_owned(),
            login.start_url().to_owned(),
            login.region().to_owned(),
            state(login),
        ]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    print_table(&rows)
}

pub(super) fn to_json(login: &SsoLogin) -> Value {
    json!({
        "sso_session": login.sso_session(),
        "start_url": login.start_url(),
        "region": login.region(),
        "expiration": login.expiration().map(rfc3339),
        "can_be_renewed": login.can_be_renewed(),
    })
}

/// Describes the token: a login can outlive it.
pub(super) fn state(login: &SsoLogin) -> String {
    let now = Utc::now();
    match login.expiration() {
        None => "not signed in".to_owned(),
        Some(expiry) if expiry > now => format!("expires {}", remaining(expiry, now)),
        Some(_) if login.can_be_renewed() => "expired; renewed on next use".to_owned(),
        Some(_) => "expired".to_owned(),
    }
}
