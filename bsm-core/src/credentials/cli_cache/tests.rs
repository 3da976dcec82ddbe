use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::entry::{self, Entry};
use super::key::Key;
use crate::credentials::assume_role::Assumed;
use crate::credentials::role_request::RoleRequest;
use crate::credentials::session_token::SessionTokenRequest;
use crate::profile::Sso;

const ADMIN: &str = "arn:aws:iam::111122223333:role/team/Admin";

fn request() -> RoleRequest {
    RoleRequest {
        role_arn: ADMIN.to_owned(),
        ..RoleRequest::default()
    }
}

/// 2026-11-22T14:47:40Z.
fn expiry() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_358_860)
}

fn assumed() -> Assumed {
    Assumed {
        credentials: Credentials::new(
            "ASIAEXAMPLE",
            "a/secret",
            Some("a \"token\" Zo\u{eb}".to_owned()),
            Some(expiry()),
            "test",
        ),
        user: Some((
            "AROAEXAMPLE:me".to_owned(),
            "arn:aws:sts::111122223333:assumed-role/Admin/me".to_owned(),
        )),
        source_identity: None,
    }
}

/// An entry as the AWS CLI writes it, with one thing changed.
fn entry_with(change: impl FnOnce(&mut Value)) -> Option<Entry> {
    let mut value = json!({
        "Credentials": {
            "AccessKeyId": "ASIAEXAMPLE",
            "SecretAccessKey": "a/secret",
            "SessionToken": "a token",
            "Expiration": "2026-11-22T14:47:40UTC",
            "AccountId": "111122223333",
        },
        "AssumedRoleUser": {
            "AssumedRoleId": "AROAEXAMPLE:me",
            "Arn": "arn:aws:sts::111122223333:assumed-role/Admin/me",
        },
        "PackedPolicySize": 6,
        "ResponseMetadata": {"RequestId": "1", "HTTPStatusCode": 200, "RetryAttempts": 0},
    });
    change(&mut value);
    Entry::parse(&value.to_string())
}

#[test]
fn an_entry_is_written_as_the_aws_cli_writes_it() {
    let text = entry::write(&request(), &assumed(), None).unwrap();
    // Python 3.11: json.dumps of the same answer, without its ResponseMetadata.
    assert_eq!(
        text.as_str(),
        r#"{"Credentials": {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "a/secret", "SessionToken": "a \"token\" Zo\u00eb", "Expiration": "2026-11-22T14:47:40UTC", "AccountId": "111122223333"}, "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:me", "Arn": "arn:aws:sts::111122223333:assumed-role/Admin/me"}}"#
    );
    let entry = Entry::parse(&text).unwrap();
    assert!(entry.is_for(&request()));
    let read = entry
        .credentials(expiry() - Duration::from_secs(900), "x")
        .unwrap();
    assert_eq!(read.access_key_id(), "ASIAEXAMPLE");
    assert_eq!(read.secret_access_key(), "a/secret");
    assert_eq!(read.session_token(), Some("a \"token\" Zo\u{eb}"));
    assert_eq!(read.expiry(), Some(expiry()));
    assert_eq!(read.account_id().unwrap().as_str(), "111122223333");
}

#[test]
fn an_entry_is_used_while_it_has_a_quarter_of_an_hour_left() {
    let entry = entry_with(|_| ()).unwrap();
    let left = |seconds| entry.credentials(expiry() - Duration::from_secs(seconds), "x");
    assert!(left(900).is_some());
    assert!(left(899).is_none());
    assert!(
        entry
            .credentials(expiry() + Duration::from_secs(1), "x")
            .is_none()
    );
}

#[test]
fn an_expiry_may_be_written_in_every_way_that_clients_write_it() {
    for text in [
        "2026-11-22T14:47:40UTC",
        "2026-11-22T14:47:40Z",
        "2026-11-22T14:47:40+00:00",
        "2026-11-22T15:47:40+01:00",
        "2026-11-22T14:47:40.000Z",
        "2026-11-22T14:47:40 UTC",
    ] {
        let entry = entry_with(|entry| entry["Credentials"]["Expiration"] = json!(text)).unwrap();
        let credentials = entry.credentials(UNIX_EPOCH, "x");
        assert_eq!(credentials.unwrap().expiry(), Some(expiry()), "{text}");
    }
}

#[test]
fn credentials_alone_are_enough() {
    let entry = entry_with(|entry| {
        let credentials = entry["Credentials"].take();
        *entry = json!({"Credentials": credentials});
    });
    assert!(entry.unwrap().is_for(&request()));
}

#[test]
fn what_is_no_entry_is_not_read() {
    for text in ["", "{", "null", "[]", "{}", r#"{"Credentials": {}}"#, "\0"] {
        assert!(Entry::parse(text).is_none(), "{text}");
    }
    let is_unusable = |change: fn(&mut Value)| {
        let entry = entry_with(change);
        entry.is_none_or(|entry| entry.credentials(UNIX_EPOCH, "x").is_none())
    };
    assert!(is_unusable(
        |entry| entry["Credentials"]["Expiration"] = json!("soon")
    ));
    assert!(is_unusable(
        |entry| entry["Credentials"]["Expiration"] = json!(1_795_358_860)
    ));
    assert!(is_unusable(
        |entry| entry["Credentials"]["SessionToken"] = Value::Null
    ));
    assert!(is_unusable(
        |entry| entry["Credentials"]["SecretAccessKey"] = json!("")
    ));
    assert!(!is_unusable(|_| ()));
}

#[test]
fn an_entry_of_another_role_account_or_session_is_foreign() {
    let with_arn =
        |arn: &str| entry_with(|entry| entry["AssumedRoleUser"]["Arn"] = json!(arn)).unwrap();
    for arn in [
        "arn:aws:sts::111122223333:assumed-role/Reader/me",
        "arn:aws:sts::444455556666:assumed-role/Admin/me",
        "arn:aws:iam::111122223333:user/Admin",
        "",
        "::::::::",
    ] {
        assert!(!with_arn(arn).is_for(&request()), "{arn}");
    }
    let named = RoleRequest {
        role_session_name: Some("you".to_owned()),
        ..request()
    };
    let of_me = with_arn("arn:aws:sts::111122223333:assumed-role/Admin/me");
    assert!(of_me.is_for(&request()) && !of_me.is_for(&named));
}

#[test]
fn an_entry_tells_whose_credentials_it_came_from_only_if_it_is_ours() {
    let source = "arn:aws:iam::999999999999:user/me";
    let ours = entry::write(&request(), &assumed(), Some(source)).unwrap();
    assert!(Entry::parse(&ours).unwrap().is_from(source));
    assert!(
        !Entry::parse(&ours)
            .unwrap()
            .is_from("arn:aws:iam::999999999999:user/you")
    );
    assert!(!entry_with(|_| ()).unwrap().is_from(source));
}

#[test]
fn the_entry_of_a_session_token_counts_only_under_its_own_name() {
    let request = SessionTokenRequest::default();
    let name = |key| Key::of_session_token(&request, key);
    let credentials = assumed().credentials;
    let text = entry::write_session_token(&name("AKIAONE"), &credentials).unwrap();
    let entry = Entry::parse(&text).unwrap();
    assert!(entry.is_named(&name("AKIAONE")));
    assert!(!entry.is_named(&name("AKIATWO")));
    let read = entry.credentials(UNIX_EPOCH, "x").unwrap();
    assert_eq!(read.expiry(), Some(expiry()));
    assert_eq!(read.session_token(), credentials.session_token());
    // Those of the AWS CLI have no name in them.
    assert!(!entry_with(|_| ()).unwrap().is_named(&name("AKIAONE")));
}

/// See tests/peers/cli_cache_names.py.
#[test]
fn the_names_are_those_of_botocore_whatever_is_asked_for() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/names.json")).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for case in fixture["roles"].as_array().unwrap() {
        let arguments = &case["arguments"];
        let list = |name: &str| arguments[name].as_array().cloned().unwrap_or_default();
        let pairs = |name: &str, a: &str, b: &str| {
            let pair = |item: &Value| (text(&item[a]).unwrap(), text(&item[b]).unwrap());
            list(name).iter().map(pair).collect()
        };
        let request = RoleRequest {
            role_arn: text(&arguments["RoleArn"]).unwrap(),
            role_session_name: text(&arguments["RoleSessionName"]),
            duration: arguments["DurationSeconds"]
                .as_u64()
                .map(Duration::from_secs),
            policy: text(&arguments["Policy"]),
            policy_arns: list("PolicyArns")
                .iter()
                .map(|item| text(&item["arn"]).unwrap())
                .collect(),
            tags: pairs("Tags", "Key", "Value"),
            transitive_tag_keys: list("TransitiveTagKeys")
                .iter()
                .map(|key| text(key).unwrap())
                .collect(),
            external_id: text(&arguments["ExternalId"]),
            source_identity: text(&arguments["SourceIdentity"]),
            mfa_serial: text(&arguments["SerialNumber"]),
            provided_contexts: pairs("ProvidedContexts", "ProviderArn", "ContextAssertion"),
        };
        let name = Key::of_role(&request).unwrap();
        assert_eq!(name.as_str(), case["name"], "{arguments}");
    }
    for case in fixture["sso"].as_array().unwrap() {
        let arguments = &case["arguments"];
        let sso = Sso {
            profile: "sso".into(),
            session_name: text(&arguments["session_name"]),
            region: "us-east-1".to_owned(),
            start_url: text(&arguments["start_url"]).unwrap(),
            account_id: text(&arguments["account_id"]).unwrap(),
            role_name: text(&arguments["role_name"]).unwrap(),
        };
        assert_eq!(Key::of_sso(&sso).as_str(), case["name"], "{arguments}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in any::<String>()) {
        if let Some(entry) = Entry::parse(&text) {
            entry.credentials(UNIX_EPOCH, "x");
            entry.is_for(&request());
        }
    }

    #[test]
    fn no_fields_make_reading_panic(
        expiration in "(\\PC*|[0-9T:+.Z-]{0,30}(UTC)?)",
        arn in "(\\PC*|[a-z:/]{0,30})",
        account in any::<Option<String>>(),
        role_arn in "(\\PC*|[a-z:/]{0,30})",
    ) {
        let entry = entry_with(|entry| {
            entry["Credentials"]["Expiration"] = json!(expiration);
            entry["Credentials"]["AccountId"] = json!(account);
            entry["AssumedRoleUser"]["Arn"] = json!(arn);
        }).unwrap();
        entry.credentials(UNIX_EPOCH, "x");
        entry.is_for(&RoleRequest { role_arn, role_session_name: account, ..request() });
    }

    #[test]
    fn what_is_written_is_read_again(secret in ".+", token in any::<String>()) {
        let assumed = Assumed {
            credentials: Credentials::new("id", secret.clone(), Some(token.clone()), Some(expiry()), "x"),
            ..assumed()
        };
        let text = entry::write(&request(), &assumed, Some(&token)).unwrap();
        prop_assert!(text.is_ascii());
        let entry = Entry::parse(&text).unwrap();
        let read = entry.credentials(UNIX_EPOCH, "x").unwrap();
        prop_assert_eq!(read.secret_access_key(), secret);
        prop_assert_eq!(read.session_token(), Some(token.as_str()));
        prop_assert!(entry.is_from(&token));
    }
}
