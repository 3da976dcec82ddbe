//! What the local AWS remembers of the temporary credentials it issued.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::clock::serialize_iso8601;

/// Temporary credentials that STS issued, with everything the request said about them.
///
/// The secret and the token are not among it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Session {
    /// The access key id, `ASIA...`.
    pub access_key_id: String,
    /// The account the credentials are good for.
    pub account: String,
    /// The principal they make, as GetCallerIdentity names it.
    pub arn: String,
    /// The ARN of the principal that asked for them.
    pub issued_to: String,
    /// The ARN of the role, if one was assumed.
    pub role_arn: Option<String>,
    /// `RoleSessionName`, if a role was assumed.
    pub session_name: Option<String>,
    /// When they were issued.
    #[serde(serialize_with = "serialize_iso8601")]
    pub issued_at: SystemTime,
    /// When they expire.
    #[serde(serialize_with = "serialize_iso8601")]
    pub expiration: SystemTime,
    /// `ExternalId`.
    pub external_id: Option<String>,
    /// Whether an MFA code was given and right.
    pub mfa_authenticated: bool,
    /// `Policy`, which is recorded and not enforced.
    pub policy: Option<String>,
    /// `PolicyArns`, which are recorded and not enforced.
    pub policy_arns: Vec<String>,
    /// The session tags: those passed, and those inherited from the calling session.
    pub tags: BTreeMap<String, String>,
    /// The keys of the tags that a chained session inherits.
    pub transitive_tag_keys: Vec<String>,
    /// The source identity: the one passed, or the one inherited from the calling session.
    pub source_identity: Option<String>,
}

impl Session {
    /// Returns how long the credentials last in all.
    pub fn duration(&self) -> Duration {
        self.expiration
            .duration_since(self.issued_at)
            .unwrap_or_default()
    }
}
