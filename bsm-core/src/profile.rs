//! From a profile to a plan: where the first credentials come from, and the roles on the way.
//!
//! Parsing is aws-config's. The plan is ours, because aws-config ignores `mfa_serial` and
//! `duration_seconds` and calls STS again for every link whenever it is asked. Precedence inside a
//! profile is botocore's: a role with a source, then web identity, SSO, static keys, and
//! `credential_process`.

use std::time::Duration;

use aws_config::profile::Profile;
use aws_credential_types::Credentials;

use crate::ambient::Profiles;
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
    Keys(Credentials),
    WebIdentity {
        role_arn: String,
        token_file: String,
        session_name: Option<String>,
    },
    Sso(Sso),
    Process(String),
    Environment,
    Ec2InstanceMetadata,
    EcsContainer,
}

#[derive(Clone, Debug)]
pub(crate) struct Sso {
    pub(crate) session_name: Option<String>,
    pub(crate) region: String,
    pub(crate) start_url: String,
    pub(crate) account_id: String,
    pub(crate) role_name: String,
}

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
pub(crate) fn plan(profiles: &Profiles, name: &str) -> Result<Option<Plan>, Error> {
    let mut roles = Vec::new();
    let mut visited = vec![name.to_owned()];
    let mut profile = profiles.require(name, None)?;
    let source = loop {
        // A profile that is the source of another one gives its keys, if it has some.
        if let (true, Some(keys)) = (!roles.is_empty(), keys(profile)?) {
            break Some(Source::Keys(keys));
        }
        let Some(role) = role_link(profile)? else {
            break own_source(profiles, profile)?;
        };
        roles.push(role);
        match next_link(profile)? {
            Next::Source(source) => break Some(source),
            Next::Itself => break keys(profile)?.map(Source::Keys),
            Next::Profile(next) => {
                if visited.iter().any(|seen| seen == next) {
                    visited.push(next.to_owned());
                    return Err(invalid(format!(
                        "the source_profile links of profile {name:?} go round in a circle ({}): \
                         let one of them name a profile with credentials of its own",
                        visited.join(" -> ")
                    )));
                }
                visited.push(next.to_owned());
                let wanted_by = format!("the source_profile of profile {:?}", profile.name());
                profile = profiles.require(next, Some(&wanted_by))?;
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
fn role_link(profile: &Profile) -> Result<Option<RoleLink>, Error> {
    let Some(role_arn) = get(profile, "role_arn") else {
        return Ok(None);
    };
    if get(profile, "web_identity_token_file").is_some() {
        return Ok(None);
    }
    let duration = get(profile, "duration_seconds")
        .map(|seconds| {
            seconds.parse().map(Duration::from_secs).map_err(|_| {
                invalid(format!(
                    "duration_seconds of profile {:?} is {seconds:?}: write a number of seconds",
                    profile.name()
                ))
            })
        })
        .transpose()?;
    let owned = |key| get(profile, key).map(str::to_owned);
    Ok(Some(RoleLink {
        profile: profile.name().to_owned(),
        role_arn: role_arn.to_owned(),
        session_name: owned("role_session_name"),
        external_id: owned("external_id"),
        mfa_serial: owned("mfa_serial"),
        duration,
    }))
}

fn next_link(profile: &Profile) -> Result<Next<'_>, Error> {
    let name = profile.name();
    match (
        get(profile, "source_profile"),
        get(profile, "credential_source"),
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
    // botocore compares without regard to case.
    match source.to_ascii_lowercase().as_str() {
        "environment" => Ok(Source::Environment),
        "ec2instancemetadata" => Ok(Source::Ec2InstanceMetadata),
        "ecscontainer" => Ok(Source::EcsContainer),
        _ => Err(invalid(format!(
            "credential_source of profile {profile:?} is {source:?}: it can be Environment, \
             Ec2InstanceMetadata or EcsContainer"
        ))),
    }
}

/// The credentials that a profile gets without assuming a role through another profile.
fn own_source(profiles: &Profiles, profile: &Profile) -> Result<Option<Source>, Error> {
    if let (Some(role_arn), Some(token_file)) = (
        get(profile, "role_arn"),
        get(profile, "web_identity_token_file"),
    ) {
        return Ok(Some(Source::WebIdentity {
            role_arn: role_arn.to_owned(),
            token_file: token_file.to_owned(),
            session_name: get(profile, "role_session_name").map(str::to_owned),
        }));
    }
    if let Some(sso) = sso(profiles, profile)? {
        return Ok(Some(Source::Sso(sso)));
    }
    if let Some(keys) = keys(profile)? {
        return Ok(Some(Source::Keys(keys)));
    }
    Ok(get(profile, "credential_process").map(|command| Source::Process(command.to_owned())))
}

/// The static keys of a profile; half a pair is an error.
fn keys(profile: &Profile) -> Result<Option<Credentials>, Error> {
    let missing = |missing: &str, given: &str| {
        Err(invalid(format!(
            "profile {:?} has {given}, but no {missing}: add it, or remove the other",
            profile.name()
        )))
    };
    match (
        get(profile, "aws_access_key_id"),
        get(profile, "aws_secret_access_key"),
    ) {
        (None, None) => Ok(None),
        (Some(_), None) => missing("aws_secret_access_key", "aws_access_key_id"),
        (None, Some(_)) => missing("aws_access_key_id", "aws_secret_access_key"),
        (Some(id), Some(secret)) => {
            let token = get(profile, "aws_session_token").map(str::to_owned);
            let mut keys = Credentials::builder()
                .access_key_id(id)
                .secret_access_key(secret)
                .provider_name("profile");
            keys.set_session_token(token);
            Ok(Some(keys.build()))
        }
    }
}

/// The SSO settings of a profile: its own, or those of the `sso-session` section that it names.
fn sso(profiles: &Profiles, profile: &Profile) -> Result<Option<Sso>, Error> {
    let name = profile.name();
    let (Some(account_id), Some(role_name)) = (
        get(profile, "sso_account_id"),
        get(profile, "sso_role_name"),
    ) else {
        // An sso_session alone is for token services, and says nothing of credentials.
        return Ok(None);
    };
    let session_name = get(profile, "sso_session");
    let session = session_name
        .map(|session| {
            profiles.set.sso_session(session).ok_or_else(|| {
                invalid(format!(
                    "profile {name:?} names the sso_session {session:?}, which does not exist: add \
                     a section [sso-session {session}]"
                ))
            })
        })
        .transpose()?;
    let setting = |key: &str| {
        session
            .and_then(|session| session.get(key))
            .or_else(|| get(profile, key))
            .map(str::to_owned)
            .ok_or_else(|| {
                invalid(format!(
                    "profile {name:?} uses SSO, but has no {key}: add it to the profile or to its \
                     sso-session section"
                ))
            })
    };
    Ok(Some(Sso {
        session_name: session_name.map(str::to_owned),
        region: setting("sso_region")?,
        start_url: setting("sso_start_url")?,
        account_id: account_id.to_owned(),
        role_name: role_name.to_owned(),
    }))
}

fn get<'a>(profile: &'a Profile, key: &str) -> Option<&'a str> {
    profile.get(key).filter(|value| !value.is_empty())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}
