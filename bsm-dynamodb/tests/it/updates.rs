//! Updates of single attributes.

use std::collections::BTreeSet;

use bsm_dynamodb::{ErrorKind, Model};
use serde::{Deserialize, Serialize};

use crate::support::Playground;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    visits: i64,
    #[serde(default)]
    log: Vec<String>,
    #[serde(default, with = "tags", skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
    #[serde(default)]
    address: Option<Address>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Address {
    city: String,
    floor: u8,
}

mod tags {
    use std::collections::BTreeSet;

    use serde::Deserializer;
    pub(super) use serde_dynamo::string_set::serialize;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeSet<String>, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

fn tags<const N: usize>(tags: [&str; N]) -> BTreeSet<String> {
    tags.map(str::to_owned).into()
}

async fn with_table() -> Playground {
    let local = Playground::start().await;
    let create = User::create_table().wait();
    local.profile("default").scope(create).await.unwrap();
    local
}

#[tokio::test]
async fn an_update_creates_a_missing_item_and_returns_it() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let user = User::update("1").set(User::name(), "Zoë").await.unwrap();
    let wanted = User {
        id: "1".into(),
        name: Some("Zoë".into()),
        ..User::default()
    };
    assert_eq!(user, wanted);
    assert_eq!(User::get("1").await.unwrap(), wanted);

    let only_a_key = User::update("2").await.unwrap();
    assert_eq!(only_a_key.id, "2");
}

#[tokio::test]
async fn missing_numbers_lists_and_sets_count_as_empty() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let change = || {
        User::update("1")
            .increment(User::visits(), 5)
            .list_append(User::log(), vec!["last".to_owned()])
            .add(User::tags(), tags(["a", "b"]))
            .set_if_not_exists(User::name(), "first")
    };
    let user = change().await.unwrap();
    assert_eq!((user.visits, user.log.len()), (5, 1));
    assert_eq!(user.tags, tags(["a", "b"]));

    let user = User::update("1")
        .decrement(User::visits(), 2)
        .list_prepend(User::log(), ["first".to_owned()].to_vec())
        .delete(User::tags(), tags(["a"]))
        .set_if_not_exists(User::name(), "second")
        .await
        .unwrap();
    assert_eq!((user.visits, user.tags), (3, tags(["b"])));
    assert_eq!(user.log, ["first", "last"]);
    assert_eq!(user.name.as_deref(), Some("first"));

    let user = User::update("1")
        .add(User::visits(), -10)
        .delete(User::tags(), tags(["b"]))
        .remove(User::name())
        .remove(User::log().index(0))
        .await
        .unwrap();
    assert_eq!((user.visits, user.tags, user.name), (-7, tags([]), None));
    assert_eq!(user.log, ["last"]);
}

#[tokio::test]
async fn nested_values_are_changed_in_place() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let address = Address {
        city: "Bonn".into(),
        floor: 1,
    };
    User::update("1")
        .set(User::address(), address)
        .await
        .unwrap();
    let user = User::update("1")
        .set(User::address().field("city"), "Köln")
        .increment(User::address().field("floor"), 2)
        .condition(User::address().field("city").eq("Bonn"))
        .await
        .unwrap();
    let wanted = Address {
        city: "Köln".into(),
        floor: 3,
    };
    assert_eq!(user.address, Some(wanted));
}

#[tokio::test]
async fn an_attribute_is_set_to_the_value_of_another_one() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let old_name = || bsm_dynamodb::Path::<User, Option<String>>::new("old name");
    User::update("1").set(User::name(), "a").await.unwrap();
    let update = User::update("1").set(old_name(), User::name());
    update.set(User::name(), "b").await.unwrap();
    let condition = old_name().eq("a") & User::name().eq("b");
    User::delete_key("1").condition(condition).await.unwrap();
}

#[tokio::test]
async fn a_change_that_dynamodb_cannot_make_is_rejected() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let error = User::update("1").set(User::id(), "2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
    let twice = User::update("1").set(User::name(), "a");
    let error = twice.set(User::name(), "b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
    let nowhere = User::update("1").set(User::address().field("city"), "x");
    let error = nowhere.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
}

#[tokio::test]
async fn setting_an_element_of_a_list_to_none_moves_no_other_element() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "users", codec = bsm_dynamodb::Sparse)]
    struct Logged {
        #[model(hash_key)]
        id: String,
        log: Vec<Option<String>>,
        sets: Vec<bsm_dynamodb::Set<String>>,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Logged::create_table().wait().await.unwrap();
    let set = || bsm_dynamodb::Set::from(["a".to_owned()]);
    let logged = |log: [Option<&str>; 2]| Logged {
        id: "1".into(),
        log: log.map(|text| text.map(str::to_owned)).into(),
        sets: vec![set()],
    };
    logged([Some("a"), Some("b")]).save().await.unwrap();
    let update = Logged::update("1").set(Logged::log().index(0), None);
    assert_eq!(update.await.unwrap(), logged([None, Some("b")]));
    let saved = logged([None, Some("b")]);
    let same = Logged::log().eq(&saved.log);
    saved.save().condition(same).await.unwrap();

    let empty = bsm_dynamodb::Set::default();
    let update = Logged::update("1").set(Logged::sets().index(0), empty);
    let error = update.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("`sets[0]` is an element of a list"),
        "{cause}"
    );
}
