//! Single items, and scans.

use bsm_dynamodb::{Codec, CodecError, Item, KeyAttribute, KeySchema, Model, Serde};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use crate::support::{Playground, user_model};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyAttribute)]
struct CustomerId(String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = format!("orders-{}", 2))]
#[serde(rename_all = "camelCase")]
struct Order {
    #[model(hash_key)]
    customer_id: CustomerId,
    #[model(range_key)]
    number: u64,
    #[serde(default)]
    notes: Vec<String>,
    paid: Option<bool>,
}

impl Order {
    fn new(customer: &str, number: u64) -> Self {
        Self {
            customer_id: CustomerId(customer.to_owned()),
            number,
            notes: vec!["fragile".to_owned()],
            paid: Some(true),
        }
    }
}

#[tokio::test]
async fn an_item_is_read_as_it_was_written_replaced_and_deleted() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Order::create_table().wait().await.unwrap();
    let mut order = Order::new("c", 7);
    order.save().await.unwrap();
    let key = || (CustomerId("c".into()), 7);
    assert_eq!(Order::get(key()).await.unwrap(), order);

    order.paid = None;
    order.save().await.unwrap();
    let read = Order::get((&order.customer_id, order.number)).consistent_read(true);
    assert_eq!(read.await.unwrap(), order);

    order.delete().await.unwrap();
    assert!(Order::get(key()).await.unwrap_err().is_item_not_found());
    order.delete().await.unwrap();
    Order::delete_key(key()).await.unwrap();
    assert_eq!(local.aws.tables("111111111111", "us-east-1"), ["orders-2"]);
}

#[tokio::test]
async fn a_saved_value_is_the_one_at_the_time_of_the_call() {
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    let mut user = User::new("1");
    let save = user.save();
    user.id = "2".to_owned();
    save.await.unwrap();
    assert!(User::get("1").await.is_ok());
    assert!(User::get("2").await.unwrap_err().is_item_not_found());
}

#[tokio::test]
async fn a_scan_reads_every_page() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Order::create_table().wait().await.unwrap();
    let orders: Vec<_> = (0..30).map(|number| Order::new("c", number)).collect();
    Order::batch_write().save_all(&orders).await.unwrap();

    let scan = || Order::scan().page_size(7).consistent_read(true);
    let mut all = scan().collect().await.unwrap();
    all.sort_by_key(|order| order.number);
    assert_eq!(all, orders);

    let pages: Vec<_> = scan().pages().try_collect().await.unwrap();
    let sizes: Vec<_> = pages.iter().map(|page| page.items().len()).collect();
    assert_eq!(sizes, [7, 7, 7, 7, 2]);
    assert_eq!(pages[0].scanned_count(), 7);
}

#[tokio::test]
async fn a_limited_scan_reads_no_page_that_it_does_not_need() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Order::create_table().wait().await.unwrap();
    let orders = (0..30).map(|number| Order::new("c", number));
    Order::batch_write().save_all(orders).await.unwrap();

    local.aws.clear_calls();
    let some = Order::scan()
        .page_size(5)
        .limit(10)
        .collect()
        .await
        .unwrap();
    assert_eq!(some.len(), 10);
    assert_eq!(local.aws.call_count("dynamodb", "Scan"), 2);
    assert!(Order::scan().limit(0).collect().await.unwrap().is_empty());
    assert_eq!(local.aws.call_count("dynamodb", "Scan"), 2);
}

#[tokio::test]
async fn a_stream_continues_after_an_item_that_does_not_fit() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "users")]
    struct Strict {
        #[model(hash_key)]
        id: String,
        age: u8,
    }
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    User::new("no age").save().await.unwrap();
    for id in ["a", "b"] {
        let strict = Strict {
            id: id.into(),
            age: 7,
        };
        strict.save().await.unwrap();
    }
    let (mut good, mut bad) = (0, 0);
    let mut items = Strict::scan().stream();
    loop {
        match items.try_next().await {
            Ok(Some(_)) => good += 1,
            Ok(None) => break,
            Err(error) => {
                assert_eq!(error.kind(), bsm_dynamodb::ErrorKind::InvalidItem);
                bad += 1;
            }
        }
    }
    assert_eq!((good, bad), (2, 1));
}

#[tokio::test]
async fn a_model_can_have_its_own_codec() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Stamped {
        id: String,
    }

    impl Codec<Stamped> for Stamped {
        fn to_item(model: &Stamped) -> Result<Item, CodecError> {
            let mut item = Serde::to_item(model)?;
            let stamp = aws_sdk_dynamodb::types::AttributeValue::S("v1".into());
            item.insert("format".into(), stamp);
            Ok(item)
        }

        fn from_item(item: Item) -> Result<Stamped, CodecError> {
            match item.get("format").and_then(|format| format.as_s().ok()) {
                Some(format) if format == "v1" => Serde::from_item(item),
                _ => Err("an item of another format".into()),
            }
        }
    }

    impl Model for Stamped {
        type Key = String;
        type Codec = Self;
        const KEY: KeySchema<String> = KeySchema::hash("id");

        fn table_name() -> std::borrow::Cow<'static, str> {
            "users".into()
        }
    }

    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Stamped::create_table().wait().await.unwrap();
    let stamped = Stamped { id: "1".into() };
    stamped.save().await.unwrap();
    assert_eq!(Stamped::get("1").await.unwrap(), stamped);
    User::new("2").save().await.unwrap();
    let error = Stamped::get("2").await.unwrap_err();
    assert_eq!(error.kind(), bsm_dynamodb::ErrorKind::InvalidItem);
}

#[tokio::test]
async fn a_uuid_is_a_key_of_tables_and_indexes() {
    use bsm_dynamodb::Index as _;
    use uuid::Uuid;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "devices")]
    struct Device {
        #[model(hash_key)]
        id: Uuid,
        #[model(index(ByOwner))]
        owner: Uuid,
        name: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Device::create_table().wait().await.unwrap();
    let device = |number: u128| Device {
        id: Uuid::from_u128(number << 64 | 7),
        owner: Uuid::from_u128(u128::MAX - number / 2),
        name: number.to_string(),
    };
    let devices: Vec<_> = (0..4).map(device).collect();
    Device::batch_write().save_all(&devices).await.unwrap();
    assert_eq!(Device::get(devices[1].id).await.unwrap(), devices[1]);
    let found = Device::get_many(devices.iter().map(|device| device.id))
        .await
        .unwrap();
    assert_eq!(found, devices);
    let mut owned = ByOwner::query(devices[2].owner).collect().await.unwrap();
    owned.sort_by_key(|device| device.id);
    assert_eq!(owned, devices[2..]);
    let update = Device::update(devices[0].id).set(Device::name(), "new");
    let update = update.condition(Device::owner().eq(devices[0].owner));
    assert_eq!(update.await.unwrap().id, devices[0].id);
    Device::delete_key(devices[0].id).await.unwrap();
    assert_eq!(Device::scan().count().await.unwrap(), 3);
}
