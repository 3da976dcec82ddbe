//! Profiles: sections of the `config` and `credentials` files for clients of the server.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::account::{Account, User};
use crate::error::Error;

/// A profile in the files that [`LocalAws::write_profiles`](crate::LocalAws::write_profiles)
/// writes.
///
/// ```
/// use bsm_local_aws::Profile;
///
/// let audit = Profile::new("audit")
///     .region("eu-west-1")
///     .role("arn:aws:iam::222222222222:role/Audit", "default")
///     .set("external_id", "ticket-42")
///     .set("duration_seconds", "900");
/// ```
#[derive(Clone, Debug, Deserialize)]
pub struct Profile {
    name: String,
    /// The ARN of the user whose access key the credentials file contains.
    #[serde(default)]
    user: Option<String>,
    /// All other settings, which the config file contains.
    #[serde(flatten)]
    settings: BTreeMap<String, String>,
}

impl Profile {
    /// Creates an empty profile.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            user: None,
            settings: BTreeMap::new(),
        }
    }

    /// Sets the user whose access key the profile contains. `arn` is the ARN of the user.
    pub fn user(mut self, arn: impl Into<String>) -> Self {
        self.user = Some(arn.into());
        self
    }

    /// Sets the role to assume, and the profile whose credentials are used to assume it.
    pub fn role(self, arn: impl Into<String>, source_profile: impl Into<String>) -> Self {
        self.set("role_arn", arn)
            .set("source_profile", source_profile)
    }

    /// Sets a role of IAM Identity Center: the name of the `sso-session` section, the account and the
    /// role.
    pub fn sso(
        self,
        session: impl Into<String>,
        account: impl Into<String>,
        role: impl Into<String>,
    ) -> Self {
        self.set("sso_session", session)
            .set("sso_account_id", account)
            .set("sso_role_name", role)
    }

    /// Sets the region.
    pub fn region(self, region: impl Into<String>) -> Self {
        self.set("region", region)
    }

    /// Sets a setting of the config file, for example `mfa_serial`.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Sets the role session name if the profile assumes a role and doesn't set a name itself.
    pub(crate) fn default_session_name(&mut self, name: &str) {
        if self.settings.contains_key("role_arn") {
            let setting = self.settings.entry("role_session_name".to_owned());
            setting.or_insert_with(|| name.to_owned());
        }
    }

    /// Returns the section of the profile in the config file.
    pub(crate) fn config_section(&self, endpoint_url: &str) -> String {
        let mut text = match self.name.as_str() {
            "default" => "[default]\n".to_owned(),
            name => format!("[profile {name}]\n"),
        };
        // For botocore, a section that has a key twice is malformed.
        let own_endpoint = self.settings.contains_key("endpoint_url");
        let endpoint = (!own_endpoint).then_some(("endpoint_url", endpoint_url));
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in settings.chain(endpoint) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name} = {value}");
        }
        text
    }

    /// Returns the section of the profile in the credentials file, if the profile has keys.
    ///
    /// # Errors
    ///
    /// If the user does not exist or has no access key.
    pub(crate) fn credentials_section(
        &self,
        accounts: &[Account],
    ) -> Result<Option<String>, Error> {
        let Some(arn) = &self.user else {
            return Ok(None);
        };
        let (id, secret) = access_key(accounts, arn).ok_or_else(|| {
            let message = format!(
                "profile {}: no user {arn} with an access key exists",
                self.name
            );
            Error::accounts(message)
        })?;
        let name = &self.name;
        Ok(Some(format!(
            "[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        )))
    }
}

fn access_key<'a>(accounts: &'a [Account], arn: &str) -> Option<(&'a str, &'a str)> {
    let mut users = accounts
        .iter()
        .flat_map(|account| account.users.iter().map(|user| (&account.id, user)));
    let (_, user) = users.find(|(account, user)| User::arn(account, &user.name) == arn)?;
    Some((
        user.access_key_id.as_deref()?,
        user.secret_access_key.as_ref()?.expose(),
    ))
}
