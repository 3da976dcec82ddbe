//! The names of entries: a hash of what is asked for.

use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use crate::credentials::python_json::{COMPACT, SPACED, dumps_sorted};
use crate::credentials::role_request::RoleRequest;
use crate::credentials::session_token::SessionTokenRequest;
use crate::profile::Sso;

/// The name of an entry, without `.json`: forty hexadecimal digits if the AWS CLI has such entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// The name of a role's entry; `None` if its policy is not JSON.
    ///
    /// What the user has not set is not in it, and neither are a generated session name and the
    /// MFA code.
    pub(super) fn of_role(request: &RoleRequest) -> Option<Self> {
        Some(Self::hash(&dumps_sorted(role_arguments(request)?, SPACED)))
    }

    /// The name of the entry for an SSO role.
    pub(super) fn of_sso(sso: &Sso) -> Self {
        let mut arguments = json!({"accountId": sso.account_id, "roleName": sso.role_name});
        match &sso.session_name {
            // botocore hashes one of the two, and the session takes precedence.
            Some(session) => arguments["sessionName"] = json!(session),
            None => arguments["startUrl"] = json!(sso.start_url),
        }
        // Unlike that of a role, botocore hashes this text without blanks.
        Self::hash(&dumps_sorted(arguments, COMPACT))
    }

    /// The name of the entry for a session token, which is bound to the access key that it is issued for.
    pub(super) fn of_session_token(request: &SessionTokenRequest, access_key_id: &str) -> Self {
        let arguments = json!({
            "AccessKeyId": access_key_id,
            "DurationSeconds": request.duration.map(|duration| duration.as_secs()),
            "SerialNumber": request.mfa_serial,
        });
        let Self(hash) = Self::hash(&dumps_sorted(arguments, SPACED));
        // The AWS CLI gives no entry such a name.
        Self(format!("bsm-session-token-{hash}"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn hash(preimage: &str) -> Self {
        let digest = Sha1::digest(preimage.as_bytes());
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What is asked of STS, as botocore puts it.
fn role_arguments(request: &RoleRequest) -> Option<Value> {
    let mut arguments = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            arguments.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::String);
    // botocore leaves out an argument without a value, and an empty list would change the hash.
    let list = |items: Vec<Value>| (!items.is_empty()).then_some(Value::Array(items));
    let pair = |(a, b): (&str, &str), (x, y): &(String, String)| json!({a: x, b: y});
    set("RoleArn", Some(request.role_arn.as_str().into()));
    set("RoleSessionName", text(&request.role_session_name));
    set("ExternalId", text(&request.external_id));
    set("SerialNumber", text(&request.mfa_serial));
    set("SourceIdentity", text(&request.source_identity));
    set(
        "DurationSeconds",
        request.duration.map(|duration| duration.as_secs().into()),
    );
    if let Some(policy) = &request.policy {
        // As in botocore: only a parsed policy is written with sorted keys.
        set("Policy", Some(serde_json::from_str(policy).ok()?));
    }
    let arns = request.policy_arns.iter().map(|arn| json!({"arn": arn}));
    set("PolicyArns", list(arns.collect()));
    let tags = request.tags.iter().map(|tag| pair(("Key", "Value"), tag));
    set("Tags", list(tags.collect()));
    let keys = request.transitive_tag_keys.iter().map(|key| json!(key));
    set("TransitiveTagKeys", list(keys.collect()));
    let contexts = request.provided_contexts.iter();
    let contexts = contexts.map(|context| pair(("ProviderArn", "ContextAssertion"), context));
    set("ProvidedContexts", list(contexts.collect()));
    Some(Value::Object(arguments))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn admin() -> RoleRequest {
        RoleRequest {
            role_arn: "arn:aws:iam::111122223333:role/Admin".to_owned(),
            ..RoleRequest::default()
        }
    }

    fn key(request: &RoleRequest) -> String {
        Key::of_role(request).unwrap().0
    }

    /// The names that the AWS CLI gave to the entries of these roles.
    #[test]
    fn an_entry_has_the_name_that_the_aws_cli_gives_it() {
        assert_eq!(key(&admin()), "20d1c4c47209b5c6f6727fa999b7ec9c34fe8643");
        let named = RoleRequest {
            role_session_name: Some("me".to_owned()),
            ..admin()
        };
        assert_eq!(key(&named), "2be9f0c6a8cc82dd8104d29f99085c252382e1aa");
        let full = RoleRequest {
            duration: Some(Duration::from_secs(3600)),
            external_id: Some("x1".to_owned()),
            mfa_serial: Some("arn:aws:iam::111122223333:mfa/me".to_owned()),
            ..named
        };
        assert_eq!(key(&full), "c077c41e019b26f24e1b2cd85992de95f11bf748");
        let accented = RoleRequest {
            external_id: Some("Zo\u{eb}".to_owned()),
            ..admin()
        };
        assert_eq!(key(&accented), "1b80e833c1f68a0cb4b1360809c1163a858c6e94");
    }

    #[test]
    fn a_session_token_is_named_after_everything_that_it_was_issued_for() {
        let request = |seconds: Option<u64>, serial: Option<&str>| SessionTokenRequest {
            duration: seconds.map(Duration::from_secs),
            mfa_serial: serial.map(str::to_owned),
        };
        let name = |request, key| Key::of_session_token(&request, key).0;
        let names: Vec<_> = [
            name(request(None, None), "AKIAONE"),
            name(request(None, None), "AKIATWO"),
            name(request(Some(900), None), "AKIAONE"),
            name(request(Some(901), None), "AKIAONE"),
            name(request(None, Some("GAHT12345678")), "AKIAONE"),
            name(request(None, Some("GAHT12345679")), "AKIAONE"),
        ]
        .into();
        for (at, one) in names.iter().enumerate() {
            let digits = one.strip_prefix("bsm-session-token-").unwrap();
            assert_eq!(digits.len(), 40, "{one}");
            assert!(!names[at + 1..].contains(one), "{one}");
        }
        assert_eq!(name(request(None, None), "AKIAONE"), names[0]);
    }

    #[test]
    fn a_policy_is_hashed_by_what_it_says_and_not_by_how_it_is_written() {
        let with = |policy: &str| RoleRequest {
            policy: Some(policy.to_owned()),
            ..admin()
        };
        let one = with(r#"{"Version": "2012-10-17", "Statement": []}"#);
        let other = with("{\n\"Statement\":[],\"Version\":\"2012-10-17\"}");
        assert_eq!(key(&one), key(&other));
        assert_eq!(Key::of_role(&with("not JSON")), None);
    }
}
