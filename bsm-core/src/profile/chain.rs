//! From a profile to a plan: where the first credentials come from, and the roles on the way.
//!
//! The order inside a profile is botocore's: a role with a source; web identity; SSO; keys in the
//! credentials file; a login session; `credential_process`; keys in the config file.

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;

use super::base_provider::{has_keys, own_source};
use super::files::{File, Profile, Profiles};
use crate::error::{Error, ErrorKind};

/// How a profile gets its credentials.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) source: Source,
    /// Roles to assume, the first one with the credentials of `source`.
    pub(crate) roles: Vec<RoleLink>,
}

/// Where the first credentials come from.
#[derive(Debug)]
pub(crate) enum Source {
    Keys {
        keys: Credentials,
        profile: String,
        file: File,
    },
    WebIdentity(WebIdentity),
    Sso(Sso),
    Login {
        profile: String,
        session: String,
    },
    Process {
        profile: String,
        command: Command,
        /// The profile's `aws_account_id`.
        account_id: Option<String>,
    },
    Environment,
    Ec2InstanceMetadata,
    EcsContainer,
}

/// A role that is assumed with a token from a file.
///
/// In the environment, `AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_SESSION_NAME`
/// say the same, and one at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WebIdentity {
    pub(crate) role_arn: String,
    pub(crate) token_file: String,
    pub(crate) session_name: Option<String>,
}

/// What the environment says of a web identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct WebIdentityVariables {
    pub(crate) role_arn: Option<String>,
    pub(crate) token_file: Option<String>,
    pub(crate) session_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sso {
    pub(crate) profile: String,
    pub(crate) session_name: Option<String>,
    pub(crate) region: String,
    pub(crate) start_url: String,
    pub(crate) account_id: String,
    pub(crate) role_name: String,
}

/// A command line, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Command(pub(crate) String);

/// One role of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleLink {
    pub(crate) profile: String,
    pub(crate) role_arn: String,
    pub(crate) session_name: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) mfa_serial: Option<String>,
    pub(crate) duration: Option<Duration>,
}

/// Follows the profile's `source_profile` links; `None` if it says nothing of credentials.
///
/// `variables` are empty for a profile that was named explicitly.
pub(crate) fn plan(
    profiles: &Profiles,
    profile: &Profile,
    variables: &WebIdentityVariables,
) -> Result<Option<Plan>, Error> {
    let mut roles = Vec::new();
    let mut visited = vec![profile.name().to_owned()];
    let mut profile = profile;
    let no_variables = WebIdentityVariables::default();
    let source = loop {
        let variables = if roles.is_empty() {
            variables
        } else {
            &no_variables
        };
        // A profile that is the source of another one gives its keys, if it has some.
        let role = match roles.is_empty() || !has_keys(profile) {
            true => role_link(profile),
            false => None,
        };
        let Some(role) = role else {
            break own_source(profiles, profile, variables)?;
        };
        roles.push(role);
        match next_link(profile)? {
            Next::Source(source) => break Some(source),
            Next::Itself if has_keys(profile) => {
                break own_source(profiles, profile, &no_variables)?;
            }
            Next::Itself => return Err(circle(&visited, profile.name())),
            Next::Profile(next) => {
                if visited.iter().any(|seen| seen == next) {
                    return Err(circle(&visited, next));
                }
                visited.push(next.to_owned());
                profile = profiles
                    .get(next)
                    .ok_or_else(|| missing_link(profiles, profile, next))?;
            }
        }
    };
    roles.reverse();
    match source {
        Some(source) => Ok(Some(Plan { source, roles })),
        None if roles.is_empty() => Ok(None),
        None => Err(invalid(format!(
            "profile {:?} is the source of a role, but has no credentials: give it keys, a role, \
             an sso_session or a credential_process",
            profile.name()
        ))),
    }
}

enum Next<'a> {
    Source(Source),
    Itself,
    Profile(&'a str),
}

/// The role that a profile assumes with the credentials of another source.
fn role_link(profile: &Profile) -> Option<RoleLink> {
    let role_arn = profile.get("role_arn")?;
    if profile.get("web_identity_token_file").is_some() {
        return None;
    }
    let owned = |key| profile.get(key).map(str::to_owned);
    Some(RoleLink {
        profile: profile.name().to_owned(),
        role_arn: role_arn.to_owned(),
        session_name: owned("role_session_name"),
        external_id: owned("external_id"),
        mfa_serial: owned("mfa_serial"),
        duration: duration(profile),
    })
}

/// botocore passes over what is not a number.
fn duration(profile: &Profile) -> Option<Duration> {
    let seconds = profile.get("duration_seconds")?;
    let duration = seconds.trim().parse().map(Duration::from_secs).ok();
    if duration.is_none() {
        tracing::warn!(
            profile = profile.name(),
            "duration_seconds is not a number of seconds, and is ignored"
        );
    }
    duration
}

fn next_link(profile: &Profile) -> Result<Next<'_>, Error> {
    let name = profile.name();
    match (
        profile.get("source_profile"),
        profile.get("credential_source"),
    ) {
        (Some(next), None) if next == name => Ok(Next::Itself),
        (Some(next), None) => Ok(Next::Profile(next)),
        (None, Some(source)) => Ok(Next::Source(credential_source(name, source)?)),
        (Some(_), Some(_)) => Err(invalid(format!(
            "profile {name:?} has a source_profile and a credential_source: keep one of them"
        ))),
        (None, None) => Err(invalid(format!(
            "profile {name:?} has a role_arn, but nothing to assume it with: add a source_profile \
             or a credential_source"
        ))),
    }
}

fn credential_source(profile: &str, source: &str) -> Result<Source, Error> {
    match source {
        "Environment" => Ok(Source::Environment),
        "Ec2InstanceMetadata" => Ok(Source::Ec2InstanceMetadata),
        "EcsContainer" => Ok(Source::EcsContainer),
        _ => Err(invalid(format!(
            "credential_source of profile {profile:?} is {source:?}: it can be Environment, \
             Ec2InstanceMetadata or EcsContainer"
        ))),
    }
}

fn circle(visited: &[String], next: &str) -> Error {
    let first = visited.first().map(String::as_str).unwrap_or_default();
    invalid(format!(
        "the source_profile links of profile {first:?} go round in a circle ({} -> {next}): let \
         one of them name a profile with credentials of its own",
        visited.join(" -> "),
    ))
}

fn missing_link(profiles: &Profiles, profile: &Profile, next: &str) -> Error {
    invalid(format!(
        "profile {next:?}, the source_profile of profile {:?}, does not exist in {}",
        profile.name(),
        profiles.contents()
    ))
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

/// Says where the credentials come from: `role X of profile "b", with the keys of profile "a"`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for role in self.roles.iter().rev() {
            write!(
                f,
                "role {} of profile {:?}, with ",
                role.role_arn, role.profile
            )?;
        }
        write!(f, "{}", self.source)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { profile, file, .. } => write!(f, "keys of profile {profile:?} in {file}"),
            Self::WebIdentity(identity) => {
                write!(f, "web identity for role {}", identity.role_arn)
            }
            Self::Sso(sso) => write!(
                f,
                "SSO role {} in account {} of profile {:?}",
                sso.role_name, sso.account_id, sso.profile
            ),
            Self::Login { profile, .. } => write!(f, "login session of profile {profile:?}"),
            Self::Process { profile, .. } => write!(f, "credential_process of profile {profile:?}"),
            Self::Environment => f.write_str("environment"),
            Self::Ec2InstanceMetadata => f.write_str("EC2 instance metadata"),
            Self::EcsContainer => f.write_str("container"),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Command(..)")
    }
}
