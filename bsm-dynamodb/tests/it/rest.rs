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

/// Attributes of every type, including those that serde cannot carry.
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

/// Puts an item with these attributes into a table.
async fn put_text(table: &str, attributes: &[(&str, &str)]) {
    let client = slot::<User>().client().await.unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let item = attributes.iter();
    let item = item.map(|(name, value)| ((*name).to_owned(), text(value)));
    let put = client.put_item().table_name(table);
    put.set_item(Some(item.collect())).send().await.unwrap();
}

#[tokio::test]
async fn the_rest_takes_nothing_that_a_field_reads() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "members")]
    struct Member {
        #[model(hash_key)]
        id: String,
        #[serde(default, alias = "fullname", alias = "called")]
        name: String,
        #[serde(default, skip_serializing)]
        legacy: Option<String>,
        #[serde(default, skip_deserializing)]
        written: u8,
        #[model(rest)]
        #[serde(skip)]
        rest: Rest,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Member::create_table().wait().await.unwrap();
    for alias in ["name", "fullname", "called"] {
        let attributes = [("id", "1"), (alias, "Ada"), ("legacy", "old"), ("x", "y")];
        put_text("members", &attributes).await;
        let member = Member::get("1").await.unwrap();
        assert_eq!(
            (member.name.as_str(), member.written),
            ("Ada", 0),
            "{alias}"
        );
        assert_eq!(member.legacy.as_deref(), Some("old"));
        let rest: Vec<_> = member.rest.attributes().keys().collect();
        assert_eq!(rest, ["x"]);
        member.save().await.unwrap();
        let item = Member::get("1").raw().await.unwrap().send().await.unwrap();
        let mut names: Vec<_> = item.item.unwrap().into_keys().collect();
        names.sort_unstable();
        assert_eq!(names, ["id", "name", "written", "x"]);
    }
}

#[tokio::test]
async fn a_model_without_fields_keeps_every_attribute() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "settings", hash_key = "CONFIG")]
    struct Config {
        #[model(rest)]
        #[serde(skip)]
        rest: Rest,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Config::create_table().wait().await.unwrap();
    put_text("settings", &[("pk", "CONFIG"), ("theirs", "47")]).await;
    let config = Config::get(()).await.unwrap();
    let theirs = AttributeValue::S("47".into());
    assert_eq!(config.rest.attributes().get("theirs"), Some(&theirs));
    config.save().await.unwrap();
    let config = Config::get(()).await.unwrap();
    assert_eq!(config.rest.attributes().get("theirs"), Some(&theirs));
}

#[tokio::test]
async fn the_rest_does_not_stand_in_for_a_field_that_is_left_out() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "users", codec = Sparse, hash_key = "USER#{id}", range_key = "PROFILE")]
    #[model(index(ByNick, hash_key = "NICK#{nick}"))]
    struct Nicknamed {
        id: String,
        nick: Option<String>,
        #[serde(default, skip_serializing, alias = "older")]
        old: Option<String>,
        #[model(rest)]
        #[serde(skip)]
        rest: Rest,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Nicknamed::create_table().wait().await.unwrap();
    let mut rest = Rest::default();
    for name in ["nick", "old", "older", "ByNickpk", "kept"] {
        let value = AttributeValue::S("x".into());
        rest.attributes_mut().insert(name.into(), value);
    }
    let user = Nicknamed {
        id: "1".into(),
        nick: None,
        old: None,
        rest,
    };
    user.save().await.unwrap();
    let mut names: Vec<_> = stored().await.into_keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["id", "kept", "pk", "sk"]);
    let read = Nicknamed::get("1").await.unwrap();
    assert_eq!((read.nick, read.old), (None, None));
}
