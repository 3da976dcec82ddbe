//! The session of a command: which profile, which roles, and what guards it.

mod guard;
mod narrow;
mod process_chain;

use std::io::{self, IsTerminal as _};

use bsm_core::mfa::TerminalPrompt;
use bsm_core::{BotoSesManager, Builder, CliCache, EnvVars, Error, ProfileInfo};
use chrono::Utc;
use clap::Args;

use self::guard::Guard;
pub(crate) use self::guard::is_production;
pub(crate) use self::narrow::Narrow;
use self::process_chain::ProcessChain;
use crate::audit::Audit;
use crate::environment::{
    ambient_profile, expiry_of_keys, has_temporary_keys, is_selected_by_environment, variable,
};
use crate::failure::{Class, Failure};
use crate::lifetime::{MinLifetime, rfc3339};
use crate::terminal::{self, STRONG};
use crate::{profile_summary, question};

/// The options that select a session.
#[derive(Clone, Args)]
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
    /// Fail if the credentials belong to another account than this one
    #[arg(long, global = true, value_name = "ACCOUNT")]
    pub(crate) expect_account: Option<String>,
    /// Don't use the AWS CLI's cache of roles, ~/.aws/cli/cache
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
    /// The session whose credentials the last role is assumed with, if an option names that role.
    pub(crate) parent: Option<BotoSesManager>,
    /// The profile that the command line or the person at the terminal named.
    pub(crate) named: Option<String>,
    profile_name: String,
    /// `None` if the profile does not exist, which is an error only if it was named.
    pub(crate) profile: Option<ProfileInfo>,
    guard: Guard,
}

impl SessionArguments {
    /// Selects the session. Sends no request.
    pub(crate) fn select(&self, questions: Questions) -> Result<Session, Failure> {
        self.select_narrowed(questions, &Narrow::default())
    }

    /// Selects a session whose credentials can do less. Sends no request.
    pub(crate) fn select_narrowed(
        &self,
        questions: Questions,
        narrow: &Narrow,
    ) -> Result<Session, Failure> {
        let profiles = BotoSesManager::profiles()?;
        let named = match &self.profile {
            Some(name) => Some(name.clone()),
            None if questions == Questions::Allowed => picked(&profiles)?,
            None => None,
        };
        let selected = named.clone().or_else(ambient_profile);
        let profile_name = selected.as_deref().unwrap_or("default").to_owned();
        let profile = profiles.iter().find(|info| info.name() == profile_name);
        // A missing `default` is no error: keys in the environment or an instance role may apply.
        if let (Some(name), None) = (&selected, profile) {
            return Err(not_found(name, &profiles));
        }
        let guard = Guard::of(profile)?;
        // With --role, the guard is for the session that assumes it, and the option for the last
        // role.
        let expected = match self.roles.is_empty() {
            true => guard.and(self.expect_account.as_deref())?,
            false => guard.account(),
        };
        // A role in the cache would be used without a look at the credentials that it was assumed with.
        let cache = match (guard.account(), self.roles.is_empty()) {
            (Some(_), false) => CliCache::new().same_source_only(),
            _ => CliCache::new(),
        };
        let mut builder = self.builder(&profile_name, cache)?;
        let (manager, parent) = if self.roles.is_empty() && !narrow.is_empty() {
            // Keys in the environment take precedence over a profile that is not named.
            let has_keys = named.is_none() && variable("AWS_ACCESS_KEY_ID").is_some();
            let profile = profile.filter(|_| !has_keys);
            let profile = profile.ok_or_else(|| narrow::not_narrowable(&profile_name))?;
            let (parent, role) = narrow::role_of_profile(builder, profile)?;
            let mut role = narrow.apply(role, profile.setting("role_arn").unwrap_or_default())?;
            if let Some(account) = expected {
                role = role.expect_account(account);
            }
            (role.build(), Some(parent))
        } else {
            // Only a name of the command line is set: it takes precedence over keys in the
            // environment, and AWS_PROFILE does not.
            if let Some(name) = &named {
                builder = builder.profile_name(name);
            }
            if let Some(account) = expected {
                builder = builder.expect_account(account);
            }
            self.assume_roles(builder.build(), narrow)?
        };
        Ok(Session {
            manager,
            parent,
            named,
            profile_name,
            profile: profile.cloned(),
            guard,
        })
    }

    /// Returns the builder of a manager for one of several profiles, which is not set yet.
    pub(crate) fn builder_of(&self, profile_name: &str) -> Result<Builder, Failure> {
        self.builder(profile_name, CliCache::new())
    }

    /// Returns the builder of a manager for a profile, which is not set yet.
    fn builder(&self, profile_name: &str, cache: CliCache) -> Result<Builder, Failure> {
        let (name, value) = ProcessChain::from_environment()
            .with(profile_name)?
            .variable();
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

    /// Returns `true` if the command line or the environment names a profile.
    pub(crate) fn selects_profile(&self) -> bool {
        self.profile.is_some() || is_selected_by_environment()
    }

    /// Returns what to do about a failure: if the user must sign in, or if there are no credentials and
    /// nothing selects any.
    pub(crate) fn advice(&self, failure: &Failure) -> Option<String> {
        if failure.is_sign_in_required() {
            return Some(match &self.profile {
                Some(name) => format!("or run `bsm login -p {name}`"),
                None => "or run `bsm login`".to_owned(),
            });
        }
        if self.selects_profile() {
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

    /// Returns the manager of the last role, and that of the session it is assumed with.
    fn assume_roles(
        &self,
        base: BotoSesManager,
        narrow: &Narrow,
    ) -> Result<(BotoSesManager, Option<BotoSesManager>), Failure> {
        let Some((last, others)) = self.roles.split_last() else {
            return Ok((base, None));
        };
        let assume = |parent: BotoSesManager, arn| parent.assume_role(arn).build();
        let parent = others.iter().fold(base, assume);
        let mut role = narrow.apply(parent.assume_role(last), last)?;
        if let Some(account) = &self.expect_account {
            role = role.expect_account(account);
        }
        Ok((role.build(), Some(parent)))
    }
}

impl Session {
    /// Returns the name of the profile whose settings apply.
    pub(crate) fn profile_name(&self) -> &str {
        &self.profile_name
    }

    /// Returns the audit of a command, if the environment asks for one.
    pub(crate) fn audit(&self, command: &str) -> Option<Audit> {
        Audit::of(&self.profile_name, command)
    }

    /// Makes sure that the credentials are valid for as long as an option demands.
    pub(crate) async fn require(&self, lifetime: &MinLifetime) -> Result<(), Failure> {
        let Some(at_least) = lifetime.min_lifetime else {
            return Ok(());
        };
        // It refreshes the manager's cache, from which `issue` takes the credentials.
        self.manager.credentials_for(at_least).await?;
        // The library takes keys in the environment for as good as AWS does.
        let source = self.manager.credentials_source()?;
        if source.starts_with("environment")
            && has_temporary_keys()
            && let Some(expiry) = expiry_of_keys()
            && (expiry - Utc::now()).to_std().unwrap_or_default() < at_least
        {
            return Err(Failure::new(
                Class::Credentials,
                format!(
                    "the keys in the environment expire at {}, and nothing renews them: put new ones there, or \
                     name a profile with --profile",
                    rfc3339(expiry)
                ),
            ));
        }
        Ok(())
    }

    /// Returns the credentials and settings for another program, once they are recorded.
    pub(crate) async fn issue(&self, audit: Option<&Audit>) -> Result<EnvVars, Failure> {
        self.issue_after(audit, || Ok(())).await
    }

    /// Returns the credentials and settings for another program, once a question was answered and they are
    /// recorded.
    ///
    /// The prompt comes after the credentials, because it is pointless without them or if they belong to
    /// another account.
    pub(crate) async fn issue_after(
        &self,
        audit: Option<&Audit>,
        question: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<EnvVars, Failure> {
        let variables = self.manager.env_vars().await?;
        question()?;
        if let Some(audit) = audit {
            let id = variables
                .set()
                .find(|(name, _)| *name == "AWS_ACCESS_KEY_ID");
            let id = id.map(|(_, value)| value).unwrap_or_default();
            audit
                .record(&self.manager, id, variables.expiration())
                .await?;
        }
        Ok(variables)
    }

    /// Returns whether the profile is marked as production.
    pub(crate) fn is_production(&self) -> bool {
        self.guard.is_production()
    }

    /// Asks before something is done with a profile that is marked as production.
    pub(crate) fn confirm_production(&self, action: &str, yes: bool) -> Result<(), Failure> {
        if !self.is_production() {
            return Ok(());
        }
        let account = self.profile.as_ref().and_then(profile_summary::account);
        let account = account.map(|account| format!(", account {account}"));
        let what = format!(
            "profile {STRONG}{}{STRONG:#}{}",
            self.profile_name,
            account.unwrap_or_default(),
        );
        question::confirm_production(&what, &format!("{action}?"), yes)
    }
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
        .map(|profile| (profile.name(), profile_summary::description(profile)))
        .collect();
    let picked = question::pick(
        "Which profile? Enter a number or a name, or nothing for the default chain: ",
        &choices,
    )?;
    Ok(picked.map(str::to_owned))
}

/// Returns the library's error for a profile that does not exist.
fn not_found(name: &str, profiles: &[ProfileInfo]) -> Failure {
    let manager = BotoSesManager::from_profile(name);
    let error = manager.credentials_source().err();
    // The profile may have been added since the files were listed.
    let missing = || Error::new(bsm_core::ErrorKind::ProfileNotFound, "no such profile");
    let failure = Failure::from(error.unwrap_or_else(missing));
    if profiles.is_empty() {
        return failure.with_hint(
            "there are no profiles yet: `aws configure` or `aws configure sso` creates one",
        );
    }
    // The message says which one was probably meant, and lists the profiles unless there are many.
    let is_listed = |it: &ProfileInfo| failure.message().contains(it.name());
    match profiles.iter().all(is_listed) {
        true => failure,
        false => failure.with_hint("`bsm list` shows the existing profiles"),
    }
}
