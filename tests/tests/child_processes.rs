//! Child processes use the session of the manager that started them, whatever the environment of the
//! parent contains.

use std::process::Command;

use bsm_core::BotoSesManager;
use bsm_local_aws::standard::{DEFAULT_ACCOUNT, PRODUCTION_ACCOUNT, STAGING_ACCOUNT};
use bsm_tests::Playground;

const CHILD: &str = env!("CARGO_BIN_EXE_session-child");

/// Variables that give a process another identity, or none.
const HOSTILE: [(&str, &str); 17] = [
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
    ("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Hostile"),
    ("AWS_ROLE_SESSION_NAME", "hostile"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/hostile"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hostile"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nonexistent"),
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
        // AWS_REGION is the one hostile variable that also applies to the parent itself.
        parent.env("AWS_REGION", "us-east-1");
        assert_eq!(printed(parent), account);
    }
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
    assert_eq!(playground.aws().call_count("sts", "AssumeRole"), 2);
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
        assert_eq!(printed(parent), account);
    }
}
