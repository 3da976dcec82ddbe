//! Stored values: every value is read as it was written, or is rejected.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bsm_dynamodb::{Binary, Codec, ErrorKind, Item, Model, Number, Serde, Set, Sparse, slot};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::Playground;

/// Values that serde_dynamo also supports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "plain")]
#[serde(rename_all = "camelCase")]
struct Plain {
    #[model(hash_key)]
    id: String,
    whole: i64,
    large: u64,
    fraction: f64,
    small: f32,
    letter: char,
    yes_or_no: Option<bool>,
    list: Vec<Shape>,
    by_number: BTreeMap<u16, Option<String>>,
    pair: (u8, String),
    unit: (),
    #[serde(with = "serde_dynamo::string_set")]
    words: BTreeSet<String>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(u32),
    Box(i8, i8),
    Named {
        name: String,
        inner: Option<Box<Shape>>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rest {
    more: String,
    count: i32,
}

/// What it cannot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "special")]
struct Special {
    #[model(hash_key)]
    id: Binary,
    #[model(range_key)]
    number: Number,
    signed: i128,
    unsigned: u128,
    words: Set<String>,
    numbers: Set<Number>,
    digests: Set<Binary>,
    #[serde(default, with = "bsm_dynamodb::set")]
    hashed: HashSet<i32>,
    #[serde(default, with = "bsm_dynamodb::set")]
    maybe: Option<BTreeSet<String>>,
    nested: Vec<Inner>,
    #[serde(with = "bsm_dynamodb::epoch_seconds")]
    at: SystemTime,
    #[serde(default, with = "bsm_dynamodb::epoch_seconds")]
    until: Option<SystemTime>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    price: Option<Number>,
    tags: Set<u64>,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Point),
        any::<u32>().prop_map(Shape::Circle),
        any::<(i8, i8)>().prop_map(|(a, b)| Shape::Box(a, b)),
    ];
    leaf.prop_recursive(3, 8, 1, |inner| {
        let inner = option::of(inner.prop_map(Box::new));
        (any::<String>(), inner).prop_map(|(name, inner)| Shape::Named { name, inner })
    })
}

prop_compose! {
    fn plains()(
        (id, whole, large) in ("\\PC{1,20}", any::<i64>(), any::<u64>()),
        // DynamoDB has no larger numbers, and no zero with a sign.
        (fraction, small) in ((-1e100..1e100f64), (-1e30..1e30f32)),
        (letter, yes_or_no) in any::<(char, Option<bool>)>(),
        list in vec(shapes(), 0..4),
        by_number in btree_map(any::<u16>(), option::of(any::<String>()), 0..4),
        pair in any::<(u8, String)>(),
        words in btree_set(any::<String>(), 1..4),
        (more, count) in any::<(String, i32)>(),
    ) -> Plain {
        Plain {
            id, whole, large, fraction, small, letter, yes_or_no, list, by_number, pair, unit: (),
            words, rest: Rest { more, count },
        }
    }
}

fn numbers() -> impl Strategy<Value = Number> {
    ("-?[0-9]{1,38}", -100i32..80)
        .prop_map(|(digits, exponent)| format!("{digits}e{exponent}").parse().unwrap())
}

/// Integers of at most 38 digits.
fn wide() -> impl Strategy<Value = i128> {
    let limit = 10i128.pow(38) - 1;
    -limit..=limit
}

fn binaries() -> impl Strategy<Value = Binary> {
    vec(any::<u8>(), 1..20).prop_map(Binary::from)
}

prop_compose! {
    fn specials()(
        (id, number, signed, unsigned) in (binaries(), numbers(), wide(), wide()),
        words in btree_set(any::<String>(), 0..4),
        numbers in btree_set(numbers(), 0..4),
        digests in btree_set(binaries(), 0..4),
        hashed in proptest::collection::hash_set(any::<i32>(), 0..4),
        // Of an empty one, nothing is stored.
        maybe in option::of(btree_set("[a-z]{1,5}", 1..4)),
        nested in vec((option::of(numbers()), btree_set(any::<u64>(), 0..3)), 0..3),
        (at, until) in (0u64..1 << 40, option::of(0u64..1 << 40)),
    ) -> Special {
        let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Special {
            id,
            number,
            signed,
            unsigned: unsigned.unsigned_abs(),
            words: words.into(),
            numbers: numbers.into(),
            digests: digests.into(),
            hashed,
            maybe,
            nested: nested
                .into_iter()
                .map(|(price, tags)| Inner { price, tags: tags.into() })
                .collect(),
            at: time(at),
            until: until.map(time),
        }
    }
}

proptest! {
    #[test]
    fn a_model_comes_back_from_its_item(plain in plains(), special in specials()) {
        let item = Serde::to_item(&plain).unwrap();
        prop_assert_eq!(<Serde as Codec<Plain>>::from_item(item).unwrap(), plain);
        let item = Serde::to_item(&special).unwrap();
        prop_assert_eq!(<Serde as Codec<Special>>::from_item(item).unwrap(), special.clone());
        let item = Sparse::to_item(&special).unwrap();
        prop_assert_eq!(<Sparse as Codec<Special>>::from_item(item).unwrap(), special);
    }

    /// Items are shared with programs that use serde_dynamo.
    #[test]
    fn an_item_is_the_one_that_serde_dynamo_writes(plain in plains()) {
        let item = Serde::to_item(&plain).unwrap();
        let theirs: Item = serde_dynamo::aws_sdk_dynamodb_1::to_item(&plain).unwrap();
        prop_assert_eq!(&item, &theirs);
        let read: Plain = serde_dynamo::aws_sdk_dynamodb_1::from_item(item).unwrap();
        prop_assert_eq!(read, plain);
    }
}

/// The same, by way of DynamoDB.
#[tokio::test]
async fn a_model_comes_back_from_its_table() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Plain::create_table().wait().await.unwrap();
    Special::create_table().wait().await.unwrap();
    let mut runner = TestRunner::deterministic();
    for _ in 0..50 {
        let plain = plains().new_tree(&mut runner).unwrap().current();
        plain.save().await.unwrap();
        assert_eq!(Plain::get(&plain.id).await.unwrap(), plain);
        let special = specials().new_tree(&mut runner).unwrap().current();
        special.save().await.unwrap();
        let read = Special::get((&special.id, &special.number)).await.unwrap();
        assert_eq!(read, special);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    roles: Set<String>,
    name: Option<String>,
}

#[tokio::test]
async fn an_empty_set_removes_the_attribute() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    let mut user = User {
        id: "1".into(),
        roles: Set::from(["admin".to_owned()]),
        name: None,
    };
    user.save().await.unwrap();
    let stored = || async {
        let client = slot::<User>().client().await.unwrap();
        let get = client.get_item().table_name("users");
        let get = get.key("id", AttributeValue::S("1".into())).send();
        get.await.unwrap().item.unwrap()
    };
    let item = stored().await;
    assert_eq!(item["roles"], AttributeValue::Ss(vec!["admin".into()]));
    assert_eq!(item["name"], AttributeValue::Null(true));

    user.roles.clear();
    user.save().await.unwrap();
    assert!(!stored().await.contains_key("roles"));
    assert_eq!(User::get("1").await.unwrap(), user);
}

#[test]
fn integers_of_other_programs_are_read_in_any_notation() {
    #[derive(Deserialize, Serialize)]
    struct Counted {
        count: i64,
        wide: u128,
    }
    for (text, count) in [("1.0", 1), ("1E2", 100), ("-2.50e1", -25), ("7", 7)] {
        let number = |text: &str| AttributeValue::N(text.to_owned());
        let item = Item::from([
            ("count".to_owned(), number(text)),
            ("wide".to_owned(), number("1E+30")),
        ]);
        let counted = <Serde as Codec<Counted>>::from_item(item).unwrap();
        assert_eq!((counted.count, counted.wide), (count, 10u128.pow(30)));
    }
    let item = Item::from([("count".to_owned(), AttributeValue::N("1.5".to_owned()))]);
    assert!(<Serde as Codec<Counted>>::from_item(item).is_err());
}

#[tokio::test]
async fn a_value_that_dynamodb_lacks_is_refused_before_it_is_sent() {
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "odd")]
    struct Odd {
        #[model(hash_key)]
        id: String,
        float: f64,
        wide: u128,
        sets: Vec<Set<u8>>,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let odd = |float, wide, sets| Odd {
        id: "1".into(),
        float,
        wide,
        sets,
    };
    for (odd, wanted) in [
        (
            odd(f64::NAN, 0, vec![]),
            "attribute `float`: DynamoDB has no numbers such as NaN",
        ),
        (
            odd(0.0, u128::MAX, vec![]),
            "attribute `wide`: a number has at most 38 digits",
        ),
        (
            odd(0.0, 0, vec![Set::default()]),
            "attribute `sets`: a list contains an empty set",
        ),
    ] {
        let error = odd.save().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.starts_with(wanted), "{cause}");
    }
    assert!(local.aws.calls().is_empty());
}

#[test]
fn bytes_and_sets_have_the_types_of_dynamodb() {
    let special = Special {
        id: Binary::from([1, 2]),
        number: "1.50".parse().unwrap(),
        signed: -(10i128.pow(30)),
        unsigned: 10u128.pow(30),
        words: Set::from(["a".to_owned()]),
        numbers: Set::from([Number::from(2), Number::from(1)]),
        digests: Set::from([Binary::from([3])]),
        hashed: HashSet::from([-4]),
        maybe: None,
        nested: Vec::new(),
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(7),
        until: None,
    };
    let item = Serde::to_item(&special).unwrap();
    let number = |text: &str| AttributeValue::N(text.to_owned());
    assert_eq!(item["id"], AttributeValue::B(Blob::new([1, 2])));
    assert_eq!(item["number"], number("1.5"));
    assert_eq!(item["signed"], number("-1000000000000000000000000000000"));
    assert_eq!(item["words"], AttributeValue::Ss(vec!["a".into()]));
    assert_eq!(
        item["numbers"],
        AttributeValue::Ns(vec!["1".into(), "2".into()])
    );
    assert_eq!(item["digests"], AttributeValue::Bs(vec![Blob::new([3])]));
    assert_eq!(item["hashed"], AttributeValue::Ns(vec!["-4".into()]));
    assert_eq!(item["maybe"], AttributeValue::Null(true));
    assert_eq!(item["at"], number("7"));
    let sparse = Sparse::to_item(&special).unwrap();
    assert!(!sparse.contains_key("maybe") && !sparse.contains_key("until"));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wide {
    wide: u128,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Exact {
    exact: Number,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ByNumber {
    by_number: BTreeMap<u16, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum TextOrBytes {
    Text(String),
    Bytes(Binary),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged<T> {
    Only(T),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat<T> {
    id: String,
    #[serde(flatten)]
    inner: T,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Holds<T> {
    id: String,
    inner: T,
}

#[test]
fn a_value_that_serde_cannot_read_back_is_refused_when_saved() {
    fn flat<T>(inner: T) -> Flat<T> {
        let id = "1".to_owned();
        Flat { id, inner }
    }
    fn tagged<T>(inner: T) -> Holds<Tagged<T>> {
        let (id, inner) = ("1".to_owned(), Tagged::Only(inner));
        Holds { id, inner }
    }
    fn refused<M: Serialize + for<'de> Deserialize<'de>>(model: &M, attribute: &str) {
        let error = Serde::to_item(model).unwrap_err().to_string();
        assert!(error.contains(&format!("`{attribute}`")), "{error}");
        assert!(!error.contains("4711"), "{error}");
    }
    let wide = || Wide { wide: 47_111 };
    refused(&flat(wide()), "wide");
    refused(&tagged(wide()), "inner");
    let digits = "0.12345678901234567890123456784711";
    let exact = || Exact {
        exact: digits.parse().unwrap(),
    };
    refused(&flat(exact()), "exact");
    refused(&tagged(exact()), "inner");
    let by_number = || ByNumber {
        by_number: BTreeMap::from([(4711, "a".to_owned())]),
    };
    refused(&flat(by_number()), "by_number");
    refused(&tagged(by_number()), "inner");
    let bytes = Holds {
        id: "1".to_owned(),
        inner: TextOrBytes::Bytes(Binary::from(*b"4711")),
    };
    refused(&bytes, "inner");
}

/// Serializes as a number of `serde_json` does that has the feature `arbitrary_precision`, and reads what
/// any format has for a number.
#[derive(Clone, Debug, PartialEq)]
struct JsonNumber(String);

impl Serialize for JsonNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;

        const NAME: &str = "$serde_json::private::Number";
        let mut number = serializer.serialize_struct(NAME, 1)?;
        number.serialize_field(NAME, &self.0)?;
        number.end()
    }
}

impl<'de> Deserialize<'de> for JsonNumber {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(reader)?;
        Ok(Self(number.to_string()))
    }
}

#[test]
fn json_numbers_of_arbitrary_precision_are_numbers_and_never_rounded() {
    let holds = |digits: &str| Holds {
        id: "1".to_owned(),
        inner: vec![JsonNumber(digits.to_owned())],
    };
    for digits in ["7", "-9223372036854775808", "18446744073709551615", "0.25"] {
        let item = Serde::to_item(&holds(digits)).unwrap();
        let stored = AttributeValue::L(vec![AttributeValue::N(digits.to_owned())]);
        assert_eq!(item["inner"], stored);
        let read = <Serde as Codec<Holds<Vec<JsonNumber>>>>::from_item(item).unwrap();
        assert_eq!(read, holds(digits));
    }
    for (digits, reason) in [
        (
            "0.12345678901234567890123456784711",
            "read back as another value",
        ),
        (
            "123456789012345678901234567890123456789",
            "at most 38 digits",
        ),
        ("4711x", "not a number"),
    ] {
        let error = Serde::to_item(&holds(digits)).unwrap_err().to_string();
        assert!(
            error.contains("`inner`") && error.contains(reason),
            "{error}"
        );
        assert!(!error.contains("4711"), "{error}");
    }
}

#[tokio::test]
async fn what_a_save_refuses_an_update_refuses_before_it_is_sent() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "subjects")]
    struct Subject {
        #[model(hash_key)]
        id: String,
        wide: Option<Tagged<Wide>>,
        exact: Vec<Tagged<Exact>>,
        bytes: TextOrBytes,
        json: JsonNumber,
        #[serde(default, skip_deserializing)]
        written: u128,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let update = || Subject::update("1");
    let exact = || {
        let exact = "0.12345678901234567890123456784711".parse().unwrap();
        vec![Tagged::Only(Exact { exact })]
    };
    let bytes = || TextOrBytes::Bytes(Binary::from(*b"4711"));
    let json = || JsonNumber("0.12345678901234567890123456784711".into());
    for (update, attribute) in [
        (
            update().set(Subject::wide(), Tagged::Only(Wide { wide: 4711 })),
            "wide",
        ),
        (update().list_append(Subject::exact(), exact()), "exact"),
        (update().list_prepend(Subject::exact(), exact()), "exact"),
        (update().set(Subject::bytes(), bytes()), "bytes"),
        (update().set_if_not_exists(Subject::json(), json()), "json"),
    ] {
        let error = update.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(&format!("`{attribute}`")), "{cause}");
        assert!(!cause.contains("4711"), "{cause}");
    }
    assert!(local.aws.calls().is_empty());
    Subject::create_table().wait().await.unwrap();
    let plain = update()
        .set(Subject::wide(), None)
        .set(Subject::exact(), vec![])
        .set(Subject::bytes(), TextOrBytes::Text("text".into()))
        .set(Subject::json(), JsonNumber("0.5".into()))
        .set(Subject::written(), u128::from(u64::MAX) + 1);
    assert_eq!(plain.await.unwrap().json, JsonNumber("0.5".into()));
}

#[test]
fn a_value_that_serde_can_read_back_is_stored_in_any_place() {
    fn comes_back<M>(model: &M)
    where
        M: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
    {
        let item = Serde::to_item(model).unwrap();
        assert_eq!(&<Serde as Codec<M>>::from_item(item).unwrap(), model);
    }
    fn holds<T>(inner: T) -> Holds<T> {
        let id = "1".to_owned();
        Holds { id, inner }
    }
    comes_back(&holds(Wide {
        wide: 10u128.pow(37) + 1,
    }));
    comes_back(&Flat {
        id: "1".to_owned(),
        inner: Exact {
            exact: "1.5".parse().unwrap(),
        },
    });
    comes_back(&holds(TextOrBytes::Text("text".to_owned())));
    comes_back(&holds(TextOrBytes::Bytes(Binary::from([0xff]))));
    comes_back(&holds(ByNumber {
        by_number: BTreeMap::from([(1, "a".to_owned())]),
    }));
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum State {
    #[default]
    Idle,
    Since(Option<u64>),
    Between(Option<u64>, Option<u64>),
    Named {
        name: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Marker;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(Option<u8>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: Option<String>,
    by: String,
}

/// Values that are stored as NULL. Only some are fields that are `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "nulls", codec = Sparse)]
struct Nulls {
    #[model(hash_key)]
    id: String,
    name: Option<String>,
    state: State,
    notes: BTreeMap<String, Option<u8>>,
    unit: (),
    marker: Marker,
    wrapped: Wrapped,
    json: serde_json::Value,
    list: Vec<Option<u8>>,
    inner: Note,
    inners: Vec<Note>,
    by_name: BTreeMap<String, Note>,
}

fn nulls(state: State) -> Nulls {
    let note = || Note {
        text: None,
        by: "ada".into(),
    };
    Nulls {
        id: "1".into(),
        name: None,
        state,
        notes: BTreeMap::from([("a".into(), None), ("b".into(), Some(1))]),
        unit: (),
        marker: Marker,
        wrapped: Wrapped(None),
        json: serde_json::json!({"a": null}),
        list: vec![None, Some(1)],
        inner: note(),
        inners: vec![note()],
        by_name: BTreeMap::from([("x".into(), note())]),
    }
}

#[tokio::test]
async fn sparse_leaves_out_fields_that_are_none_and_keeps_every_other_null() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Nulls::create_table().wait().await.unwrap();
    for state in [
        State::Idle,
        State::Since(None),
        State::Between(None, Some(1)),
        State::Named { name: None },
    ] {
        let model = nulls(state.clone());
        model.save().await.unwrap();
        assert_eq!(Nulls::get("1").await.unwrap(), model, "saved");
        // An update and a condition encode a value as the save does.
        let item = || async {
            Nulls::get("1")
                .raw()
                .await
                .unwrap()
                .send()
                .await
                .unwrap()
                .item
        };
        let saved = item().await;
        Nulls::delete_key("1").await.unwrap();
        Nulls::update("1")
            .set(Nulls::name(), None)
            .set(Nulls::state(), &state)
            .set(Nulls::notes(), &model.notes)
            .set(Nulls::unit(), ())
            .set(Nulls::marker(), Marker)
            .set(Nulls::wrapped(), Wrapped(None))
            .set(Nulls::json(), &model.json)
            .set(Nulls::list(), &model.list)
            .set(Nulls::inner(), &model.inner)
            .set(Nulls::inners(), &model.inners)
            .set(Nulls::by_name(), &model.by_name)
            .await
            .unwrap();
        assert_eq!(Nulls::get("1").await.unwrap(), model, "updated");
        assert_eq!(item().await, saved);
        let same = Nulls::state().eq(&state)
            & Nulls::notes().eq(&model.notes)
            & Nulls::inner().eq(&model.inner)
            & Nulls::inners().eq(&model.inners);
        assert_eq!(Nulls::scan().filter(same).count().await.unwrap(), 1);
    }
    let item = Sparse::to_item(&nulls(State::Since(None))).unwrap();
    let note = AttributeValue::M([("by".into(), AttributeValue::S("ada".into()))].into());
    assert!(!item.contains_key("name"));
    assert_eq!(item["unit"], AttributeValue::Null(true));
    assert_eq!(item["inner"], note);
    assert_eq!(item["inners"], AttributeValue::L(vec![note]));
}

#[test]
fn sparse_leaves_out_fields_beside_a_flattened_one_and_refuses_to_lose_an_entry_of_a_map() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        id: String,
        name: Option<String>,
        #[serde(flatten)]
        note: Note,
        #[serde(flatten)]
        more: BTreeMap<String, Option<u8>>,
    }
    let flat = |more: &[(&str, Option<u8>)]| Flat {
        id: "1".into(),
        name: None,
        note: Note {
            text: None,
            by: "ada".into(),
        },
        more: more
            .iter()
            .map(|(name, it)| ((*name).into(), *it))
            .collect(),
    };
    let model = flat(&[("a", Some(1))]);
    let item = Sparse::to_item(&model).unwrap();
    let mut names: Vec<_> = item.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "by", "id"]);
    assert_eq!(<Sparse as Codec<Flat>>::from_item(item).unwrap(), model);
    let error = Sparse::to_item(&flat(&[("a", None)])).unwrap_err();
    assert!(error.to_string().starts_with("attribute `a`: "), "{error}");
}

#[test]
fn an_empty_set_is_refused_where_it_cannot_be_left_out() {
    #[derive(Debug, Serialize, Deserialize)]
    enum Kind {
        Tags(Set<String>),
        Both(Set<String>, u8),
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Tagged {
        kind: Kind,
    }
    for kind in [Kind::Tags(Set::default()), Kind::Both(Set::default(), 1)] {
        let error = Serde::to_item(&Tagged { kind }).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("attribute `kind`") && text.contains("empty set"),
            "{text}"
        );
    }
    let kind = Kind::Tags(Set::from(["a".to_owned()]));
    assert!(Serde::to_item(&Tagged { kind }).is_ok());
}

#[test]
fn a_number_beyond_a_float_is_refused_and_not_read_as_infinity() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Floats {
        #[serde(default)]
        small: f32,
        #[serde(default)]
        large: f64,
    }
    let read = |name: &str, number: &str| {
        let item = Item::from([(name.to_owned(), AttributeValue::N(number.to_owned()))]);
        <Serde as Codec<Floats>>::from_item(item)
    };
    assert_eq!(read("small", "3.4e38").unwrap().small, 3.4e38);
    assert_eq!(read("large", "1e125").unwrap().large, 1e125);
    for number in ["1e39", "-1e39"] {
        let error = read("small", number).unwrap_err().to_string();
        assert_eq!(
            error,
            "attribute `small`: the number does not fit a float of 32 bits"
        );
    }
}
