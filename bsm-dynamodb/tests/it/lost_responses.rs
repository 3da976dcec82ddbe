//! Writes whose response was lost, and what their errors say.

use bsm_dynamodb::{Error, ErrorKind, Model, Version, transact_write};
use bsm_local_aws::Fault;
use serde::{Deserialize, Serialize};

use crate::support::{DEFAULT, Playground};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "counters")]
struct Counter {
    #[model(hash_key)]
    id: String,
    #[serde(default)]
    count: u64,
    #[model(version)]
    #[serde(default)]
    version: Version,
}

impl Counter {
    fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            count: 0,
            version: Version::new(),
        }
    }
}

async fn start() -> Playground {
    let local = Playground::start().await;
    let create = Counter::create_table().wait();
    local.profile("default").scope(create).await.unwrap();
    local
}

/// The faults after which DynamoDB has done the first attempt of a write.
fn lost() -> [Fault; 2] {
    [Fault::dropped_response(), Fault::truncated_body()]
}

/// Faults of the first attempt that say that DynamoDB did not do it.
fn refused() -> [Fault; 1] {
    [Fault::throttling()]
}

async fn insert(id: &str) -> Error {
    let insert = Counter::new(id).save();
    insert
        .condition(Counter::id().not_exists())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn an_insert_whose_response_was_lost_may_have_been_applied() {
    for (number, fault) in lost().into_iter().enumerate() {
        let local = start().await;
        let _default = local.profile("default").awsenv();
        local.aws.faults().add(fault.operation("PutItem").times(1));
        let id = number.to_string();
        let error = insert(&id).await;
        assert_eq!(error.kind(), ErrorKind::ConditionalCheckFailed);
        assert!(error.may_have_been_applied());
        assert_eq!(local.ids(DEFAULT, "counters"), [id]);
    }
}

#[tokio::test]
async fn a_condition_that_another_writer_made_false_was_not_applied() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    Counter::new("1").save().await.unwrap();
    let error = insert("1").await;
    assert!(error.is_conditional_check_failed() && !error.may_have_been_applied());
    // Retries alone say nothing: DynamoDB did not do what it throttled.
    for fault in refused() {
        local.aws.faults().add(fault.operation("PutItem").times(1));
        let error = insert("1").await;
        assert!(error.is_conditional_check_failed() && !error.may_have_been_applied());
    }
}

#[tokio::test]
async fn a_save_of_a_version_whose_response_was_lost_may_have_been_applied() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let counter = Counter::new("1");
    counter.save().await.unwrap();
    let fault = Fault::dropped_response();
    local.aws.faults().add(fault.operation("PutItem").times(1));
    let error = counter.save().await.unwrap_err();
    assert!(error.is_conditional_check_failed() && error.may_have_been_applied());
    assert_eq!(counter.version.get(), 1);
    assert_eq!(counter.refresh().await.unwrap().version.get(), 2);
}

#[tokio::test]
async fn a_write_whose_every_response_was_lost_may_have_been_applied() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    Counter::new("1").save().await.unwrap();
    local.aws.faults().add(Fault::dropped_response());
    let update = Counter::update("1").increment(Counter::count(), 1);
    let delete = Counter::delete_key("2");
    let transaction = transact_write().write(Counter::delete_key("3"));
    for (error, name) in [
        (update.await.unwrap_err(), "UpdateItem"),
        (delete.await.unwrap_err(), "DeleteItem"),
        (transaction.await.unwrap_err(), "TransactWriteItems"),
        (
            Counter::new("4").save().return_old().await.unwrap_err(),
            "PutItem",
        ),
    ] {
        assert_eq!(error.operation(), name);
        assert!(
            error.is_unreachable() && error.may_have_been_applied(),
            "{error}"
        );
    }
    let get = Counter::get("1").await.unwrap_err();
    assert!(!get.may_have_been_applied(), "a read applies nothing");
}

#[tokio::test]
async fn an_internal_error_leaves_open_whether_the_write_was_done() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    local.aws.faults().add(Fault::internal_error());
    let error = Counter::new("1").save().await.unwrap_err();
    assert!(error.may_have_been_applied(), "{error}");
}

#[tokio::test]
async fn a_write_that_never_left_was_not_applied() {
    let local = start().await;
    let unreachable = local
        .builder()
        .profile_name("default")
        .endpoint_url("http://127.0.0.1:1")
        .build();
    let save = unreachable.scope(Counter::new("1").save()).await;
    let error = save.unwrap_err();
    assert!(
        error.is_unreachable() && !error.may_have_been_applied(),
        "{error}"
    );
    let empty = local.profile("default").scope(Counter::new("").save());
    assert!(!empty.await.unwrap_err().may_have_been_applied());
}

#[tokio::test]
async fn a_transaction_with_a_token_is_done_once_although_its_response_was_lost() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let fault = Fault::dropped_response();
    local
        .aws
        .faults()
        .add(fault.operation("TransactWriteItems").times(1));
    let increment = Counter::update("1").increment(Counter::count(), 1);
    transact_write()
        .write(increment)
        .token("order-7")
        .await
        .unwrap();
    assert_eq!(Counter::get("1").await.unwrap().count, 1);
}

#[tokio::test]
async fn an_increment_whose_response_was_lost_is_applied_again() {
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "hits")]
    struct Hits {
        #[model(hash_key)]
        id: String,
        count: u64,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Hits::create_table().wait().await.unwrap();
    for (number, fault) in lost().into_iter().enumerate() {
        let id = number.to_string();
        Hits {
            id: id.clone(),
            count: 0,
        }
        .save()
        .await
        .unwrap();
        local
            .aws
            .faults()
            .add(fault.operation("UpdateItem").times(1));
        // The SDK sends it again, and DynamoDB cannot tell the two from each other.
        let hits = Hits::update(&id).increment(Hits::count(), 1).await.unwrap();
        assert_eq!(hits.count, 2);
        assert_eq!(Hits::get(&id).await.unwrap().count, 2);
    }
}
