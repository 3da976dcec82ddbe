//! `bsm profiles sync`

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bsm_core::BotoSesManager;
use bsm_core::sign_in::SsoRole;
use clap::Args;
use serde_json::json;
use similar::TextDiff;

use super::config_text::{ConfigText, Edits, plain_value};
use super::template::{Fields, Template};
use crate::doctor::is_secret;
use crate::failure::{Class, Failure};
use crate::global::Global;
use crate::output::{print, print_json};
use crate::question::confirm_writing;
use crate::source_file::{MAX_SIZE, Section};
use crate::terminal;

/// The key that marks a synced profile, with the login that it is of. Other programs ignore it.
const MARK: &str = "bsm_synced_from";

/// Write a profile for each account and role of a login of IAM Identity Center (SSO)
///
/// It shows the difference, and asks. Everything that it has not written itself stays as it is: comments,
/// other profiles, and what you add to a profile that it wrote. Run again, it changes only what has
/// changed in Identity Center.
#[derive(Args)]
pub(super) struct Sync {
    /// The login [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    sso_session: Option<String>,
    /// The names of the profiles; fields: {account_id}, {account_name}, {role_name}, {sso_session}
    #[arg(
        long,
        value_name = "TEMPLATE",
        default_value = "{account_name}.{role_name}"
    )]
    name: Template,
    /// Remove profiles that it has written and that are not among the roles any more
    #[arg(long)]
    prune: bool,
    /// Print the difference, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before the file is written
    #[arg(long, short)]
    yes: bool,
}

/// The names of profiles, by what happens to them.
#[derive(Default)]
struct Outcome {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    /// The user's own profiles that have the name of a role.
    left_alone: Vec<String>,
}

impl Sync {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        // The region of the command line also becomes a line of the file.
        if let Some(region) = &global.session.region {
            check_value(region)?;
        }
        let login = self.login().await?;
        let roles = roles(&login).await?;
        let wanted = self.named(&login, roles)?;
        let path = config_file()?;
        let before = bsm_core::read_text(&path, MAX_SIZE)
            .map_err(|error| Failure::io(path.display().to_string(), error))?;
        let known: BTreeSet<_> = BotoSesManager::profiles()?
            .iter()
            .map(|profile| profile.name().to_owned())
            .collect();
        let (after, outcome) = self.synced(&before, &login, &wanted, &known, global);
        check_result(&path, &after, &login, &wanted, &known, &outcome)?;
        let is_changed = *before != after;
        if !global.json {
            outcome.report();
            match self.dry_run {
                _ if !is_changed => {}
                // With --dry-run the difference is the result; otherwise it belongs to the
                // question.
                true => print(&difference(&path, &before, &after))?,
                false => terminal::say(difference(&path, &before, &after).trim_end()),
            }
        }
        if is_changed && !self.dry_run {
            confirm_writing(&format!("Write {}?", path.display()), self.yes)?;
            write(&path, &before, &after)?;
        }
        if global.json {
            print_json(&outcome.to_json(&path))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the name of the login.
    async fn login(&self) -> Result<String, Failure> {
        if let Some(name) = &self.sso_session {
            return Ok(name.clone());
        }
        let logins = BotoSesManager::new().sso_sessions().await?;
        // A login that is not an sso-session has no name that a profile could refer to.
        let names: Vec<_> = logins.iter().filter_map(|it| it.sso_session()).collect();
        match names.as_slice() {
            [name] => Ok((*name).to_owned()),
            [] => Err(Failure::new(
                Class::Config,
                "there is no login: `aws configure sso-session` adds one to the config file",
            )),
            _ => Err(Failure::usage(format!(
                "there are several logins: add --sso-session with one of {}",
                names.join(", ")
            ))),
        }
    }

    /// Returns the roles by the names of their profiles.
    fn named(
        &self,
        login: &str,
        roles: Vec<SsoRole>,
    ) -> Result<BTreeMap<String, SsoRole>, Failure> {
        let mut named: BTreeMap<String, SsoRole> = BTreeMap::new();
        for role in roles {
            check_value(&role.account_id)?;
            check_value(&role.role_name)?;
            let name = self.name.name(&Fields {
                sso_session: login,
                account_id: &role.account_id,
                account_name: &role.account_name,
                role_name: &role.role_name,
            });
            if name.is_empty() || name == "default" {
                return Err(Failure::usage(format!(
                    "--name makes the profile name {name:?}, which programs without a profile use: \
                     choose another --name"
                )));
            }
            if let Some(other) = named.get(&name) {
                return Err(Failure::usage(format!(
                    "two roles would be profile {name:?}, {} of account {} and {} of account {}: add \
                     {{account_id}} or {{role_name}} to --name",
                    other.role_name, other.account_id, role.role_name, role.account_id
                )));
            }
            named.insert(name, role);
        }
        // The portal may return an empty list by mistake, and --prune would remove every profile.
        if named.is_empty() && self.prune {
            return Err(Failure::new(
                Class::Refused,
                format!(
                    "login {login:?} has no roles, so nothing is removed: try again, or leave out \
                     --prune"
                ),
            ));
        }
        Ok(named)
    }

    /// Returns the text with the profiles of the roles.
    fn synced(
        &self,
        before: &str,
        login: &str,
        wanted: &BTreeMap<String, SsoRole>,
        known: &BTreeSet<String>,
        global: &Global,
    ) -> (String, Outcome) {
        let text = ConfigText::new(before);
        let (mut edits, mut outcome) = (Edits::default(), Outcome::default());
        // The last section of a name wins, as in bsm-core's parser.
        let existing: BTreeMap<_, _> = text.profiles().collect();
        for (name, role) in wanted {
            let mut keys = vec![
                ("sso_session", login),
                ("sso_account_id", &role.account_id),
                ("sso_role_name", &role.role_name),
            ];
            if let Some(region) = &global.session.region {
                keys.push(("region", region));
            }
            let section = existing.get(name.as_str());
            let Some(section) = section.filter(|section| is_ours(section, login)) else {
                // Also one of the credentials file, or one whose title is written in another way.
                if section.is_some() || known.contains(name) {
                    outcome.left_alone.push(name.clone());
                    continue;
                }
                keys.push((MARK, login));
                text.add(&mut edits, &format!("profile {name}"), &keys);
                outcome.added.push(name.clone());
                continue;
            };
            let mut is_changed = false;
            for (key, value) in keys {
                is_changed |= text.set(&mut edits, section, key, value);
            }
            if is_changed {
                outcome.changed.push(name.clone());
            }
        }
        if self.prune {
            // Also a second section of one name, which `existing` has not.
            for (name, section) in text.profiles() {
                if is_ours(section, login) && !wanted.contains_key(name) {
                    text.remove(&mut edits, section);
                    outcome.removed.push(name.to_owned());
                }
            }
        }
        (text.with(edits), outcome)
    }
}

impl Outcome {
    fn to_json(&self, path: &Path) -> serde_json::Value {
        json!({
            "file": path,
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "left_alone": self.left_alone,
        })
    }

    fn report(&self) {
        for name in &self.left_alone {
            terminal::note(format_args!(
                "profile {name} was not written by this command and is left unchanged"
            ));
        }
        let [added, changed, removed] =
            [&self.added, &self.changed, &self.removed].map(|names| names.len());
        terminal::say(match added + changed + removed {
            0 => "the profiles are up to date".to_owned(),
            _ => format!("{added} to add, {changed} to change, {removed} to remove"),
        });
    }
}

/// Returns all roles of a login.
async fn roles(login: &str) -> Result<Vec<SsoRole>, Failure> {
    let roles = BotoSesManager::new().sso_roles().sso_session(login);
    roles.collect().await.map_err(|error| {
        let is_sign_in_required = error.is_sign_in_required();
        let failure = Failure::from(error);
        match is_sign_in_required {
            true => failure.with_hint(format!("or run `bsm login --sso-session {login}`")),
            false => failure,
        }
    })
}

/// Refuses a value that would be more than the value of one key in the file.
fn check_value(value: &str) -> Result<(), Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => Ok(()),
        false => Err(Failure::new(
            Class::Failed,
            format!(
                "{value:?} is not a valid name of an account, role or region: nothing was written"
            ),
        )),
    }
}

/// Returns the config file itself: a link to it, as in a repository of dotfiles, stays a link.
fn config_file() -> Result<PathBuf, Failure> {
    // The config file is the first; without one, no login would have been found.
    let path = BotoSesManager::builder().profile_files().swap_remove(0);
    fs::canonicalize(&path).map_err(|error| Failure::io(path.display().to_string(), error))
}

fn is_ours(section: &Section, login: &str) -> bool {
    section
        .key(MARK)
        .is_some_and(|mark| plain_value(mark) == login)
}

/// Checks the text with bsm-core's own parser, before it is written: a file that is written in an unusual way
/// may mean something else after a change of single lines.
fn check_result(
    path: &Path,
    text: &str,
    login: &str,
    wanted: &BTreeMap<String, SsoRole>,
    known: &BTreeSet<String>,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let refused = || {
        let path = path.display();
        let message = format!("{path} cannot be changed safely, so nothing is written");
        Failure::new(Class::Config, message).with_hint("`bsm doctor` finds unusual lines")
    };
    let failed = |error| Failure::io("a temporary file cannot be written", error);
    // The config file may hold keys, and a temporary file is readable by this user alone.
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    // The credentials file stays the user's own, because `known` also contains its profiles.
    let builder = BotoSesManager::builder().config_file(file.path());
    let profiles = builder.profiles().map_err(|_| refused())?;
    let names: BTreeSet<_> = profiles.iter().map(|it| it.name().to_owned()).collect();
    let mut expected: BTreeSet<_> = known
        .union(&outcome.added.iter().cloned().collect())
        .cloned()
        .collect();
    for name in &outcome.removed {
        expected.remove(name);
    }
    // A profile that was removed may also be in the credentials file.
    let is_expected = |name: &String| expected.contains(name) || outcome.removed.contains(name);
    let mut is_right = expected.is_subset(&names) && names.iter().all(is_expected);
    for (name, role) in wanted
        .iter()
        .filter(|(name, _)| !outcome.left_alone.contains(name))
    {
        let profile = profiles.iter().find(|profile| profile.name() == name);
        let has = |key, value| profile.and_then(|profile| profile.setting(key)) == Some(value);
        is_right &= has("sso_session", login)
            && has("sso_account_id", &role.account_id)
            && has("sso_role_name", &role.role_name)
            && has(MARK, login);
    }
    is_right.then_some(()).ok_or_else(refused)
}

/// Returns the difference without the lines around it, and without the values of secret keys.
fn difference(path: &Path, before: &str, after: &str) -> String {
    let path = path.display().to_string();
    let [before, after] = [before, after].map(shown);
    let difference = TextDiff::from_lines(&before, &after);
    let mut difference = difference.unified_diff();
    difference
        .context_radius(0)
        .header(&path, &path)
        .to_string()
}

/// Returns a text whose last line has an end, as the others, and which shows no secret.
fn shown(text: &str) -> String {
    let mut is_hidden = false;
    let line = |line: &str| {
        // A line that is indented continues the value before it.
        let continues = line.starts_with([' ', '\t']);
        let name = line.split_once(['=', ':']).map_or("", |(name, _)| name);
        let names_secret = is_secret(&name.trim().to_ascii_lowercase());
        is_hidden = names_secret || is_hidden && continues;
        match is_hidden {
            true if names_secret => format!("{name}= (hidden)\n"),
            true => " (hidden)\n".to_owned(),
            false => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

/// Replaces the file at once, with the same permissions, unless another program has changed it meanwhile.
fn write(path: &Path, before: &str, after: &str) -> Result<(), Failure> {
    let failed = |error| Failure::io(format!("{} cannot be written", path.display()), error);
    let changed = || {
        Failure::new(
            Class::Failed,
            "another program has changed the file meanwhile: run the command again",
        )
    };
    // Of two that write at once, the other one finds the lock, or afterwards another text.
    let current = fs::File::open(path).map_err(failed)?;
    match current.try_lock() {
        // A file system without locks: the texts are compared below.
        Ok(()) | Err(fs::TryLockError::Error(_)) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(changed()),
    }
    let permissions = current.metadata().map_err(failed)?.permissions();
    // The rename below would also replace a file that this user must not write.
    if permissions.readonly() {
        return Err(failed(std::io::ErrorKind::PermissionDenied.into()));
    }
    // In the same directory, because a rename cannot cross file systems.
    let directory = path.parent().unwrap_or(path);
    let mut file = bsm_core::unfinished_file(directory).map_err(failed)?;
    file.write_all(after.as_bytes()).map_err(failed)?;
    // Before the rename, so that the config file never has other permissions.
    file.as_file()
        .set_permissions(permissions)
        .map_err(failed)?;
    // Otherwise a crash soon after the rename could leave an empty file.
    file.as_file().sync_all().map_err(failed)?;
    // As late as possible, because an editor takes no lock.
    if *bsm_core::read_text(path, MAX_SIZE).map_err(failed)? != before {
        return Err(changed());
    }
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_shows_no_secret() {
        for (before, shown_as) in [
            (
                "aws_secret_access_key = abc",
                "aws_secret_access_key = (hidden)\n",
            ),
            ("AWS_SESSION_TOKEN: abc", "AWS_SESSION_TOKEN= (hidden)\n"),
            (
                "aws_session_token =\n  abc\n\tdef\nregion = us-east-1\n  abc",
                "aws_session_token = (hidden)\n (hidden)\n (hidden)\nregion = us-east-1\n  abc\n",
            ),
            (
                "  aws_secret_access_key = abc",
                "  aws_secret_access_key = (hidden)\n",
            ),
            ("region = us-east-1", "region = us-east-1\n"),
        ] {
            assert_eq!(shown(before), shown_as);
        }
    }
}
