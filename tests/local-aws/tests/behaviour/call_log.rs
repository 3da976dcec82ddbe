//! The log of calls.

use bsm_local_aws::{LocalAws, standard};

use crate::support::*;

#[tokio::test]
async fn a_call_is_logged_with_its_account_and_caller() {
    let aws = LocalAws::start().await.unwrap();
    let staging = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let client = dynamodb_in(&aws, staging.clone(), EU);
    create_table(&client, "users").await;
    put(&client, "users", "1").await;

    let calls = aws.calls();
    let operations: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(operations, ["AssumeRole", "CreateTable", "PutItem"]);
    assert_eq!(
        calls.iter().map(|call| call.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let put = &calls[2];
    assert_eq!(put.service, "dynamodb");
    assert_eq!(put.account.as_deref(), Some("222222222222"));
    assert_eq!(put.region.as_deref(), Some("eu-west-1"));
    let arn = "arn:aws:sts::222222222222:assumed-role/Staging/test";
    assert_eq!(put.principal_arn.as_deref(), Some(arn));
    assert_eq!(put.access_key_id.as_deref(), Some(staging.access_key_id()));
    assert_eq!(put.table.as_deref(), Some("users"));
    assert!(put.is_success());
}

#[tokio::test]
async fn a_rejected_call_is_logged_with_its_error() {
    let aws = LocalAws::start().await.unwrap();
    error_response(
        dynamodb(&aws, dev())
            .scan()
            .table_name("nowhere")
            .send()
            .await,
    );
    let wrong = keys(standard::ACCESS_KEY_ID, "wrong");
    error_response(sts(&aws, wrong).get_caller_identity().send().await);

    let calls = aws.calls();
    assert_eq!(calls[0].status, Some(400));
    assert_eq!(
        calls[0].error_code.as_deref(),
        Some("ResourceNotFoundException")
    );
    assert_eq!(
        calls[1].error_code.as_deref(),
        Some("SignatureDoesNotMatch")
    );
    // Without authentication the log has the claimed access key, but no account or caller.
    assert_eq!(
        calls[1].access_key_id.as_deref(),
        Some(standard::ACCESS_KEY_ID)
    );
    assert_eq!((&calls[1].account, &calls[1].principal_arn), (&None, &None));
}

#[tokio::test]
async fn calls_are_counted_and_cleared() {
    let aws = LocalAws::start().await.unwrap();
    let client = sts(&aws, dev());
    for _ in 0..3 {
        client.get_caller_identity().send().await.unwrap();
    }
    assert_eq!(aws.call_count("sts", "GetCallerIdentity"), 3);
    assert_eq!(aws.call_count("sts", "AssumeRole"), 0);
    aws.clear_calls();
    assert_eq!(aws.call_count("sts", "GetCallerIdentity"), 0);
    assert!(aws.calls().is_empty());
}

#[tokio::test]
async fn debug_output_contains_no_secret() {
    let aws = LocalAws::start().await.unwrap();
    let session = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let shown = format!(
        "{:?} {aws:?} {:?}",
        LocalAws::standard(),
        (aws.calls(), aws.sessions())
    );
    let token = session.session_token().unwrap();
    for secret in [
        standard::SECRET_ACCESS_KEY,
        session.secret_access_key(),
        token,
    ] {
        assert!(!shown.contains(secret));
    }
}

#[test]
fn a_server_outlives_the_runtime_it_was_started_in() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let aws = runtime().block_on(LocalAws::start()).unwrap();
    for _ in 0..3 {
        runtime().block_on(async {
            sts(&aws, dev()).get_caller_identity().send().await.unwrap();
        });
    }
    assert_eq!(aws.call_count("sts", "GetCallerIdentity"), 3);
}

#[tokio::test]
async fn a_dropped_server_no_longer_responds() {
    let aws = LocalAws::start().await.unwrap();
    let client = sts(&aws, dev());
    client.get_caller_identity().send().await.unwrap();
    // The client's idle connection does not delay the shutdown.
    drop(aws);
    let error = client.get_caller_identity().send().await.unwrap_err();
    assert!(error.raw_response().is_none(), "{error:?}");
}
