//! Generated values of declarations in which the attributes of serde and of models meet.

use std::fmt;

use proptest::collection::{btree_set, hash_map, vec};
use proptest::option;

use super::*;

/// How many pairs of items each declaration gets.
const CASES: u32 = 4;

/// Stores an optional text in upper case.
mod upper_if_any {
    use super::*;

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(
        text: &Option<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match text {
            Some(text) => serializer.serialize_some(&text.to_uppercase()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        reader: D,
    ) -> Result<Option<String>, D::Error> {
        let text = Option::<String>::deserialize(reader)?;
        Ok(text.map(|text| text.to_lowercase()))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Inner {
    post_code: Option<u16>,
    #[serde(flatten)]
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape")]
enum Shape {
    Point,
    Circle { radius: i32 },
}

fn inner() -> impl Strategy<Value = Inner> {
    let shape = prop_oneof![
        Just(Shape::Point),
        any::<i32>().prop_map(|radius| Shape::Circle { radius })
    ];
    (option::of(any::<u16>()), shape).prop_map(|(post_code, shape)| Inner { post_code, shape })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::FirstOrder),
        Just(Kind::Return),
        Just(Kind::Complaint)
    ]
}

fn sample<T: fmt::Debug>(runner: &mut TestRunner, values: impl Strategy<Value = T>) -> T {
    values.new_tree(runner).unwrap().current()
}

/// Crosses declarations of keys, each with the attributes of its struct, with fields that differ in the
/// attributes of serde, and checks that what one path writes every path finds.
macro_rules! declarations {
    (
        [$($name:ident [$(#[$container:meta])*] {
            [$($hash:tt)*] [$($range:tt)*] [$($other:tt)*] [$($local:tt)*]
        })*]
        $fields:tt
    ) => {$(
        declarations!(@test $name [$(#[$container])*] [$($hash)*] [$($range)*] [$($other)*]
            [$($local)*] $fields);
    )*};
    (
        @test $name:ident [$(#[$container:meta])*]
        [$($hash:tt)*] [$($range:tt)*] [$($other:tt)*] [$($local:tt)*]
        { $($(#[$attribute:meta])* $field:ident: $type:ty = $values:expr,)* }
    ) => {
        #[tokio::test]
        async fn $name() {
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
            #[model(table = "subjects")]
            $(#[$container])*
            struct Subject {
                $($hash)*
                hash_part: String,
                $($range)*
                range_part: u32,
                $($other)*
                other_part: String,
                $($local)*
                local_part: u64,
                $($(#[$attribute])* $field: $type,)*
                #[serde(flatten)]
                more: HashMap<String, String>,
            }

            let local = Playground::start().await;
            let _default = local.profile("default").awsenv();
            Subject::create_table().wait().await.unwrap();
            let count = || {
                let items = local.aws.table_items(DEFAULT, "us-east-1", "subjects");
                items.unwrap().len()
            };
            let mut runner = TestRunner::default();
            for case in 0..CASES {
                let mut subject = |range_part| Subject {
                    hash_part: sample(&mut runner, words()),
                    range_part,
                    other_part: sample(&mut runner, words()),
                    local_part: sample(&mut runner, any::<u64>()),
                    $($field: sample(&mut runner, $values),)*
                    more: sample(&mut runner, hash_map("x-[a-z]{1,3}", words(), 0..3)),
                };
                let (one, two) = (subject(2 * case), subject(2 * case + 1));
                let key = || (&one.hash_part, one.range_part);

                // Saved, and read by every way.
                one.save().await.unwrap();
                let found = |found: Result<Vec<Subject>, bsm_dynamodb::Error>| {
                    let found = found.unwrap_or_else(|error| panic!("{error:?} of {one:?}"));
                    assert_eq!(found, std::slice::from_ref(&one));
                };
                assert_eq!(Subject::get(key()).await.unwrap(), one);
                assert_eq!(one.refresh().await.unwrap(), one);
                found(Subject::get_many([key(), (&one.hash_part, two.range_part)]).await);
                let (read,) = transact_get((Subject::get(key()),)).await.unwrap();
                assert_eq!(read.as_ref(), Some(&one));
                let query = || Subject::query(&one.hash_part);
                found(query().collect().await);
                found(query().range_ge(one.range_part).collect().await);
                found(query().range_between(one.range_part, one.range_part).collect().await);
                found(ByOther::query(&one.other_part).collect().await);
                found(ByLocal::query(&one.hash_part).range_eq(one.local_part).collect().await);
                found(Subject::scan().collect().await);

                // Each attribute, by conditions and filters.
                let is_one = || {
                    Subject::other_part().eq(&one.other_part)
                        $(& Subject::$field().eq(&one.$field))*
                };
                $(
                    let equal = Subject::$field().eq(&one.$field);
                    found(Subject::scan().filter(equal.clone()).collect().await);
                    let one_of = Subject::$field().in_([&one.$field, &one.$field]);
                    let is_stored = Subject::$field().exists() & !Subject::$field().attribute_type(
                        bsm_dynamodb::AttributeType::Null,
                    );
                    // An `Option` that is `None` and an empty set are no elements of a list of values.
                    if Subject::scan().filter(is_stored).count().await.unwrap() == 1 {
                        found(Subject::scan().filter(one_of).collect().await);
                    }
                    let other = Subject::scan().filter(!equal).count();
                    assert_eq!(other.await.unwrap(), 0, "{} of {one:?}", stringify!($field));
                )*
                one.save().condition(is_one()).await.unwrap();
                transact_write().check(key(), is_one()).await.unwrap();

                // Changed in its place, and moved in the indexes.
                let changed = Subject {
                    hash_part: one.hash_part.clone(),
                    range_part: one.range_part,
                    more: one.more.clone(),
                    ..two.clone()
                };
                let change = |update: bsm_dynamodb::Update<Subject>| {
                    update
                        .set(Subject::other_part(), &two.other_part)
                        .set(Subject::local_part(), two.local_part)
                        $(.set(Subject::$field(), two.$field.clone()))*
                };
                let updated = change(Subject::update(key())).condition(is_one()).await.unwrap();
                assert_eq!(updated, changed);
                assert_eq!(Subject::get(key()).await.unwrap(), changed);
                let moved = ByOther::query(&two.other_part).collect().await.unwrap();
                assert_eq!(moved, std::slice::from_ref(&changed));
                changed.save().await.unwrap();
                assert_eq!(count(), 1);

                // What an update creates is what a save would.
                let new_key = || (&two.hash_part, two.range_part);
                let created = change(Subject::update(new_key())).await.unwrap();
                let bare = Subject { more: HashMap::new(), ..two.clone() };
                assert_eq!(created, bare);
                bare.save().await.unwrap();
                assert_eq!(count(), 2);
                transact_write().write(change(Subject::update(new_key()))).await.unwrap();
                assert_eq!(Subject::get(new_key()).await.unwrap(), bare);

                // A cursor resumes after the item at which it was taken.
                let mut stream = Subject::scan().page_size(1).stream();
                let first = stream.try_next().await.unwrap().unwrap();
                let scan = Subject::scan().resume(stream.cursor().await.unwrap());
                let rest = scan.collect().await.unwrap();
                assert!(rest.len() == 1 && rest[0] != first, "{rest:?}");

                // Removed by every way.
                first.delete().await.unwrap();
                rest[0].delete().await.unwrap();
                assert_eq!(count(), 0);
                Subject::batch_write().save_all([&one, &two]).await.unwrap();
                assert_eq!(Subject::get(new_key()).await.unwrap(), two);
                Subject::batch_write().delete_all([key(), new_key()]).await.unwrap();
                assert_eq!(count(), 0);
                transact_write().write(one.save()).await.unwrap();
                found(Subject::scan().collect().await);
                transact_write().write(Subject::delete_key(key())).await.unwrap();
                assert_eq!(count(), 0);
            }
        }
    };
}

declarations! {
    [
        plain [] {
            [#[model(hash_key)]]
            [#[model(range_key)]]
            [#[model(index(ByOther))]]
            [#[model(local_index(ByLocal))]]
        }
        renamed [#[serde(rename_all = "camelCase")]] {
            [#[model(hash_key)] #[serde(with = "upper", rename = "Hash")]]
            [#[model(range_key)] #[serde(alias = "sort")]]
            [#[model(index(ByOther))] #[serde(with = "upper")]]
            [#[model(local_index(ByLocal))] #[serde(with = "padded")] #[model(key_type = String)]]
        }
        sparse [#[model(codec = Sparse)] #[serde(rename_all = "SCREAMING-KEBAB-CASE")]] {
            [#[model(hash_key)]]
            [#[model(range_key)]]
            [#[model(index(ByOther))] #[serde(with = "upper")]]
            [#[model(local_index(ByLocal))]]
        }
        own_codec [#[model(codec = Prefixed)]] {
            [#[model(hash_key)]]
            [#[model(range_key)]]
            [#[model(index(ByOther))]]
            [#[model(local_index(ByLocal))]]
        }
        templates [
            #[model(entity = "subject", hash_key = "H#{hash_part}", range_key = "R#{range_part:06}")]
            #[model(index(ByOther, name = "gsi1", hash_key = "O#{other_part}", range_key = "{range_part:06}"))]
            #[serde(rename_all = "PascalCase")]
        ] {
            [#[serde(with = "upper")]]
            []
            []
            [#[model(local_index(ByLocal))]]
        }
        templates_and_an_own_codec [
            #[model(codec = Prefixed, hash_key = "H#{hash_part}", range_key = "R#{range_part:06}")]
            #[model(index(ByOther, name = "gsi1", hash_key = "O#{other_part}"))]
        ] {
            []
            []
            [#[serde(with = "upper")]]
            [#[model(local_index(ByLocal))]]
        }
    ]
    {
        text: String = words(),
        #[serde(rename = "a.b")]
        dotted: bool = any::<bool>(),
        #[serde(with = "upper", alias = "former")]
        encoded: String = words(),
        #[serde(rename = "two", serialize_with = "upper::serialize", deserialize_with = "upper::deserialize")]
        two_functions: String = words(),
        optional: Option<String> = option::of(words()),
        #[serde(default, skip_serializing_if = "Option::is_none")]
        skipped: Option<i64> = option::of(any::<i64>()),
        #[serde(default, skip_serializing_if = "Option::is_none", with = "upper_if_any", alias = "old")]
        crossed: Option<String> = option::of(words()),
        #[serde(default, with = "upper_if_any")]
        defaulted: Option<String> = option::of(words()),
        #[serde(default)]
        tags: Set<String> = btree_set(words(), 0..3).prop_map(|tags| tags.into_iter().collect()),
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        list: Vec<Option<u8>> = vec(option::of(any::<u8>()), 1..3),
        number: Number = any::<i64>().prop_map(Number::from),
        binary: Binary = any::<[u8; 4]>().prop_map(Binary::from),
        float: f64 = (-1e9..1e9),
        wide: u128 = 0..10u128.pow(38),
        code: Code = any::<u64>().prop_map(Code),
        kind: Kind = kind(),
        nested: Inner = inner(),
        optional_nested: Option<Inner> = option::of(inner()),
    }
}
