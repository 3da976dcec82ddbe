//! Batches write or read everything, or report what is left.

use std::error::Error as _;

use aws_sdk_dynamodb::types::AttributeValue;
use bsm_dynamodb::{ErrorKind, Item, Model};
use bsm_local_aws::{Fault, standard};
use serde::{Deserialize, Serialize};

use crate::support::{DEFAULT, Playground, user_model};

user_model!(User);

async fn with_table() -> Playground {
    let local = Playground::start().await;
    let default = local.profile("default");
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
async fn a_batch_sends_25_writes_per_request() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    User::batch_write().save_all(users(60)).await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ids(60));
    assert_eq!(local.aws.call_count("dynamodb", "BatchWriteItem"), 3);

    User::batch_write().delete_all(ids(59)).await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ["059"]);
    User::batch_write().await.unwrap();
}

#[tokio::test]
async fn only_the_last_write_to_a_key_is_sent() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "numbers")]
    struct Number {
        #[model(hash_key)]
        number: u64,
        name: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
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
async fn unprocessed_writes_are_retried_until_all_are_done() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let half = Fault::unprocessed_fraction(0.5).operation("BatchWriteItem");
    local.aws.faults().add(half.times(6));
    User::batch_write().save_all(users(60)).await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ids(60));
}

#[tokio::test]
async fn writes_that_stay_unprocessed_are_reported_and_can_be_resumed() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
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
async fn progress_resets_the_attempts() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
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
    let _default = local.profile("default").awsenv();
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
async fn an_error_contains_every_unacknowledged_write() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let denied = Fault::error(400, "AccessDeniedException", "no");
    local
        .aws
        .faults()
        .add(denied.operation("BatchWriteItem").after(1));
    let error = User::batch_write().save_all(users(60)).await.unwrap_err();
    assert!(error.is_access_denied() && !error.is_batch_incomplete());
    let unprocessed = error.unprocessed().unwrap();
    assert_eq!(unprocessed.len(), 35);
    let text = format!("{error:?}");
    assert!(
        text.contains("items: 35") && !text.contains("\"030\""),
        "{text}"
    );
}

#[tokio::test]
async fn unprocessed_writes_of_another_table_are_rejected_and_returned() {
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "others")]
    struct Other {
        #[model(hash_key)]
        id: String,
    }
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let denied = Fault::error(400, "AccessDeniedException", "no");
    local.aws.faults().add(denied.operation("BatchWriteItem"));
    let error = User::batch_write().save_all(users(1)).await.unwrap_err();
    let batch = Other::batch_write().resume(error.into_unprocessed().unwrap());
    let error = batch.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(local.aws.tables(DEFAULT, standard::REGION) == ["users"]);

    // With writes of its own, and those of a second table.
    let mut unprocessed = error.into_unprocessed().unwrap();
    let own = Other::batch_write()
        .delete_all(["1", "2"])
        .await
        .unwrap_err();
    let own = own.into_unprocessed().unwrap();
    let batch = Other::batch_write().resume(own).resume(unprocessed);
    let mut own = batch.await.unwrap_err().into_unprocessed().unwrap();
    assert_eq!((own.table(), own.len()), ("others", 2));
    // Passing everything on loses nothing either.
    let error = Other::batch_write().resume(own).await.unwrap_err();
    own = error.into_unprocessed().unwrap();
    assert_eq!((own.table(), own.len()), ("others", 2));
    unprocessed = own.take_others().remove(0);
    assert!(own.take_others().is_empty());

    local.aws.faults().clear();
    assert_eq!((unprocessed.table(), unprocessed.len()), ("users", 1));
    User::batch_write().resume(unprocessed).await.unwrap();
    assert_eq!(local.ids(DEFAULT, "users"), ids(1));
}

#[tokio::test]
async fn a_batch_with_an_item_that_cannot_be_stored_returns_its_other_writes() {
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "users")]
    struct Measured {
        #[model(hash_key)]
        id: String,
        value: f64,
    }
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let measured = [1.0, f64::NAN, 2.0].map(|value| Measured {
        id: value.to_string(),
        value,
    });
    let batch = Measured::batch_write()
        .delete_all(ids(2))
        .save_all(measured);
    let error = batch.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error}");
    let unprocessed = error.unprocessed().unwrap();
    assert_eq!(unprocessed.keys().count(), 2);
    let saved: Vec<_> = unprocessed.items().map(|item| item["id"].as_s()).collect();
    assert_eq!(saved, [Ok(&"1".to_owned()), Ok(&"2".to_owned())]);
    assert_eq!(local.aws.call_count("dynamodb", "BatchWriteItem"), 0);
}

#[tokio::test]
async fn keys_are_read_100_per_request_and_items_are_in_their_order() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    User::batch_write().save_all(users(230)).await.unwrap();
    let mut keys = ids(230);
    keys.reverse();
    keys.insert(3, "missing".into());
    keys.push("007".into());
    let found = User::get_many(&keys).consistent_read(true).await.unwrap();
    let mut expected = users(230);
    expected.reverse();
    assert_eq!(found, expected);
    assert_eq!(local.aws.call_count("dynamodb", "BatchGetItem"), 3);
    assert!(User::get_many([""; 0]).await.unwrap().is_empty());
    assert_eq!(local.aws.call_count("dynamodb", "BatchGetItem"), 3);
}

#[tokio::test]
async fn unprocessed_keys_are_retried_until_all_are_read() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    User::batch_write().save_all(users(60)).await.unwrap();
    let half = Fault::unprocessed_fraction(0.5).operation("BatchGetItem");
    local.aws.faults().add(half.times(5));
    assert_eq!(User::get_many(ids(60)).await.unwrap(), users(60));
}

#[tokio::test]
async fn keys_that_stay_unprocessed_are_reported() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    User::batch_write().save_all(users(120)).await.unwrap();
    let stuck = Fault::unprocessed_items(100).operation("BatchGetItem");
    local.aws.faults().add(stuck.after(1));
    let get = User::get_many(ids(120)).max_attempts(2);
    let error = get.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BatchIncomplete, "{error}");
    assert!(error.to_string().contains("20 of 120 keys"), "{error}");
    assert_eq!(error.unread_keys().unwrap().len(), 20);
    assert!(error.is_batch_incomplete() && error.unprocessed().is_none());
    assert!(!format!("{error:?}").contains("\"119\""), "{error:?}");

    local.aws.faults().clear();
    let unread = error.into_unread_keys().unwrap();
    let rest = User::get_many(ids(1)).resume(unread).await.unwrap();
    assert_eq!((rest.len(), &rest[1..]), (21, &users(120)[100..]));

    // Keys that were taken come back if another one is invalid.
    let of = |id| Item::from([("id".to_owned(), id)]);
    let unread = vec![of(AttributeValue::Bool(true))];
    let key = of(AttributeValue::S("7".to_owned()));
    let get = User::get_many(ids(3)).resume(unread).resume(vec![key]);
    let error = get.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error}");
    assert_eq!(error.unread_keys().unwrap().len(), 4);

    let denied = Fault::error(400, "AccessDeniedException", "no");
    local
        .aws
        .faults()
        .add(denied.operation("BatchGetItem").after(1));
    let error = User::get_many(ids(120)).await.unwrap_err();
    assert!(error.is_access_denied(), "{error}");
    assert_eq!(error.unread_keys().unwrap().len(), 20);
}

#[tokio::test]
async fn a_projection_of_many_items_reads_only_its_attributes() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "orders")]
    struct Order {
        #[model(hash_key)]
        customer: String,
        #[model(range_key)]
        number: u64,
        total: u64,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Total {
        total: u64,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Order::create_table().wait().await.unwrap();
    let orders = (0..3).map(|number| Order {
        customer: "c".into(),
        number,
        total: number * 10,
    });
    Order::batch_write().save_all(orders).await.unwrap();
    let keys = [("c", 2), ("c", 0), ("d", 0)];
    let totals = Order::get_many(keys).project::<Total>().await.unwrap();
    assert_eq!(totals, [Total { total: 20 }, Total { total: 0 }]);
}

/// How often and how much of it is left is generated; what is stored in the end must not be.
#[test]
fn a_batch_writes_exactly_its_items_whatever_is_left_unprocessed() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let local = runtime.block_on(with_table());
    let default = local.profile("default");
    let faults = proptest::collection::vec((0.05..0.95f64, 0u64..4), 0..6);
    let keys = proptest::collection::vec(0usize..60, 0..90);
    let mut runner = TestRunner::new(Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    });
    let ends_with_exactly_those = |(keys, faults): (Vec<usize>, Vec<(f64, u64)>)| {
        let mut expected: Vec<_> = keys.iter().map(|n| format!("{n:03}")).collect();
        expected.sort();
        expected.dedup();
        let read = runtime.block_on(default.scope(async {
            User::batch_write().delete_all(ids(60)).await.unwrap();
            for (fraction, after) in faults {
                let fault = Fault::unprocessed_fraction(fraction);
                local.aws.faults().add(fault.after(after).times(1));
            }
            let given = keys.iter().map(|n| User::new(format!("{n:03}")));
            User::batch_write().save_all(given).await.unwrap();
            let read = User::get_many(ids(60)).await.unwrap();
            local.aws.faults().clear();
            read
        }));
        let read: Vec<_> = read.into_iter().map(|user| user.id).collect();
        prop_assert_eq!(&read, &expected);
        prop_assert_eq!(local.ids(DEFAULT, "users"), expected);
        Ok(())
    };
    runner
        .run(&(keys, faults), ends_with_exactly_those)
        .unwrap();
}
