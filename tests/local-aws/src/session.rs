//! Sessions: the temporary credentials that STS issued.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::clock::serialize_iso8601;

/// Temporary credentials that STS issued, and the parameters of the request.
///
/// The secret access key and the session token are not included.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Session {
    /// The access key id, `ASIA...`.
    pub access_key_id: String,
    /// The account of the credentials.
    pub account: String,
    /// The ARN of the session, as GetCallerIdentity returns it.
    pub arn: String,
    /// The ARN of the principal that requested the credentials.
    pub issued_to: String,
    /// The ARN of the assumed role; `None` for GetSessionToken.
    pub role_arn: Option<String>,
    /// `RoleSessionName`; `None` for GetSessionToken.
    pub session_name: Option<String>,
    /// The time of issue.
    #[serde(serialize_with = "serialize_iso8601")]
    pub issued_at: SystemTime,
    /// The expiry.
    #[serde(serialize_with = "serialize_iso8601")]
    pub expiration: SystemTime,
    /// `ExternalId`.
    pub external_id: Option<String>,
    /// Whether the request contained a valid MFA code.
    pub mfa_authenticated: bool,
    /// `Policy`. It is recorded but not enforced.
    pub policy: Option<String>,
    /// `PolicyArns`. They are recorded but not enforced.
    pub policy_arns: Vec<String>,
    /// The session tags, including those inherited from the calling session.
    pub tags: BTreeMap<String, String>,
    /// The keys of the tags that chained sessions inherit.
    pub transitive_tag_keys: Vec<String>,
    /// The source identity, passed or inherited from the calling session.
    pub source_identity: Option<String>,
}

impl Session {
    /// Returns the lifetime of the credentials, from issue to expiry.
    pub fn duration(&self) -> Duration {
        self.expiration
            .duration_since(self.issued_at)
            .unwrap_or_default()
    }
}
