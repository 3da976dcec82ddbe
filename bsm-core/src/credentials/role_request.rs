//! The parameters of AssumeRole, and the limits of STS that are checked before a request.
//!
//! Source: the constraints on the page of
//! [AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html), those of
//! its service model, and [role
//! chaining](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html). Only STS knows the
//! packed size of policies and tags.

use std::collections::HashSet;
use std::fmt::{self, Display};
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::identity::arn;
use crate::profile::ChainedRole;

/// The longest session of a role that is assumed with the credentials of another role.
const CHAINED: Duration = Duration::from_secs(3_600);

// From PolicyArns, Tags and ProvidedContexts in the API reference.
const MAX_POLICY_ARNS: usize = 10;
const MAX_TAGS: usize = 50;
const MAX_CONTEXTS: usize = 5;

/// The parameters of AssumeRole, field by field as in the API.
#[derive(Clone, Default)]
pub(crate) struct RoleRequest {
    pub(crate) role_arn: String,
    pub(crate) role_session_name: Option<String>,
    pub(crate) duration: Option<Duration>,
    pub(crate) policy: Option<String>,
    pub(crate) policy_arns: Vec<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) transitive_tag_keys: Vec<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) mfa_serial: Option<String>,
    pub(crate) provided_contexts: Vec<(String, String)>,
}

/// Shows the role and its session name only: policies are long, and a context assertion is a token.
impl fmt::Debug for RoleRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleRequest")
            .field("role_arn", &self.role_arn)
            .field("role_session_name", &self.role_session_name)
            .field("duration", &self.duration)
            .field("mfa_serial", &self.mfa_serial)
            .finish_non_exhaustive()
    }
}

impl From<ChainedRole> for RoleRequest {
    fn from(role: ChainedRole) -> Self {
        Self {
            role_arn: role.role_arn,
            role_session_name: role.session_name,
            duration: role.duration,
            external_id: role.external_id,
            mfa_serial: role.mfa_serial,
            ..Self::default()
        }
    }
}

impl RoleRequest {
    /// Returns the account in the role's ARN.
    pub(super) fn account(&self) -> Option<&str> {
        arn::account(&self.role_arn)
    }

    /// Checks every field. `is_chained` is `true` if the parent's credentials are those of a role.
    pub(super) fn check(&self, is_chained: bool) -> Result<(), Error> {
        check_role_arn(&self.role_arn)?;
        SESSION_NAME.check(self.role_session_name.as_deref())?;
        EXTERNAL_ID.check(self.external_id.as_deref())?;
        SOURCE_IDENTITY.check(self.source_identity.as_deref())?;
        MFA_SERIAL.check(self.mfa_serial.as_deref())?;
        self.check_duration(is_chained)?;
        self.check_policies()?;
        self.check_tags()?;
        self.check_contexts()
    }

    fn check_duration(&self, is_chained: bool) -> Result<(), Error> {
        let Some(duration) = self.duration else {
            return Ok(());
        };
        let seconds = duration.as_secs();
        // The role's own MaxSessionDuration may be lower, and only IAM knows it.
        if !(900..=43_200).contains(&seconds) {
            return Err(refused(format!(
                "a role cannot be assumed for {seconds} s: use 900 s (15 minutes) to 43200 s (12 \
                 hours)"
            )));
        }
        if is_chained && duration > CHAINED {
            return Err(refused(format!(
                "a role that is assumed with the credentials of another role lasts one hour at \
                 most, not {seconds} s: use 3600 s or less, which the manager refreshes in time"
            )));
        }
        Ok(())
    }

    fn check_policies(&self) -> Result<(), Error> {
        at_most(MAX_POLICY_ARNS, self.policy_arns.len(), "policy ARNs")?;
        if let Some(arn) = self.policy_arns.iter().find(|arn| !is_arn(arn)) {
            return Err(refused(format!("{arn:?} is not the ARN of a policy")));
        }
        let Some(policy) = &self.policy else {
            return Ok(());
        };
        // The pattern of the API's `Policy`.
        let allowed = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}');
        if !policy.chars().all(allowed) {
            return Err(refused(
                "the policy has characters that STS does not accept: use those up to U+00FF, or \
                 \\u escapes",
            ));
        }
        match serde_json::from_str::<serde_json::Value>(policy) {
            Ok(serde_json::Value::Object(_)) => Ok(()),
            Ok(_) => Err(refused("the policy is not a JSON object")),
            Err(error) => Err(refused("the policy is not JSON").with_source(error)),
        }
    }

    fn check_tags(&self) -> Result<(), Error> {
        at_most(MAX_TAGS, self.tags.len(), "session tags")?;
        at_most(
            MAX_TAGS,
            self.transitive_tag_keys.len(),
            "transitive tag keys",
        )?;
        let mut keys = HashSet::new();
        for (key, value) in &self.tags {
            TAG_KEY.check(Some(key))?;
            TAG_VALUE.check(Some(value))?;
            if key.to_lowercase().starts_with("aws:") {
                return Err(refused(format!(
                    "the session tag {key:?} begins with aws:, which AWS reserves: use another key"
                )));
            }
            if !keys.insert(key.to_lowercase()) {
                return Err(refused(format!(
                    "there are two session tags {key:?}, and STS ignores the case of keys: remove \
                     one"
                )));
            }
        }
        // STS compares tag keys without regard to case, so `keys` has them in lower case.
        let is_no_tag = |key: &&String| !keys.contains(&key.to_lowercase());
        match self.transitive_tag_keys.iter().find(is_no_tag) {
            None => Ok(()),
            Some(key) => Err(refused(format!(
                "the transitive tag key {key:?} is not among the session tags: add the tag"
            ))),
        }
    }

    fn check_contexts(&self) -> Result<(), Error> {
        at_most(
            MAX_CONTEXTS,
            self.provided_contexts.len(),
            "provided contexts",
        )?;
        for (provider_arn, assertion) in &self.provided_contexts {
            if !is_arn(provider_arn) {
                let message = format!("{provider_arn:?} is not the ARN of a context provider");
                return Err(refused(message));
            }
            // The assertion itself is not for a message.
            if !(4..=2_048).contains(&assertion.chars().count()) {
                return Err(refused(
                    "a context assertion is 4 to 2048 characters long: check where it comes from",
                ));
            }
        }
        Ok(())
    }
}

/// The limits of a text.
struct Text {
    name: &'static str,
    length: std::ops::RangeInclusive<usize>,
    alphabet: fn(char) -> bool,
    advice: &'static str,
    /// Whether errors leave it out.
    is_secret: bool,
}

const SESSION_NAME: Text = Text {
    name: "role session name",
    length: 2..=64,
    alphabet: |c| is_word_char(c, "+=,.@-"),
    advice: "2 to 64 letters, digits and the characters _+=,.@-",
    is_secret: false,
};

const SOURCE_IDENTITY: Text = Text {
    name: "source identity",
    ..SESSION_NAME
};

const EXTERNAL_ID: Text = Text {
    name: "external id",
    length: 2..=1_224,
    alphabet: |c| is_word_char(c, "+=,.@:/-"),
    advice: "2 to 1224 letters, digits and the characters _+=,.@:/-",
    // Between two companies, it is a shared secret as far as AWS lets it be one.
    is_secret: true,
};

const MFA_SERIAL: Text = Text {
    name: "MFA serial",
    length: 9..=256,
    alphabet: |c| is_word_char(c, "+=/:,.@-"),
    advice: "the ARN of the MFA device, or the serial number on it",
    is_secret: false,
};

const TAG_KEY: Text = Text {
    name: "session tag key",
    length: 1..=128,
    alphabet: is_tag_char,
    advice: "1 to 128 letters, digits, spaces and the characters _.:/=+-@",
    is_secret: false,
};

const TAG_VALUE: Text = Text {
    name: "session tag value",
    length: 0..=256,
    alphabet: is_tag_char,
    advice: "up to 256 letters, digits, spaces and the characters _.:/=+-@",
    is_secret: false,
};

impl Text {
    fn check(&self, text: Option<&str>) -> Result<(), Error> {
        let is_acceptable = |text: &str| {
            self.length.contains(&text.chars().count()) && text.chars().all(self.alphabet)
        };
        match text {
            Some(text) if !is_acceptable(text) => {
                let shown = match self.is_secret {
                    true => String::new(),
                    false => format!(" {text:?}"),
                };
                Err(refused(format!(
                    "the {}{shown} is not acceptable: use {}",
                    self.name, self.advice
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Checks what a web identity has in common with AssumeRole.
pub(super) fn check_identity(role_arn: &str, session_name: Option<&str>) -> Result<(), Error> {
    check_role_arn(role_arn)?;
    SESSION_NAME.check(session_name)
}

/// Checks what GetSessionToken has in common with AssumeRole.
pub(super) fn check_mfa_serial(serial: Option<&str>) -> Result<(), Error> {
    MFA_SERIAL.check(serial)
}

fn check_role_arn(role_arn: &str) -> Result<(), Error> {
    match arn::split(role_arn) {
        // Any partition, because AWS adds new ones.
        Some(["arn", _, "iam", "", account, resource])
            if account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && resource.len() > "role/".len()
                && resource.starts_with("role/")
                && is_arn(role_arn) =>
        {
            Ok(())
        }
        _ => Err(refused(format!(
            "{role_arn:?} is not the ARN of a role: write it as \
             arn:aws:iam::111122223333:role/Name"
        ))),
    }
}

fn is_arn(text: &str) -> bool {
    // The length of `arnType` in the service model of STS.
    (20..=2_048).contains(&text.chars().count())
        && text.starts_with("arn:")
        && !text.chars().any(char::is_control)
}

fn is_word_char(c: char, others: &str) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || others.contains(c)
}

fn is_tag_char(c: char) -> bool {
    // The API's pattern is [\p{L}\p{Z}\p{N}_.:/=+\-@]; no control character is in \p{Z}.
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

fn at_most(limit: usize, count: usize, what: &str) -> Result<(), Error> {
    match count > limit {
        false => Ok(()),
        true => Err(refused(format!(
            "STS accepts at most {limit} {what}, not {count}"
        ))),
    }
}

fn refused(message: impl Display) -> Error {
    Error::new(ErrorKind::InvalidInput, message.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RoleRequest {
        RoleRequest {
            role_arn: "arn:aws:iam::111122223333:role/team/Admin".to_owned(),
            ..RoleRequest::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut RoleRequest)) -> String {
        let mut request = request();
        change(&mut request);
        let error = request.check(true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.to_string()
    }

    #[test]
    fn a_request_with_every_field_at_its_limit_is_accepted() {
        let tags = (0..50).map(|n| (format!("{n:0>128}"), "v".repeat(256)));
        let request = RoleRequest {
            role_session_name: Some("a_+=,.@-".repeat(8)),
            duration: Some(Duration::from_secs(3_600)),
            policy: Some(r#"{"Statement": []}"#.to_owned()),
            policy_arns: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned(); 10],
            transitive_tag_keys: vec![format!("{:0>128}", 7)],
            tags: tags.collect(),
            external_id: Some("x:/".repeat(408)),
            source_identity: Some("me".to_owned()),
            mfa_serial: Some("GAHT12345678".to_owned()),
            provided_contexts: vec![
                ("arn:aws:iam::aws:contextProvider/x".into(), "jwt.".into());
                5
            ],
            ..request()
        };
        request.check(true).unwrap();
    }

    #[test]
    fn only_a_role_assumed_with_a_role_is_limited_to_an_hour() {
        let request = RoleRequest {
            duration: Some(Duration::from_secs(43_200)),
            ..request()
        };
        request.check(false).unwrap();
        let error = request.check(true).unwrap_err();
        assert!(error.to_string().contains("one hour at most"), "{error}");
    }

    #[test]
    fn every_limit_is_checked_before_the_call() {
        for arn in [
            "",
            "Admin",
            "arn:aws:iam::111122223333:user/me",
            "arn:aws:iam::1:role/Admin",
        ] {
            assert!(refusal(|r| r.role_arn = arn.into()).contains("not the ARN of a role"));
        }
        refusal(|r| r.role_session_name = Some("a".into()));
        refusal(|r| r.role_session_name = Some("a b".into()));
        refusal(|r| r.duration = Some(Duration::from_secs(899)));
        refusal(|r| r.duration = Some(Duration::from_secs(43_201)));
        refusal(|r| r.policy = Some(String::new()));
        refusal(|r| r.policy = Some("[]".into()));
        refusal(|r| r.policy = Some("{\"Sid\": \"\u{2603}\"}".into()));
        refusal(|r| r.policy_arns = vec!["arn:aws:iam::aws:policy/A".into(); 11]);
        refusal(|r| r.policy_arns = vec!["ReadOnlyAccess".into()]);
        refusal(|r| r.external_id = Some("x".repeat(1_225)));
        let message = refusal(|r| r.external_id = Some("Zoë".into()));
        assert!(
            message.contains("external id") && !message.contains("Zo"),
            "{message}"
        );
        refusal(|r| r.source_identity = Some("aws:me".into()));
        refusal(|r| r.mfa_serial = Some("short".into()));
        refusal(|r| r.tags = vec![("k".into(), "v".into()); 51]);
        refusal(|r| r.tags = vec![(String::new(), "v".into())]);
        refusal(|r| r.tags = vec![("k".into(), "v".repeat(257))]);
        refusal(|r| r.tags = vec![("aws:k".into(), "v".into())]);
        refusal(|r| r.transitive_tag_keys = vec!["Team".into()]);
        refusal(|r| r.provided_contexts = vec![("arn:aws:iam::aws:x".repeat(2), "jwt".into())]);
    }

    #[test]
    fn tag_keys_that_differ_in_case_alone_are_duplicates() {
        let tags = [("Team", "a"), ("team", "b")];
        let message = refusal(|request| {
            request.tags = tags.map(|(key, value)| (key.into(), value.into())).to_vec();
        });
        assert!(message.contains("two session tags \"team\""), "{message}");
    }
}
