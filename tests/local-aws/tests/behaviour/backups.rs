//! Point-in-time recovery.

use std::time::Duration;

use aws_sdk_dynamodb::types::{PointInTimeRecoveryDescription, PointInTimeRecoveryStatus};
use bsm_local_aws::LocalAws;

use crate::support::*;

async fn recovery(client: &aws_sdk_dynamodb::Client) -> PointInTimeRecoveryDescription {
    let described = client.describe_continuous_backups().table_name("users");
    let described = described.send().await.unwrap();
    let described = described.continuous_backups_description.unwrap();
    described.point_in_time_recovery_description.unwrap()
}

#[tokio::test]
async fn the_restorable_window_ends_five_minutes_ago() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    let status = |it: &PointInTimeRecoveryDescription| it.point_in_time_recovery_status.clone();
    assert_eq!(
        status(&recovery(&client).await),
        Some(PointInTimeRecoveryStatus::Disabled)
    );

    recover(&client, "users").await;
    let on = recovery(&client).await;
    assert_eq!(status(&on), Some(PointInTimeRecoveryStatus::Enabled));
    let since = on.earliest_restorable_date_time.unwrap().secs();
    assert_eq!(on.latest_restorable_date_time.unwrap().secs(), since);

    aws.clock().advance(Duration::from_secs(3_600));
    recover(&client, "users").await;
    let later = recovery(&client).await;
    assert_eq!(later.earliest_restorable_date_time.unwrap().secs(), since);
    let latest = later.latest_restorable_date_time.unwrap().secs() - since;
    assert!((3_300..3_310).contains(&latest), "{latest}");
}

#[tokio::test]
async fn recovery_is_no_stream_that_clients_see() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    recover(&client, "users").await;
    let table = client
        .describe_table()
        .table_name("users")
        .send()
        .await
        .unwrap()
        .table
        .unwrap();
    assert_eq!(
        (table.stream_specification, table.latest_stream_arn),
        (None, None)
    );
    let streams = streams(&aws, dev()).list_streams().send().await.unwrap();
    assert!(streams.streams().is_empty());
}

#[tokio::test]
async fn a_table_that_does_not_exist_has_no_backups() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    let described = client
        .describe_continuous_backups()
        .table_name("users")
        .send();
    assert_eq!(
        error_response(described.await).code,
        "TableNotFoundException"
    );
}
