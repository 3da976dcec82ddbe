//! What the program prints.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use serde::Deserialize;

use crate::time;
use crate::validation;

/// The JSON that the program prints. It has no `Debug`, because it is a secret.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Json {
    version: i64,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
    account_id: Option<AccountId>,
}

/// An account id. Programs that do not quote it lose its leading zeros.
#[derive(Deserialize)]
#[serde(untagged)]
enum AccountId {
    Text(String),
    Number(u64),
}

/// What the program printed, checked.
pub(super) struct Printed {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiry: Option<SystemTime>,
    account_id: Option<String>,
}

impl Printed {
    /// Parses the output, or says what is wrong with it, without quoting it: completes "the
    /// credential_process ..".
    pub(super) fn parse(output: &[u8]) -> Result<Self, String> {
        // The parser's own message is not passed on: it may quote what it stumbled over.
        let json: Json = serde_json::from_slice(output).map_err(|error| {
            format!(
                "did not print credentials (line {}, column {}): it must print JSON with \
                 Version, AccessKeyId and SecretAccessKey",
                error.line(),
                error.column()
            )
        })?;
        if json.version != 1 {
            return Err("printed a Version other than 1: it must print version 1".to_owned());
        }
        // An empty token would be sent as an empty `x-amz-security-token` header.
        let session_token = json.session_token.filter(|token| !token.is_empty());
        for (name, value) in [
            ("AccessKeyId", Some(&json.access_key_id)),
            ("SecretAccessKey", Some(&json.secret_access_key)),
            ("SessionToken", session_token.as_ref()),
        ] {
            if let Some(flaw) = value.and_then(|value| validation::flaw(value)) {
                return Err(format!("printed a {name} that {flaw}"));
            }
        }
        let account_id = match json.account_id {
            None => None,
            Some(AccountId::Number(number)) => Some(format!("{number:012}")),
            Some(AccountId::Text(text)) => Some(text),
        };
        let account_id = account_id.filter(|account| !account.is_empty());
        if account_id
            .as_deref()
            .is_some_and(|id| !validation::is_account(id))
        {
            return Err("printed an AccountId that is not twelve digits".to_owned());
        }
        let expiration = json.expiration.filter(|expiration| !expiration.is_empty());
        // An expiry that is ignored would leave the credentials in use after it.
        let expiry = expiration
            .map(|expiration| {
                time::parse(&expiration)
                    .ok_or("printed an Expiration that is not a time such as 2026-11-22T14:47:40Z")
            })
            .transpose()?;
        Ok(Self {
            access_key_id: json.access_key_id,
            secret_access_key: json.secret_access_key,
            session_token,
            expiry,
            account_id,
        })
    }

    /// Returns the credentials. `account_id` is that of the profile, where none was printed.
    pub(super) fn into_credentials(self, account_id: Option<&str>) -> Credentials {
        let mut credentials = Credentials::builder()
            .access_key_id(self.access_key_id)
            .secret_access_key(self.secret_access_key)
            .provider_name("credential_process");
        credentials.set_session_token(self.session_token);
        let account_id = self.account_id.or_else(|| account_id.map(str::to_owned));
        credentials.set_account_id(account_id.map(Into::into));
        credentials.set_expiry(self.expiry);
        credentials.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(change: &str) -> Result<Credentials, String> {
        let text = r#"{"Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": "hush""#;
        // Of two keys with one name serde_json takes neither, so a change replaces its line.
        let text = match change.split_once(':') {
            Some(("\"AccessKeyId\"", value)) => text.replace("\"ASIA\"", value),
            Some(("\"SecretAccessKey\"", value)) => text.replace("\"hush\"", value),
            Some(_) => format!("{text}, {change}"),
            None => text.to_owned(),
        };
        let printed = Printed::parse(format!("{text}}}").as_bytes())?;
        Ok(printed.into_credentials(Some("111111111111")))
    }

    #[test]
    fn empty_is_unset_and_the_profiles_account_stands_in() {
        for change in [
            "",
            r#""SessionToken": """#,
            r#""SessionToken": null"#,
            r#""AccountId": """#,
            r#""Expiration": """#,
        ] {
            let credentials = parsed(change).unwrap();
            assert_eq!(credentials.session_token(), None, "{change}");
            assert_eq!(credentials.expiry(), None, "{change}");
            assert_eq!(credentials.account_id().unwrap().as_str(), "111111111111");
        }
    }

    #[test]
    fn an_account_may_be_a_number() {
        for (printed, account) in [
            ("\"222222222222\"", "222222222222"),
            ("222222222222", "222222222222"),
            ("12345678", "000012345678"),
        ] {
            let credentials = parsed(&format!("\"AccountId\": {printed}")).unwrap();
            assert_eq!(credentials.account_id().unwrap().as_str(), account);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_quoting_it() {
        for (change, flaw) in [
            (r#""AccessKeyId":"""#, "AccessKeyId that is empty"),
            (
                r#""AccessKeyId":"AKIA\n""#,
                "AccessKeyId that begins or ends with a blank",
            ),
            (r#""SecretAccessKey":"""#, "SecretAccessKey that is empty"),
            (
                r#""SecretAccessKey":"MARKER ""#,
                "SecretAccessKey that begins or ends with a blank",
            ),
            (
                r#""SessionToken": "MARKER\r\n""#,
                "SessionToken that begins or ends with a blank",
            ),
            (r#""SessionToken": 7"#, "did not print credentials"),
            (
                r#""AccountId": "MARKER""#,
                "AccountId that is not twelve digits",
            ),
            (
                r#""AccountId": 1111111111111"#,
                "AccountId that is not twelve digits",
            ),
            (r#""Expiration": "MARKER""#, "Expiration that is not a time"),
        ] {
            let message = parsed(change).unwrap_err();
            assert!(message.contains(flaw), "{change}: {message}");
            assert!(!message.contains("MARKER"), "{message}");
        }
    }
}
