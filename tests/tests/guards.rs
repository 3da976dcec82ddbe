//! Managers with an expected account or region.

use std::time::Duration;

use bsm_core::{BotoSesManager, Error, ErrorKind};
use bsm_local_aws::standard::{
    DEFAULT_ACCOUNT, PRODUCTION_ACCOUNT, STAGING_ACCOUNT, STAGING_ROLE_ARN,
};
use bsm_tests::Playground;

/// Returns the errors of all uses of a manager.
async fn errors(manager: &BotoSesManager) -> Vec<Error> {
    let role = manager.assume_role(STAGING_ROLE_ARN);
    vec![
        request(manager).await,
        rejected(manager.credentials().await),
        rejected(manager.credentials_for(Duration::ZERO).await),
        rejected(manager.caller_identity().await),
        rejected(manager.who_am_i().await),
        rejected(manager.env_vars().await),
        rejected(manager.to_snapshot().await),
        rejected(role.load().await),
    ]
}

async fn request(manager: &BotoSesManager) -> Error {
    match manager.client(aws_sdk_sts::Client::new).await {
        Ok(client) => {
            let answer = client.get_caller_identity().send().await;
            let error = answer.expect_err("the guard rejects it");
            Error::find_in(&error)
                .expect("the error is from bsm-core")
                .clone()
        }
        Err(error) => error,
    }
}

fn rejected<T>(outcome: Result<T, Error>) -> Error {
    outcome.err().expect("the guard rejects it")
}

#[tokio::test]
async fn every_use_of_a_manager_in_the_wrong_account_fails_before_a_request() {
    let playground = Playground::start().await;
    let manager = playground
        .builder()
        .profile_name("staging")
        .expect_account(PRODUCTION_ACCOUNT)
        .build();
    for error in errors(&manager).await {
        assert!(error.is_account_mismatch(), "{error}");
        assert!(error.to_string().contains(STAGING_ACCOUNT), "{error}");
    }
    let calls = playground.aws.calls();
    let others: Vec<_> = calls
        .iter()
        .filter(|call| call.account.as_deref() == Some(STAGING_ACCOUNT))
        .filter(|call| call.operation != "GetCallerIdentity")
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn the_identity_is_requested_once_for_the_guard_and_the_caller() {
    let playground = Playground::start().await;
    let manager = playground
        .builder()
        .profile_name("staging")
        .expect_account(STAGING_ACCOUNT)
        .build();
    assert_eq!(manager.aws_account_id().await.unwrap(), STAGING_ACCOUNT);
    manager.who_am_i().await.unwrap();
    assert_eq!(playground.aws.call_count("sts", "GetCallerIdentity"), 1);
}

#[tokio::test]
async fn a_role_has_an_expected_account_of_its_own() {
    let playground = Playground::start().await;
    let parent = playground
        .builder()
        .profile_name("default")
        .expect_account(DEFAULT_ACCOUNT)
        .build();
    let right = parent.assume_role(STAGING_ROLE_ARN);
    let right = right.expect_account(STAGING_ACCOUNT).build();
    assert_eq!(right.aws_account_id().await.unwrap(), STAGING_ACCOUNT);
    let wrong = parent.assume_role(STAGING_ROLE_ARN);
    let wrong = wrong.expect_account(DEFAULT_ACCOUNT).build();
    for error in errors(&wrong).await {
        assert!(error.is_account_mismatch(), "{error}");
    }
}

#[tokio::test]
async fn an_invalid_account_id_is_invalid_input() {
    let playground = Playground::start().await;
    for account in ["", "2222-2222-2222", "staging", "٢٢٢٢٢٢٢٢٢٢٢٢"] {
        let manager = playground.builder().expect_account(account).build();
        let error = manager.credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert!(playground.aws.calls().is_empty());
}

#[tokio::test]
async fn every_use_of_a_manager_in_the_wrong_region_fails_before_a_request() {
    let playground = Playground::start().await;
    let expecting = || {
        playground
            .builder()
            .profile_name("staging")
            .expect_region("eu-central-1")
    };
    let wrong = [
        expecting().build(),
        expecting()
            .environment([("AWS_REGION", "us-west-2")])
            .build(),
        expecting().region("us-west-2").build(),
        expecting()
            .region("eu-central-1")
            .build()
            .with_region("us-west-2"),
    ];
    for manager in wrong {
        for error in errors(&manager).await {
            assert!(error.is_region_mismatch(), "{error}");
            assert!(error.to_string().contains("eu-central-1"), "{error}");
        }
        assert!(manager.aws_region().await.unwrap_err().is_region_mismatch());
    }
    assert!(playground.aws.calls().is_empty());

    let right = expecting().region("eu-central-1").build();
    right.who_am_i().await.unwrap();
    let elsewhere = right.assume_role(STAGING_ROLE_ARN).region("us-west-2");
    let error = elsewhere.build().credentials().await.unwrap_err();
    assert!(error.is_region_mismatch(), "{error}");
}

#[tokio::test]
async fn a_missing_region_is_a_region_mismatch() {
    let manager = BotoSesManager::builder()
        .keys("AKIAEXAMPLE", "hush")
        .environment([])
        .expect_region("eu-central-1")
        .build();
    let error = manager.credentials().await.unwrap_err();
    assert!(error.is_region_mismatch(), "{error}");
}
