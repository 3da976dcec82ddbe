//! Copies that create their target, and are interrupted and resumed.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::TimeToLiveSpecification;
use bsm_core::BotoSesManager;
use bsm_dynamodb::{CopyPolicy, CopyTable, ErrorKind, copy_table};
use bsm_local_aws::Fault;
use serde_json::json;
use tempfile::TempDir;

use super::proxy;
use super::support::{Pair, TABLE, client, create, user, users};
use crate::support::Playground;

/// A source with a time to live, no target, and a checkpoint.
async fn begin() -> (Pair, TempDir, PathBuf) {
    let pair = Pair::with(Playground::start().await).await;
    pair.put(&pair.source, users(100)).await;
    let ttl = TimeToLiveSpecification::builder();
    let ttl = ttl.attribute_name("expires").enabled(true).build().unwrap();
    let source = client(&pair.source).await;
    let request = source.update_time_to_live().table_name(TABLE);
    let request = request.time_to_live_specification(ttl);
    request.send().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.json");
    (pair, folder, path)
}

fn creating(pair: &Pair, path: &PathBuf) -> CopyTable {
    pair.copy().create_target(true).checkpoint(path)
}

async fn time_to_live(manager: &BotoSesManager) -> Option<String> {
    let request = client(manager).await.describe_time_to_live();
    let described = request.table_name(TABLE).send().await.unwrap();
    described.time_to_live_description?.attribute_name
}

/// Copies up to the point where the table is there, and its time to live is not.
async fn interrupted(pair: &Pair, path: &PathBuf) {
    interrupted_with(pair, path, CopyPolicy::default()).await;
}

async fn interrupted_with(pair: &Pair, path: &PathBuf, policy: CopyPolicy) {
    let denied = Fault::error(400, "AccessDeniedException", "no").operation("UpdateTimeToLive");
    let denied = pair.local.aws.faults().add(denied);
    let error = creating(pair, path).policy(policy).await.unwrap_err();
    assert!(error.is_access_denied(), "{error}");
    pair.local.aws.faults().remove(denied);
    assert_eq!(time_to_live(&pair.target).await, None);
    assert!(pair.in_target().is_empty() && path.exists());
}

#[tokio::test]
async fn a_copy_interrupted_before_the_time_to_live_was_set_sets_it_next_time() {
    let (pair, _folder, path) = begin().await;
    interrupted(&pair, &path).await;
    let plan = creating(&pair, &path).preflight().await.unwrap();
    assert!(plan.creates_target() && plan.resumes());
    let end =
        "(its creation is unfinished)\nresumes a copy that has processed 0 items of the source";
    assert!(plan.to_string().ends_with(end), "{plan}");

    let summary = creating(&pair, &path).verify(true).await.unwrap();
    assert!(summary.verification().unwrap().is_identical());
    assert_eq!(time_to_live(&pair.target).await.as_deref(), Some("expires"));
    assert!(!path.exists());
    let plan = summary.plan().to_string();
    assert!(
        plan.contains("(profile \"production\") (created)\n"),
        "{plan}"
    );
}

#[tokio::test]
async fn the_plan_of_a_summary_says_that_the_table_was_created() {
    let (pair, _folder, _) = begin().await;
    let summary = pair.copy().create_target(true).await.unwrap();
    assert!(summary.plan().creates_target() && !summary.plan().resumes());
    let plan = summary.plan().to_string();
    assert!(plan.ends_with("(created)"), "{plan}");
}

#[tokio::test]
async fn a_copy_dropped_at_any_point_of_the_creation_ends_with_the_time_to_live() {
    for operation in ["DescribeTimeToLive", "CreateTable", "UpdateTimeToLive"] {
        let (pair, _folder, path) = begin().await;
        let slow = Fault::latency(Duration::from_secs(60)).operation(operation);
        let slow = pair.local.aws.faults().add(slow);
        pair.dropped(creating(&pair, &path), operation, 1).await;
        pair.local.aws.faults().remove(slow);
        let file = fs::read_to_string(&path).unwrap();
        assert!(file.contains("creating"), "{operation}: {file}");

        creating(&pair, &path).await.unwrap();
        assert_eq!(pair.in_target(), pair.in_source(), "{operation}");
        let ttl = time_to_live(&pair.target).await;
        assert_eq!(ttl.as_deref(), Some("expires"), "{operation}");
    }
}

#[tokio::test]
async fn a_creation_is_stopped_at_once() {
    let (pair, _folder, path) = begin().await;
    let slow = Fault::latency(Duration::from_secs(60)).operation("UpdateTimeToLive");
    let slow = pair.local.aws.faults().add(slow);
    let stopped = pair.stopped(creating(&pair, &path), "UpdateTimeToLive", 1);
    let stopped = tokio::time::timeout(Duration::from_secs(10), stopped).await;
    let error = stopped.unwrap();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    assert!(error.to_string().contains("users.json"), "{error}");
    pair.local.aws.faults().remove(slow);

    creating(&pair, &path).await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn a_checkpoint_of_a_creation_belongs_to_its_target() {
    let (pair, _folder, path) = begin().await;
    interrupted(&pair, &path).await;
    let before = fs::read(&path).unwrap();

    let other = creating(&pair, &path).target_table("others");
    let error = other.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    assert!(error.to_string().contains("another target"), "{error}");
    assert!(
        error.to_string().contains("users in 333333333333"),
        "{error}"
    );

    let ireland = pair.target.with_region("eu-west-1");
    let other = copy_table(&pair.source, &ireland, TABLE).create_target(true);
    let error = other.checkpoint(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");

    create(&pair.source, "others").await;
    let other = copy_table(&pair.source, &pair.target, "others").target_table(TABLE);
    let error = other.checkpoint(&path).await.unwrap_err();
    assert!(error.to_string().contains("another source"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_new_table_that_another_program_has_written_to_is_refused() {
    for policy in [CopyPolicy::FailIfNotEmpty, CopyPolicy::Overwrite] {
        let (pair, _folder, path) = begin().await;
        interrupted_with(&pair, &path, policy).await;
        pair.put(&pair.target, vec![user("another program's")])
            .await;
        let error = creating(&pair, &path).policy(policy).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TableNotEmpty, "{error}");
        assert!(
            error.to_string().contains("delete the checkpoint"),
            "{error}"
        );
        assert_eq!(pair.in_target().len(), 1);
        assert_eq!(time_to_live(&pair.target).await, None);
    }
}

#[tokio::test]
async fn a_table_that_was_there_keeps_its_settings() {
    let (pair, _folder, path) = begin().await;
    create(&pair.target, TABLE).await;
    let plan = creating(&pair, &path).preflight().await.unwrap();
    assert!(!plan.creates_target());
    assert!(
        plan.to_string()
            .ends_with("(exists, its settings are left alone)"),
        "{plan}"
    );
    creating(&pair, &path).await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
    assert_eq!(time_to_live(&pair.target).await, None);
}

/// Leads to the local AWS, and says of the table for a while that it is being created.
fn slow_to_create(endpoint: &str, descriptions: usize) -> (String, Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(descriptions));
    let counted = Arc::clone(&left);
    let url = proxy::start(endpoint, move |operation, _| {
        let fewer = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        let is_early = || counted.fetch_update(order, order, fewer).is_ok();
        (operation == "DescribeTable" && is_early()).then(|| {
            json!({ "Table": {
                "TableName": TABLE,
                "TableStatus": "CREATING",
                "TableArn": format!("arn:aws:dynamodb:us-east-1:333333333333:table/{TABLE}"),
                "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
                "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            }})
        })
    });
    (url, left)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_still_being_created_is_waited_for() {
    let (pair, _folder, path) = begin().await;
    interrupted(&pair, &path).await;
    let (url, left) = slow_to_create(pair.local.aws.endpoint_url(), 4);
    let target = proxy::manager(&pair.local, "production", url);
    let copy = || copy_table(&pair.source, &target, TABLE).create_target(true);

    // Without the checkpoint it is unknown whose table it is.
    let error = copy().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableInUse, "{error}");
    let plan = copy().checkpoint(&path).preflight().await.unwrap();
    assert!(plan.creates_target() && plan.resumes());

    copy().checkpoint(&path).await.unwrap();
    assert_eq!(left.load(Ordering::SeqCst), 0);
    assert_eq!(pair.in_target(), pair.in_source());
    assert_eq!(time_to_live(&pair.target).await.as_deref(), Some("expires"));
}
