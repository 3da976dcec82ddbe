//! The session of a command: which profile, which roles, and what guards it.

mod guard;
mod under_way;

use std::env;
use std::io::{self, IsTerminal as _};

use bsm_core::{BotoSesManager, Builder, CliCache, Error, ProfileInfo, mfa::TerminalPrompt};
use clap::Args;

use self::guard::Guard;
pub(crate) use self::guard::{EXPECT_ACCOUNT, is_production};
use self::under_way::UnderWay;
use crate::commands::list;
use crate::failure::{Class, Failure};
use crate::terminal::{self, STRONG, WARNING};

/// The options that select a session.
#[derive(Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct SessionArguments {
    /// The profile; keys in the environment never override it [default: AWS_DEFAULT_PROFILE,
    /// AWS_PROFILE, `default`]
    #[arg(long, short, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The region [default: AWS_REGION, AWS_DEFAULT_REGION, the profile's]
    #[arg(long, short, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Assume this role; repeat it for a chain of roles
    #[arg(long = "role", global = true, value_name = "ARN")]
    pub(crate) roles: Vec<String>,
    /// Fail before anything else if the credentials belong to another account
    #[arg(long, global = true, value_name = "ACCOUNT")]
    pub(crate) expect_account: Option<String>,
    /// Assume roles anew, instead of sharing them with the AWS CLI through ~/.aws/cli/cache
    #[arg(long, global = true)]
    pub(crate) no_cache: bool,
}

/// Whether a command may ask the person at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Questions {
    Allowed,
    /// Another program started the command and reads its output.
    Never,
}

/// The session that the options and the environment select.
pub(crate) struct Session {
    pub(crate) manager: BotoSesManager,
    profile_name: String,
    /// `None` if the profile does not exist, which is an error only if it was named.
    pub(crate) profile: Option<ProfileInfo>,
    guard: Guard,
}

impl SessionArguments {
    /// Selects the session. Sends no request.
    pub(crate) fn select(&self, questions: Questions) -> Result<Session, Failure> {
        let profiles = BotoSesManager::profiles()?;
        let named = match &self.profile {
            Some(name) => Some(name.clone()),
            None if questions == Questions::Allowed => picked(&profiles)?,
            None => None,
        };
        let profile_name = named.clone().or_else(ambient_profile);
        let profile_name = profile_name.unwrap_or_else(|| "default".to_owned());
        let profile = profiles.iter().find(|info| info.name() == profile_name);
        if let (Some(name), None) = (&named, profile) {
            return Err(not_found(name, &profiles));
        }
        let guard = Guard::of(profile)?;
        let expected = match self.roles.is_empty() {
            true => guard.and(self.expect_account.as_deref())?,
            false => guard.account(),
        };
        // A role in the cache would be used without a look at the credentials that it was assumed with.
        let cache = match guard.account() {
            Some(_) => CliCache::new().same_source_only(),
            None => CliCache::new(),
        };
        let mut builder = self.builder(&profile_name, cache)?;
        if let Some(name) = named {
            builder = builder.profile_name(name);
        }
        if let Some(account) = expected {
            builder = builder.expect_account(account);
        }
        Ok(Session {
            manager: self.assume_roles(builder.build()),
            profile_name,
            profile: profile.cloned(),
            guard,
        })
    }

    /// Returns the builder of a manager for a profile, which is not set yet.
    fn builder(&self, profile_name: &str, cache: CliCache) -> Result<Builder, Failure> {
        let (name, value) = UnderWay::from_environment().with(profile_name)?.variable();
        let mut builder = BotoSesManager::builder().process_env(name, value);
        if let Some(region) = &self.region {
            builder = builder.region(region);
        }
        if !self.no_cache {
            builder = builder.cli_cache(cache);
        }
        // The prompt is on the terminal whatever the standard streams are. Without a person who sees
        // it, a command must end instead of waiting.
        if io::stderr().is_terminal() {
            builder = builder.mfa_token_provider(TerminalPrompt::new());
        }
        Ok(builder)
    }

    /// Returns what to do if there are no credentials and nothing selects any.
    pub(crate) fn advice(&self) -> Option<String> {
        if self.profile.is_some() || is_selected_by_environment() {
            return None;
        }
        let profiles = BotoSesManager::profiles().unwrap_or_default();
        Some(match profiles.as_slice() {
            [] => "no profile files were found: `aws configure` or `aws configure sso` creates one"
                .to_owned(),
            [one, ..] => format!(
                "no profile is selected: add --profile {} or another one of `bsm list`",
                one.name()
            ),
        })
    }

    fn assume_roles(&self, base: BotoSesManager) -> BotoSesManager {
        let last = self.roles.len().saturating_sub(1);
        let roles = self.roles.iter().enumerate();
        roles.fold(base, |parent, (index, arn)| {
            let role = parent.assume_role(arn);
            match &self.expect_account {
                Some(account) if index == last => role.expect_account(account).build(),
                _ => role.build(),
            }
        })
    }
}

impl Session {
    /// Returns the name of the profile whose settings apply.
    pub(crate) fn profile_name(&self) -> &str {
        &self.profile_name
    }

    /// Asks before something is done with a profile that is marked as production.
    ///
    /// Without a terminal there is no question, because a script cannot answer it.
    pub(crate) fn confirm_production(&self, action: &str, yes: bool) -> Result<(), Failure> {
        if !self.guard.is_production() {
            return Ok(());
        }
        let account = self.profile.as_ref().and_then(list::account);
        let account = account.map(|account| format!(", account {account}"));
        terminal::say(format_args!(
            "{WARNING}production:{WARNING:#} profile {STRONG}{}{STRONG:#}{}",
            self.profile_name,
            account.unwrap_or_default(),
        ));
        if yes || !terminal::is_interactive() || terminal::confirm(&format!("{action}?"))? {
            return Ok(());
        }
        Err(Failure::new(
            Class::Refused,
            "not confirmed: nothing was done",
        ))
    }
}

/// Returns the profile that the environment names, in botocore's order.
pub(crate) fn ambient_profile() -> Option<String> {
    variable("AWS_DEFAULT_PROFILE").or_else(|| variable("AWS_PROFILE"))
}

/// Returns an environment variable; an empty one counts as not set.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_selected_by_environment() -> bool {
    const SELECTING: [&str; 6] = [
        "AWS_DEFAULT_PROFILE",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    SELECTING.iter().any(|name| variable(name).is_some())
}

/// Lets the person at the terminal pick a profile, if nothing else selects the credentials.
fn picked(profiles: &[ProfileInfo]) -> Result<Option<String>, Failure> {
    let has_default = profiles.iter().any(|profile| profile.name() == "default");
    if is_selected_by_environment()
        || has_default
        || profiles.is_empty()
        || !terminal::is_interactive()
    {
        return Ok(None);
    }
    let choices: Vec<_> = profiles
        .iter()
        .map(|profile| (profile.name(), list::description(profile)))
        .collect();
    let picked = terminal::pick("Which profile? [none: this machine's own role] ", &choices)?;
    Ok(picked.map(str::to_owned))
}

/// Returns the library's error for a profile that does not exist, and the name that was probably
/// meant.
fn not_found(name: &str, profiles: &[ProfileInfo]) -> Failure {
    let manager = BotoSesManager::from_profile(name);
    let error = manager.credentials_source().err();
    let missing = || Error::new(bsm_core::ErrorKind::ProfileNotFound, "no such profile");
    let failure = Failure::from(error.unwrap_or_else(missing));
    let names = profiles.iter().map(ProfileInfo::name);
    let similar = names
        .map(|known| (edit_distance(name, known), known))
        .min_by_key(|(distance, _)| *distance);
    match similar {
        // One typo in three letters; more is another word.
        Some((distance, known)) if distance <= name.chars().count().div_ceil(3) => {
            failure.with_hint(format!("did you mean {known:?}?"))
        }
        None => failure.with_hint(
            "there are no profiles yet: `aws configure` or `aws configure sso` creates one",
        ),
        _ => failure.with_hint("`bsm list` shows the profiles there are"),
    }
}

/// Returns how many letters have to be inserted, removed or replaced; two swapped neighbours are two.
fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_typos() {
        for (one, other, distance) in [
            ("", "", 0),
            ("staging", "staging", 0),
            ("stagign", "staging", 2),
            ("stagin", "staging", 1),
            ("prod", "production", 6),
            ("é", "e", 1),
        ] {
            assert_eq!(edit_distance(one, other), distance, "{one} {other}");
            assert_eq!(edit_distance(other, one), distance, "{other} {one}");
        }
    }
}
