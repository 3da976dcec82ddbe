//! What reads and updates return: options, parts of items, keys of items that do not fit.

use aws_sdk_dynamodb::types::AttributeValue;
use bsm_dynamodb::{ErrorKind, Model, slot};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::support::Playground;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
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

fn order(number: u64, total: u64) -> Order {
    Order {
        customer: "ada".into(),
        number,
        total,
    }
}

async fn start() -> Playground {
    let local = Playground::start().await;
    let create = Order::create_table().wait();
    local.profile("default").scope(create).await.unwrap();
    local
}

/// Writes an item that does not fit the model.
async fn put_misfit(number: u64) {
    let client = slot::<Order>().client().await.unwrap();
    let put = client.put_item().table_name("orders");
    put.item("customer", AttributeValue::S("ada".into()))
        .item("number", AttributeValue::N(number.to_string()))
        .item("total", AttributeValue::S("4711".into()))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_optional_get_returns_none_for_a_missing_item_only() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    assert_eq!(Order::get(("ada", 1)).optional().await.unwrap(), None);
    order(1, 5).save().await.unwrap();
    let found = Order::get(("ada", 1)).optional().await.unwrap();
    assert_eq!(found, Some(order(1, 5)));
    let total = Order::get(("ada", 1)).project::<Total>().optional().await;
    assert_eq!(total.unwrap(), Some(Total { total: 5 }));
    let missing = order(2, 0).refresh().optional().await.unwrap();
    assert_eq!(missing, None);
    put_misfit(3).await;
    let misfit = Order::get(("ada", 3)).optional().await.unwrap_err();
    assert_eq!(misfit.kind(), ErrorKind::InvalidItem);
    Order::delete_table().wait().await.unwrap();
    let no_table = Order::get(("ada", 1)).optional().await.unwrap_err();
    assert!(no_table.is_table_not_found());
}

#[tokio::test]
async fn an_update_returns_the_new_item_the_old_one_a_part_or_nothing() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let update = || Order::update(("ada", 1)).increment(Order::total(), 1);
    assert_eq!(update().await.unwrap(), order(1, 1));
    assert_eq!(update().await.unwrap(), order(1, 2));
    assert_eq!(update().return_old().await.unwrap(), Some(order(1, 2)));
    let part: Total = update().project().await.unwrap();
    assert_eq!(part, Total { total: 4 });
    let old_part = update().project::<Total>().return_old().await.unwrap();
    assert_eq!(old_part, Some(Total { total: 4 }));
    update().return_nothing().await.unwrap();
    assert_eq!(Order::get(("ada", 1)).await.unwrap(), order(1, 6));
}

#[tokio::test]
async fn an_update_that_returns_nothing_decodes_nothing() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    put_misfit(1).await;
    let update = || {
        let seen = bsm_dynamodb::Path::<Order>::new("seen");
        Order::update(("ada", 1)).set(seen, true)
    };
    update().return_nothing().await.unwrap();
    let error = update().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem);
    assert!(error.may_have_been_applied(), "it was");
}

#[tokio::test]
async fn an_item_that_does_not_fit_is_named_by_its_key_and_by_no_value_in_the_message() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    put_misfit(7).await;
    order(8, 1).save().await.unwrap();
    let mut errors = vec![
        Order::get(("ada", 7)).await.unwrap_err(),
        Order::get_many([("ada", 7)]).await.unwrap_err(),
        Order::query("ada").collect().await.unwrap_err(),
        Order::scan()
            .project::<Total>()
            .collect()
            .await
            .unwrap_err(),
        Order::update(("ada", 7)).await.unwrap_err(),
        order(7, 1).save().return_old().await.unwrap_err(),
    ];
    put_misfit(7).await;
    let deleted = order(7, 1).delete().return_old().await;
    errors.push(deleted.unwrap_err());
    for error in errors {
        let key = error.item_key().unwrap();
        assert_eq!(key.len(), 2, "{}", error.operation());
        assert_eq!(key["number"], AttributeValue::N("7".into()));
        assert_eq!(key["customer"], AttributeValue::S("ada".into()));
        let text = format!("{error} {error:?}");
        assert!(!text.contains("ada") && !text.contains("4711"), "{text}");
    }
    let missing = Order::get(("ada", 1)).await.unwrap_err();
    assert_eq!(missing.item_key(), None);
}

#[tokio::test]
async fn a_stream_can_skip_items_that_do_not_fit_and_keep_their_keys() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    for number in [1, 3] {
        order(number, 5).save().await.unwrap();
        put_misfit(number + 1).await;
    }
    let (mut read, mut skipped) = (Vec::new(), Vec::new());
    let mut orders = Order::query("ada").stream();
    while let Some(next) = orders.next().await {
        match next {
            Ok(order) => read.push(order.number),
            Err(error) if error.is_invalid_item() => {
                let key = error.item_key().unwrap();
                skipped.push(key["number"].as_n().unwrap().clone());
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((read, skipped), (vec![1, 3], vec!["2".into(), "4".into()]));
}
