//! The list of profiles.

use std::fmt;

use super::files::{Profile, Profiles, SettingsWithoutKeys};

/// A profile, as [`BotoSesManager::profiles`](crate::BotoSesManager::profiles) lists it.
///
/// Its `Debug` form shows name, kind and region, and none of the other settings.
#[derive(Clone, PartialEq, Eq)]
pub struct ProfileInfo {
    kind: ProfileKind,
    settings: SettingsWithoutKeys,
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
        self.settings.profile()
    }

    /// Returns how the profile gets its credentials.
    pub fn kind(&self) -> ProfileKind {
        self.kind
    }

    /// Returns the region that the profile names.
    pub fn region(&self) -> Option<&str> {
        self.setting("region")
    }

    /// Returns a setting of the profile by its key in lower case: `role_arn`, `sso_session`, or a
    /// key that only your program reads. An empty setting counts as not set.
    ///
    /// Access keys and session tokens are not returned. Other settings can contain secrets too, such
    /// as a `credential_process` with a password in its arguments.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key)
    }
}

impl fmt::Debug for ProfileInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileInfo")
            .field("name", &self.name())
            .field("kind", &self.kind)
            .field("region", &self.region())
            .finish_non_exhaustive()
    }
}

impl Profiles {
    /// Lists the profiles of both files, by name.
    pub(crate) fn list(&self) -> Vec<ProfileInfo> {
        self.iter()
            .map(|profile| ProfileInfo {
                kind: kind(&profile),
                settings: profile.settings_without_keys(),
            })
            .collect()
    }
}

/// Returns the first kind, in the order in which a chain looks for them.
fn kind(profile: &Profile) -> ProfileKind {
    use super::parsed::File::Credentials;
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
