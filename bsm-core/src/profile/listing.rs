//! The list of profiles.

use super::files::{Profile, Profiles};

/// A profile, as [`BotoSesManager::profiles`](crate::BotoSesManager::profiles) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileInfo {
    name: String,
    kind: ProfileKind,
    region: Option<String>,
}

/// How a profile gets its credentials, by its own settings.
///
/// Nothing is followed and nothing is checked: the source of a role may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProfileKind {
    /// `aws_access_key_id` and `aws_secret_access_key`.
    Keys,
    /// `role_arn`, assumed with the credentials of another profile or source.
    Role,
    /// `role_arn` and `web_identity_token_file`.
    WebIdentity,
    /// `sso_account_id` and `sso_role_name`.
    Sso,
    /// `login_session`.
    Login,
    /// `credential_process`.
    Process,
    /// It has other settings, such as a region, but no credentials.
    Other,
}

impl ProfileInfo {
    /// Returns the name, as it is given to [`from_profile`](crate::BotoSesManager::from_profile).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how the profile gets its credentials.
    pub fn kind(&self) -> ProfileKind {
        self.kind
    }

    /// Returns the region that the profile names.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

impl Profiles {
    /// Lists the profiles of both files, by name.
    pub(crate) fn list(&self) -> Vec<ProfileInfo> {
        self.iter()
            .map(|profile| ProfileInfo {
                name: profile.name().to_owned(),
                kind: kind(&profile),
                region: profile.get("region").map(str::to_owned),
            })
            .collect()
    }
}

/// Returns the first kind, in the order in which a chain looks for them.
fn kind(profile: &Profile) -> ProfileKind {
    use super::files::File::Credentials;
    let has = |key| profile.has(key);
    if has("role_arn") && !has("web_identity_token_file") {
        ProfileKind::Role
    } else if has("web_identity_token_file") {
        ProfileKind::WebIdentity
    } else if has("sso_account_id") || has("sso_role_name") {
        ProfileKind::Sso
    } else if profile.has_in(Credentials, "aws_access_key_id") {
        ProfileKind::Keys
    } else if has("login_session") {
        ProfileKind::Login
    } else if has("credential_process") {
        ProfileKind::Process
    } else if has("aws_access_key_id") {
        ProfileKind::Keys
    } else {
        ProfileKind::Other
    }
}
