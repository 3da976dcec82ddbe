//! What is in an entry.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use chrono::DateTime;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::python::write_string;
use crate::credentials::role::{Assumed, RoleRequest};
use crate::time::calendar;

/// How long an entry has to be valid yet to be used; botocore's advisory window.
const MIN_LEFT: Duration = Duration::from_secs(900);

/// An entry that has been read. Fields that are not ours are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    credentials: EntryCredentials,
    assumed_role_user: Option<AssumedRoleUser>,
    /// With whose credentials the role was assumed. No other program writes it.
    bsm_source: Option<String>,
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
    /// Reads an entry; `None` for what is none.
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
        let expiry = parse_expiration(&found.expiration)?;
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

    /// Says whether the entry is for the role that is asked for. Without an ARN in it, there is
    /// nothing that says otherwise.
    pub(super) fn is_for(&self, request: &RoleRequest) -> bool {
        let Some(arn) = self.arn() else {
            return self
                .account()
                .is_none_or(|account| Some(account) == request.account());
        };
        let name = request.role_arn.rsplit('/').next().unwrap_or_default();
        let mut session = arn.splitn(6, ':').skip(4);
        let (account, resource) = (session.next(), session.next().unwrap_or_default());
        let mut parts = resource.splitn(3, '/');
        account == request.account()
            && parts.next() == Some("assumed-role")
            // IAM has no two names that differ in case alone, and STS answers with its own spelling.
            && parts.next().is_some_and(|role| role.eq_ignore_ascii_case(name))
            && request
                .role_session_name
                .as_deref()
                .is_none_or(|wanted| parts.next() == Some(wanted))
    }

    pub(super) fn is_from(&self, source: &str) -> bool {
        self.bsm_source.as_deref() == Some(source)
    }

    fn arn(&self) -> Option<&str> {
        self.assumed_role_user.as_ref()?.arn.as_deref()
    }

    fn account(&self) -> Option<&str> {
        let in_arn = || self.arn()?.split(':').nth(4);
        self.credentials.account_id.as_deref().or_else(in_arn)
    }
}

/// Reads a time as the AWS CLI writes it, `2026-11-22T14:47:40UTC`, or with `Z` or an offset.
fn parse_expiration(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let text = match text.strip_suffix("UTC") {
        Some(text) => format!("{}Z", text.trim_end()),
        None => text.to_owned(),
    };
    Some(DateTime::parse_from_rfc3339(&text).ok()?.into())
}

/// Writes an entry as the AWS CLI does; `None` for credentials that are not temporary.
///
/// `source` is for a cache that is told apart by it.
pub(super) fn write(
    request: &RoleRequest,
    assumed: &Assumed,
    source: Option<&str>,
) -> Option<Zeroizing<String>> {
    let credentials = &assumed.credentials;
    let expiry = calendar(credentials.expiry()?)?;
    let account = match &assumed.user {
        Some((_, arn)) => arn.split(':').nth(4),
        None => request.account(),
    };
    let mut fields = vec![
        ("AccessKeyId", credentials.access_key_id().to_owned()),
        (
            "SecretAccessKey",
            credentials.secret_access_key().to_owned(),
        ),
        ("SessionToken", credentials.session_token()?.to_owned()),
        (
            "Expiration",
            expiry.format("%Y-%m-%dT%H:%M:%SUTC").to_string(),
        ),
    ];
    fields.extend(account.map(|account| ("AccountId", account.to_owned())));
    // Grown step by step, it would leave pieces of the secrets behind in memory.
    let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
    text.push_str("{\"Credentials\": ");
    write_object(
        &mut text,
        fields.iter().map(|(key, value)| (*key, value.as_str())),
    );
    if let Some((id, arn)) = &assumed.user {
        text.push_str(", \"AssumedRoleUser\": ");
        write_object(
            &mut text,
            [("AssumedRoleId", id.as_str()), ("Arn", arn)].into_iter(),
        );
    }
    for (name, value) in [
        ("SourceIdentity", assumed.source_identity.as_deref()),
        ("BsmSource", source),
    ] {
        if let Some(value) = value {
            text.push_str(&format!(", \"{name}\": "));
            write_string(&mut text, value);
        }
    }
    text.push('}');
    fields
        .into_iter()
        .for_each(|(_, value)| drop(Zeroizing::new(value)));
    Some(text)
}

fn write_object<'a>(text: &mut String, fields: impl Iterator<Item = (&'a str, &'a str)>) {
    text.push('{');
    for (index, (key, value)) in fields.enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        write_string(text, key);
        text.push_str(": ");
        write_string(text, value);
    }
    text.push('}');
}
