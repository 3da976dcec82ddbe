//! Snapshots that are restored in the same process.

use std::time::Duration;

use bsm_core::{BotoSesManager, ErrorKind, Snapshot};
use bsm_local_aws::standard::STAGING_ACCOUNT;
use bsm_tests::Playground;

#[tokio::test]
async fn a_restored_snapshot_uses_the_same_session_without_assuming_the_role_again() {
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    let snapshot = staging.to_snapshot().await.unwrap();
    let restored = playground.builder().snapshot(snapshot.clone()).build();
    assert_eq!(restored.aws_account_id().await.unwrap(), STAGING_ACCOUNT);
    assert_eq!(restored.aws_region().await.unwrap(), "us-east-1");
    assert_eq!(restored.expiration(), snapshot.expiration());
    assert!(snapshot.expiration().is_some());
    assert_eq!(playground.aws.call_count("sts", "AssumeRole"), 1);
}

#[tokio::test]
async fn an_expired_snapshot_is_reported_as_expired() {
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    let snapshot = staging.to_snapshot().await.unwrap();
    let restored = playground.builder().snapshot(snapshot.clone()).build();
    restored.credentials().await.unwrap();

    playground.aws.clock().advance(Duration::from_secs(3600));
    let late = playground.builder().snapshot(snapshot).build();
    for manager in [restored, late] {
        let error = manager.credentials().await.unwrap_err();
        assert!(error.is_snapshot_expired(), "{error}");
        let error = manager.aws_account_id().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SnapshotExpired);
    }
    assert_eq!(playground.aws.call_count("sts", "GetCallerIdentity"), 0);
}

#[tokio::test]
async fn settings_of_the_builder_take_precedence_over_the_snapshot() {
    let playground = Playground::start().await;
    let snapshot = playground.profile("staging").to_snapshot().await.unwrap();
    let restored = playground
        .builder()
        .snapshot(snapshot)
        .region("eu-central-1")
        .expect_account("333333333333")
        .build();
    assert_eq!(restored.aws_region().await.unwrap(), "eu-central-1");
    let error = restored.credentials().await.unwrap_err();
    assert!(error.is_account_mismatch(), "{error}");
}

#[tokio::test]
async fn a_snapshot_contains_explicit_endpoints() {
    let session = BotoSesManager::builder()
        .keys("AKIAEXAMPLE", "hush")
        .environment([])
        .region("us-east-1")
        .endpoint_url("http://127.0.0.1:1")
        .service_endpoint_url("dynamodb", "http://127.0.0.1:2")
        .build();
    let json = session.to_snapshot().await.unwrap().to_json();
    let snapshot = Snapshot::from_json(json.expose()).unwrap();
    let restored = BotoSesManager::builder()
        .environment([])
        .snapshot(snapshot)
        .build();
    let config = restored.sdk_config().await.unwrap();
    assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:1"));
    let variables = restored.env_vars().await.unwrap();
    let url = variables
        .set()
        .find(|(name, _)| *name == "AWS_ENDPOINT_URL_DYNAMODB");
    assert_eq!(url.map(|(_, url)| url), Some("http://127.0.0.1:2"));
}
