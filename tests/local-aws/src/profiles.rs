//! Profile files: a ready `~/.aws` pair that leads any AWS client to the server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::accounts::Account;
use crate::directory::user_arn;
use crate::error::{Error, ErrorKind};

/// The first line of the files, by which they are known again.
const MARK: &str = "# Written by bsm-local-aws, a local AWS for tests.";

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
    /// The ARN of the user whose access key goes into the credentials file.
    #[serde(default)]
    user: Option<String>,
    /// Everything else, as it goes into the config file.
    #[serde(flatten)]
    settings: BTreeMap<String, String>,
}

impl Profile {
    /// Makes an empty profile.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            user: None,
            settings: BTreeMap::new(),
        }
    }

    /// Puts a user's access key into the profile. The user is named by its ARN.
    pub fn user(mut self, arn: impl Into<String>) -> Self {
        self.user = Some(arn.into());
        self
    }

    /// Lets the profile assume a role with the credentials of another profile.
    pub fn role(self, arn: impl Into<String>, source_profile: impl Into<String>) -> Self {
        self.set("role_arn", arn)
            .set("source_profile", source_profile)
    }

    /// Sets the region.
    pub fn region(self, region: impl Into<String>) -> Self {
        self.set("region", region)
    }

    /// Sets any setting of the config file, `mfa_serial` for instance.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Sets the session name, if the profile assumes a role and has none.
    pub(crate) fn default_session_name(&mut self, name: &str) {
        if self.settings.contains_key("role_arn") {
            let setting = self.settings.entry("role_session_name".to_owned());
            setting.or_insert_with(|| name.to_owned());
        }
    }

    fn config(&self, endpoint_url: &str) -> String {
        let mut text = match self.name.as_str() {
            "default" => "[default]\n".to_owned(),
            name => format!("[profile {name}]\n"),
        };
        let own_endpoint = self.settings.contains_key("endpoint_url");
        let endpoint = (!own_endpoint).then_some(("endpoint_url", endpoint_url));
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in settings.chain(endpoint) {
            let _ = writeln!(text, "{name} = {value}");
        }
        text
    }

    fn credentials(&self, accounts: &[Account]) -> Result<Option<String>, Error> {
        let Some(arn) = &self.user else {
            return Ok(None);
        };
        let (id, secret) = access_key(accounts, arn).ok_or_else(|| {
            let message = format!(
                "profile {}: there is no user {arn} with an access key",
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

/// Writes `config` and `credentials` into a directory.
pub(crate) fn write(
    directory: &Path,
    profiles: &[Profile],
    accounts: &[Account],
    endpoint_url: &str,
) -> Result<(), Error> {
    let config: Vec<_> = profiles
        .iter()
        .map(|profile| profile.config(endpoint_url))
        .collect();
    let credentials = profiles
        .iter()
        .filter_map(|profile| profile.credentials(accounts).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    fs::create_dir_all(directory).map_err(|error| cannot_write(directory, error))?;
    let files = [("config", config), ("credentials", credentials)];
    let files = files.map(|(name, sections)| (directory.join(name), sections.join("\n")));
    files
        .iter()
        .try_for_each(|(path, _)| refuse_foreign(path))?;
    files.iter().try_for_each(|(path, sections)| {
        fs::write(path, format!("{MARK}\n\n{sections}")).map_err(|error| cannot_write(path, error))
    })
}

/// Refuses to overwrite a file that was not written here: it may be someone's real `~/.aws`.
fn refuse_foreign(path: &Path) -> Result<(), Error> {
    match fs::read(path) {
        Ok(content) if !content.starts_with(MARK.as_bytes()) => {
            let path = path.display();
            let message = format!("{path} is not from bsm-local-aws and is left as it is");
            Err(Error::new(ErrorKind::File, message))
        }
        _ => Ok(()),
    }
}

fn access_key<'a>(accounts: &'a [Account], arn: &str) -> Option<(&'a str, &'a str)> {
    let mut users = accounts
        .iter()
        .flat_map(|account| account.users.iter().map(|user| (&account.id, user)));
    let (_, user) = users.find(|(account, user)| user_arn(account, &user.name) == arn)?;
    Some((
        user.access_key_id.as_deref()?,
        user.secret_access_key.as_ref()?.reveal(),
    ))
}

fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::File, format!("cannot write {}", path.display())).because(error)
}
