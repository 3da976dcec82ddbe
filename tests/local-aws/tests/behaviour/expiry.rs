//! Expiry of credentials and items, by a clock that tests move.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bsm_local_aws::{Clock, LocalAws, standard};

use crate::support::*;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_session_expires_at_its_expiry() {
    let aws = LocalAws::start().await.unwrap();
    let credentials = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let (sts, dynamodb) = (sts(&aws, credentials.clone()), dynamodb(&aws, credentials));

    aws.clock().advance(HOUR - Duration::from_secs(30));
    sts.get_caller_identity().send().await.unwrap();
    dynamodb.list_tables().send().await.unwrap();

    aws.clock().advance(Duration::from_secs(30));
    let error = error_response(sts.get_caller_identity().send().await);
    let message = "The security token included in the request is expired";
    assert_eq!(
        error,
        ErrorResponse {
            status: 403,
            code: "ExpiredToken".into(),
            message: message.into()
        }
    );
    let error = error_response(dynamodb.list_tables().send().await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "ExpiredTokenException")
    );
    assert_eq!(error.message, message);
}

#[tokio::test]
async fn the_response_contains_the_expiry_of_the_credentials() {
    let start = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    let aws = LocalAws::standard()
        .clock(Clock::frozen_at(start))
        .start()
        .await
        .unwrap();
    let request = sts(&aws, dev())
        .assume_role()
        .role_arn(standard::STAGING_ROLE_ARN);
    let answer = request
        .role_session_name("test")
        .duration_seconds(900)
        .send()
        .await
        .unwrap();
    let expiration = SystemTime::try_from(answer.credentials.unwrap().expiration).unwrap();
    assert_eq!(expiration, start + Duration::from_secs(900));
    assert_eq!(aws.sessions()[0].duration(), Duration::from_secs(900));
}

#[tokio::test]
async fn static_keys_never_expire() {
    let aws = LocalAws::start().await.unwrap();
    aws.clock().advance(10_000 * HOUR);
    sts(&aws, dev()).get_caller_identity().send().await.unwrap();
}

#[tokio::test]
async fn items_expire_by_the_same_clock() {
    use aws_sdk_dynamodb::types::{AttributeValue, TimeToLiveSpecification};

    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    let ttl = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name("gone_at")
        .build();
    let update = client.update_time_to_live().table_name("users");
    update
        .time_to_live_specification(ttl.unwrap())
        .send()
        .await
        .unwrap();
    let gone_at = (aws.clock().now() + HOUR)
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let gone_at = AttributeValue::N(gone_at.to_string());
    let put = client.put_item().table_name("users").item("id", text("1"));
    put.item("gone_at", gone_at).send().await.unwrap();

    assert_eq!(aws.sweep_expired_items(), 0);
    aws.clock().advance(2 * HOUR);
    assert_eq!(aws.sweep_expired_items(), 1);
    assert_eq!(aws.table_items("111111111111", US, "users"), Some(vec![]));
}
