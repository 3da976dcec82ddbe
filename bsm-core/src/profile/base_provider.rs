//! The credentials that a profile has by itself: keys, a web identity, SSO, a login, a process.

use aws_credential_types::Credentials;

use super::chain::{Command, Source, Sso, WebIdentity, WebIdentityVariables, invalid};
use super::files::{File, Profile, Profiles};
use super::ini::Section;
use crate::error::Error;

/// The credentials that a profile gets without assuming a role through another profile.
pub(super) fn own_source(
    profiles: &Profiles,
    profile: &Profile,
    variables: &WebIdentityVariables,
) -> Result<Option<Source>, Error> {
    let name = || profile.name().to_owned();
    if let Some(web_identity) = web_identity(profile, variables)? {
        return Ok(Some(Source::WebIdentity(web_identity)));
    }
    if let Some(sso) = sso(profiles, profile)? {
        return Ok(Some(Source::Sso(sso)));
    }
    if let Some(keys) = keys(profile, File::Credentials)? {
        return Ok(Some(keys));
    }
    if let Some(session) = profile.get("login_session") {
        return Ok(Some(Source::Login {
            profile: name(),
            session: session.to_owned(),
        }));
    }
    if let Some(command) = profile.get("credential_process") {
        return Ok(Some(Source::Process {
            profile: name(),
            command: Command(command.to_owned()),
            account_id: profile.get("aws_account_id").map(str::to_owned),
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

/// Half a pair is enough to say that a profile has keys.
pub(super) fn has_keys(profile: &Profile) -> bool {
    [ID, SECRET].iter().any(|key| profile.get(key).is_some())
}

/// The keys of a profile in one file; an id without a secret is an error.
fn keys(profile: &Profile, file: File) -> Result<Option<Source>, Error> {
    let get = |key| profile.get_in(file, key);
    let Some(id) = get(ID) else {
        return Ok(None);
    };
    let Some(secret) = get(SECRET) else {
        return Err(invalid(format!(
            "profile {:?} has {ID}, but no {SECRET} in {file}: add it there, or remove the other",
            profile.name()
        )));
    };
    let token = get("aws_security_token").or_else(|| get("aws_session_token"));
    let mut keys = Credentials::builder()
        .access_key_id(id)
        .secret_access_key(secret)
        .provider_name("profile");
    keys.set_session_token(token.map(str::to_owned));
    keys.set_account_id(get("aws_account_id").map(Into::into));
    Ok(Some(Source::Keys {
        keys: keys.build(),
        profile: profile.name().to_owned(),
        file,
    }))
}

/// The SSO settings of a profile, and those of the `sso-session` section that it names.
fn sso(profiles: &Profiles, profile: &Profile) -> Result<Option<Sso>, Error> {
    let name = profile.name();
    // An sso_session alone is for token services, and says nothing of credentials.
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
    // As in botocore, this holds for any key, also where it says nothing of SSO.
    for key in session.into_iter().flat_map(Section::keys) {
        if let (Some(one), Some(other)) = (profile.get(key), of_session(key))
            && one != other
        {
            return Err(invalid(format!(
                "{key} of profile {name:?} is not that of its sso-session: remove one of them"
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
    Ok(Some(Sso {
        profile: name.to_owned(),
        session_name: session_name.map(str::to_owned),
        region: setting("sso_region")?,
        start_url: setting("sso_start_url")?,
        account_id: setting("sso_account_id")?,
        role_name: setting("sso_role_name")?,
    }))
}
