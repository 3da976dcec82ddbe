//! One attribute has one encoding: what one operation writes, every other one finds.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use bsm_dynamodb::{
    Binary, Codec, CodecError, ErrorKind, Index as _, Item, KeyAttribute, Model, Number, Serde,
    Set, Sparse, slot, transact_get, transact_write,
};
use futures_util::TryStreamExt as _;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::support::{DEFAULT, Playground};

mod declarations;

/// Stores text in upper case.
mod upper {
    use super::*;

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text.to_uppercase())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<String, D::Error> {
        Ok(String::deserialize(reader)?.to_lowercase())
    }
}

/// Stores a number as text that sorts as the number does.
mod padded {
    use super::*;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{number:020}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<u64, D::Error> {
        let text = String::deserialize(reader)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyAttribute)]
struct Id(String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyAttribute)]
struct Nested(Id);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyAttribute)]
#[serde(transparent)]
struct Transparent(i64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyAttribute)]
struct Email(#[serde(with = "upper")] String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyAttribute)]
#[model(key_type = String)]
struct Padded(#[serde(with = "padded")] u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyAttribute)]
#[serde(into = "String", try_from = "String")]
struct Code(u64);

impl From<Code> for String {
    fn from(code: Code) -> Self {
        format!("C-{}", code.0)
    }
}

impl TryFrom<String> for Code {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let number = text.strip_prefix("C-").and_then(|text| text.parse().ok());
        number.map(Self).ok_or("not a code")
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyAttribute)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    FirstOrder,
    #[serde(rename = "R")]
    Return,
    Complaint,
}

/// A type of another crate: it has no `KeyAttribute`, and serde writes it as text.
#[derive(Clone, Debug, PartialEq)]
struct Foreign(u32);

impl Serialize for Foreign {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:08x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Foreign {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        u32::from_str_radix(&text, 16)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// Serializes as the crate `uuid` does with a format for people.
#[derive(Clone, Debug, PartialEq)]
struct Uuid(u128);

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        u128::from_str_radix(&text, 16)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// A codec of the user's own, which stores the key attributes with a prefix.
#[derive(Clone, Copy, Debug)]
enum Prefixed {}

const PREFIX: &str = "SUBJECT#";

impl<M: Model<Codec = Prefixed> + Serialize + serde::de::DeserializeOwned> Codec<M> for Prefixed {
    fn to_item(model: &M) -> Result<Item, CodecError> {
        let mut stored = Item::new();
        for (name, value) in Serde::to_item(model)? {
            if let Some(value) = <Self as Codec<M>>::stored(&name, value)? {
                stored.insert(name, value);
            }
        }
        Ok(stored)
    }

    fn from_item(mut item: Item) -> Result<M, CodecError> {
        for value in item.values_mut() {
            if let AttributeValue::S(text) = value
                && let Some(rest) = text.strip_prefix(PREFIX)
            {
                *text = rest.to_owned();
            }
        }
        Serde::from_item(item)
    }

    fn stored(path: &str, value: AttributeValue) -> Result<Option<AttributeValue>, CodecError> {
        Ok(Some(match value {
            AttributeValue::S(text) if path != "note" => {
                AttributeValue::S(format!("{PREFIX}{text}"))
            }
            value => value,
        }))
    }
}

fn words() -> impl Strategy<Value = String> {
    "[a-z]{1,8}"
}

/// Three values that differ.
fn three<T: fmt::Debug + PartialEq>(values: impl Strategy<Value = T>) -> [T; 3] {
    let mut runner = TestRunner::deterministic();
    let mut found: Vec<T> = Vec::new();
    while found.len() < 3 {
        let value = values.new_tree(&mut runner).unwrap().current();
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found.try_into().unwrap()
}

/// Checks all paths of a model whose keys, of the table and of an index, are declared like this.
macro_rules! every_path_finds {
    ($test:ident: [$(#[$container:meta])*] [$(#[$field:meta])*] $key:ty, $values:expr) => {
        #[tokio::test]
        async fn $test() {
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
            #[model(table = "subjects")]
            $(#[$container])*
            struct Subject {
                #[model(hash_key)]
                $(#[$field])*
                hash: $key,
                #[model(range_key)]
                $(#[$field])*
                range: $key,
                #[model(index(ByOther))]
                $(#[$field])*
                other: $key,
                #[serde(default)]
                visits: u64,
                #[serde(flatten)]
                rest: HashMap<String, String>,
            }

            let local = Playground::start().await;
            let _default = local.profile("default").awsenv();
            Subject::create_table().wait().await.unwrap();
            let count = || {
                let items = local.aws.table_items(DEFAULT, "us-east-1", "subjects");
                items.unwrap().len()
            };
            let [hash, range, other] = three($values);
            let mut subject = Subject {
                hash: hash.clone(),
                range: range.clone(),
                other: other.clone(),
                visits: 1,
                rest: HashMap::new(),
            };
            let key = || (&hash, &range);

            // Saved: read by its key, as it was.
            subject.save().await.unwrap();
            assert_eq!(Subject::get(key()).await.unwrap(), subject);
            assert_eq!(subject.refresh().await.unwrap(), subject);
            let many = Subject::get_many([key(), (&other, &other)]).await.unwrap();
            assert_eq!(many, [subject.clone()]);
            let (read, none) = transact_get((
                Subject::get(key()),
                Subject::get((&range, &hash)),
            ))
            .await
            .unwrap();
            assert_eq!((read.as_ref(), none), (Some(&subject), None));

            // Found by queries and filters.
            let found = |found: Result<Vec<Subject>, bsm_dynamodb::Error>| {
                assert_eq!(found.unwrap(), [subject.clone()]);
            };
            found(Subject::query(&hash).collect().await);
            found(Subject::query(&hash).range_eq(&range).collect().await);
            found(Subject::query(&hash).range_le(&range).collect().await);
            found(Subject::query(&hash).range_between(&range, &range).collect().await);
            found(ByOther::query(&other).collect().await);
            let same = Subject::other().eq(&other) & Subject::hash().eq(&hash);
            found(Subject::scan().filter(same.clone()).collect().await);
            let one_of = Subject::range().in_([&hash, &range]);
            found(Subject::scan().filter(one_of).collect().await);
            let not = Subject::range().ne(&range);
            assert!(Subject::scan().filter(not).collect().await.unwrap().is_empty());

            // Changed in its place.
            let updated = Subject::update(key())
                .increment(Subject::visits(), 1)
                .condition(same.clone())
                .await
                .unwrap();
            subject.visits = 2;
            assert_eq!((updated, count()), (subject.clone(), 1));
            let updated = Subject::update(key()).set(Subject::other(), &range).await.unwrap();
            assert_eq!(updated.other, range);
            let moved = ByOther::query(&range).collect().await.unwrap();
            assert_eq!(moved, [updated]);
            subject.save().condition(Subject::other().eq(&range)).await.unwrap();
            let exists = subject.save().condition(Subject::hash().not_exists()).await;
            let error = exists.unwrap_err();
            assert_eq!(error.existing_model::<Subject>().unwrap(), Some(subject.clone()));
            transact_write()
                .write(Subject::update(key()).set(Subject::visits(), 3))
                .await
                .unwrap();
            transact_write().check(key(), Subject::visits().eq(3)).await.unwrap();
            subject.visits = 3;

            // What an update creates is what a save would.
            let created = Subject::update((&range, &range))
                .set(Subject::other(), &other)
                .set(Subject::visits(), 3)
                .await
                .unwrap();
            let equal = Subject { hash: range.clone(), ..subject.clone() };
            assert_eq!((&created, count()), (&equal, 2));
            equal.save().await.unwrap();
            Subject::batch_write().save_all([&equal]).await.unwrap();
            assert_eq!(count(), 2);

            // A cursor resumes after the item at which it was taken.
            let mut stream = Subject::scan().page_size(1).stream();
            let first = stream.try_next().await.unwrap().unwrap();
            let cursor = serde_json::to_string(&stream.cursor().await.unwrap()).unwrap();
            let scan = Subject::scan().resume(serde_json::from_str(&cursor).unwrap());
            let second = scan.collect().await.unwrap();
            assert_eq!(second.len(), 1);
            assert_ne!(first, second[0]);

            // What was read deletes itself, whatever way it was read.
            first.delete().await.unwrap();
            second[0].delete().condition(same | Subject::hash().eq(&range)).await.unwrap();
            assert_eq!(count(), 0);
            subject.save().await.unwrap();
            Subject::delete_key(key()).await.unwrap();
            assert_eq!(count(), 0);
            Subject::batch_write().save_all([&subject]).await.unwrap();
            Subject::batch_write().delete_all([key()]).await.unwrap();
            assert_eq!(count(), 0);
            transact_write().write(subject.save()).await.unwrap();
            transact_write().write(Subject::delete_key(key())).await.unwrap();
            assert_eq!(count(), 0);
        }
    };
}

every_path_finds!(text: [] [] String, words());
every_path_finds!(an_integer: [] [] i64, any::<i64>());
every_path_finds!(a_wide_integer: [] [] u128, 0..10u128.pow(38));
every_path_finds!(a_number: [] [] Number, any::<i32>().prop_map(Number::from));
every_path_finds!(binary: [] [] Binary, any::<[u8; 4]>().prop_map(Binary::from));
every_path_finds!(a_newtype: [#[serde(rename_all = "camelCase")]] [] Id, words().prop_map(Id));
every_path_finds!(a_newtype_of_a_newtype: [#[model(codec = Sparse)]] [] Nested,
    words().prop_map(|text| Nested(Id(text))));
every_path_finds!(a_transparent_newtype: [#[serde(rename_all = "SCREAMING-KEBAB-CASE")]] []
    Transparent, any::<i64>().prop_map(Transparent));
every_path_finds!(a_field_with: [] [#[serde(with = "upper")]] String, words());
every_path_finds!(a_field_with_an_own_type: [#[model(codec = Sparse)]]
    [#[serde(with = "padded")] #[model(key_type = String)]] u64, any::<u64>());
every_path_finds!(a_field_with_two_functions: []
    [#[serde(serialize_with = "upper::serialize", deserialize_with = "upper::deserialize")]]
    String, words());
every_path_finds!(a_newtype_with: [] [] Email, words().prop_map(Email));
every_path_finds!(a_newtype_with_an_own_type: [] [] Padded, any::<u64>().prop_map(Padded));
every_path_finds!(a_newtype_into_another_type: [] [] Code, any::<u64>().prop_map(Code));
every_path_finds!(an_enum: [#[serde(rename_all = "PascalCase")]] [] Kind,
    prop_oneof![Just(Kind::FirstOrder), Just(Kind::Return), Just(Kind::Complaint)]);
every_path_finds!(a_foreign_type: [] [#[model(key_type = String)]] Foreign,
    any::<u32>().prop_map(Foreign));
every_path_finds!(a_time: []
    [#[serde(with = "bsm_dynamodb::epoch_seconds")] #[model(key_type = Number)]] SystemTime,
    any::<u32>().prop_map(|s| SystemTime::UNIX_EPOCH + Duration::from_secs(s.into())));
every_path_finds!(a_time_as_seconds: [] [#[serde(with = "bsm_dynamodb::epoch_seconds")]] SystemTime,
    any::<u32>().prop_map(|s| SystemTime::UNIX_EPOCH + Duration::from_secs(s.into())));
every_path_finds!(a_time_as_text: [] [#[serde(with = "bsm_dynamodb::rfc3339")]] SystemTime,
    any::<u64>().prop_map(|n| SystemTime::UNIX_EPOCH + Duration::from_nanos(n)));
every_path_finds!(a_date_as_text: [] [#[serde(with = "bsm_dynamodb::rfc3339")]]
    chrono::DateTime<chrono::Utc>, any::<i64>().prop_map(chrono::DateTime::from_timestamp_nanos));
every_path_finds!(a_uuid: [] [] Uuid, any::<u128>().prop_map(Uuid));
every_path_finds!(an_own_codec: [#[model(codec = Prefixed)]] [] String, words());
every_path_finds!(an_own_codec_and_a_field_with: [#[model(codec = Prefixed)]]
    [#[serde(with = "upper")]] String, words());

#[tokio::test]
async fn an_entry_of_a_flattened_field_that_has_the_name_of_another_attribute_is_refused() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "subjects", entity = "subject", hash_key = "S#{id}")]
    #[serde(rename_all = "camelCase")]
    struct Subject {
        id: String,
        #[serde(alias = "remark", skip_serializing_if = "Option::is_none")]
        last_note: Option<String>,
        inner: Inner,
        #[serde(flatten)]
        more: HashMap<String, String>,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        name: String,
        #[serde(flatten)]
        more: HashMap<String, String>,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Subject::create_table().wait().await.unwrap();
    let subject = |entry: &str, inner: &str| {
        let more = |name: &str| HashMap::from([(name.to_owned(), "value".to_owned())]);
        Subject {
            id: "1".into(),
            last_note: None,
            inner: Inner {
                name: "n".into(),
                more: more(inner),
            },
            more: more(entry),
        }
    };
    let calls = local.aws.calls().len();
    for (entry, inner, named) in [
        ("id", "other", "attribute `id`: an entry"),
        // Left out, so that the entry would be read as the field.
        ("lastNote", "other", "attribute `lastNote`: an entry"),
        ("remark", "other", "attribute `remark`: an entry"),
        ("entity", "other", "attribute `entity`: an entry"),
        ("pk", "other", "attribute `pk`: an entry"),
        ("other", "name", "attribute `inner.name`: two values"),
    ] {
        let subject = subject(entry, inner);
        for error in [
            subject.save().await.unwrap_err(),
            Subject::batch_write()
                .save_all([&subject])
                .await
                .unwrap_err(),
            transact_write().write(subject.save()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.starts_with(named), "{cause}");
        }
    }
    assert_eq!(local.aws.calls().len(), calls);
    let fine = subject("last_note", "id");
    fine.save().await.unwrap();
    assert_eq!(Subject::get("1").await.unwrap(), fine);
}

/// Reads NULL as `Some(None)`, as is usual for a field that is left out if it is `None`.
fn some<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Option<u8>>, D::Error> {
    Option::deserialize(reader).map(Some)
}

#[tokio::test]
async fn nested_options_are_read_as_they_are_written_or_refused() {
    macro_rules! check {
        ($codec:ident, $reads:expr, [$(#[$attribute:meta])*]) => {{
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
            #[model(table = "subjects", codec = $codec)]
            struct Subject {
                #[model(hash_key)]
                id: String,
                $(#[$attribute])*
                value: Option<Option<u8>>,
            }
            let local = Playground::start().await;
            let _default = local.profile("default").awsenv();
            Subject::create_table().wait().await.unwrap();
            for value in [None, Some(None), Some(Some(7))] {
                let id = "1".to_owned();
                let subject = Subject { id, value };
                match (subject.save().await, value) {
                    (Err(error), Some(None)) if !$reads => {
                        let cause = std::error::Error::source(&error).unwrap().to_string();
                        assert!(cause.starts_with("attribute `value`: a `Some`"), "{cause}");
                    }
                    (saved, _) => {
                        saved.unwrap();
                        assert_eq!(Subject::get("1").await.unwrap(), subject);
                    }
                }
            }
        }};
    }
    check!(Serde, false, []);
    check!(Sparse, false, []);
    check!(Serde, true, [
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    ]);
    check!(Sparse, true, [#[serde(default, deserialize_with = "some")]]);
}

/// Serializes in upper case, and deserializes what is there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct OneWay(String);

impl Serialize for OneWay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        upper::serialize(&self.0, serializer)
    }
}

impl KeyAttribute for OneWay {
    type Stored = String;
}

/// Serializes as it is, and deserializes as something else.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Lossy(u64);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        u64::deserialize(reader).map(|_| Self(0))
    }
}

impl KeyAttribute for Lossy {
    type Stored = Number;
}

#[tokio::test]
async fn a_key_that_is_read_as_another_one_is_an_error_and_touches_no_item() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "subjects")]
    struct Subject {
        #[model(hash_key)]
        id: Lossy,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Subject::create_table().wait().await.unwrap();
    Subject { id: Lossy(7) }.save().await.unwrap();
    for error in [
        Subject::get(Lossy(7)).await.unwrap_err(),
        Subject::scan().collect().await.unwrap_err(),
        Subject::query(Lossy(7)).collect().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidItem);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("model's key differs"), "{cause}");
    }
    let save = Subject { id: Lossy(7) }.save();
    let error = save
        .condition(Subject::id().not_exists())
        .await
        .unwrap_err();
    assert!(error.is_conditional_check_failed(), "{error}");
    let existing = error.existing_model::<Subject>().unwrap_err().to_string();
    assert!(existing.contains("model's key differs"), "{existing}");
}

/// A type that normalizes what it writes finds an item by either form.
#[tokio::test]
async fn a_key_that_is_normalized_when_written_is_found_in_any_form() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "subjects")]
    struct Subject {
        #[model(hash_key)]
        id: OneWay,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Subject::create_table().wait().await.unwrap();
    let subject = |id: &str| Subject {
        id: OneWay(id.into()),
    };
    subject("abc").save().await.unwrap();
    assert_eq!(
        Subject::get(OneWay("aBc".into())).await.unwrap(),
        subject("ABC")
    );
    subject("ABC").delete().await.unwrap();
    assert!(Subject::scan().collect().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_codec_that_stores_another_key_is_refused_before_it_is_sent() {
    #[derive(Debug, Deserialize, Model)]
    #[model(table = "subjects")]
    struct Subject {
        #[model(hash_key)]
        id: String,
    }
    impl Serialize for Subject {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let id = self.id.to_uppercase();
            serde_json::json!({ "id": id }).serialize(serializer)
        }
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let subject = Subject { id: "abc".into() };
    for error in [
        subject.save().await.unwrap_err(),
        subject.delete().await.unwrap_err(),
        Subject::batch_write()
            .save_all([&subject])
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidItem);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("item's key differs"), "{cause}");
        assert!(!cause.contains("abc"), "{cause}");
    }
    assert!(local.aws.calls().is_empty());
}

#[tokio::test]
async fn a_key_of_another_type_than_the_tables_is_refused_before_it_is_sent() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "subjects")]
    struct Subject {
        #[model(hash_key)]
        #[serde(with = "padded")]
        id: u64,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    for error in [
        Subject { id: 7 }.save().await.unwrap_err(),
        Subject::get(7).await.unwrap_err(),
        Subject::update(7).await.unwrap_err(),
        Subject::delete_key(7).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidItem);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("#[model(key_type = String)]"), "{cause}");
    }
    let error = Subject::query(7).collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(local.aws.calls().is_empty());
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "users", codec = Sparse)]
struct User {
    #[model(hash_key)]
    id: String,
    name: Option<String>,
    roles: Set<String>,
    address: Option<Address>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    city: Option<String>,
}

impl User {
    fn new() -> Self {
        Self {
            id: "1".into(),
            name: Some("Ada".into()),
            roles: Set::from(["admin".to_owned()]),
            address: Some(Address {
                city: Some("London".into()),
            }),
        }
    }
}

/// The attributes of the user's item.
async fn attributes() -> Vec<String> {
    let client = slot::<User>().client().await.unwrap();
    let get = client.get_item().table_name("users");
    let get = get.key("id", AttributeValue::S("1".into())).send();
    let mut names: Vec<_> = get.await.unwrap().item.unwrap().into_keys().collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_update_leaves_out_what_a_save_leaves_out() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    let empty = || Set::<String>::default();
    User::new().save().await.unwrap();

    // Nothing is added or deleted, and nothing is refused.
    let unchanged = User::update("1")
        .add(User::roles(), empty())
        .set_if_not_exists(User::name(), None)
        .await;
    assert_eq!(unchanged.unwrap(), User::new());
    User::update("1")
        .delete(User::roles(), empty())
        .await
        .unwrap();

    let city = User::address().field("city").typed::<Option<String>>();
    let updated = User::update("1")
        .set(User::name(), None)
        .set(User::roles(), empty())
        .set(city, None)
        .await
        .unwrap();
    assert_eq!(attributes().await, ["address", "id"]);
    let saved = User {
        name: None,
        roles: empty(),
        address: Some(Address { city: None }),
        ..User::new()
    };
    assert_eq!(updated, saved);
    saved.save().await.unwrap();
    assert_eq!(attributes().await, ["address", "id"]);

    // Conditions find what was left out.
    let without = User::name().eq(None) & User::roles().eq(empty());
    assert_eq!(
        User::scan()
            .filter(without.clone())
            .collect()
            .await
            .unwrap(),
        [saved]
    );
    User::new().save().condition(without).await.unwrap();
    let with = User::name().ne(None) & User::roles().ne(empty());
    assert_eq!(
        User::scan().filter(with).collect().await.unwrap(),
        [User::new()]
    );
}

/// The attribute `value` of an item of the table `subjects`; `None` if the item lacks it.
async fn stored<M: Model>(id: &str) -> Option<AttributeValue> {
    let client = slot::<M>().client().await.unwrap();
    let get = client.get_item().table_name("subjects");
    let get = get.key("id", AttributeValue::S(id.to_owned())).send();
    get.await.unwrap().item.unwrap().remove("value")
}

#[tokio::test]
async fn an_update_stores_what_a_save_stores() {
    macro_rules! check {
        ($type:ty, [$($value:expr),*]) => {
            check!(Serde, $type, [$($value),*], []);
            check!(Sparse, $type, [$($value),*], []);
            check!(
                Serde, $type, [$($value),*],
                [#[serde(default, skip_serializing_if = "is_default")]]
            );
        };
        ($codec:ident, $type:ty, [$($value:expr),*], [$(#[$attribute:meta])*]) => {{
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
            #[model(table = "subjects", codec = $codec)]
            struct Subject {
                #[model(hash_key)]
                id: String,
                $(#[$attribute])*
                value: $type,
            }
            let local = Playground::start().await;
            let _default = local.profile("default").awsenv();
            Subject::create_table().wait().await.unwrap();
            let values: Vec<$type> = vec![$($value),*];
            // The last one can be stored in every way, and is what the update replaces.
            let before = Subject { id: "updated".into(), value: values.last().unwrap().clone() };
            for value in values {
                let case = format!("{value:?} as {} with {}", stringify!($type), stringify!($codec));
                before.save().await.unwrap();
                let saved = Subject { id: "saved".into(), value: value.clone() }.save().await;
                let update = Subject::update("updated").set(Subject::value(), value.clone());
                match (saved, update.await) {
                    (Ok(()), Ok(updated)) => {
                        let read = Subject::get("saved").await.unwrap();
                        assert_eq!(updated.value, read.value, "{case}");
                        let saved = stored::<Subject>("saved").await;
                        assert_eq!(stored::<Subject>("updated").await, saved, "{case}");
                        let count = async |filter| Subject::scan().filter(filter).count().await.unwrap();
                        assert_eq!(count(Subject::value().eq(value.clone())).await, 2, "{case}");
                        assert_eq!(count(Subject::value().ne(value)).await, 0, "{case}");
                    }
                    (Err(saved), Err(updated)) => {
                        assert_eq!(saved.kind(), ErrorKind::InvalidItem, "{case}: {saved}");
                        assert!(!updated.may_have_been_applied(), "{case}: {updated}");
                    }
                    (saved, updated) => panic!("{case}: {saved:?}, but {updated:?}"),
                }
            }
        }};
    }
    fn is_default<T: Default + PartialEq>(value: &T) -> bool {
        *value == T::default()
    }
    let set = |values: &[&str]| Set::from_iter(values.iter().map(|value| (*value).to_owned()));
    check!(Set<String>, [set(&[]), set(&["a"])]);
    check!(
        Option<Set<String>>,
        [None, Some(set(&[])), Some(set(&["a"]))]
    );
    check!(Option<Option<u8>>, [None, Some(None), Some(Some(7))]);
    check!(
        Option<Vec<Option<u8>>>,
        [None, Some(vec![]), Some(vec![None, Some(1)])]
    );
    check!(
        Option<String>,
        [None, Some(String::new()), Some("a".to_owned())]
    );
    check!(
        Vec<Set<String>>,
        [vec![], vec![set(&[])], vec![set(&["a"])]]
    );
}

#[tokio::test]
async fn a_value_that_is_not_stored_cannot_be_compared_or_added() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let less = User::scan().filter(User::name().lt(None)).collect();
    let error = less.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    let increment = User::update("1").increment(User::name(), None);
    let error = increment.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(local.aws.calls().is_empty());
}

#[tokio::test]
async fn a_query_has_one_condition_on_the_range_key() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "orders")]
    struct Order {
        #[model(hash_key)]
        customer: String,
        #[model(range_key)]
        number: u64,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let query = Order::query("c").range_ge(1).range_le(7);
    let error = query.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("range_between()"), "{error}");
    assert!(local.aws.calls().is_empty());
}

#[tokio::test]
async fn binary_range_keys_have_prefixes() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "digests")]
    struct Digest {
        #[model(hash_key)]
        id: String,
        #[model(range_key)]
        digest: Binary,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Digest::create_table().wait().await.unwrap();
    let digests = [[1, 2, 3], [1, 3, 3], [2, 2, 2]].map(|digest| Digest {
        id: "1".into(),
        digest: digest.into(),
    });
    Digest::batch_write().save_all(&digests).await.unwrap();
    let found = Digest::query("1").range_begins_with([1]).collect().await;
    assert_eq!(found.unwrap(), digests[..2]);
}

#[tokio::test]
async fn an_item_that_does_not_fit_after_a_write_says_that_the_write_was_done() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "counters")]
    struct Counter {
        #[model(hash_key)]
        id: String,
        left: u64,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Counter::create_table().wait().await.unwrap();
    let counter = Counter {
        id: "1".into(),
        left: 1,
    };
    counter.save().await.unwrap();
    let decrement = Counter::update("1").decrement(Counter::left(), 2);
    let error = decrement.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem);
    assert!(error.to_string().contains("the write was done"), "{error}");
    let error = counter.save().return_old().await.unwrap_err();
    assert!(error.to_string().contains("the write was done"), "{error}");
    assert_eq!(Counter::get("1").await.unwrap().left, 1);
}

#[tokio::test]
async fn an_error_of_a_key_names_the_attribute_that_it_is_about() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "events")]
    struct Event {
        #[model(hash_key)]
        source: String,
        #[model(range_key)]
        #[serde(with = "bsm_dynamodb::rfc3339")]
        at: SystemTime,
    }
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "events")]
    #[model(hash_key = "DAY#{day}", range_key = "SOURCE#{source}#AT#{at}")]
    struct Composed {
        #[serde(with = "bsm_dynamodb::rfc3339")]
        day: SystemTime,
        source: String,
        #[serde(with = "bsm_dynamodb::rfc3339", rename = "time")]
        at: SystemTime,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let day = SystemTime::UNIX_EPOCH;
    let late = day + std::time::Duration::from_secs(1 << 40);
    let query = || Composed::query(day);
    for (error, attribute) in [
        (Event::get(("door", late)).await.unwrap_err(), "at"),
        (Event::update(("door", late)).await.unwrap_err(), "at"),
        (Event::get_many([("door", late)]).await.unwrap_err(), "at"),
        (Composed::get((late, "door", day)).await.unwrap_err(), "day"),
        (
            Composed::get((day, "door", late)).await.unwrap_err(),
            "time",
        ),
        (Composed::query(late).count().await.unwrap_err(), "day"),
        (
            query().range_ge(("door", late)).count().await.unwrap_err(),
            "time",
        ),
    ] {
        let cause = std::error::Error::source(&error).unwrap().to_string();
        let wanted = format!("attribute `{attribute}`: a time before the year 0");
        assert!(cause.starts_with(&wanted), "{cause}");
    }
    assert!(local.aws.calls().is_empty());
}
