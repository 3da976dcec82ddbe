//! Paths into nested structs and lists, and what they are compared with.

use aws_sdk_dynamodb::types::AttributeValue;
use bsm_dynamodb::{Document, Model, Serde, Sparse, slot};
use serde::{Deserialize, Serialize};

use crate::support::Playground;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[serde(rename_all = "camelCase")]
struct Address {
    zip_code: String,
    #[serde(rename = "c", default)]
    city: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
    size: u8,
    #[serde(with = "bsm_dynamodb::epoch_seconds")]
    since: std::time::SystemTime,
    geo: Geo,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
struct Geo {
    latitude: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    address: Option<Address>,
    former: Vec<Address>,
    tags: Vec<String>,
    #[serde(default)]
    nick: Option<String>,
}

fn address(zip_code: &str) -> Address {
    Address {
        zip_code: zip_code.into(),
        city: None,
        lines: vec!["1st floor".into()],
        size: 3,
        since: std::time::SystemTime::UNIX_EPOCH,
        geo: Geo { latitude: 52 },
    }
}

fn user(id: &str) -> User {
    User {
        id: id.into(),
        address: Some(address("10115")),
        former: vec![address("20095"), address("80331")],
        tags: Vec::new(),
        nick: None,
    }
}

async fn start() -> Playground {
    let local = Playground::start().await;
    let create = User::create_table().wait();
    local.profile("default").scope(create).await.unwrap();
    local
}

#[tokio::test]
async fn paths_into_structs_and_lists_have_names_and_types_of_the_fields() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    user("1").save().await.unwrap();
    let matches = User::address().zip_code().eq("10115")
        & User::address().geo().latitude().ge(50)
        & User::address().size_().lt(4)
        & User::address()
            .since()
            .eq(std::time::SystemTime::UNIX_EPOCH)
        & User::address().city().eq(None)
        & User::former().index(1).zip_code().eq("80331".to_owned())
        & User::former().index(0).lines().index(0).eq("1st floor");
    let found = User::scan().filter(matches).collect().await.unwrap();
    assert_eq!(found, [user("1")]);

    let changed = User::update("1")
        .set(User::address().city(), "Berlin")
        .set(User::former().index(1).size_(), 7)
        .list_append(User::address().lines(), ["2nd floor"])
        .list_append(User::tags(), ["new", "old"])
        .await
        .unwrap();
    let mut expected = user("1");
    let address = expected.address.as_mut().unwrap();
    address.city = Some("Berlin".into());
    address.lines.push("2nd floor".into());
    expected.former[1].size = 7;
    expected.tags = vec!["new".into(), "old".into()];
    assert_eq!(changed, expected);
}

/// `None` is what is read as `None`: SQL's `= NULL`, which is never true, surprises.
#[tokio::test]
async fn eq_none_is_true_for_every_item_that_is_read_as_none() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "users", codec = Sparse)]
    struct SparseUser {
        #[model(hash_key)]
        id: String,
        #[serde(default)]
        nick: Option<String>,
    }
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let client = slot::<User>().client().await.unwrap();
    let text = |text: &str| AttributeValue::S(text.into());
    for (id, nick) in [
        ("missing", None),
        ("null", Some(AttributeValue::Null(true))),
        ("some", Some(text("x"))),
    ] {
        let put = client.put_item().table_name("users").item("id", text(id));
        let put = match nick {
            Some(nick) => put.item("nick", nick),
            None => put,
        };
        put.send().await.unwrap();
    }
    let ids = |found: Vec<SparseUser>| {
        let mut ids: Vec<_> = found.into_iter().map(|user| user.id).collect();
        ids.sort();
        ids
    };
    let none = ids(SparseUser::scan()
        .filter(SparseUser::nick().eq(None))
        .collect()
        .await
        .unwrap());
    assert_eq!(none, ["missing", "null"]);
    let some = ids(SparseUser::scan()
        .filter(SparseUser::nick().ne(None))
        .collect()
        .await
        .unwrap());
    assert_eq!(some, ["some"]);
    // The same with a codec that writes NULL, and inside other conditions.
    let none = User::nick().eq(None) & User::id().ne("null");
    assert_eq!(User::scan().filter(none.clone()).count().await.unwrap(), 1);
    assert_eq!(User::scan().filter(!none).count().await.unwrap(), 2);
    assert_eq!(
        User::scan()
            .filter(User::nick().ne(None))
            .count()
            .await
            .unwrap(),
        1
    );
    let encoded = <Serde as bsm_dynamodb::Codec<User>>::to_item(&user("1")).unwrap();
    assert_eq!(encoded["nick"], AttributeValue::Null(true));
}

#[tokio::test]
async fn a_nested_field_that_serde_leaves_out_is_left_out_by_updates_and_found_by_conditions() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    user("1").save().await.unwrap();
    let lines = || User::address().lines();
    let updated = User::update("1").set(lines(), Vec::new()).await.unwrap();
    assert_eq!(updated.address.unwrap().lines, Vec::<String>::new());
    let count = async |filter| User::scan().filter(filter).count().await.unwrap();
    assert_eq!(count(lines().not_exists()).await, 1);
    assert_eq!(count(lines().eq(Vec::new())).await, 1);
    assert_eq!(count(lines().ne(Vec::new())).await, 0);
    // Comparisons and changes take the value as it is.
    let appended = User::update("1").list_append(lines(), Vec::new());
    let appended = appended.list_prepend(User::tags(), ["a"]).await.unwrap();
    assert_eq!(appended.tags, ["a"]);
    assert_eq!(count(lines().eq(Vec::new())).await, 1);
}
