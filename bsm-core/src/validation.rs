//! Checks of keys, tokens and accounts where they come in.
//!
//! The SDK puts them into headers. It panics on an access key id that cannot be in one, and a blank
//! at the end of a secret makes every signature wrong.

use aws_credential_types::Credentials;

use crate::error::{Error, ErrorKind};

/// Returns what is wrong with a key or a token: completes "it ..".
pub(crate) fn flaw(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return Some("is empty");
    }
    // A blank inside is harmless: AWS rejects the key. One at an end is invisible, and a control
    // character cannot be sent at all.
    if value.trim() != value || value.contains(char::is_control) {
        return Some("begins or ends with a blank, or contains a line break; remove it");
    }
    if !value.is_ascii() {
        return Some("contains characters that are not ASCII; copy it again");
    }
    None
}

/// Returns whether an account id is twelve digits.
pub(crate) fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names of the settings that credentials were read from.
pub(crate) struct KeySettingNames {
    pub(crate) id: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) token: &'static str,
    pub(crate) account: &'static str,
    /// What follows the name of a setting, for example ` of profile "dev"`.
    pub(crate) place: String,
    pub(crate) kind: ErrorKind,
}

impl KeySettingNames {
    pub(crate) fn of_environment() -> Self {
        Self {
            id: "AWS_ACCESS_KEY_ID",
            secret: "AWS_SECRET_ACCESS_KEY",
            token: "AWS_SESSION_TOKEN",
            account: "AWS_ACCOUNT_ID",
            place: String::new(),
            kind: ErrorKind::InvalidConfig,
        }
    }

    pub(crate) fn of_profile(profile: &str) -> Self {
        Self {
            id: "aws_access_key_id",
            secret: "aws_secret_access_key",
            token: "aws_session_token",
            account: "aws_account_id",
            place: format!(" of profile {profile:?}"),
            kind: ErrorKind::InvalidConfig,
        }
    }

    pub(crate) fn of_builder() -> Self {
        Self {
            place: " given to the builder".to_owned(),
            kind: ErrorKind::InvalidInput,
            ..Self::of_provider()
        }
    }

    pub(crate) fn of_provider() -> Self {
        Self {
            id: "the access key id",
            secret: "the secret access key",
            token: "the session token",
            account: "the account id",
            place: " from the credentials provider".to_owned(),
            kind: ErrorKind::CredentialsUnavailable,
        }
    }

    /// Checks an account id, which becomes part of host names.
    ///
    /// # Errors
    ///
    /// As those of [`check`], with the value.
    pub(crate) fn check_account(&self, id: &str) -> Result<(), Error> {
        if is_account(id) {
            return Ok(());
        }
        let message = format!(
            "{}{} is {id:?}, which is not an account: write its twelve digits",
            self.account, self.place
        );
        Err(Error::new(self.kind, message))
    }
}

/// Checks credentials that were read from settings.
///
/// # Errors
///
/// Of the kind in `names`, naming the setting and not its value.
pub(crate) fn check(credentials: &Credentials, names: &KeySettingNames) -> Result<(), Error> {
    for (name, value) in [
        (names.id, Some(credentials.access_key_id())),
        (names.secret, Some(credentials.secret_access_key())),
        (names.token, credentials.session_token()),
    ] {
        if let Some(flaw) = value.and_then(flaw) {
            let message = format!("{name}{} {flaw}", names.place);
            return Err(Error::new(names.kind, message));
        }
    }
    match credentials.account_id() {
        Some(account) => names.check_account(account.as_str()),
        None => Ok(()),
    }
}

/// Returns the credentials without an empty account id, which containers send in place of none.
pub(crate) fn without_empty_account(credentials: Credentials) -> Credentials {
    match credentials.account_id() {
        Some(account) if account.as_str().is_empty() => {
            // An account id cannot be removed from `Credentials`.
            let mut builder = Credentials::builder()
                .access_key_id(credentials.access_key_id())
                .secret_access_key(credentials.secret_access_key())
                .provider_name("without an account id");
            builder.set_session_token(credentials.session_token().map(str::to_owned));
            builder.set_expiry(credentials.expiry());
            builder.build()
        }
        _ => credentials,
    }
}

/// Checks the name of a region, which becomes part of a host name.
///
/// The rule is botocore's.
///
/// # Errors
///
/// Of `kind`, naming the setting and the value.
pub(crate) fn check_region(region: &str, setting: &str, kind: ErrorKind) -> Result<(), Error> {
    let is_label = (1..=63).contains(&region.len())
        && region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-')
        && !region.bytes().all(|byte| byte.is_ascii_digit());
    match is_label {
        true => Ok(()),
        false => Err(Error::new(
            kind,
            format!("{setting} {region:?} is not a region; use a name such as \"eu-west-1\""),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_account(id: &str) -> Credentials {
        Credentials::builder()
            .access_key_id("AKIA")
            .secret_access_key("secret")
            .session_token("token")
            .provider_name("test")
            .account_id(id)
            .build()
    }

    #[test]
    fn an_account_is_twelve_digits_and_the_setting_is_named() {
        let names = [
            (KeySettingNames::of_environment(), "AWS_ACCOUNT_ID is "),
            (
                KeySettingNames::of_profile("dev"),
                "aws_account_id of profile \"dev\" is ",
            ),
            (
                KeySettingNames::of_provider(),
                "the account id from the credentials provider is ",
            ),
        ];
        for (names, start) in names {
            check(&with_account("111122223333"), &names).unwrap();
            for id in ["111122223333\n", "1111-2222-3333", "1", "x.example.com/"] {
                let error = check(&with_account(id), &names).unwrap_err();
                assert_eq!(error.kind(), names.kind);
                let message = error.to_string();
                assert!(message.starts_with(start), "{message}");
            }
        }
    }

    #[test]
    fn an_empty_account_is_none() {
        let credentials = without_empty_account(with_account(""));
        assert_eq!(credentials.account_id(), None);
        assert_eq!(credentials.session_token(), Some("token"));
        check(&credentials, &KeySettingNames::of_provider()).unwrap();
    }
}
