//! Fault injection.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb as ddb;
use aws_sdk_sts::error::SdkError;
use bsm_local_aws::{Fault, LocalAws, standard};
use ddb::config::retry::RetryConfig;
use ddb::types::{KeysAndAttributes, PutRequest, WriteRequest};

use crate::support::*;

#[tokio::test]
async fn latency_delays_the_response() {
    let aws = LocalAws::start().await.unwrap();
    aws.faults()
        .add(Fault::latency(Duration::from_millis(40)).service("sts"));
    let started = Instant::now();
    sts(&aws, dev()).get_caller_identity().send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn throttling_returns_the_error_of_each_service() {
    let aws = LocalAws::start().await.unwrap();
    aws.faults().add(Fault::throttling());
    let (sts, client) = (sts(&aws, dev()), dynamodb(&aws, dev()));
    let error = error_response(sts.get_caller_identity().send().await);
    assert_eq!((error.status, error.code.as_str()), (400, "Throttling"));
    assert_eq!(error.message, "Rate exceeded");
    let error = error_response(client.scan().table_name("users").send().await);
    assert_eq!(error.code, "ProvisionedThroughputExceededException");
    let error = error_response(client.describe_table().table_name("users").send().await);
    assert_eq!(error.code, "ThrottlingException");
}

#[tokio::test]
async fn a_fault_affects_the_given_number_of_calls() {
    let aws = LocalAws::start().await.unwrap();
    let down = aws
        .faults()
        .add(Fault::unavailable().service("sts").times(2));
    let client = sts(&aws, dev());
    for _ in 0..2 {
        let error = error_response(client.get_caller_identity().send().await);
        assert_eq!(
            (error.status, error.code.as_str()),
            (503, "ServiceUnavailable")
        );
    }
    client.get_caller_identity().send().await.unwrap();
    assert_eq!(aws.faults().hits(down), 2);
}

#[tokio::test]
async fn a_fault_can_be_removed() {
    let aws = LocalAws::start().await.unwrap();
    let fault = aws.faults().add(Fault::internal_error());
    let client = dynamodb(&aws, dev());
    let error = error_response(client.list_tables().send().await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (500, "InternalServerError")
    );
    assert!(aws.faults().remove(fault));
    assert!(!aws.faults().remove(fault));
    client.list_tables().send().await.unwrap();
}

#[tokio::test]
async fn a_fault_restricted_to_an_account_does_not_affect_others() {
    let aws = LocalAws::start().await.unwrap();
    let staging = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    aws.faults()
        .add(Fault::unavailable().account("222222222222"));
    dynamodb(&aws, dev()).list_tables().send().await.unwrap();
    assert_eq!(
        error_response(dynamodb(&aws, staging).list_tables().send().await).status,
        503
    );
}

#[tokio::test]
async fn an_sdk_client_with_retries_succeeds_after_throttling() {
    let aws = LocalAws::start().await.unwrap();
    aws.faults()
        .add(Fault::throttling().operation("ListTables").times(1));
    let retry = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let client = ddb::Client::from_conf(config!(ddb, aws, dev(), US).retry_config(retry).build());
    client.list_tables().send().await.unwrap();
    let codes: Vec<_> = aws
        .calls()
        .into_iter()
        .map(|call| call.error_code)
        .collect();
    assert_eq!(
        codes,
        [
            Some("ProvisionedThroughputExceededException".to_owned()),
            None
        ]
    );
}

#[tokio::test]
async fn a_dropped_connection_gives_no_response_and_performs_nothing() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    aws.faults()
        .add(Fault::dropped_connection().operation("PutItem").times(1));
    let put = client
        .put_item()
        .table_name("users")
        .item("id", text("1"))
        .send()
        .await;
    assert!(matches!(put, Err(SdkError::DispatchFailure(_))), "{put:?}");
    assert_eq!(aws.table_items("111111111111", US, "users"), Some(vec![]));
    assert_eq!(aws.calls().last().unwrap().status, None);
}

#[tokio::test]
async fn a_dropped_response_performs_the_operation_but_gives_no_response() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    aws.faults()
        .add(Fault::dropped_response().operation("PutItem"));
    let put = client
        .put_item()
        .table_name("users")
        .item("id", text("1"))
        .send()
        .await;
    assert!(matches!(put, Err(SdkError::DispatchFailure(_))), "{put:?}");
    assert_eq!(
        aws.table_items("111111111111", US, "users").unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_truncated_body_ends_early() {
    let aws = LocalAws::start().await.unwrap();
    aws.faults().add(Fault::truncated_body().service("sts"));
    let answer = sts(&aws, dev()).get_caller_identity().send().await;
    let Err(error @ SdkError::ResponseError(_)) = answer else {
        panic!("the head of the answer should have come: {answer:?}");
    };
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn an_expired_token_fault_needs_no_waiting() {
    let aws = LocalAws::start().await.unwrap();
    aws.faults().add(Fault::expired_token().times(2));
    let error = error_response(dynamodb(&aws, dev()).list_tables().send().await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "ExpiredTokenException")
    );
    let error = error_response(sts(&aws, dev()).get_caller_identity().send().await);
    assert_eq!((error.status, error.code.as_str()), (403, "ExpiredToken"));
}

#[tokio::test]
async fn a_custom_error_is_returned() {
    let aws = LocalAws::start().await.unwrap();
    aws.faults()
        .add(Fault::error(403, "RegionDisabledException", "not <here>"));
    let error = error_response(sts(&aws, dev()).get_caller_identity().send().await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (403, "RegionDisabledException")
    );
    assert_eq!(error.message, "not <here>");
}

#[tokio::test]
async fn a_panic_gives_status_500_and_is_logged() {
    let aws = LocalAws::start().await.unwrap();
    aws.faults().add(Fault::panic().times(1));
    let client = dynamodb(&aws, dev());
    let error = error_response(client.list_tables().send().await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (500, "InternalServerError")
    );
    let message = aws.calls()[0].error_message.clone().unwrap();
    assert_eq!(message, "bsm-local-aws panicked: an injected fault");
    client.list_tables().send().await.unwrap();
}

#[tokio::test]
async fn a_batch_write_leaves_its_last_items_unprocessed() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    aws.faults().add(Fault::unprocessed_items(2).times(1));
    let left = write(&client, 5).await;
    assert_eq!(left.len(), 2);
    assert_eq!(left[0].put_request().unwrap().item()["id"], text("3"));
    assert_eq!(
        aws.table_items("111111111111", US, "users").unwrap().len(),
        3
    );

    let retried = client
        .batch_write_item()
        .request_items("users", left)
        .send()
        .await
        .unwrap();
    assert!(retried.unprocessed_items.unwrap_or_default().is_empty());
    assert_eq!(
        aws.table_items("111111111111", US, "users").unwrap().len(),
        5
    );
}

#[tokio::test]
async fn a_batch_can_remain_entirely_unprocessed() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    aws.faults().add(Fault::unprocessed_fraction(1.0));
    assert_eq!(write(&client, 5).await.len(), 5);
    assert_eq!(aws.table_items("111111111111", US, "users"), Some(vec![]));
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_rejected_despite_the_fault() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    aws.faults().add(Fault::unprocessed_items(1));
    let request = client.batch_write_item().request_items("users", writes(26));
    assert_eq!(
        error_response(request.send().await).code,
        "ValidationException"
    );
}

#[tokio::test]
async fn a_batch_get_leaves_its_last_keys_unprocessed() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    write(&client, 4).await;
    aws.faults()
        .add(Fault::unprocessed_fraction(0.5).operation("BatchGetItem"));
    let mut keys = KeysAndAttributes::builder().consistent_read(true);
    for id in ["0", "1", "2", "3"] {
        keys = keys.keys([("id".to_owned(), text(id))].into());
    }
    let request = client
        .batch_get_item()
        .request_items("users", keys.build().unwrap());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.responses.unwrap()["users"].len(), 2);
    let left = &answer.unprocessed_keys.unwrap()["users"];
    assert_eq!(left.keys().len(), 2);
    assert_eq!(left.consistent_read(), Some(true));
}

fn writes(count: usize) -> Vec<WriteRequest> {
    let put = |id: usize| {
        PutRequest::builder()
            .item("id", text(&id.to_string()))
            .build()
            .unwrap()
    };
    (0..count)
        .map(|id| WriteRequest::builder().put_request(put(id)).build())
        .collect()
}

/// Writes a batch and returns the unprocessed items.
async fn write(client: &ddb::Client, count: usize) -> Vec<WriteRequest> {
    let request = client
        .batch_write_item()
        .request_items("users", writes(count));
    let answer = request.send().await.unwrap();
    answer
        .unprocessed_items
        .unwrap_or_default()
        .remove("users")
        .unwrap_or_default()
}
