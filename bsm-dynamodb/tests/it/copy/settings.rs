//! The settings of the source that a new target gets, and those that stay behind.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType, Tag};
use bsm_core::BotoSesManager;
use bsm_dynamodb::{ErrorKind, SettingOutcome, TableSetting, copy_table};
use bsm_local_aws::Fault;
use serde_json::{Value, json};

use super::proxy;
use super::support::{Pair, TABLE, client, users};
use crate::support::Playground;

/// A source with tags and a stream, and no target.
async fn begin() -> Pair {
    let pair = Pair::with(Playground::start().await).await;
    pair.put(&pair.source, users(30)).await;
    let source = client(&pair.source).await;
    let tag = |key: &str| Tag::builder().key(key).value("x").build().unwrap();
    let arn = format!("arn:aws:dynamodb:us-east-1:222222222222:table/{TABLE}");
    let request = source.tag_resource().resource_arn(arn);
    request.tags(tag("team")).send().await.unwrap();
    let stream = StreamSpecification::builder().stream_enabled(true);
    let stream = stream.stream_view_type(StreamViewType::NewImage).build();
    let request = source.update_table().table_name(TABLE);
    request
        .stream_specification(stream.unwrap())
        .send()
        .await
        .unwrap();
    pair
}

async fn tags(manager: &BotoSesManager, account: &str) -> Vec<String> {
    let arn = format!("arn:aws:dynamodb:us-east-1:{account}:table/{TABLE}");
    let request = client(manager).await.list_tags_of_resource();
    let output = request.resource_arn(arn).send().await.unwrap();
    output.tags().iter().map(|tag| tag.key.clone()).collect()
}

#[tokio::test]
async fn the_plan_lists_the_settings_that_are_left_behind() {
    let pair = begin().await;
    let plan = pair.copy().create_target(true).preflight().await.unwrap();
    let settings = plan.settings().iter();
    let settings: Vec<_> = settings
        .map(|it| (it.setting(), it.value(), it.outcome()))
        .collect();
    assert_eq!(
        settings,
        [
            (
                TableSetting::Stream,
                "NEW_IMAGE",
                SettingOutcome::LeftBehind
            ),
            (TableSetting::Tags, "team", SettingOutcome::LeftBehind),
        ]
    );
    let line = "\nleft behind: stream (NEW_IMAGE), tags (team)";
    assert!(plan.to_string().ends_with(line), "{plan}");

    pair.copy().create_target(true).await.unwrap();
    assert!(tags(&pair.target, "333333333333").await.is_empty());

    // A table that exists keeps its settings, so nothing stays behind.
    let plan = pair.copy().policy(bsm_dynamodb::CopyPolicy::Overwrite);
    assert!(plan.preflight().await.unwrap().settings().is_empty());
}

#[tokio::test]
async fn settings_are_brought_on_request() {
    let pair = begin().await;
    let copy = || {
        let copy = pair.copy().create_target(true);
        copy.copy_settings([TableSetting::Stream, TableSetting::Tags])
    };
    let plan = copy().preflight().await.unwrap().to_string();
    assert!(
        plan.ends_with("\ncopies: stream (NEW_IMAGE), tags (team)"),
        "{plan}"
    );
    copy().await.unwrap();
    assert_eq!(tags(&pair.target, "333333333333").await, ["team"]);
    let target = client(&pair.target).await;
    let table = target
        .describe_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
    let stream = table.table.unwrap().stream_specification.unwrap();
    assert_eq!(stream.stream_view_type, Some(StreamViewType::NewImage));
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn a_setting_that_cannot_be_brought_is_refused() {
    let pair = begin().await;
    let copy = pair
        .copy()
        .create_target(true)
        .copy_settings([TableSetting::Replicas]);
    let error = copy.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.to_string().contains("replicas"), "{error}");
}

#[tokio::test]
async fn a_setting_without_permission_is_unknown_and_an_error_only_if_it_is_brought() {
    let pair = begin().await;
    let denied = Fault::error(400, "AccessDeniedException", "no").operation("ListTagsOfResource");
    pair.local.aws.faults().add(denied);
    let copy = || pair.copy().create_target(true);
    let error = copy()
        .copy_settings([TableSetting::Tags])
        .await
        .unwrap_err();
    assert!(error.is_access_denied(), "{error}");
    let plan = copy().preflight().await.unwrap().to_string();
    let line = "\nleft behind, if there is one: tags (ListTagsOfResource is not allowed)";
    assert!(plan.ends_with(line), "{plan}");
    copy().await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_protection_keys_and_policies_are_in_the_plan() {
    let pair = Pair::with(Playground::start().await).await;
    pair.put(&pair.source, users(30)).await;
    let endpoint = pair.local.aws.endpoint_url();
    let source = proxy::start(endpoint, |operation, _| match operation {
        "DescribeContinuousBackups" => Some(json!({ "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {
                "PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 14,
            },
        }})),
        "GetResourcePolicy" => Some(json!({ "Policy": "{}", "RevisionId": "1" })),
        "DescribeKinesisStreamingDestination" => Some(json!({
            "TableName": TABLE,
            "KinesisDataStreamDestinations": [{ "DestinationStatus": "ACTIVE" }],
        })),
        "DescribeTable" => Some(json!({ "Table": {
            "TableName": TABLE,
            "TableStatus": "ACTIVE",
            "TableArn": format!("arn:aws:dynamodb:us-east-1:222222222222:table/{TABLE}"),
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "ProvisionedThroughput": { "ReadCapacityUnits": 5, "WriteCapacityUnits": 5 },
            "DeletionProtectionEnabled": true,
            "SSEDescription": { "Status": "ENABLED", "KMSMasterKeyArn": "arn:aws:kms:x" },
            "Replicas": [{ "RegionName": "eu-west-1" }],
        }})),
        _ => None,
    });
    let requests: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let seen = Arc::clone(&requests);
    let target = proxy::start(endpoint, move |operation, request| {
        seen.lock()
            .unwrap()
            .push((operation.to_owned(), request.clone()));
        (operation == "UpdateContinuousBackups").then(|| json!({}))
    });
    let source = proxy::manager(&pair.local, "staging", source);
    let target = proxy::manager(&pair.local, "production", target);
    let copy = copy_table(&source, &target, TABLE).create_target(true);
    let copy = copy.copy_settings([
        TableSetting::DeletionProtection,
        TableSetting::PointInTimeRecovery,
    ]);
    let summary = copy.await.unwrap();
    let plan = summary.plan().to_string();
    for line in [
        "\ncopies: deletion protection (on), point-in-time recovery (14 days)\n",
        "\nleft behind: KMS key (arn:aws:kms:x), resource policy (attached), replicas (eu-west-1), \
         Kinesis stream (1 active)\n",
        "\nleft behind, if there is one: auto scaling (DynamoDB does not return it)",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    let requests = requests.lock().unwrap();
    let request = |wanted: &str| {
        let mut found = requests.iter().filter(|(operation, _)| operation == wanted);
        found.next().unwrap().1.clone()
    };
    assert_eq!(request("CreateTable")["DeletionProtectionEnabled"], true);
    assert_eq!(
        request("UpdateContinuousBackups")["PointInTimeRecoverySpecification"],
        json!({ "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 14 })
    );
    assert_eq!(pair.in_target(), pair.in_source());
}
