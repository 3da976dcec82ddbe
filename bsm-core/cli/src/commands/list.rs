//! `bsm list`

use std::process::ExitCode;

use bsm_core::BotoSesManager;
use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{print_json, print_table};
use crate::profile_summary::{account, kind, source};
use crate::session::is_production;
use crate::terminal;

/// List the profiles, with what their settings say about account, region and credentials
#[derive(Args)]
pub(crate) struct List {}

impl List {
    pub(crate) fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let profiles = BotoSesManager::profiles()?;
        // Before anything is printed: a mark that is neither true nor false is an error.
        let production: Vec<bool> = profiles
            .iter()
            .map(is_production)
            .collect::<Result<_, _>>()?;
        if global.json {
            let list = profiles.iter().zip(production);
            let list = list.map(|(profile, production)| {
                json!({
                    "name": profile.name(),
                    "kind": kind(profile),
                    "account": account(profile),
                    "region": profile.region(),
                    "source_profile": profile.setting("source_profile"),
                    "production": production,
                })
            });
            print_json(&list.collect::<Vec<_>>())?;
            return Ok(ExitCode::SUCCESS);
        }
        if profiles.is_empty() {
            terminal::say(
                "There are no profiles yet. `aws configure` or `aws configure sso` creates one, and \
                 `bsm doctor` shows which files are read.",
            );
            return Ok(ExitCode::SUCCESS);
        }
        let header = ["PROFILE", "KIND", "ACCOUNT", "REGION", "SOURCE"].map(str::to_owned);
        let rows = profiles.iter().zip(production);
        let rows = rows.map(|(profile, production)| {
            let mark = if production { " (production)" } else { "" };
            let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
            [
                format!("{}{mark}", profile.name()),
                kind(profile).to_owned(),
                or_none(account(profile)),
                or_none(profile.region()),
                or_none(source(profile)),
            ]
        });
        let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
        print_table(&rows)?;
        Ok(ExitCode::SUCCESS)
    }
}
