//! Layouts: the accounts and profiles of a server, as code or as a TOML file.

mod account;
mod identity_center;
mod mfa_device;
mod organization;
mod profile;

#[cfg(feature = "toml")]
use std::{fs, path::Path};

use serde::Deserialize;

#[cfg(feature = "toml")]
use crate::error::{Error, ErrorKind};

pub(crate) use self::account::denies;
pub use self::account::{Account, Role, Trust, User};
pub use self::identity_center::IdentityCenter;
pub(crate) use self::identity_center::ROLE_PATH;
pub use self::mfa_device::MfaDevice;
pub(crate) use self::mfa_device::MfaUse;
pub use self::organization::Organization;
pub use self::profile::Profile;

/// The accounts and profiles of a server.
///
/// ```
/// let layout = bsm_local_aws::Layout::from_toml(
///     r#"
///     [[account]]
///     id = "111111111111"
///     alias = "default-co"
///
///     [[account.user]]
///     name = "dev"
///     access_key_id = "AKIALOCALEXAMPLE0001"
///     secret_access_key = "not-a-secret"
///     mfa = { serial = "arn:aws:iam::111111111111:mfa/dev", codes = ["123456"] }
///
///     [[account]]
///     id = "222222222222"
///
///     [[account.role]]
///     name = "Audit"
///     max_session_duration = 7200
///     deny = ["dynamodb:DeleteTable"]
///     trust = [
///         { principals = ["arn:aws:iam::111111111111:user/dev"], external_id = "ticket-42", require_mfa = true },
///     ]
///
///     [[profile]]
///     name = "default"
///     user = "arn:aws:iam::111111111111:user/dev"
///     region = "eu-west-1"
///
///     [[profile]]
///     name = "audit"
///     role_arn = "arn:aws:iam::222222222222:role/Audit"
///     source_profile = "default"
///     external_id = "ticket-42"
///     mfa_serial = "arn:aws:iam::111111111111:mfa/dev"
///     region = "eu-west-1"
///     "#,
/// );
/// assert!(layout.is_ok());
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    #[serde(rename = "account")]
    pub(crate) accounts: Vec<Account>,
    #[serde(default, rename = "profile")]
    pub(crate) profiles: Vec<Profile>,
    #[serde(default)]
    pub(crate) identity_center: Option<IdentityCenter>,
    #[serde(default)]
    pub(crate) organization: Option<Organization>,
}

impl Layout {
    /// Reads a layout from TOML text. Needs the feature `toml`.
    ///
    /// # Errors
    ///
    /// If the text is not valid TOML or contains an unknown setting. The message contains the line.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::accounts(error.to_string().trim_end()))
    }

    /// Reads a layout from a TOML file. Needs the feature `toml`.
    ///
    /// # Errors
    ///
    /// Those of [`from_toml`](Self::from_toml), and if the file cannot be read. The message contains
    /// the path.
    #[cfg(feature = "toml")]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|error| {
            Error::new(ErrorKind::File, format!("cannot read {}", path.display())).because(error)
        })?;
        Self::from_toml(&text).map_err(|error| {
            Error::accounts(format!(
                "the layout in {} is invalid: {error}",
                path.display()
            ))
        })
    }
}

#[cfg(all(test, feature = "toml"))]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_reported_with_its_line() {
        let error = Layout::from_toml("[[account]]\nid = \"111111111111\"\nalais = \"x\"\n")
            .expect_err("`alais` is not a setting");
        let message = error.to_string();
        assert!(
            message.contains("line 3") && message.contains("alais"),
            "{message}"
        );
    }
}
