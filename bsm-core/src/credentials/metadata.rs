//! The JSON in which containers and instances return the credentials of their role.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::time;

/// A response with credentials, or with the code of an error.
///
/// It has no `Debug` form, because it holds keys.
#[derive(Deserialize)]
pub(super) struct Metadata {
    #[serde(rename = "AccessKeyId", default)]
    access_key_id: Option<String>,
    #[serde(rename = "SecretAccessKey", default)]
    secret_access_key: Option<Zeroizing<String>>,
    #[serde(rename = "Token", default)]
    token: Option<Zeroizing<String>>,
    #[serde(rename = "Expiration", default)]
    expiration: Option<String>,
    #[serde(rename = "AccountId", default)]
    account_id: Option<String>,
    /// `Success`, or the code of an error; containers leave it out or write it in lower case.
    #[serde(rename = "Code", alias = "code", default)]
    code: Option<String>,
}

/// Why a response holds no credentials.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InvalidMetadata {
    /// The text of the response is not what was asked for.
    Malformed,
    /// The code of an error.
    Refused(String),
}

impl Metadata {
    /// Parses a response.
    pub(super) fn parse(body: &[u8]) -> Result<Self, InvalidMetadata> {
        let parsed: Self = serde_json::from_slice(body).map_err(|_| InvalidMetadata::Malformed)?;
        match parsed.code.as_deref() {
            None | Some("" | "Success") => Ok(parsed),
            Some(code) if parsed.access_key_id.is_none() => {
                Err(InvalidMetadata::Refused(code.to_owned()))
            }
            // As in botocore, credentials count whatever code is beside them.
            Some(_) => Ok(parsed),
        }
    }

    /// Returns the code of an error from the body of a response that is one.
    pub(super) fn error_code(body: &[u8]) -> Option<String> {
        serde_json::from_slice::<Self>(body).ok()?.code
    }

    /// Returns the credentials. `expiry` may replace the one of the response.
    pub(super) fn into_credentials(
        self,
        provider: &'static str,
        expiry: impl FnOnce(SystemTime) -> SystemTime,
    ) -> Result<Credentials, InvalidMetadata> {
        // Endpoints write an empty text for a field that they have no value for.
        let given = |text: &str| !text.is_empty();
        let id = self.access_key_id.filter(|id| given(id));
        let secret = self.secret_access_key.filter(|secret| given(secret));
        let (Some(id), Some(secret)) = (id, secret) else {
            return Err(InvalidMetadata::Malformed);
        };
        let mut credentials = Credentials::builder()
            .access_key_id(id)
            .secret_access_key(secret.as_str())
            .provider_name(provider);
        let token = self.token.filter(|token| given(token));
        credentials.set_session_token(token.map(|token| token.to_string()));
        let account = self.account_id.filter(|account| given(account));
        credentials.set_account_id(account.map(Into::into));
        if let Some(text) = self.expiration.filter(|text| given(text)) {
            // Without an expiry, credentials would never be refreshed, so a bad one is an error.
            let until = time::parse(&text).ok_or(InvalidMetadata::Malformed)?;
            credentials = credentials.expiry(expiry(until));
        }
        Ok(credentials.build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Credentials, InvalidMetadata> {
        Metadata::parse(body.as_bytes())?.into_credentials("test", |expiry| expiry)
    }

    #[test]
    fn credentials_need_an_id_and_a_secret_and_an_expiry_that_is_a_time() {
        let full = r#"{"Code": "Success", "AccessKeyId": "A", "SecretAccessKey": "s", "Token": "t",
            "Expiration": "2026-11-22T14:47:40Z", "AccountId": "111122223333", "Type": "AWS-HMAC"}"#;
        let credentials = read(full).unwrap();
        assert_eq!(credentials.session_token(), Some("t"));
        assert!(credentials.expiry().is_some());
        assert!(credentials.account_id().is_some());
        let bare = read(r#"{"AccessKeyId": "A", "SecretAccessKey": "s", "AccountId": ""}"#);
        assert_eq!(bare.unwrap().account_id(), None);
        for body in [
            "",
            "[]",
            "{}",
            r#"{"AccessKeyId": "A"}"#,
            r#"{"AccessKeyId": "", "SecretAccessKey": "s"}"#,
            r#"{"AccessKeyId": "A", "SecretAccessKey": 1}"#,
            r#"{"AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "soon"}"#,
        ] {
            assert_eq!(
                read(body).unwrap_err(),
                InvalidMetadata::Malformed,
                "{body}"
            );
        }
    }

    #[test]
    fn an_error_is_told_by_its_code() {
        for body in [
            r#"{"Code": "AssumeRoleUnauthorizedAccess", "Message": "no"}"#,
            r#"{"code": "AssumeRoleUnauthorizedAccess", "message": "no"}"#,
        ] {
            let code = "AssumeRoleUnauthorizedAccess".to_owned();
            assert_eq!(
                read(body).unwrap_err(),
                InvalidMetadata::Refused(code.clone())
            );
            assert_eq!(Metadata::error_code(body.as_bytes()), Some(code));
        }
    }
}
