//! Expressions keep their meaning, whatever the names and values are.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use bsm_dynamodb::{AttributeType, Condition, ErrorKind, Model, Path};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::support::Playground;

#[derive(Clone, Debug, Serialize, Deserialize, Model)]
#[model(table = "things")]
struct Thing {
    #[model(hash_key)]
    id: String,
    size: u32,
    name: Option<String>,
    #[serde(with = "serde_dynamo::string_set")]
    tags: BTreeSet<String>,
    parts: Vec<Part>,
    #[serde(rename = "order.by")]
    order: i8,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    name: String,
    weight: f32,
}

async fn with_one_thing() -> Playground {
    let local = Playground::start().await;
    let save = async {
        Thing::create_table().wait().await?;
        let thing = Thing {
            id: "1".into(),
            size: 7,
            name: Some("Wheel".into()),
            tags: ["black".to_owned(), "round".to_owned()].into(),
            parts: vec![Part {
                name: "Tyre".into(),
                weight: 1.5,
            }],
            order: -1,
        };
        thing.save().await
    };
    local.profile("default").scope(save).await.unwrap();
    local
}

/// Returns `true` if a condition is true, both as a filter and as the condition of a write.
async fn holds(condition: Condition<Thing>) -> bool {
    let found = Thing::scan()
        .filter(condition.clone())
        .count()
        .await
        .unwrap();
    let update = Thing::update("1").condition(condition.clone()).await;
    let updated = match update {
        Ok(_) => true,
        Err(error) if error.is_conditional_check_failed() => false,
        Err(error) => panic!("{condition:?}: {error:?}"),
    };
    assert_eq!(found == 1, updated, "{condition:?}");
    updated
}

#[tokio::test]
async fn each_condition_is_true_for_exactly_the_items_that_it_describes() {
    let local = with_one_thing().await;
    let _default = local.profile("default").awsenv();
    let part = || Thing::parts().index(0);
    let seven = &7;
    for condition in [
        Thing::size().eq(7),
        Thing::size().ne(8),
        Thing::size().lt(8),
        Thing::size().le(7),
        Thing::size().gt(6),
        Thing::size().ge(seven),
        Thing::size().between(7, 9),
        Thing::size().in_([1, 7]),
        Thing::size().in_(0..250),
        Thing::name().eq("Wheel"),
        Thing::name().in_(["Wheel"]),
        Thing::name().begins_with("Wh"),
        Thing::name().contains("hee"),
        Thing::name().exists(),
        Thing::name().size().eq(5),
        Thing::name().attribute_type(AttributeType::String),
        Thing::tags().contains("round"),
        Thing::tags().eq(BTreeSet::from(["round".to_owned(), "black".to_owned()])),
        Thing::tags().attribute_type(AttributeType::StringSet),
        Thing::tags().size().between(1, 2),
        Thing::parts().size().lt(2),
        Thing::order().lt(0),
        part().field("name").eq("Tyre"),
        part().field("weight").eq(1.5),
        part().field("name").typed::<String>().ne(String::from("x")),
        part().field("none").not_exists(),
        Thing::parts().index(1).not_exists(),
        Thing::size().gt(Path::<Thing, u32>::new("order.by")),
        Path::<Thing>::new("none").not_exists(),
    ] {
        assert!(holds(condition.clone()).await, "{condition:?}");
        assert!(!holds(!condition.clone()).await, "not {condition:?}");
        assert!(holds(!!condition.clone()).await, "not not {condition:?}");
    }
}

#[tokio::test]
async fn joined_conditions_keep_their_structure() {
    let local = with_one_thing().await;
    let _default = local.profile("default").awsenv();
    let yes = || Thing::size().eq(7);
    let no = || Thing::size().eq(8);
    for (condition, wanted) in [
        (yes() & yes() & no(), false),
        (no() | no() | yes(), true),
        (yes() | yes() & no(), true),
        ((yes() | yes()) & no(), false),
        (no() & (yes() | yes()), false),
        (no() & yes() | yes(), true),
        (!(yes() & no()) & yes(), true),
        (!(yes() | no()), false),
        (!yes() | yes(), true),
        (yes().and(no().or(yes())).not(), false),
        (Thing::size().in_(0..250) & no(), false),
        (!Thing::size().in_(100..350) & yes(), true),
    ] {
        assert_eq!(holds(condition.clone()).await, wanted, "{condition:?}");
    }
}

#[tokio::test]
async fn a_value_is_sent_once() {
    let local = with_one_thing().await;
    let _default = local.profile("default").awsenv();
    let condition = Thing::size().eq(7) | Thing::size().eq(7) | Thing::order().eq(7);
    let scan = Thing::scan().filter(condition).raw().await.unwrap();
    let (names, values) = (
        scan.get_expression_attribute_names().as_ref().unwrap(),
        scan.get_expression_attribute_values().as_ref().unwrap(),
    );
    assert_eq!((names.len(), values.len()), (2, 1));
    assert_eq!(names["#n1"], "order.by");
    let text = scan.get_filter_expression().as_deref();
    assert_eq!(text, Some("#n0 = :v0 OR #n0 = :v0 OR #n1 = :v0"));
}

#[tokio::test]
async fn a_value_that_cannot_be_stored_is_refused_before_the_request() {
    let local = with_one_thing().await;
    let _default = local.profile("default").awsenv();
    local.aws.clear_calls();
    let unstorable = Path::<Thing>::new("x").eq(u128::MAX);
    let error = Thing::scan()
        .filter(unstorable)
        .collect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let nothing = Thing::size().in_([0; 0]);
    let error = Thing::delete_key("1").condition(nothing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(local.aws.calls().is_empty());
}

#[tokio::test]
async fn bounds_in_the_wrong_order_are_refused_by_dynamodb() {
    let local = with_one_thing().await;
    let _default = local.profile("default").awsenv();
    let wrong = Thing::size().between(9, 7);
    let error = Thing::delete_key("1").condition(wrong.clone()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
    // DynamoDB also rejects the filter; the embedded engine finds nothing instead.
    let count = Thing::scan().filter(wrong).count().await;
    assert!(!count.is_ok_and(|count| count > 0));
}

/// A model whose getters and fields have the names that paths would have.
#[derive(Debug, Serialize, Deserialize, Model)]
#[model(table = "calls", paths = CallPaths)]
struct Call {
    #[model(hash_key)]
    id: String,
    query: Option<u32>,
}

impl Call {
    fn id(&self) -> &str {
        &self.id
    }
}

/// A model with a parameter.
#[derive(Debug, Serialize, Deserialize, Model)]
#[model(table = "tagged")]
#[serde(bound = "")]
struct Tagged<T>
where
    T: Serialize + serde::de::DeserializeOwned + Send + 'static,
{
    #[model(hash_key)]
    id: String,
    value: T,
}

#[test]
fn paths_go_to_a_type_of_their_own_if_asked_and_take_the_parameters_of_the_model() {
    let call = Call {
        id: "1".into(),
        query: None,
    };
    assert_eq!((call.id(), call.query), ("1", None));
    let text = format!("{:?}", CallPaths::id().exists() & CallPaths::query().eq(7));
    assert!(text.contains(r#"["id", "query"]"#), "{text}");
    let text = format!("{:?}", Tagged::<u8>::value().eq(7) & Tagged::id().exists());
    assert!(text.contains(r#"["value", "id"]"#), "{text}");
}

#[test]
fn debug_shows_names_and_no_values() {
    let condition = Thing::name().eq("secret") & Thing::parts().index(3).field("name").exists();
    let text = format!("{condition:?}");
    assert!(text.contains("name") && text.contains("[3]"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let update = Thing::update("secret").set(Thing::name(), "secret");
    let text = format!("{update:?} {:?}", Thing::query("secret"));
    assert!(text.contains("SET #n0 = :v0"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

/// An item that takes any attributes.
#[derive(Debug, Serialize, Deserialize, Model)]
#[model(table = "things")]
struct Loose {
    #[model(hash_key)]
    id: String,
    #[serde(flatten)]
    others: HashMap<String, serde_json::Value>,
}

fn attribute_name() -> impl Strategy<Value = String> {
    const RESERVED: &[&str] = &["size", "name", "order", "SELECT", "ttl", "and", "NOT", "in"];
    prop_oneof![
        proptest::sample::select(RESERVED).prop_map(str::to_owned),
        "[a-z.#:\\[\\]()=<>, \"'0-9-]{1,12}",
        "\\PC{1,12}",
    ]
    .prop_filter("the key", |name| name != "id")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_name_of_an_attribute_can_be_written_compared_and_read(
        names in proptest::collection::btree_set(attribute_name(), 1..6),
        inner in attribute_name(),
        value in "\\PC{0,8}",
    ) {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
        static LOCAL: LazyLock<Playground> = LazyLock::new(|| RUNTIME.block_on(async {
            let local = Playground::start().await;
            let create = Loose::create_table().wait();
            local.profile("default").scope(create).await.unwrap();
            local
        }));
        let path = |name: &String| Path::<Loose>::new(name.clone());
        let check = async {
            Loose::delete_key("1").await.unwrap();
            let map = HashMap::from([(inner.clone(), value.clone())]);
            let absent = names.iter().map(|name| path(name).not_exists());
            let update = names
                .iter()
                .fold(Loose::update("1"), |update, name| update.set(path(name), &map));
            update.condition(absent.reduce(Condition::and).unwrap()).await.unwrap();

            let present = names
                .iter()
                .map(|name| path(name).field(inner.clone()).eq(&value))
                .reduce(Condition::and)
                .unwrap();
            assert_eq!(Loose::scan().filter(present.clone()).count().await.unwrap(), 1);
            let item = Loose::get("1").await.unwrap();
            assert_eq!(item.others.len(), names.len());
            for name in &names {
                assert_eq!(item.others[name][&inner], serde_json::json!(value));
            }
            let nothing_left = names
                .iter()
                .fold(Loose::update("1"), |update, name| update.remove(path(name)));
            let left = nothing_left.condition(present).await.unwrap();
            assert!(left.others.is_empty());
        };
        RUNTIME.block_on(LOCAL.profile("default").scope(check));
    }
}
