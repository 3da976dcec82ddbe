//! The contents of an entry.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::attributes::AccountId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::Key;
use crate::credentials::assume_role::Assumed;
use crate::credentials::python_json::{self, SPACED};
use crate::credentials::role_request::RoleRequest;
use crate::identity::arn;
use crate::time::{format_rfc3339, format_rfc3339_utc, parse};

/// The remaining lifetime that an entry must have to be used: botocore's advisory window.
const MIN_LEFT: Duration = Duration::from_secs(900);

/// An entry that was read. Other fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    credentials: EntryCredentials,
    assumed_role_user: Option<AssumedRoleUser>,
    /// The identity that assumed the role. No other program writes this field.
    bsm_source: Option<String>,
    /// The name of a session token's entry.
    bsm_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryCredentials {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Zeroizing<String>,
    expiration: String,
    account_id: Option<String>,
}

#[derive(Deserialize)]
struct AssumedRoleUser {
    #[serde(rename = "Arn")]
    arn: Option<String>,
}

impl Entry {
    /// Parses an entry; `None` if the text is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns the credentials if they are valid for long enough.
    pub(super) fn credentials(
        &self,
        now: SystemTime,
        provider: &'static str,
    ) -> Option<Credentials> {
        let found = &self.credentials;
        let expiry = parse(&found.expiration)?;
        // Such an entry can be parsed, but nothing can be signed with it.
        if found.access_key_id.is_empty() || found.secret_access_key.is_empty() {
            return None;
        }
        if expiry.duration_since(now).ok()? < MIN_LEFT {
            return None;
        }
        let mut credentials = Credentials::builder()
            .access_key_id(found.access_key_id.as_str())
            .secret_access_key(found.secret_access_key.as_str())
            .session_token(found.session_token.as_str())
            .expiry(expiry)
            .provider_name(provider);
        if let Some(account) = self.account() {
            credentials = credentials.account_id(account);
        }
        Some(credentials.build())
    }

    /// Returns `true` if the entry is for the requested role. An entry without an ARN counts as
    /// such if its account matches.
    pub(super) fn is_for(&self, request: &RoleRequest) -> bool {
        let Some(arn) = self.arn() else {
            return self
                .account()
                .is_none_or(|account| Some(account) == request.account());
        };
        // The ARN of a session names the role without its path.
        let name = request.role_arn.rsplit('/').next().unwrap_or_default();
        let Some([_, _, _, _, account, resource]) = arn::split(arn) else {
            return false;
        };
        let mut parts = resource.splitn(3, '/');
        Some(account) == request.account()
            && parts.next() == Some("assumed-role")
            // IAM has no two names that differ in case alone, and STS answers with its own
            // spelling.
            && parts.next().is_some_and(|role| role.eq_ignore_ascii_case(name))
            && request
                .role_session_name
                .as_deref()
                .is_none_or(|wanted| parts.next() == Some(wanted))
    }

    pub(super) fn is_from(&self, source: &str) -> bool {
        self.bsm_source.as_deref() == Some(source)
    }

    /// Returns `true` if the entry has the name under which it was written: nothing else in it says which
    /// access key a session token was issued for.
    pub(super) fn is_named(&self, key: &Key) -> bool {
        self.bsm_name.as_deref() == Some(key.as_str())
    }

    fn arn(&self) -> Option<&str> {
        self.assumed_role_user.as_ref()?.arn.as_deref()
    }

    fn account(&self) -> Option<&str> {
        let in_arn = || arn::account(self.arn()?);
        self.credentials.account_id.as_deref().or_else(in_arn)
    }
}

/// Returns the text of an entry as the AWS CLI writes it; `None` for credentials that are not
/// temporary.
///
/// `source` is for a cache that distinguishes entries by it.
pub(super) fn write(
    request: &RoleRequest,
    assumed: &Assumed,
    source: Option<&str>,
) -> Option<Zeroizing<String>> {
    let credentials = &assumed.credentials;
    let written = WrittenEntry {
        credentials: WrittenCredentials {
            access_key_id: credentials.access_key_id(),
            secret_access_key: credentials.secret_access_key(),
            session_token: credentials.session_token()?,
            expiration: format_rfc3339_utc(credentials.expiry()?)?,
            // botocore takes the account from the ARN of the session.
            account_id: match &assumed.user {
                Some((_, user_arn)) => arn::account(user_arn),
                None => request.account(),
            },
        },
        assumed_role_user: assumed.user.as_ref().map(|(id, arn)| WrittenUser {
            assumed_role_id: id,
            arn,
        }),
        source_identity: assumed.source_identity.as_deref(),
        bsm_source: source,
    };
    Some(to_text(&written))
}

/// Returns the text of an SSO role's entry, as the AWS CLI and boto3 write it.
pub(super) fn write_sso(account: &str, credentials: &Credentials) -> Option<Zeroizing<String>> {
    Some(to_text(&WrittenSsoEntry {
        provider_type: "sso",
        credentials: WrittenCredentials {
            access_key_id: credentials.access_key_id(),
            secret_access_key: credentials.secret_access_key(),
            session_token: credentials.session_token()?,
            // Not as that of an assumed role, which ends with `UTC`.
            expiration: format_rfc3339(credentials.expiry()?)?,
            account_id: Some(account),
        },
    }))
}

/// Returns the text of a session token's entry.
pub(super) fn write_session_token(
    key: &Key,
    credentials: &Credentials,
) -> Option<Zeroizing<String>> {
    Some(to_text(&WrittenSessionToken {
        provider_type: "bsm-session-token",
        credentials: WrittenCredentials {
            access_key_id: credentials.access_key_id(),
            secret_access_key: credentials.secret_access_key(),
            session_token: credentials.session_token()?,
            expiration: format_rfc3339(credentials.expiry()?)?,
            account_id: credentials.account_id().map(AccountId::as_str),
        },
        bsm_name: key.as_str(),
    }))
}

fn to_text(written: &impl Serialize) -> Zeroizing<String> {
    // Larger than any entry: a buffer that grows leaves copies of its secrets in memory.
    let mut bytes = Vec::with_capacity(16 * 1024);
    python_json::dump(&mut bytes, written, SPACED);
    let text = String::from_utf8(bytes).expect("the formatter writes ASCII");
    Zeroizing::new(text)
}

/// An entry to write. Its fields are in the order of the AWS CLI's.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenEntry<'a> {
    credentials: WrittenCredentials<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed_role_user: Option<WrittenUser<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bsm_source: Option<&'a str>,
}

/// An entry of an SSO role to write.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenSsoEntry<'a> {
    provider_type: &'a str,
    credentials: WrittenCredentials<'a>,
}

/// An entry of a session token to write.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenSessionToken<'a> {
    provider_type: &'a str,
    credentials: WrittenCredentials<'a>,
    bsm_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenCredentials<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenUser<'a> {
    assumed_role_id: &'a str,
    arn: &'a str,
}
