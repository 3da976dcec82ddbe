//! The outcome of profile files and environments, compared with botocore.
//!
//! The cases, with botocore's outcome, are written by `tests/peers/profiles.py`.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_types::os_shim_internal::Env;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{BaseProvider, ChainedRole, ProfileChain, Profiles, shlex};
use crate::credentials::provider::SharedProvider;
use crate::environment::Environment;
use crate::error::Error;
use crate::session::resolution::{CredentialOrigin, Resolution};
use crate::session::sdk_config;
use crate::session::settings::Settings;

#[derive(Deserialize)]
struct Case {
    name: String,
    environment: BTreeMap<String, String>,
    config: Option<String>,
    credentials: Option<String>,
    profile: Option<String>,
    keys: bool,
    region: Option<String>,
    botocore: Json,
    #[serde(default)]
    differences: Vec<String>,
    ours: Option<Json>,
}

#[test]
fn profiles_are_resolved_as_botocore_does_but_for_the_documented_differences() {
    let cases: Vec<Case> = serde_json::from_str(&read("tests/fixtures/profiles.json")).unwrap();
    let guide = read("docs/src/profiles.md");
    let mut wrong = Vec::new();
    let mut differing = 0;
    for case in &cases {
        for difference in &case.differences {
            assert!(guide.contains(&format!("`{difference}`")), "{difference}");
        }
        let mut expected = case.ours.as_ref().unwrap_or(&case.botocore).clone();
        if let Some(expected) = expected.as_object_mut() {
            expected.remove("exception");
        }
        let ours = outcome(case);
        differing += usize::from(!case.differences.is_empty());
        if ours != expected {
            wrong.push(format!(
                "{}\n  ours:     {ours}\n  expected: {expected}",
                case.name
            ));
        }
    }
    println!(
        "{} cases, {differing} with documented differences",
        cases.len()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn what_a_session_keeps_of_the_profile_files_is_its_own_profile_without_keys() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let config = "[profile a]\nendpoint_url = http://a\nregion = x\n[profile b]\nregion = y\n";
    let credentials = "[a]\naws_access_key_id = id\naws_secret_access_key = secret\n\
                       aws_session_token = token\nregion = z\n";
    let profiles = Profiles::read(write("config", config), write("credentials", credentials));
    let kept = profiles
        .unwrap()
        .require("a")
        .unwrap()
        .settings_without_keys();
    assert_eq!(kept.get("endpoint_url"), Some("http://a"));
    assert_eq!(kept.get("region"), Some("z"));
    for key in [
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
    ] {
        assert_eq!(kept.get(key), None, "{key}");
    }
}

fn read(path: &str) -> String {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
    std::fs::read_to_string(workspace.to_owned() + path).unwrap()
}

fn outcome(case: &Case) -> Json {
    let home = tempfile::tempdir().unwrap();
    let mut environment: Vec<(&str, &str)> = Vec::new();
    for (name, value) in &case.environment {
        environment.push((name, value));
    }
    let settings = Settings {
        profile_name: case.profile.clone(),
        region: case.region.clone(),
        ..settings(
            home.path(),
            &environment,
            case.config.as_deref(),
            case.credentials.as_deref(),
        )
    };
    let explicit = case.keys.then(|| {
        let keys = Credentials::new("TOLD", "secret", None, None, "test");
        Arc::new(keys) as SharedProvider
    });
    match Resolution::new(&settings, explicit) {
        Ok(found) => described(&found, &settings),
        Err(error) => json!({ "error": format!("{:?}", error.kind()) }),
    }
}

fn settings(
    home: &std::path::Path,
    environment: &[(&str, &str)],
    config: Option<&str>,
    credentials: Option<&str>,
) -> Settings {
    let file = |name, contents: Option<&str>| {
        let path = home.join(name);
        if let Some(contents) = contents {
            std::fs::write(&path, contents).unwrap();
        }
        Some(path)
    };
    Settings {
        environment: Environment {
            variables: Some(Env::from_slice(environment)),
            config_file: file("config", config),
            shared_credentials_file: file("credentials", credentials),
            names: Vec::new(),
        },
        ..Settings::default()
    }
}

fn described(found: &Resolution, settings: &Settings) -> Json {
    let (source, roles) = match &found.origin {
        CredentialOrigin::Explicit(_) => (
            json!({ "kind": "told", "access_key_id": "TOLD", "token": null }),
            Json::Array(Vec::new()),
        ),
        CredentialOrigin::ContainerOrInstance => {
            (json!({ "kind": "machine" }), Json::Array(Vec::new()))
        }
        CredentialOrigin::Environment(keys) => {
            (of_keys("environment", keys), Json::Array(Vec::new()))
        }
        CredentialOrigin::Profile(ProfileChain { base, roles }) => {
            (of_base(base, settings), roles.iter().map(of_role).collect())
        }
    };
    json!({ "region": found.region, "source": source, "roles": roles })
}

fn of_base(base: &BaseProvider, settings: &Settings) -> Json {
    match base {
        BaseProvider::Keys { keys, file, .. } => {
            let kind = match file {
                super::File::Config => "config-file",
                super::File::Credentials => "shared-credentials-file",
            };
            of_keys(kind, keys)
        }
        BaseProvider::WebIdentity(identity) => json!({
            "kind": "web_identity",
            "role_arn": identity.role_arn,
            "token_file": identity.token_file,
            "session_name": identity.session_name,
        }),
        BaseProvider::Sso(sso) => json!({
            "kind": "sso",
            "region": sso.region,
            "start_url": sso.start_url,
            "account_id": sso.account_id,
            "role_name": sso.role_name,
            "session_name": sso.session_name,
        }),
        BaseProvider::Login { session, .. } => json!({ "kind": "login", "session": session }),
        BaseProvider::Process { command, .. } => {
            json!({ "kind": "process", "words": shlex::split(&command.0) })
        }
        BaseProvider::Environment => {
            let keys = settings.environment.keys().unwrap().unwrap();
            of_keys("environment", &keys)
        }
        BaseProvider::Ec2InstanceMetadata => json!({ "kind": "ec2" }),
        BaseProvider::EcsContainer => json!({ "kind": "ecs" }),
    }
}

fn of_keys(kind: &str, keys: &Credentials) -> Json {
    let (id, token) = (keys.access_key_id(), keys.session_token());
    json!({ "kind": kind, "access_key_id": id, "token": token })
}

fn of_role(role: &ChainedRole) -> Json {
    json!({
        "role_arn": role.role_arn,
        "session_name": role.session_name,
        "external_id": role.external_id,
        "mfa_serial": role.mfa_serial,
        "duration": role.duration.map(|duration| duration.as_secs()),
    })
}

/// Text that has the makings of a profile file, and text that has not.
fn any_file() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "[",
        "]",
        "profile ",
        "default",
        "sso-session ",
        "services ",
        "a",
        "b",
        "\"",
        "'",
        "\\",
        "\n",
        "\r",
        "\n  ",
        " = ",
        "=",
        ":",
        "#",
        " ;",
        "region",
        "role_arn",
        "source_profile",
        "credential_source",
        "Environment",
        "aws_access_key_id",
        "aws_secret_access_key",
        "SECRET",
        "sso_account_id",
        "sso_session",
        "credential_process",
        "duration_seconds",
        "DEFAULT",
        "é",
        "\u{feff}",
        "services",
        "endpoint_url",
        "retry_mode",
        "max_attempts",
        "0",
    ]);
    let words = prop::collection::vec(word, 0..80).prop_map(|words| words.concat());
    prop_oneof![3 => words, 1 => any::<String>()]
}

fn any_environment() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let name = prop::sample::select(vec![
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_RETRY_MODE",
        "AWS_MAX_ATTEMPTS",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_ACCOUNT_ID",
        "AWS_ENDPOINT_URL",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_SDK_UA_APP_ID",
    ]);
    let value = prop_oneof![Just("a".to_owned()), Just("0".to_owned()), "\\PC{0,9}"];
    prop::collection::vec((name, value), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_in_files_and_environment_panics(
        config in any_file(),
        credentials in any_file(),
        environment in any_environment(),
        profile in prop::option::of(prop::sample::select(vec!["a", "b", "default", ""])),
    ) {
        let home = tempfile::tempdir().unwrap();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let settings = Settings {
            profile_name: profile.map(str::to_owned),
            ..settings(home.path(), &environment, Some(&config), Some(&credentials))
        };
        let _ = Profiles::load(&settings.environment).map(|profiles| profiles.list());
        if let Ok(found) = Resolution::new(&settings, None) {
            // The settings of a profile are aws-config's to read: that must not panic, either.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _: Result<_, Error> = runtime.block_on(sdk_config::load(
                &settings,
                &found.profiles,
                &found.profile,
                None,
            ));
        }
    }
}
