//! The chain of a profile: the provider of its first credentials, and the roles that are assumed
//! with them.
//!
//! The order inside a profile is botocore's: a role with a source; web identity; SSO; keys in the
//! credentials file; a login session; `credential_process`; keys in the config file.

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;

use super::files::{Profile, Profiles};
use super::ini::Section;
use super::parsed::File;
use crate::environment::WebIdentityVariables;
use crate::error::{Error, ErrorKind};
use crate::validation;

/// How a profile gets its credentials.
#[derive(Debug)]
pub(crate) struct ProfileChain {
    pub(crate) base: BaseProvider,
    /// The roles to assume, in order: the first one with the credentials of `base`.
    pub(crate) roles: Vec<ChainedRole>,
}

/// The provider of the first credentials of a chain.
#[derive(Debug)]
pub(crate) enum BaseProvider {
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
/// Each of `AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_SESSION_NAME` can take the
/// place of the profile's setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WebIdentity {
    pub(crate) role_arn: String,
    pub(crate) token_file: String,
    pub(crate) session_name: Option<String>,
}

/// The SSO settings of a profile.
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

/// A role in the chain of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainedRole {
    pub(crate) profile: String,
    pub(crate) role_arn: String,
    pub(crate) session_name: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) mfa_serial: Option<String>,
    pub(crate) duration: Option<Duration>,
}

impl ProfileChain {
    /// Follows the profile's `source_profile` links; `None` if the profile has no credentials.
    ///
    /// `variables` are empty for a profile that was named explicitly.
    pub(crate) fn resolve(
        profiles: &Profiles,
        profile: &Profile,
        variables: &WebIdentityVariables,
    ) -> Result<Option<Self>, Error> {
        let mut roles = Vec::new();
        let mut visited = vec![profile.name().to_owned()];
        let mut profile = profile.clone();
        let no_variables = WebIdentityVariables::default();
        let base = loop {
            // botocore ignores the variables for the source of a role.
            let variables = if roles.is_empty() {
                variables
            } else {
                &no_variables
            };
            // As in botocore, the keys of a source_profile take precedence over its own role.
            let role = match roles.is_empty() || !has_keys(&profile) {
                true => role_link(&profile),
                false => None,
            };
            let Some(role) = role else {
                break base_provider(profiles, &profile, variables)?;
            };
            roles.push(role);
            match next_link(&profile)? {
                Next::Base(source) => break Some(source),
                // botocore allows it: the profile assumes its role with its own keys.
                Next::Itself if has_keys(&profile) => {
                    break base_provider(profiles, &profile, &no_variables)?;
                }
                Next::Itself => return Err(circle(&visited, profile.name())),
                Next::Profile(next) => {
                    if visited.iter().any(|seen| seen == next) {
                        return Err(circle(&visited, next));
                    }
                    visited.push(next.to_owned());
                    profile = profiles
                        .get(next)
                        .ok_or_else(|| missing_link(profiles, &profile, next))?;
                }
            }
        };
        // They were found from the profile to its source, and are assumed from the source on.
        roles.reverse();
        match base {
            Some(base) => Ok(Some(Self { base, roles })),
            // The default chain then asks the container and the instance.
            None if roles.is_empty() => Ok(None),
            None => Err(invalid(format!(
                "profile {:?} is the source of a role, but {}",
                profile.name(),
                profile.what_is_missing()
            ))),
        }
    }
}

impl ProfileChain {
    /// Returns the ARN of a role in the chain, if there is one. All are in one partition.
    pub(crate) fn role_arn(&self) -> Option<&str> {
        match (self.roles.first(), &self.base) {
            (Some(role), _) => Some(&role.role_arn),
            (None, BaseProvider::WebIdentity(identity)) => Some(&identity.role_arn),
            (None, _) => None,
        }
    }
}

enum Next<'a> {
    Base(BaseProvider),
    Itself,
    Profile(&'a str),
}

/// The role that a profile assumes with the credentials of another source.
fn role_link(profile: &Profile) -> Option<ChainedRole> {
    let role_arn = profile.get("role_arn")?;
    // Such a role needs no source. botocore distinguishes the two kinds of roles in the same way.
    if profile.get("web_identity_token_file").is_some() {
        return None;
    }
    let owned = |key| profile.get(key).map(str::to_owned);
    Some(ChainedRole {
        profile: profile.name().to_owned(),
        role_arn: role_arn.to_owned(),
        session_name: owned("role_session_name"),
        external_id: owned("external_id"),
        mfa_serial: owned("mfa_serial"),
        duration: duration(profile),
    })
}

// botocore ignores a value that is not a number.
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
        (None, Some(source)) => Ok(Next::Base(credential_source(name, source)?)),
        (Some(_), Some(_)) => Err(invalid(format!(
            "profile {name:?} has a source_profile and a credential_source: keep one of them"
        ))),
        (None, None) => Err(invalid(format!(
            "profile {name:?} has a role_arn, but nothing to assume it with: add a source_profile \
             or a credential_source"
        ))),
    }
}

fn credential_source(profile: &str, source: &str) -> Result<BaseProvider, Error> {
    match source {
        "Environment" => Ok(BaseProvider::Environment),
        "Ec2InstanceMetadata" => Ok(BaseProvider::Ec2InstanceMetadata),
        "EcsContainer" => Ok(BaseProvider::EcsContainer),
        _ => Err(invalid(format!(
            "credential_source of profile {profile:?} is {source:?}: use Environment, \
             Ec2InstanceMetadata or EcsContainer"
        ))),
    }
}

fn circle(visited: &[String], next: &str) -> Error {
    let first = visited.first().map(String::as_str).unwrap_or_default();
    invalid(format!(
        "the source_profile links of profile {first:?} form a loop ({} -> {next}): let \
         one of them name a profile with credentials of its own",
        visited.join(" -> "),
    ))
}

fn missing_link(profiles: &Profiles, profile: &Profile, next: &str) -> Error {
    invalid(format!(
        "profile {next:?}, the source_profile of profile {:?}, does not exist in {}",
        profile.name(),
        profiles.searched_for(next)
    ))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

/// Returns the provider that a profile names itself, without a role through another profile.
fn base_provider(
    profiles: &Profiles,
    profile: &Profile,
    variables: &WebIdentityVariables,
) -> Result<Option<BaseProvider>, Error> {
    let name = || profile.name().to_owned();
    if let Some(web_identity) = web_identity(profile, variables)? {
        return Ok(Some(BaseProvider::WebIdentity(web_identity)));
    }
    if let Some(sso) = sso(profiles, profile)? {
        return Ok(Some(BaseProvider::Sso(sso)));
    }
    // botocore has a provider for each file. The one of the config file is asked last, below.
    if let Some(keys) = keys(profile, File::Credentials)? {
        return Ok(Some(keys));
    }
    if let Some(session) = profile.get("login_session") {
        return Ok(Some(BaseProvider::Login {
            profile: name(),
            session: session.to_owned(),
        }));
    }
    if let Some(command) = profile.get("credential_process") {
        return Ok(Some(BaseProvider::Process {
            profile: name(),
            command: Command(command.to_owned()),
            account_id: account_of(profile.get("aws_account_id")).map(str::to_owned),
        }));
    }
    keys(profile, File::Config)
}

fn web_identity(
    profile: &Profile,
    variables: &WebIdentityVariables,
) -> Result<Option<WebIdentity>, Error> {
    let setting = |variable: &Option<String>, key| {
        let variable = variable.as_deref();
        variable.or_else(|| profile.get(key)).map(str::to_owned)
    };
    let Some(token_file) = setting(&variables.token_file, "web_identity_token_file") else {
        return Ok(None);
    };
    let Some(role_arn) = setting(&variables.role_arn, "role_arn") else {
        return Err(invalid(format!(
            "profile {:?} or the environment has a web identity token file, but no role: add a \
             role_arn, or set AWS_ROLE_ARN",
            profile.name()
        )));
    };
    Ok(Some(WebIdentity {
        role_arn,
        token_file,
        session_name: setting(&variables.session_name, "role_session_name"),
    }))
}

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

// As in botocore, one half of a pair is enough to count as keys. The other half is then missed
// loudly.
fn has_keys(profile: &Profile) -> bool {
    [ID, SECRET].iter().any(|key| profile.has(key))
}

/// The keys of a profile in one file; an id without a secret is an error.
pub(crate) fn static_keys(profile: &Profile, file: File) -> Result<Option<Credentials>, Error> {
    let get = |key| profile.key_in(file, key);
    let Some(id) = get(ID) else {
        return Ok(None);
    };
    let Some(secret) = get(SECRET) else {
        return Err(invalid(format!(
            "profile {:?} has {ID}, but no {SECRET} in {file}: add it there, or remove the other",
            profile.name()
        )));
    };
    // botocore looks for the older name first, as in the environment.
    let token = get("aws_security_token").or_else(|| get("aws_session_token"));
    let mut keys = Credentials::builder()
        .access_key_id(id.as_str())
        .secret_access_key(secret.as_str())
        .provider_name("profile");
    keys.set_session_token(token.map(|token| token.to_string()));
    // Of the same file as the keys: the other file may describe other keys.
    let account = profile.get_in(file, "aws_account_id");
    keys.set_account_id(account_of(account).map(Into::into));
    Ok(Some(keys.build()))
}

fn keys(profile: &Profile, file: File) -> Result<Option<BaseProvider>, Error> {
    let keys = static_keys(profile, file)?;
    Ok(keys.map(|keys| BaseProvider::Keys {
        keys,
        profile: profile.name().to_owned(),
        file,
    }))
}

/// Returns an account id, unless the setting is empty.
fn account_of(setting: Option<&str>) -> Option<&str> {
    setting.filter(|id| !id.is_empty())
}

impl Profile {
    /// Completes "profile .. .." for one from which no credentials can be got.
    pub(crate) fn what_is_missing(&self) -> &'static str {
        let has_one = |names: &[&str]| names.iter().any(|name| self.has(name));
        if has_one(&["sso_session", "sso_start_url", "sso_region"]) {
            "has SSO settings, but no sso_account_id and no sso_role_name: add both, as `aws configure \
             sso` does"
        } else if has_one(&["source_profile", "credential_source"]) {
            "has a source_profile or credential_source, but no role_arn: add it"
        } else if self.has(SECRET) {
            "has aws_secret_access_key, but no aws_access_key_id: add it beside the other"
        } else if has_one(&["role_session_name", "external_id", "mfa_serial"]) {
            "has settings of a role, but no role_arn and no source_profile: add both"
        } else {
            "has no credentials: give it keys, a role_arn with a source_profile, an sso_session with an \
             sso_account_id and an sso_role_name, or a credential_process"
        }
    }
}

/// The SSO settings of a profile, and those of the `sso-session` section that it names.
fn sso(profiles: &Profiles, profile: &Profile) -> Result<Option<Sso>, Error> {
    let name = profile.name();
    // An sso_session alone is for services with bearer tokens: it names no account and no role.
    if profile.get("sso_account_id").is_none() && profile.get("sso_role_name").is_none() {
        return Ok(None);
    }
    let session_name = profile.get("sso_session");
    let session = session_name
        .map(|session| {
            profiles.sso_session(session).ok_or_else(|| {
                invalid(format!(
                    "profile {name:?} names the sso_session {session:?}, which does not exist: add \
                     a section [sso-session {session}]"
                ))
            })
        })
        .transpose()?;
    let of_session = |key: &str| {
        let value = session?.get(key)?.text();
        value.filter(|value| !value.is_empty())
    };
    // As in botocore, this applies to every key of the section, not only to those of SSO.
    for key in session.into_iter().flat_map(Section::names) {
        if let (Some(one), Some(other)) = (profile.get(key), of_session(key))
            && one != other
        {
            return Err(invalid(format!(
                "{key} of profile {name:?} differs from that of its sso-session: remove one of them"
            )));
        }
    }
    let setting = |key: &str| {
        let value = profile.get(key).or_else(|| of_session(key));
        value.map(str::to_owned).ok_or_else(|| {
            invalid(format!(
                "profile {name:?} uses SSO, but has no {key}: add it to the profile or to its \
                 sso-session section"
            ))
        })
    };
    let region = setting("sso_region")?;
    check_sso_region(&region, &format!("profile {name:?}"))?;
    Ok(Some(Sso {
        profile: name.to_owned(),
        session_name: session_name.map(str::to_owned),
        region,
        start_url: setting("sso_start_url")?,
        account_id: setting("sso_account_id")?,
        role_name: setting("sso_role_name")?,
    }))
}

/// Checks the region of a login, which is part of the host that its tokens are sent to.
pub(crate) fn check_sso_region(region: &str, of: &str) -> Result<(), Error> {
    let setting = format!("sso_region of {of}");
    validation::check_region(region, &setting, ErrorKind::InvalidConfig)
}

/// Says where the credentials come from: `role X of profile "b", with the keys of profile "a"`.
impl fmt::Display for ProfileChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for role in self.roles.iter().rev() {
            write!(
                f,
                "role {} of profile {:?}, with ",
                role.role_arn, role.profile
            )?;
        }
        write!(f, "{}", self.base)
    }
}

impl fmt::Display for BaseProvider {
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
