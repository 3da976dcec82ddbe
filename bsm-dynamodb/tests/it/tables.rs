//! The life of a table.

use std::time::Duration;

use bsm_dynamodb::{ErrorKind, Model};
use bsm_local_aws::Fault;

use crate::support::{Local, user_model};

#[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
#[model(table = "orders")]
#[serde(rename_all = "camelCase")]
struct Order {
    #[model(hash_key)]
    customer_id: String,
    #[model(range_key)]
    #[serde(rename = "n")]
    number: u64,
}

#[tokio::test]
async fn a_table_has_the_models_keys_and_on_demand_billing() {
    let local = Local::start().await;
    let _default = local.manager("default").awsenv();
    Order::create_table().wait().await.unwrap();
    let table = Order::describe_table().await.unwrap();
    let keys: Vec<_> = table
        .key_schema()
        .iter()
        .map(|key| (key.attribute_name(), key.key_type().as_str()))
        .collect();
    assert_eq!(keys, [("customerId", "HASH"), ("n", "RANGE")]);
    let mut types: Vec<_> = table
        .attribute_definitions()
        .iter()
        .map(|one| (one.attribute_name(), one.attribute_type().as_str()))
        .collect();
    types.sort_unstable();
    assert_eq!(types, [("customerId", "S"), ("n", "N")]);
    let billing = table.billing_mode_summary().unwrap();
    assert_eq!(billing.billing_mode().unwrap().as_str(), "PAY_PER_REQUEST");
}

#[tokio::test]
async fn creating_a_table_that_exists_is_fine() {
    user_model!(User);
    let local = Local::start().await;
    let _default = local.manager("default").awsenv();
    User::create_table().wait().await.unwrap();
    User::new("1").save().await.unwrap();
    User::create_table().await.unwrap();
    User::create_table().wait().await.unwrap();
    assert!(User::get("1").await.is_ok());
}

#[tokio::test]
async fn a_table_with_another_key_is_refused() {
    #[derive(serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "users")]
    struct Numbered {
        #[model(hash_key)]
        id: u64,
    }
    user_model!(User);
    let local = Local::start().await;
    let _default = local.manager("default").awsenv();
    User::create_table().wait().await.unwrap();
    let error = Numbered::create_table().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableMismatch, "{error}");
}

#[tokio::test]
async fn a_table_can_be_deleted_and_is_then_gone() {
    user_model!(User);
    let local = Local::start().await;
    let _default = local.manager("default").awsenv();
    assert!(!User::exists().await.unwrap());
    User::create_table().wait().await.unwrap();
    assert!(User::exists().await.unwrap());
    User::delete_table().wait().await.unwrap();
    assert!(!User::exists().await.unwrap());
    assert!(User::delete_table().await.unwrap_err().is_table_not_found());
    assert!(
        User::describe_table()
            .await
            .unwrap_err()
            .is_table_not_found()
    );
}

/// DescribeTable is eventually consistent.
#[tokio::test]
async fn waiting_outlasts_a_table_that_cannot_be_seen_yet() {
    user_model!(User);
    let local = Local::start().await;
    let _default = local.manager("default").awsenv();
    let not_yet = Fault::error(
        400,
        "ResourceNotFoundException",
        "Requested resource not found",
    );
    local
        .aws
        .faults()
        .add(not_yet.operation("DescribeTable").times(2));
    User::create_table().wait().await.unwrap();
    assert_eq!(local.aws.call_count("dynamodb", "DescribeTable"), 3);
}

#[tokio::test]
async fn waiting_has_an_end() {
    user_model!(User);
    let local = Local::start().await;
    let _default = local.manager("default").awsenv();
    let never = Fault::error(
        400,
        "ResourceNotFoundException",
        "Requested resource not found",
    );
    local.aws.faults().add(never.operation("DescribeTable"));
    let create = User::create_table().wait_at_most(Duration::from_millis(250));
    let error = create.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimedOut, "{error}");
    assert!(error.to_string().contains("within 250ms"), "{error}");
}
