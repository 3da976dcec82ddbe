//! Batches: everything is written, or what was not is reported.

use std::error::Error as _;

use bsm_dynamodb::{ErrorKind, Model};
use bsm_local_aws::{Fault, standard};
use serde::{Deserialize, Serialize};

use crate::support::{DEFAULT, Local, user_model};

user_model!(User);

async fn with_table() -> Local {
    let local = Local::start().await;
    let default = local.manager("default");
    default.scope(User::create_table().wait()).await.unwrap();
    local
}

fn users(count: usize) -> Vec<User> {
    (0..count).map(|n| User::new(format!("{n:03}"))).collect()
}

fn ids(count: usize) -> Vec<String> {
    users(count).into_iter().map(|user| user.id).collect()
}

#[tokio::test]
async fn any_number_of_items_goes_out_25_to_a_request() {
    let local = with_table().await;
    let _default = local.manager("default").awsenv();
    User::batch_write().save_all(users(60)).await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ids(60));
    assert_eq!(local.aws.call_count("dynamodb", "BatchWriteItem"), 3);

    User::batch_write().delete_all(ids(59)).await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ["059"]);
    User::batch_write().await.unwrap();
}

#[tokio::test]
async fn the_last_write_to_a_key_wins() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "numbers")]
    struct Number {
        #[model(hash_key)]
        number: u64,
        name: String,
    }
    let local = Local::start().await;
    let _default = local.manager("default").awsenv();
    Number::create_table().wait().await.unwrap();
    let number = |number, name: &str| Number {
        number,
        name: name.into(),
    };
    Number::batch_write()
        .save_all([number(1, "one"), number(2, "two"), number(1, "uno")])
        .delete_all([2])
        .save_all([number(3, "three")])
        .await
        .unwrap();
    let mut all = Number::scan().collect().await.unwrap();
    all.sort_by_key(|number| number.number);
    assert_eq!(all, [number(1, "uno"), number(3, "three")]);
    assert_eq!(local.aws.call_count("dynamodb", "BatchWriteItem"), 1);
}

#[tokio::test]
async fn unprocessed_items_are_sent_again_until_all_are_written() {
    let local = with_table().await;
    let _default = local.manager("default").awsenv();
    let half = Fault::unprocessed_fraction(0.5).operation("BatchWriteItem");
    local.aws.faults().add(half.times(6));
    User::batch_write().save_all(users(60)).await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ids(60));
}

#[tokio::test]
async fn what_was_never_processed_is_reported_and_can_be_resumed() {
    let local = with_table().await;
    let _default = local.manager("default").awsenv();
    let stuck = Fault::unprocessed_items(25).operation("BatchWriteItem");
    local.aws.faults().add(stuck.after(1));
    let batch = User::batch_write().save_all(users(30)).max_attempts(3);
    let error = batch.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BatchIncomplete, "{error}");
    assert!(error.is_batch_incomplete());
    assert!(error.to_string().contains("5 of 30 writes"), "{error}");
    assert_eq!(local.aws.call_count("dynamodb", "BatchWriteItem"), 1 + 3);
    assert_eq!(local.ids(DEFAULT, "users"), ids(25));

    local.aws.faults().clear();
    let unprocessed = error.into_unprocessed().unwrap();
    assert_eq!((unprocessed.len(), unprocessed.items().count()), (5, 5));
    User::batch_write().resume(unprocessed).await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ids(30));
}

#[tokio::test]
async fn progress_renews_the_patience() {
    let local = with_table().await;
    let _default = local.manager("default").awsenv();
    // Three in a row would be too many; one item goes through every time.
    let slow = Fault::unprocessed_fraction(0.9).operation("BatchWriteItem");
    local.aws.faults().add(slow.times(5));
    let batch = User::batch_write().save_all(users(25)).max_attempts(2);
    batch.await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ids(25));
}

#[tokio::test]
async fn a_throttled_request_counts_as_an_attempt() {
    let local = with_table().await;
    let _default = local.manager("default").awsenv();
    local
        .aws
        .faults()
        .add(Fault::throttling().operation("BatchWriteItem"));
    let batch = User::batch_write().save_all(users(2)).max_attempts(1);
    let error = batch.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BatchIncomplete, "{error}");
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<bsm_dynamodb::Error>());
    assert!(cause.unwrap().is_throttled(), "{error:?}");
    assert_eq!(error.unprocessed().unwrap().len(), 2);
}

#[tokio::test]
async fn an_error_comes_with_everything_that_was_not_acknowledged() {
    let local = with_table().await;
    let _default = local.manager("default").awsenv();
    let denied = Fault::error(400, "AccessDeniedException", "no");
    local
        .aws
        .faults()
        .add(denied.operation("BatchWriteItem").after(1));
    let error = User::batch_write().save_all(users(60)).await.unwrap_err();
    assert!(error.is_access_denied() && error.is_batch_incomplete());
    let unprocessed = error.unprocessed().unwrap();
    assert_eq!(unprocessed.len(), 35);
    let text = format!("{error:?}");
    assert!(
        text.contains("items: 35") && !text.contains("\"030\""),
        "{text}"
    );
}

#[tokio::test]
async fn unprocessed_writes_of_another_table_are_refused() {
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "others")]
    struct Other {
        #[model(hash_key)]
        id: String,
    }
    let local = with_table().await;
    let _default = local.manager("default").awsenv();
    let denied = Fault::error(400, "AccessDeniedException", "no");
    local.aws.faults().add(denied.operation("BatchWriteItem"));
    let error = User::batch_write().save_all(users(1)).await.unwrap_err();
    let batch = Other::batch_write().resume(error.into_unprocessed().unwrap());
    let error = batch.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error}");
    assert!(local.aws.tables(DEFAULT, standard::REGION) == ["users"]);
}
