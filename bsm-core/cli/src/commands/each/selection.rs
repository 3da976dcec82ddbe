//! Which accounts a program is run for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use bsm_core::fleet::Fleet;
use bsm_core::{BotoSesManager, ProfileInfo};
use clap::Args;

use crate::failure::{Class, Failure};
use crate::profile_summary::{EXPECT_ACCOUNT, is_account};
use crate::session::{Questions, SessionArguments, is_production};
use crate::terminal::STRONG;
use crate::{profile_summary, question};

/// The longest file of accounts: half a million of them.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The options that select the accounts.
#[derive(Args)]
pub(super) struct Selection {
    /// The profiles whose names match; * stands for any text, ? for one character. Repeat it for more
    #[arg(long, value_name = "PATTERN", required_unless_present_any = ["accounts", "org"])]
    profiles: Vec<String>,
    /// Run in the accounts that this file lists, one per line; needs --role-name
    #[arg(long, value_name = "FILE", requires = "role_name")]
    accounts: Option<PathBuf>,
    /// Run in all accounts of the session's organization; needs --role-name
    #[arg(long, requires = "role_name")]
    org: bool,
    /// With --org, only these accounts and units, and all below: ou-abcd-12345678, 111122223333
    #[arg(long, value_name = "ID,..", value_delimiter = ',', requires = "org")]
    within: Vec<String>,
    /// With --org, not these accounts and units
    #[arg(long, value_name = "ID,..", value_delimiter = ',', requires = "org")]
    without: Vec<String>,
    /// With --org, only accounts with this tag
    #[arg(long = "account-tag", value_name = "KEY=VALUE", value_parser = pair, requires = "org")]
    tags: Vec<(String, String)>,
    /// The role to assume in each account, with the session's credentials
    #[arg(long, value_name = "NAME")]
    role_name: Option<String>,
}

impl Selection {
    /// Returns the accounts. Sends requests for an organization only.
    pub(super) async fn fleet(&self, session: &SessionArguments) -> Result<Fleet, Failure> {
        if !self.profiles.is_empty()
            && (!session.roles.is_empty() || session.expect_account.is_some())
        {
            return Err(Failure::usage(
                "--role and --expect-account are for one session, and --profiles selects several: write \
                 role_arn or bsm_expect_account into the profiles",
            ));
        }
        let mut fleet = Fleet::new([]);
        for profile in self.matching()? {
            // A fleet for each profile, because each has an expected account of its own.
            let mut builder = session.builder_of(profile.name())?;
            if let Some(account) = profile_summary::account(&profile) {
                builder = builder.expect_account(account);
            }
            // A name is no pattern, but matches itself.
            fleet = fleet.and(Fleet::from_profiles_of(&builder, profile.name())?);
        }
        if let (Some(path), Some(role)) = (&self.accounts, &self.role_name) {
            let base = base(session).await?;
            for account in accounts(path)? {
                let of_account = Fleet::from_accounts(&base, [&account], role);
                fleet = fleet.and(of_account.assume_with(|role| role.expect_account(&account)));
            }
        }
        if let (true, Some(role)) = (self.org, &self.role_name) {
            let base = base(session).await?;
            let mut accounts = Fleet::from_organization(&base, role);
            accounts = accounts.within(&self.within).without(&self.without);
            for (key, value) in &self.tags {
                accounts = accounts.tag(key, value);
            }
            fleet = fleet.and(accounts.await?);
        }
        match fleet.plan().is_empty() {
            true => Err(Failure::new(
                Class::Config,
                "no account was selected: `bsm list` shows the existing profiles",
            )),
            false => Ok(fleet),
        }
    }

    /// Asks once for all profiles that are marked as production: those that match, and that of the session
    /// that assumes the roles.
    pub(super) fn confirm_production(
        &self,
        session: &SessionArguments,
        program: &OsStr,
        yes: bool,
    ) -> Result<(), Failure> {
        let mut production = Vec::new();
        if self.accounts.is_some() || self.org {
            let base = session.select(Questions::Never)?;
            if base.is_production() {
                production.push(base.profile_name().to_owned());
            }
        }
        for profile in self.matching()? {
            if is_production(&profile)? {
                production.push(profile.name().to_owned());
            }
        }
        if production.is_empty() {
            return Ok(());
        }
        let what = format!("{STRONG}{}{STRONG:#}", production.join(", "));
        let question = format!("Also run {} there?", program.display());
        question::confirm_production(&what, &question, yes)
    }

    /// Returns the profiles that match, each once.
    fn matching(&self) -> Result<Vec<ProfileInfo>, Failure> {
        let mut names = Vec::new();
        for pattern in &self.profiles {
            let matching = Fleet::from_profiles(pattern)?.plan();
            names.extend(matching.iter().map(|call| call.account().to_owned()));
        }
        let profiles = BotoSesManager::profiles()?.into_iter();
        let is_named = |profile: &ProfileInfo| names.iter().any(|name| name == profile.name());
        Ok(profiles.filter(is_named).collect())
    }
}

/// Returns the session whose credentials assume the roles, once its guard has been asked: a role in the cache
/// would be used without a look at it.
async fn base(session: &SessionArguments) -> Result<BotoSesManager, Failure> {
    let base = session.select(Questions::Never)?;
    let profile = base.profile.as_ref();
    let is_guarded = profile.is_some_and(|profile| profile.setting(EXPECT_ACCOUNT).is_some());
    if is_guarded || session.expect_account.is_some() {
        base.manager.credentials().await?;
    }
    Ok(base.manager)
}

/// Parses `KEY=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Reads the accounts of a file, one in a line; `#` begins a comment.
fn accounts(path: &Path) -> Result<Vec<String>, Failure> {
    let shown = path.display();
    let text = bsm_core::read_text(path, MAX_BYTES);
    let text = text.map_err(|error| Failure::io(format!("{shown} cannot be read"), error))?;
    let lines = text.lines().enumerate().map(|(index, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        (index + 1, line)
    });
    let mut accounts = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        if !is_account(line) {
            return Err(Failure::new(
                Class::Config,
                format!("line {number} of {shown} is not an account: write its twelve digits"),
            ));
        }
        accounts.push(line.to_owned());
    }
    Ok(accounts)
}
