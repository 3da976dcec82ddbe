//! Child processes use the session of the manager that started them, whatever the environment of the
//! parent contains.

use std::collections::BTreeMap;
use std::process::Command;

use bsm_core::{BotoSesManager, Builder, EnvVars, Snapshot};
use bsm_local_aws::standard::{
    DEFAULT_ACCOUNT, PRODUCTION_ACCOUNT, STAGING_ACCOUNT, STAGING_ROLE_ARN,
};
use bsm_tests::Playground;

const CHILD: &str = env!("CARGO_BIN_EXE_session-child");

/// A root certificate for tests.
const CERTIFICATE: &str = include_str!("../fixtures/ca.pem");

/// Variables that give a process another identity, or none.
const HOSTILE: [(&str, &str); 24] = [
    ("AWS_ACCESS_KEY_ID", "AKIAHOSTILE"),
    ("AWS_SECRET_ACCESS_KEY", "hostile"),
    ("AWS_SESSION_TOKEN", "hostile"),
    ("AWS_SECURITY_TOKEN", "hostile"),
    ("AWS_CREDENTIAL_EXPIRATION", "2001-01-01T00:00:00Z"),
    ("AWS_PROFILE", "hostile"),
    ("AWS_DEFAULT_PROFILE", "hostile"),
    ("AWS_REGION", "hostile-1"),
    ("AWS_DEFAULT_REGION", "hostile-1"),
    ("AWS_ACCOUNT_ID", "999999999999"),
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
    ("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Hostile"),
    ("AWS_ROLE_SESSION_NAME", "hostile"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/hostile"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hostile"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nonexistent"),
    ("AWS_ACCESS_KEY", "AKIAHOSTILE"),
    ("AWS_SECRET_KEY", "hostile"),
    ("AMAZON_ACCESS_KEY_ID", "AKIAHOSTILE"),
    ("AMAZON_SECRET_ACCESS_KEY", "hostile"),
    ("AMAZON_SESSION_TOKEN", "hostile"),
    ("AMAZON_REGION", "hostile-1"),
];

/// Creates a command whose AWS environment contains only the playground's files.
fn child(playground: &Playground) -> Command {
    let mut command = Command::new(CHILD);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", playground.dir().join("config"))
        .env(
            "AWS_SHARED_CREDENTIALS_FILE",
            playground.dir().join("credentials"),
        );
    command
}

fn printed(mut command: Command) -> String {
    let output = command.output().expect("the child runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_uses_the_managers_account_in_a_hostile_environment() {
    let playground = Playground::start().await;
    for (profile, account) in [
        ("default", DEFAULT_ACCOUNT),
        ("staging", STAGING_ACCOUNT),
        ("production", PRODUCTION_ACCOUNT),
    ] {
        let mut parent = child(&playground);
        parent.args(["as", profile]).envs(HOSTILE);
        // These two hostile variables also apply to the parent itself.
        parent.env("AWS_REGION", "us-east-1");
        parent.env_remove("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        assert_eq!(printed(parent), account);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_uses_the_managers_endpoint_and_none_that_its_parent_inherited() {
    let playground = Playground::start().await;
    let mut parent = child(&playground);
    parent.args(["at", playground.aws.endpoint_url(), "staging"]);
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"] {
        parent.env(name, "http://127.0.0.1:9");
    }
    assert_eq!(printed(parent), STAGING_ACCOUNT);
}

/// The endpoints that a manager gives a child, from wherever it has them itself.
#[tokio::test]
async fn a_child_gets_the_endpoints_that_the_managers_clients_use() {
    const SERVICES: &str = "[default]
services = local
ca_bundle = BUNDLE
[services local]
dynamodb =
  endpoint_url = http://127.0.0.1:2
cost_explorer =
  endpoint_url = http://127.0.0.1:3
  region = eu-west-1
sqs =
  endpoint_url = http://127.0.0.1:1
";
    const PLAIN: &str = "[default]\nendpoint_url = http://127.0.0.1:1\n";
    const IGNORED: &str = "[default]\nendpoint_url = http://127.0.0.1:1\n\
                           ignore_configured_endpoint_urls = true\n";
    let of_services = [("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:4")];
    let unusable = [("AWS_ENDPOINT_URL_S3", "127.0.0.1:4")];
    let no_variables: &[(&str, &str)] = &[];
    type Change = fn(Builder) -> Builder;
    let same: Change = |builder| builder;
    let for_all: Change = |builder| builder.endpoint_url("http://127.0.0.1:1");
    let for_sqs: Change = |builder| builder.service_endpoint_url("SQS", "http://127.0.0.1:5");
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Variables<'_>, Change, Variables<'_>); 10] = [
        ("", no_variables, same, &[]),
        (PLAIN, no_variables, same, &[("", "1"), ("IGNORE", "false")]),
        (
            SERVICES,
            no_variables,
            same,
            &[
                ("_COST_EXPLORER", "3"),
                ("_DYNAMODB", "2"),
                ("_SQS", "1"),
                ("IGNORE", "false"),
            ],
        ),
        (
            PLAIN,
            &of_services,
            same,
            &[("", "1"), ("_S3", "4"), ("IGNORE", "false")],
        ),
        (
            SERVICES,
            no_variables,
            for_sqs,
            &[
                ("_COST_EXPLORER", "3"),
                ("_DYNAMODB", "2"),
                ("_SQS", "5"),
                ("IGNORE", "false"),
            ],
        ),
        // The builder's endpoint applies to all services, whatever else is configured.
        (
            SERVICES,
            &of_services,
            for_all,
            &[("", "1"), ("IGNORE", "false")],
        ),
        (IGNORED, &of_services, same, &[("IGNORE", "true")]),
        (
            IGNORED,
            &of_services,
            for_all,
            &[("", "1"), ("IGNORE", "false")],
        ),
        (
            IGNORED,
            &of_services,
            for_sqs,
            &[("_SQS", "5"), ("IGNORE", "false")],
        ),
        // Like the manager's own client, the child's must not fall back to AWS.
        (
            "",
            &unusable,
            same,
            &[("_S3", "unusable"), ("IGNORE", "false")],
        ),
    ];
    let dir = tempfile::TempDir::new().unwrap();
    let bundle = dir.path().join("ca.pem");
    std::fs::write(&bundle, CERTIFICATE).unwrap();
    for (number, (config, variables, change, expected)) in cases.into_iter().enumerate() {
        let file = dir.path().join(number.to_string());
        let config = config.replace("BUNDLE", bundle.to_str().unwrap());
        std::fs::write(&file, &config).unwrap();
        let builder = BotoSesManager::builder()
            .keys("AKIAEXAMPLE", "hush")
            .config_file(file)
            .shared_credentials_file(dir.path().join("none"))
            .environment(variables.iter().copied());
        let session = change(builder).build();
        let snapshot = session.to_snapshot().await.unwrap().to_json();
        let elsewhere = BotoSesManager::builder()
            .snapshot(Snapshot::from_json(snapshot.expose()).unwrap())
            .environment([
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
                ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
            ])
            .build();
        let exported = session.env_vars().await.unwrap();
        let mut found: BTreeMap<String, String> = of_endpoints(&exported);
        let expected = expected
            .iter()
            .map(|(name, value)| (String::from(*name), String::from(*value)));
        assert_eq!(found, expected.collect(), "{config} {variables:?}");

        // Where nothing is configured, nothing is said. A snapshot says so.
        let restored = elsewhere.env_vars().await.unwrap();
        found
            .entry("IGNORE".to_owned())
            .or_insert("true".to_owned());
        assert_eq!(of_endpoints(&restored), found, "{config} {variables:?}");

        for variables in [&exported, &restored] {
            let has_bundle = variables
                .set()
                .any(|set| set == ("AWS_CA_BUNDLE", bundle.to_str().unwrap()));
            assert_eq!(has_bundle, config.contains("ca_bundle"));
            for name in ["AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] {
                let set = variables.set().any(|(set, _)| set == name);
                assert_ne!(
                    set,
                    variables.cleared().any(|cleared| cleared == name),
                    "{name}"
                );
            }
        }
    }
}

/// The endpoint variables, by what comes after `AWS_ENDPOINT_URL`, with the ports of their URLs.
fn of_endpoints(variables: &EnvVars) -> BTreeMap<String, String> {
    let short = |(name, value): (&str, &str)| {
        if name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" {
            return Some(("IGNORE".to_owned(), value.to_owned()));
        }
        let name = name.strip_prefix("AWS_ENDPOINT_URL")?;
        let value = match value.contains("unusable") {
            true => "unusable",
            false => value.rsplit(':').next()?,
        };
        Some((name.to_owned(), value.to_owned()))
    };
    variables.set().filter_map(short).collect()
}

#[tokio::test]
async fn a_role_gives_a_child_the_endpoints_of_the_session_it_is_assumed_with() {
    let playground = Playground::start().await;
    let default = playground
        .builder()
        .profile_name("default")
        .service_endpoint_url("dynamodb", "http://127.0.0.1:2")
        .build();
    let role = default.assume_role(STAGING_ROLE_ARN).build();
    let endpoints = of_endpoints(&role.env_vars().await.unwrap());
    assert_eq!(endpoints["_DYNAMODB"], "2");
    assert_eq!(endpoints, of_endpoints(&default.env_vars().await.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hostile_variable_is_set_or_cleared() {
    let playground = Playground::start().await;
    let variables = playground.profile("staging").env_vars().await.unwrap();
    for (name, _) in HOSTILE {
        let set = variables.set().any(|(set, _)| set == name);
        let cleared = variables.cleared().any(|cleared| cleared == name);
        assert!(set != cleared, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_two_threads_never_use_each_others_account() {
    const CHILDREN: usize = 200;
    let playground = Playground::start().await;
    let start = |profile: &str, account: &'static str| {
        let session: BotoSesManager = playground.profile(profile);
        let playground = &playground;
        let runtime = tokio::runtime::Handle::current();
        move || {
            let wrong = (0..CHILDREN).filter(|_| {
                let mut command = child(playground);
                command.envs(HOSTILE);
                let variables = runtime.block_on(session.env_vars()).expect("a session");
                variables.apply_to(&mut command);
                printed(command) != account
            });
            wrong.count()
        }
    };
    let wrong = std::thread::scope(|threads| {
        let staging = threads.spawn(start("staging", STAGING_ACCOUNT));
        let production = threads.spawn(start("production", PRODUCTION_ACCOUNT));
        [staging.join().unwrap(), production.join().unwrap()]
    });
    assert_eq!(wrong, [0, 0]);
    assert_eq!(playground.aws.call_count("sts", "AssumeRole"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokio_command_also_uses_the_session() {
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    let mut command = staging.command(CHILD).await.unwrap();
    let output = command.output().await.unwrap();
    let account = String::from_utf8_lossy(&output.stdout);
    assert_eq!(account.trim(), STAGING_ACCOUNT);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_can_use_a_snapshot_until_its_guard_is_dropped() {
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    let snapshot = staging.temp_snapshot(playground.dir()).await.unwrap();
    let mut command = child(&playground);
    command.envs(HOSTILE).arg("from").arg(snapshot.path());
    assert_eq!(printed(command), STAGING_ACCOUNT);

    let path = snapshot.path().to_owned();
    drop(snapshot);
    let mut command = child(&playground);
    let output = command.arg("from").arg(path).output().unwrap();
    assert!(!output.status.success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the AWS CLI"]
async fn the_aws_cli_uses_the_managers_account_in_a_hostile_environment() {
    let playground = Playground::start().await;
    for (profile, account) in [
        ("default", DEFAULT_ACCOUNT),
        ("staging", STAGING_ACCOUNT),
        ("production", PRODUCTION_ACCOUNT),
    ] {
        let mut parent = child(&playground);
        parent.args(["as", profile, "aws", "sts", "get-caller-identity"]);
        parent.args(["--query", "Account", "--output", "text"]);
        parent.envs(HOSTILE).env("AWS_REGION", "us-east-1");
        parent.env_remove("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        assert_eq!(printed(parent), account);
    }
}
