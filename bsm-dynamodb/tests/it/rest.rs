//! Attributes that a model does not declare, and keeps.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bsm_dynamodb::{Codec, Item, Model, Rest, Serde, Sparse, Version, slot, transact_write};
use serde::{Deserialize, Serialize};

use crate::support::Playground;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "users", entity = "user", codec = Sparse)]
#[model(hash_key = "USER#{id}", range_key = "PROFILE")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct User {
    id: String,
    full_name: Option<String>,
    #[model(version)]
    #[serde(default)]
    version: Version,
    #[model(rest)]
    #[serde(skip)]
    rest: Rest,
}

/// Attributes of every type, some of which serde cannot carry.
fn unknown() -> Item {
    let digits = "0.12345678901234567890123456789012345678";
    let number = || AttributeValue::N(digits.into());
    Item::from([
        ("exact".into(), number()),
        ("bytes".into(), AttributeValue::B(Blob::new([0xff]))),
        ("set".into(), AttributeValue::Ns(vec![digits.into()])),
        ("null".into(), AttributeValue::Null(true)),
        (
            "nested".into(),
            AttributeValue::M([("list".into(), AttributeValue::L(vec![number()]))].into()),
        ),
    ])
}

async fn put(attributes: Item) {
    let client = slot::<User>().client().await.unwrap();
    let put = client.put_item().table_name("users");
    let put = put.set_item(Some(attributes));
    put.item("pk", AttributeValue::S("USER#1".into()))
        .item("sk", AttributeValue::S("PROFILE".into()))
        .item("id", AttributeValue::S("1".into()))
        .item("entity", AttributeValue::S("user".into()))
        .send()
        .await
        .unwrap();
}

async fn stored() -> Item {
    let client = slot::<User>().client().await.unwrap();
    let get = client.get_item().table_name("users");
    let get = get.key("pk", AttributeValue::S("USER#1".into()));
    let get = get.key("sk", AttributeValue::S("PROFILE".into()));
    get.send().await.unwrap().item.unwrap()
}

#[tokio::test]
async fn reading_changing_and_saving_an_item_removes_no_attribute() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    put(unknown()).await;
    let before = stored().await;

    let mut user = User::get("1").await.unwrap();
    assert_eq!(user.rest.attributes(), &unknown());
    user.full_name = Some("Ada".into());
    user.save().await.unwrap();
    transact_write().write(user.save()).await.unwrap();
    User::batch_write().save_all([&user]).await.unwrap();
    let mut after = stored().await;
    assert_eq!(
        after.remove("fullName"),
        Some(AttributeValue::S("Ada".into()))
    );
    assert_eq!(after.remove("version"), Some(AttributeValue::N("2".into())));
    assert_eq!(after, before);

    let text = format!("{user:?}");
    assert!(text.contains("exact") && !text.contains("0.123"), "{text}");
}

#[tokio::test]
async fn the_rest_never_replaces_what_the_model_declares() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    let mut user = User {
        id: "1".into(),
        full_name: Some("Ada".into()),
        version: Version::new(),
        rest: Rest::default(),
    };
    let wrong = AttributeValue::S("wrong".into());
    for name in ["id", "pk", "sk", "entity", "fullName", "version"] {
        user.rest
            .attributes_mut()
            .insert(name.into(), wrong.clone());
    }
    user.save().await.unwrap();
    let item = stored().await;
    assert!(
        item.values().all(|value| *value != wrong),
        "{:?}",
        item.keys()
    );
    let read = User::get("1").await.unwrap();
    assert_eq!(read.full_name.as_deref(), Some("Ada"));
    assert!(read.rest.attributes().is_empty());
    // The codec alone knows nothing of it.
    assert!(
        !<Serde as Codec<User>>::to_item(&user)
            .unwrap()
            .contains_key("rest")
    );
}
