//! No secret is shown: not by `Debug` or `Display` of any type, not in the log, not by an error.

mod answers;
mod items;
mod processes;
mod seen;
mod settings;
mod sign_ins;
mod stub;
mod types;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use bsm_core::{
    BotoSesManager, Error, InCurrentScope as _, SdkFailure, Shell, Snapshot, fleet, mfa, sign_in,
};
use bsm_local_aws::standard::{PRODUCTION_ACCOUNT, SECRET_ACCESS_KEY, STAGING_ROLE_ARN};
use bsm_tests::Playground;
use futures_util::StreamExt as _;

use self::seen::Seen;

/// The secrets of a manager's credentials.
async fn secrets_of(manager: &BotoSesManager) -> Vec<String> {
    let credentials = manager.credentials().await.expect("credentials");
    let token = credentials.session_token().map(str::to_owned);
    let secret = credentials.secret_access_key().to_owned();
    [secret].into_iter().chain(token).collect()
}

#[tokio::test]
async fn nothing_that_can_be_printed_shows_a_secret() {
    let seen = Seen::default();
    let _log = seen.log_everything();

    let playground = Playground::start().await;
    let mut secrets = vec![SECRET_ACCESS_KEY.to_owned()];
    let (events, refreshed) = std::sync::mpsc::channel();
    let staging = playground
        .builder()
        .profile_name("staging")
        .expect_account("222222222222")
        .on_refresh(move |event| drop(events.send(event.clone())))
        .build();
    seen.debug(&staging);
    secrets.extend(secrets_of(&staging).await);
    look_at_a_manager(&seen, &staging).await;
    seen.debug(&refreshed.recv().expect("a refresh"));

    let role = playground
        .profile("default")
        .assume_role(STAGING_ROLE_ARN)
        .external_id("an-external-id");
    seen.debug(&role);
    seen.debug(&playground.profile("default").session_token());
    let role = role.load().await.unwrap();
    secrets.extend(secrets_of(&role).await);
    look_at_a_manager(&seen, &role).await;

    // A configuration that was loaded elsewhere, whose own Debug shows every profile.
    let files = EnvConfigFiles::builder()
        .with_file(
            EnvConfigFileKind::Credentials,
            playground.dir().join("credentials"),
        )
        .with_file(EnvConfigFileKind::Config, playground.dir().join("config"))
        .build();
    let loaded = aws_config::defaults(BehaviorVersion::latest())
        .empty_test_environment()
        .profile_files(files)
        .load()
        .await;
    assert!(format!("{loaded:?}").contains(SECRET_ACCESS_KEY));
    let elsewhere = BotoSesManager::from_config(loaded);
    seen.debug(&elsewhere.sdk_config().await.unwrap());

    let keys = Credentials::new(
        "AKIAEXAMPLE",
        "a-secret-that-was-given",
        Some("a-token-that-was-given".to_owned()),
        None,
        "test",
    );
    secrets.extend(["a-secret-that-was-given", "a-token-that-was-given"].map(String::from));
    let builder = playground.builder().credentials(keys);
    seen.debug(&builder);
    let given = builder
        .endpoint_url(playground.aws.endpoint_url())
        .region("us-east-1")
        .build();
    seen.error(&given.aws_account_id().await.unwrap_err());
    seen.debug(&given.env_vars().await.unwrap());
    let mut command = given.command("a-program").await.unwrap();
    command.arg("a-secret-that-was-given");
    seen.debug(&command);

    look_at_errors(&seen, &playground).await;
    secrets.extend(look_at_mfa(&seen, &playground).await.map(String::from));
    look_at_a_fleet(&seen, &staging).await;
    look_at_a_sign_in(&seen, &playground).await;
    types::assert_all_of_core(&seen);
    seen.assert_with(&["resolved a session", "assuming a role", "TRACE", "aws_"]);
    seen.assert_without(&secrets);
}

/// Looks at the providers of MFA codes; returns their secrets.
async fn look_at_mfa(seen: &Seen, playground: &Playground) -> [&'static str; 2] {
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const CAPTURED: &str = "captured-by-a-closure";
    const CODE: &str = "864209";
    seen.debug(&mfa::TerminalPrompt::new());
    seen.debug(&mfa::TokenCommand::new("op").args(["item", "get", "aws"]));
    seen.debug(&mfa::Totp::new(SECRET).expect("a secret in Base32"));
    let (requests, requested) = std::sync::mpsc::channel();
    let from_fn = mfa::from_fn(move |request: mfa::TokenRequest| {
        drop(requests.send(request));
        std::future::ready(Err::<String, _>(format!("{CAPTURED} {CODE}")))
    });
    seen.debug(&from_fn);
    let base = playground.builder().mfa_token_provider(from_fn);
    let role = base.build().assume_role(STAGING_ROLE_ARN);
    let role = role.mfa_serial("arn:aws:iam::111111111111:mfa/me");
    drop(role.load().await.expect_err("no code"));
    seen.debug(&requested.recv().expect("a request for a code"));
    seen.assert_without_number(CODE);
    [SECRET, CAPTURED]
}

async fn look_at_a_fleet(seen: &Seen, manager: &BotoSesManager) {
    seen.debug(&fleet::RoleSessions::new(manager));
    seen.debug(&fleet::Fleet::from_organization(manager, "Work").tag("team", "payments"));
    let fleet = fleet::Fleet::new([manager.clone()]);
    seen.debug(&fleet);
    let (accounts, account) = std::sync::mpsc::channel();
    let mut run = fleet.for_each(async move |account: fleet::Account| {
        drop(accounts.send(account));
        Err::<(), _>("a failure")
    });
    seen.debug(&run);
    let finished = run.next().await.expect("one call");
    seen.debug(&account.recv().expect("one account"));
    seen.debug(&finished);
    seen.debug(finished.outcome());
    let report = run.report();
    seen.debug(&report);
    for entry in report.entries() {
        seen.debug(entry);
        seen.debug(entry.call());
        seen.debug(&entry.status());
    }
}

async fn look_at_a_sign_in(seen: &Seen, playground: &Playground) {
    seen.debug(&sign_in::Browser::new());
    seen.debug(&sign_in::Terminal::new());
    let manager = playground.profile("staging");
    seen.debug(&manager.sso_login());
    seen.error(&manager.sso_login().await.expect_err("no sso-session"));
}

async fn look_at_a_manager(seen: &Seen, manager: &BotoSesManager) {
    let client = manager
        .client(aws_sdk_sts::Client::new)
        .await
        .expect("a client");
    client
        .get_caller_identity()
        .send()
        .await
        .expect("STS answers");
    seen.debug(&client);
    seen.debug(&manager.sdk_config().await.expect("a configuration"));
    seen.debug(&manager.credentials().await.expect("credentials"));
    seen.debug(&manager.caller_identity().await.expect("an identity"));
    let who = manager.who_am_i().await.expect("an identity");
    seen.debug(&who);
    seen.display(&who);
    seen.display(&who.unmasked());
    seen.debug(manager);
    seen.display(manager);
    seen.debug(&manager.awsenv());
    seen.debug(&manager.scope(async {}));
    seen.debug(&manager.sync_scope(|| async {}.in_current_scope()));
    seen.debug(&manager.sync_scope(BotoSesManager::current_for::<Seen>));

    let variables = manager.env_vars().await.expect("variables");
    seen.debug(&variables);
    for shell in [Shell::Posix, Shell::Fish, Shell::PowerShell] {
        seen.debug(&variables.to_shell(shell));
    }
    seen.debug(&variables.to_credential_process());
    let snapshot = manager.to_snapshot().await.expect("a snapshot");
    seen.debug(&snapshot);
    seen.debug(&snapshot.to_json());
    let file = manager
        .temp_snapshot(std::env::temp_dir())
        .await
        .expect("a file");
    seen.debug(&file);
    let read = Snapshot::read(file.path()).expect("a snapshot");
    seen.debug(&BotoSesManager::from_snapshot(read));
    manager.clear_cache();
    manager.credentials().await.expect("credentials");
}

async fn look_at_errors(seen: &Seen, playground: &Playground) {
    let look = |outcome: Result<Credentials, Error>| {
        let error = outcome.expect_err("a failure");
        seen.debug(&error);
        if let Some(failure) = SdkFailure::find_in(&error) {
            seen.debug(failure);
        }
        seen.error(&error);
    };
    look(playground.profile("none").credentials().await);
    let elsewhere = playground
        .builder()
        .profile_name("staging")
        .expect_account(PRODUCTION_ACCOUNT)
        .build();
    look(elsewhere.credentials().await);
    let role = "arn:aws:iam::333333333333:role/Nobodys";
    let denied = playground.profile("staging").assume_role(role).build();
    look(denied.credentials().await);

    let snapshot = playground.profile("staging").to_snapshot().await;
    let snapshot = snapshot.expect("a snapshot");
    let json = snapshot.to_json();
    for at in (0..json.expose().len()).step_by(7) {
        let mut damaged = json.expose().as_bytes().to_vec();
        damaged[at] = b'7';
        if let Err(error) = Snapshot::from_json(&damaged) {
            seen.error(&error);
        }
    }
    playground.aws.clock().advance(Duration::from_secs(7200));
    let expired = playground.builder().snapshot(snapshot).build();
    look(expired.credentials().await);

    let unreachable = playground
        .builder()
        .profile_name("staging")
        .endpoint_url("http://127.0.0.1:9")
        .build();
    look(unreachable.credentials().await);
}
