//! `bsm list`

use std::process::ExitCode;

use bsm_core::sign_in::SsoLogin;
use bsm_core::{BotoSesManager, ProfileInfo, ProfileKind};
use clap::Args;
use serde_json::json;

use super::sessions;
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{print_json, print_table};
use crate::profile_summary::{account, kind, source};
use crate::session::is_production;
use crate::terminal;

/// List the profiles, with what their settings say about account, region and credentials
///
/// Profiles of IAM Identity Center (SSO) also have their login, with the time that is left of its token.
/// It sends no request.
#[derive(Args)]
pub(crate) struct List {}

impl List {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let profiles = BotoSesManager::profiles()?;
        let logins = BotoSesManager::new().sso_sessions().await?;
        let login = |profile: &ProfileInfo| login_of(profile, &profiles, &logins);
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
                    "login": login(profile).map(sessions::to_json),
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
        let header = ["PROFILE", "KIND", "ACCOUNT", "REGION", "SOURCE", "LOGIN"].map(str::to_owned);
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
                or_none(login(profile).map(sessions::state).as_deref()),
            ]
        });
        let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
        print_table(&rows)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the login that a profile gets its credentials with: its own, or that of the profile at the end
/// of its chain of roles.
fn login_of<'a>(
    profile: &ProfileInfo,
    profiles: &[ProfileInfo],
    logins: &'a [SsoLogin],
) -> Option<&'a SsoLogin> {
    let source = |it: &&ProfileInfo| {
        let name = it.setting("source_profile")?;
        profiles.iter().find(|it| it.name() == name)
    };
    // A chain that leads back to itself is longer than the list.
    let mut chain = std::iter::successors(Some(profile), source).take(profiles.len());
    let last = chain.find(|it| it.kind() != ProfileKind::Role)?;
    if last.kind() != ProfileKind::Sso {
        return None;
    }
    let (name, url) = (last.setting("sso_session"), last.setting("sso_start_url"));
    logins.iter().find(|login| match name {
        Some(_) => login.sso_session() == name,
        // Profiles of the older form share the login of their start URL.
        None => login.sso_session().is_none() && Some(login.start_url()) == url,
    })
}
