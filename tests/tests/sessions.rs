//! Sessions, end to end, checked with the call log of the local AWS.

use std::process::Command;

use bsm_core::{BotoSesManager, InCurrentScope as _};
use bsm_tests::{Playground, hostile};

#[tokio::test]
async fn a_profile_uses_the_account_of_its_role() {
    let playground = Playground::start().await;
    for (profile, account) in [
        ("default", "111111111111"),
        ("staging", "222222222222"),
        ("production", "333333333333"),
    ] {
        let bsm = playground.profile(profile);
        assert_eq!(bsm.aws_account_id().await.unwrap(), account);
        assert!(bsm.principal_arn().await.unwrap().contains(account));
    }
}

#[tokio::test]
async fn concurrent_callers_cause_one_assume_role_call() {
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let staging = staging.clone();
            tokio::spawn(async move { staging.aws_account_id().await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), "222222222222");
    }
    let operations: Vec<_> = playground
        .aws
        .calls()
        .into_iter()
        .map(|call| call.operation)
        .collect();
    assert_eq!(operations, ["AssumeRole", "GetCallerIdentity"]);
}

#[tokio::test]
async fn a_manager_can_be_created_from_an_sdk_config() {
    let playground = Playground::start().await;
    let credentials = playground.profile("default").credentials().await.unwrap();
    let config = aws_config::SdkConfig::builder()
        .region(aws_config::Region::new("eu-west-1"))
        .endpoint_url(playground.aws.endpoint_url())
        .credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(
            credentials,
        ))
        .build();
    let bsm = BotoSesManager::from_config(config);
    assert_eq!(bsm.aws_account_id().await.unwrap(), "111111111111");
    assert_eq!(bsm.aws_region().await.unwrap(), "eu-west-1");
}

#[tokio::test]
async fn a_region_of_an_sdk_config_that_cannot_be_one_is_an_error() {
    let config = aws_config::SdkConfig::builder()
        .region(aws_config::Region::new("us east 1\n"))
        .credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(
            aws_sdk_sts::config::Credentials::new("AKIA", "secret", None, None, "test"),
        ))
        .build();
    let bsm = BotoSesManager::from_config(config);
    let error = bsm.sdk_config().await.unwrap_err();
    assert_eq!(error.kind(), bsm_core::ErrorKind::InvalidConfig, "{error}");
    assert!(error.to_string().contains("\"us east 1\\n\""), "{error}");
}

#[tokio::test]
async fn another_region_shares_the_credentials() {
    let playground = Playground::start().await;
    let here = playground.profile("staging");
    let there = here.with_region("eu-west-1");
    assert_eq!(there.aws_region().await.unwrap(), "eu-west-1");
    assert_eq!(
        here.credentials().await.unwrap().access_key_id(),
        there.credentials().await.unwrap().access_key_id()
    );
    let dynamodb = there.client(aws_sdk_dynamodb::Client::new).await.unwrap();
    dynamodb.list_tables().send().await.unwrap();
    let calls = playground.aws.calls();
    assert_eq!(calls.last().unwrap().region.as_deref(), Some("eu-west-1"));
}

#[tokio::test]
async fn a_service_can_have_its_own_endpoint() {
    let playground = Playground::start().await;
    let elsewhere = Playground::start().await;
    let bsm = playground
        .builder()
        .profile_name("default")
        .endpoint_url("http://127.0.0.1:9")
        .service_endpoint_url("STS", playground.aws.endpoint_url())
        .build();
    assert_eq!(bsm.aws_account_id().await.unwrap(), "111111111111");
    assert!(elsewhere.aws.calls().is_empty());
}

#[tokio::test]
async fn a_scope_applies_to_its_future_and_to_spawned_tasks_only_on_request() {
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    let account = || async { BotoSesManager::current().aws_account_id().await.unwrap() };
    staging
        .scope(async move {
            assert_eq!(account().await, "222222222222");
            let carried = tokio::spawn(account().in_current_scope());
            assert_eq!(carried.await.unwrap(), "222222222222");
            let bare =
                tokio::spawn(async { BotoSesManager::current().profile_name().map(String::from) });
            assert_eq!(bare.await.unwrap(), None);
        })
        .await;
}

#[tokio::test]
async fn expiring_credentials_are_refreshed_before_a_request_fails() {
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    let dynamodb = staging.client(aws_sdk_dynamodb::Client::new).await.unwrap();
    let first = staging.credentials().await.unwrap();
    for _ in 0..5 {
        playground
            .aws
            .clock()
            .advance(std::time::Duration::from_secs(3600));
        dynamodb.list_tables().send().await.unwrap();
    }
    let last = staging.credentials().await.unwrap();
    assert_ne!(first.access_key_id(), last.access_key_id());
}

/// Runs the tests of this file in a hostile environment, to check that they do not read it.
#[test]
fn tests_ignore_the_environment_of_the_process() {
    let this_test = "tests_ignore_the_environment_of_the_process";
    let mut tests = Command::new(std::env::current_exe().unwrap());
    let output = hostile(tests.args(["--skip", this_test])).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(!report.contains("running 0 tests"), "{report}");
}
