//! `bsm list`

use std::process::ExitCode;

use bsm_core::{BotoSesManager, ProfileInfo, ProfileKind};
use clap::Args;
use serde_json::json;

use crate::arguments::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_table};
use crate::session::{EXPECT_ACCOUNT, is_production};
use crate::terminal;

/// List the profiles, with what their settings say about account, region and credentials
#[derive(Args)]
pub(crate) struct List {}

impl List {
    pub(crate) fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let profiles = BotoSesManager::profiles()?;
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

/// Returns the account of a profile, as far as its own settings name it.
pub(crate) fn account(profile: &ProfileInfo) -> Option<&str> {
    let of_role = || profile.setting("role_arn")?.split(':').nth(4);
    let settings = [EXPECT_ACCOUNT, "sso_account_id", "aws_account_id"];
    let of_setting = settings.iter().find_map(|key| profile.setting(key));
    of_setting
        .or_else(of_role)
        .filter(|account| !account.is_empty())
}

/// Describes a profile for a person who has to pick one.
pub(crate) fn description(profile: &ProfileInfo) -> String {
    let account = account(profile).map(|account| format!(", account {account}"));
    let region = profile.region().map(|region| format!(", {region}"));
    let (account, region) = (account.unwrap_or_default(), region.unwrap_or_default());
    format!("{}{account}{region}", kind(profile))
}

/// Returns where a profile gets its first credentials, by name.
fn source(profile: &ProfileInfo) -> Option<&str> {
    let settings = ["source_profile", "credential_source", "sso_session"];
    settings.iter().find_map(|key| profile.setting(key))
}

fn kind(profile: &ProfileInfo) -> &'static str {
    match profile.kind() {
        ProfileKind::Keys => "keys",
        ProfileKind::Role => "role",
        ProfileKind::WebIdentity => "web identity",
        ProfileKind::Sso => "sso",
        ProfileKind::Login => "login",
        ProfileKind::Process => "process",
        _ => "no credentials",
    }
}
