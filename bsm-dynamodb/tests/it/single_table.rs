//! Several models in one table: composed keys, entities, collections and overloaded indexes.

use aws_sdk_dynamodb::types::AttributeValue;
use bsm_dynamodb::{
    Entities, ErrorKind, Index as _, Item, Model, Projection, Sparse, slot, transact_get,
    transact_write,
};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use crate::support::Playground;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "shop", entity = "customer")]
#[model(hash_key = "CUSTOMER#{id}", range_key = "PROFILE")]
#[model(index(
    CustomerByEmail,
    name = "gsi1",
    hash_key = "EMAIL#{email}",
    range_key = "CUSTOMER"
))]
struct Customer {
    id: String,
    email: String,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, bsm_dynamodb::KeyAttribute)]
#[serde(rename_all = "lowercase")]
enum Status {
    Open,
    Shipped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "shop", entity = "order", codec = Sparse)]
#[model(hash_key = "CUSTOMER#{customer}", range_key = "ORDER#{number:08}")]
#[model(index(
    OrderByStatus,
    name = "gsi1",
    hash_key = "STATUS#{status}",
    range_key = "{placed}#{number:08}"
))]
#[model(index(OrderByCourier, name = "gsi2", hash_key = "COURIER#{courier}", projection = keys_only))]
struct Order {
    #[serde(rename = "owner")]
    customer: String,
    number: u64,
    status: Status,
    placed: String,
    courier: Option<String>,
    #[serde(default)]
    total: u64,
}

/// The lines of an order have its key as the beginning of theirs, which only the entity tells apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "shop", entity = "line")]
#[model(
    hash_key = "CUSTOMER#{customer}",
    range_key = "ORDER#{order:08}#LINE#{line:03}"
)]
struct Line {
    customer: String,
    order: u64,
    line: u32,
}

#[derive(Debug, PartialEq, Entities)]
enum ShopItem {
    Customer(Customer),
    Order(Order),
    Line(Line),
}

fn customer(id: &str) -> Customer {
    Customer {
        id: id.into(),
        email: format!("{id}@example.com"),
        name: id.to_uppercase(),
    }
}

fn order(customer: &str, number: u64) -> Order {
    Order {
        customer: customer.into(),
        number,
        status: Status::Open,
        placed: "2026-11-26".into(),
        courier: None,
        total: 100 * number,
    }
}

fn line(customer: &str, order: u64, line: u32) -> Line {
    Line {
        customer: customer.into(),
        order,
        line,
    }
}

async fn start() -> Playground {
    let local = Playground::start().await;
    let create = Customer::create_table()
        .with_model::<Order>()
        .with_model::<Line>()
        .wait();
    local.profile("default").scope(create).await.unwrap();
    local
}

/// Two customers, the first of whom has two orders, the first of which has two lines.
async fn fill() {
    Customer::batch_write()
        .save_all([customer("ada"), customer("bob")])
        .await
        .unwrap();
    order("ada", 7).save().await.unwrap();
    order("ada", 12).save().await.unwrap();
    line("ada", 7, 1).save().await.unwrap();
    line("ada", 7, 2).save().await.unwrap();
}

/// The stored attributes of an item.
async fn stored(pk: &str, sk: &str) -> Item {
    let client = slot::<Customer>().client().await.unwrap();
    let get = client.get_item().table_name("shop");
    let get = get.key("pk", AttributeValue::S(pk.into()));
    let get = get.key("sk", AttributeValue::S(sk.into()));
    get.send().await.unwrap().item.unwrap_or_default()
}

fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name).map(|value| value.as_s().unwrap().clone())
}

#[tokio::test]
async fn keys_are_composed_of_fields_and_every_operation_finds_them() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let ada = customer("ada");
    ada.save().await.unwrap();
    let item = stored("CUSTOMER#ada", "PROFILE").await;
    assert_eq!(text(&item, "entity").unwrap(), "customer");
    assert_eq!(text(&item, "gsi1pk").unwrap(), "EMAIL#ada@example.com");
    assert_eq!(text(&item, "gsi1sk").unwrap(), "CUSTOMER");
    assert_eq!(text(&item, "id").unwrap(), "ada");

    assert_eq!(Customer::get("ada").await.unwrap(), ada);
    assert_eq!(ada.refresh().await.unwrap(), ada);
    let found = Customer::get_many(["ada", "bob"]).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&ada));
    let order = order("ada", 7);
    transact_write().write(order.save()).await.unwrap();
    let (read, none) = transact_get((Order::get(("ada", 7)), Order::get(("ada", 8))))
        .await
        .unwrap();
    assert_eq!((read, none), (Some(order.clone()), None));
    let insert = order.save().condition(Order::number().not_exists());
    let error = insert.await.unwrap_err();
    assert_eq!(
        error.existing_model::<Order>().unwrap(),
        Some(order.clone())
    );
    let dear = Order::update(("ada", 7)).set(Order::total(), 5);
    let dear = dear.condition(Order::customer().eq("ada")).await.unwrap();
    assert_eq!(dear.total, 5);
    assert_eq!(order.delete().return_old().await.unwrap(), Some(dear));
    Customer::delete_key("ada").await.unwrap();
    assert!(stored("CUSTOMER#ada", "PROFILE").await.is_empty());
}

#[tokio::test]
async fn a_query_and_a_scan_of_a_model_leave_other_models_out() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    fill().await;
    let orders = [order("ada", 7), order("ada", 12)];
    assert_eq!(Order::query("ada").collect().await.unwrap(), orders);
    assert_eq!(
        Order::query("ada").range_ge(8).collect().await.unwrap(),
        orders[1..]
    );
    let between = Order::query("ada").range_between(7, 11);
    assert_eq!(between.collect().await.unwrap(), orders[..1]);
    let prefix = Order::query("ada").range_begins_with("ORDER#0000001");
    assert_eq!(prefix.collect().await.unwrap(), orders[1..]);
    assert_eq!(Order::query("ada").count().await.unwrap(), 2);
    assert_eq!(Order::scan().segments(4).count().await.unwrap(), 2);
    assert_eq!(Customer::scan().count().await.unwrap(), 2);
    let lines = Line::query("ada").range_eq((7, 2)).collect().await.unwrap();
    assert_eq!(lines, [line("ada", 7, 2)]);
    let dear = Order::scan().filter(Order::total().gt(800));
    assert_eq!(dear.collect().await.unwrap(), orders[1..]);
    // A page also contains only the model's items, and a cursor continues after items of other models.
    let mut stream = Order::query("ada").page_size(1).stream();
    assert_eq!(stream.try_next().await.unwrap().unwrap(), orders[0]);
    let rest = Order::query("ada").resume(stream.cursor().await.unwrap());
    assert_eq!(rest.collect().await.unwrap(), orders[1..]);
}

/// A customer, two orders and a bill under one hash key, of models without an entity.
mod without_entity {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "shop", hash_key = "CUSTOMER#{id}", range_key = "PROFILE")]
    pub(super) struct Customer {
        pub(super) id: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "shop")]
    #[model(hash_key = "CUSTOMER#{customer}", range_key = "ORDER#{name}")]
    #[model(index(
        ByCourier,
        hash_key = "COURIER#{courier}",
        range_key = "ORDER#{name}",
        range_name = "sk"
    ))]
    pub(super) struct Order {
        pub(super) customer: String,
        pub(super) name: String,
        pub(super) courier: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "shop", hash_key = "CUSTOMER#{customer}", range_key = "BILL")]
    pub(super) struct Bill {
        pub(super) customer: String,
        /// A bill has the key of the index as an attribute of the same name.
        #[serde(rename = "ByCourierpk")]
        pub(super) courier: String,
    }

    pub(super) fn order(name: &str) -> Order {
        Order {
            customer: "ada".into(),
            name: name.into(),
            courier: "eve".into(),
        }
    }
}

#[tokio::test]
async fn a_range_condition_without_an_entity_reads_no_item_of_another_model() {
    use without_entity::{Bill, ByCourier, Customer, Order, order};

    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Order::create_table().wait().await.unwrap();
    let id = "ada".to_owned();
    Customer { id: id.clone() }.save().await.unwrap();
    let bill = Bill {
        customer: id,
        courier: "COURIER#eve".into(),
    };
    bill.save().await.unwrap();
    let all = [order("a"), order("b"), order("c")];
    Order::batch_write().save_all(&all).await.unwrap();

    let query = || Order::query("ada");
    let lines = [
        (query().range_lt("b"), &all[..1]),
        (query().range_le("b"), &all[..2]),
        (query().range_gt("b"), &all[2..]),
        (query().range_ge("b"), &all[1..]),
        (query().range_eq("b"), &all[1..2]),
        (query().range_between("b", "z"), &all[1..]),
        (query().range_lt(""), &[]),
        (query().range_ge(""), &all),
        (query().range_begins_with("ORDER#a"), &all[..1]),
        (query().range_begins_with(""), &all),
        (query().range_begins_with("ORD"), &all),
        (query().range_begins_with("PRO"), &[]),
        (query(), &all),
    ];
    for (query, expected) in lines {
        let text = format!("{query:?}");
        assert_eq!(query.collect().await.unwrap(), expected, "{text}");
    }
    assert_eq!(query().range_ge("b").count().await.unwrap(), 2);
    let page = query().range_gt("a").raw().await.unwrap().send().await;
    assert_eq!(page.unwrap().scanned_count(), 2, "no other item is read");
    let of_index = ByCourier::query("eve").range_ge("b").collect().await;
    assert_eq!(of_index.unwrap(), all[1..]);
    let of_index = ByCourier::query("eve").range_lt("b").collect().await;
    assert_eq!(of_index.unwrap(), all[..1]);

    // The prefix is that of one model, and an enum has several.
    #[derive(Debug, PartialEq, Entities)]
    enum Any {
        Customer(Customer),
        Order(Order),
    }
    let any = query().range_ge("b").entities::<Any>().count().await;
    assert_eq!(any.unwrap(), 3);
}

#[tokio::test]
async fn a_collection_is_read_as_an_enum_over_its_models() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    fill().await;
    let found = Customer::query("ada").entities::<ShopItem>();
    let found = found.collect().await.unwrap();
    let expected = [
        ShopItem::Order(order("ada", 7)),
        ShopItem::Line(line("ada", 7, 1)),
        ShopItem::Line(line("ada", 7, 2)),
        ShopItem::Order(order("ada", 12)),
        ShopItem::Customer(customer("ada")),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        Customer::scan()
            .entities::<ShopItem>()
            .count()
            .await
            .unwrap(),
        6
    );

    #[derive(Debug, Entities)]
    enum Some {
        Customer(#[expect(dead_code, reason = "only counted")] Customer),
        Line(#[expect(dead_code, reason = "only counted")] Line),
    }
    let some = Customer::scan().entities::<Some>().collect().await.unwrap();
    assert_eq!(some.len(), 4, "the others are left out");
}

#[tokio::test]
async fn an_index_that_two_models_share_returns_each_its_own() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    fill().await;
    let found = CustomerByEmail::query("bob@example.com").collect().await;
    assert_eq!(found.unwrap(), [customer("bob")]);
    let open = OrderByStatus::query(Status::Open).descending().collect();
    assert_eq!(open.await.unwrap(), [order("ada", 12), order("ada", 7)]);
    let open = OrderByStatus::query(Status::Open).range_eq(("2026-11-26", 7));
    assert_eq!(open.count().await.unwrap(), 1);
    assert_eq!(OrderByStatus::scan().count().await.unwrap(), 2);
    let both = OrderByStatus::scan().entities::<ShopItem>().count();
    assert_eq!(both.await.unwrap(), 4);
}

#[tokio::test]
async fn an_index_without_other_attributes_has_the_fields_of_the_keys() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let mut parcel = order("ada", 7);
    parcel.courier = Some("eve".into());
    parcel.save().await.unwrap();
    order("ada", 8).save().await.unwrap();

    #[derive(Debug, PartialEq, Deserialize)]
    struct Key {
        pk: String,
    }
    let found = OrderByCourier::query("eve")
        .project::<Key>()
        .collect()
        .await;
    assert_eq!(
        found.unwrap(),
        [Key {
            pk: "CUSTOMER#ada".into()
        }]
    );
    assert_eq!(OrderByCourier::PROJECTION, Projection::KeysOnly);
    // The item without a courier is not in the index.
    assert_eq!(OrderByCourier::scan().count().await.unwrap(), 1);

    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(
        table = "shop",
        hash_key = "CUSTOMER#{customer}",
        range_key = "ORDER#{number:08}"
    )]
    #[model(index(ByCourier, name = "gsi2", hash_key = "COURIER#{courier}", projection = keys_only))]
    struct Parcel {
        customer: String,
        number: u64,
        courier: String,
    }
    let expected = Parcel {
        customer: "ada".into(),
        number: 7,
        courier: "eve".into(),
    };
    let parcels = ByCourier::query("eve").collect().await.unwrap();
    assert_eq!(parcels, [expected]);

    // Without the attribute `entity`, a line and an order look the same.
    let queries = local.aws.call_count("dynamodb", "Query");
    let mixed = OrderByCourier::query("eve").entities::<ShopItem>();
    let error = mixed.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("projection"), "{error}");
    assert_eq!(local.aws.call_count("dynamodb", "Query"), queries);
}

#[tokio::test]
async fn an_update_changes_the_keys_of_indexes_that_are_composed_of_what_it_sets() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    order("ada", 7).save().await.unwrap();
    let update = || Order::update(("ada", 7));
    let key = || async { stored("CUSTOMER#ada", "ORDER#00000007").await };

    let placed = update().set(Order::placed(), "2026-12-24");
    placed.await.unwrap();
    assert_eq!(text(&key().await, "gsi1sk").unwrap(), "2026-12-24#00000007");
    let shipped = update().set(Order::status(), Status::Shipped);
    shipped.await.unwrap();
    assert_eq!(text(&key().await, "gsi1pk").unwrap(), "STATUS#shipped");
    let courier = update().set(Order::courier(), "eve".to_owned());
    courier.await.unwrap();
    assert_eq!(text(&key().await, "gsi2pk").unwrap(), "COURIER#eve");
    update().set(Order::courier(), None).await.unwrap();
    assert_eq!(text(&key().await, "gsi2pk"), None);
    update()
        .set(Order::courier(), "eve".to_owned())
        .await
        .unwrap();
    transact_write()
        .write(update().remove(Order::courier()))
        .await
        .unwrap();
    assert_eq!(text(&key().await, "gsi2pk"), None);
    let saved = Order::get(("ada", 7)).await.unwrap();
    let before = key().await;
    saved.save().await.unwrap();
    assert_eq!(key().await, before, "an update writes what a save does");
}

#[tokio::test]
async fn an_update_of_one_of_several_fields_of_an_index_is_refused_before_it_is_sent() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "visits", hash_key = "VISIT#{id}")]
    #[model(index(ByPlace, hash_key = "{country}#{city}"))]
    struct Visit {
        id: String,
        country: String,
        city: String,
        count: u64,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    for update in [
        Visit::update("1").set(Visit::city(), "Berlin"),
        Visit::update("1").remove(Visit::country()),
        Visit::update("1")
            .set(Visit::city(), "Berlin")
            .set_if_not_exists(Visit::country(), "DE"),
    ] {
        let error = update.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            cause.contains("`ByPlacepk` is composed of `country`, `city`"),
            "{cause}"
        );
    }
    assert!(local.aws.calls().is_empty());
    Visit::create_table().wait().await.unwrap();
    let place = Visit::update("1")
        .set(Visit::city(), "Berlin")
        .set(Visit::country(), "DE");
    place.increment(Visit::count(), 1).await.unwrap();
    Visit::update("1")
        .increment(Visit::count(), 1)
        .await
        .unwrap();
    let found = ByPlace::query(("DE", "Berlin")).collect().await.unwrap();
    assert_eq!((found.len(), found[0].count), (1, 2));
}

#[tokio::test]
async fn an_update_that_creates_an_item_writes_what_a_save_writes() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let created = Order::update(("ada", 7))
        .set(Order::status(), Status::Open)
        .set(Order::placed(), "2026-11-26")
        .set(Order::total(), 700)
        .await
        .unwrap();
    assert_eq!(created, order("ada", 7));
    let updated = stored("CUSTOMER#ada", "ORDER#00000007").await;
    order("ada", 7).save().await.unwrap();
    assert_eq!(stored("CUSTOMER#ada", "ORDER#00000007").await, updated);
}

#[tokio::test]
async fn a_field_of_a_key_cannot_be_updated() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let calls = local.aws.calls().len();
    for update in [
        Order::update(("ada", 7)).set(Order::number(), 8),
        Order::update(("ada", 7)).increment(Order::number(), 1),
        Order::update(("ada", 7)).remove(Order::customer()),
    ] {
        let error = update.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("cannot change"), "{cause}");
    }
    assert_eq!(local.aws.calls().len(), calls);
}

#[tokio::test]
async fn a_value_that_would_make_a_key_ambiguous_is_refused_before_it_is_sent() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "shop", hash_key = "SHOP#{shop}#{customer}")]
    struct Account {
        shop: String,
        customer: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let account = |shop: &str| Account {
        shop: shop.into(),
        customer: "ada".into(),
    };
    for error in [
        account("a#b").save().await.unwrap_err(),
        Account::get(("a#b", "ada")).await.unwrap_err(),
        Account::delete_key(("a#b", "ada")).await.unwrap_err(),
        Order::get(("ada", 123_456_789)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error}");
        let text = format!("{error:?}");
        assert!(
            !text.contains("a#b") && !text.contains("123456789"),
            "{text}"
        );
    }
    assert!(local.aws.calls().is_empty());
    Account::create_table().wait().await.unwrap();
    account("berlin").save().await.unwrap();
    let read = Account::get(("berlin", "ada")).await.unwrap();
    assert_eq!(
        (read.shop.as_str(), read.customer.as_str()),
        ("berlin", "ada")
    );
}

#[tokio::test]
async fn an_item_of_another_model_is_an_error_and_not_a_model() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "shop", entity = "invoice")]
    #[model(hash_key = "CUSTOMER#{customer}", range_key = "ORDER#{number:08}")]
    struct Invoice {
        customer: String,
        number: u64,
    }
    #[derive(Debug, Deserialize)]
    struct Number {
        #[expect(dead_code, reason = "never read")]
        number: u64,
    }
    let local = start().await;
    let _default = local.profile("default").awsenv();
    order("ada", 7).save().await.unwrap();
    for error in [
        Invoice::get(("ada", 7)).await.unwrap_err(),
        Invoice::get(("ada", 7)).optional().await.unwrap_err(),
        Invoice::get(("ada", 7))
            .project::<Number>()
            .await
            .unwrap_err(),
        Invoice::get_many([("ada", 7)]).await.unwrap_err(),
        Invoice::get_many([("ada", 7)])
            .project::<Number>()
            .await
            .unwrap_err(),
        transact_get(Invoice::get(("ada", 7))).await.unwrap_err(),
        transact_get(Invoice::get(("ada", 7)).project::<Number>())
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidItem);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("belongs to another model"), "{cause}");
    }
    assert_eq!(Invoice::query("ada").count().await.unwrap(), 0);
}

#[tokio::test]
async fn models_that_cannot_share_a_table_are_refused() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "elsewhere", hash_key = "A#{id}", range_key = "A")]
    struct Elsewhere {
        id: String,
    }
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "shop")]
    struct OtherKey {
        #[model(hash_key)]
        id: String,
    }
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "shop", hash_key = "A#{id}", range_key = "A")]
    #[model(index(OtherIndex, name = "gsi1", hash_key = "A#{id}"))]
    struct SameIndexName {
        id: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    for (create, wanted) in [
        (
            Customer::create_table().with_model::<Elsewhere>(),
            "another table",
        ),
        (
            Customer::create_table().with_model::<OtherKey>(),
            "another key",
        ),
        (
            Customer::create_table().with_model::<SameIndexName>(),
            "an index gsi1",
        ),
    ] {
        let error = create.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(wanted), "{error}");
    }
    assert!(local.aws.calls().is_empty());
}

#[tokio::test]
async fn an_inverted_index_has_the_keys_of_the_table_in_the_other_order() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(
        table = "members",
        hash_key = "GROUP#{group}",
        range_key = "USER#{user}"
    )]
    #[model(index(
        ByUser,
        hash_key = "USER#{user}",
        hash_name = "sk",
        range_key = "GROUP#{group}",
        range_name = "pk"
    ))]
    struct Member {
        group: String,
        user: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Member::create_table().wait().await.unwrap();
    let member = |group: &str| Member {
        group: group.into(),
        user: "ada".into(),
    };
    Member::batch_write()
        .save_all([member("chess"), member("music")])
        .await
        .unwrap();
    let groups = ByUser::query("ada").collect().await.unwrap();
    assert_eq!(groups, [member("chess"), member("music")]);
}

#[tokio::test]
async fn indexes_that_share_a_composed_attribute_are_updated_together() {
    #[expect(
        clippy::duplicated_attributes,
        reason = "the indexes share the attribute"
    )]
    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "jobs", hash_key = "JOB#{id}")]
    #[model(index(
        ByStart,
        hash_key = "S#{status}",
        hash_name = "s",
        range_key = "{start}"
    ))]
    #[model(index(ByEnd, hash_key = "S#{status}", hash_name = "s", range_key = "{end}"))]
    #[model(index(ById, hash_key = "J#{id}", hash_name = "j", range_key = "{start}"))]
    #[model(index(ByIdAndEnd, hash_key = "J#{id}", hash_name = "j", range_key = "{end}"))]
    struct Job {
        id: String,
        status: String,
        start: String,
        end: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Job::create_table().wait().await.unwrap();
    let job = Job {
        id: "1".into(),
        status: "open".into(),
        start: "a".into(),
        end: "b".into(),
    };
    job.save().await.unwrap();
    let update = Job::update("1").set(Job::status(), "done");
    let changed = update.await.unwrap();
    for found in [
        ByStart::query("done").collect().await.unwrap(),
        ByEnd::query("done").collect().await.unwrap(),
        ById::query("1").collect().await.unwrap(),
        ByIdAndEnd::query("1").collect().await.unwrap(),
    ] {
        assert_eq!(found, std::slice::from_ref(&changed));
    }
}

#[tokio::test]
async fn a_field_whose_name_is_a_keyword_can_stand_in_a_template() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Model)]
    #[model(table = "things")]
    #[model(hash_key = "T#{type}", range_key = "{r#type}#{number:04}")]
    struct Thing {
        r#type: String,
        number: u16,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Thing::create_table().wait().await.unwrap();
    let thing = Thing {
        r#type: "box".into(),
        number: 7,
    };
    thing.save().await.unwrap();
    assert_eq!(Thing::get(("box", 7)).await.unwrap(), thing);
    assert_eq!(Thing::TEMPLATES[1].to_string(), "{type}#{number:04}");
}

#[tokio::test]
async fn an_update_of_a_composed_key_names_the_value_that_cannot_be_stored() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "events", hash_key = "EVENT#{id}")]
    #[model(index(ByTime, hash_key = "AT#{at}"))]
    struct Event {
        id: String,
        #[model(key_type = String)]
        #[serde(with = "bsm_dynamodb::rfc3339")]
        at: std::time::SystemTime,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let late = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
    for update in [
        Event::update("1").set(Event::at(), late),
        Event::update("1").set_if_not_exists(Event::at(), late),
    ] {
        let error = update.await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("after the year 9999"), "{cause}");
    }
    assert!(local.aws.calls().is_empty());
}
