//! Queries and scans, of tables and of indexes.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    LocalSecondaryIndex, Projection, ProjectionType, ScalarAttributeType,
};
use bsm_dynamodb::{ErrorKind, GlobalIndex, Index, KeySchema, LocalIndex, Model, slot};
use bsm_local_aws::Fault;
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use crate::copy::proxy;
use crate::support::Playground;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "orders")]
pub(crate) struct Order {
    #[model(hash_key)]
    pub(crate) customer: String,
    #[model(range_key)]
    pub(crate) number: u64,
    pub(crate) status: String,
    city: String,
}

impl Order {
    pub(crate) fn new(customer: &str, number: u64) -> Self {
        Self {
            customer: customer.to_owned(),
            number,
            status: if number.is_multiple_of(3) {
                "paid"
            } else {
                "open"
            }
            .to_owned(),
            city: ["Aachen", "Berlin", "Bonn"][number as usize % 3].to_owned(),
        }
    }
}

/// Has many items with one key.
pub(crate) enum ByStatus {}

impl Index for ByStatus {
    type Model = Order;
    type Key = (String, u64);
    type Kind = GlobalIndex;
    const NAME: &'static str = "by-status";
    const KEY: KeySchema<Self::Key> = KeySchema::hash_and_range("status", "number");
}

pub(crate) enum ByCity {}

impl Index for ByCity {
    type Model = Order;
    type Key = (String, String);
    type Kind = LocalIndex;
    const NAME: &'static str = "by-city";
    const KEY: KeySchema<Self::Key> = KeySchema::hash_and_range("customer", "city");
}

/// The table with its indexes, and so many orders of each of two customers.
pub(crate) async fn with_orders(count: u64) -> Playground {
    let local = Playground::start().await;
    let create = async {
        let attribute = |name: &str, kind| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            attribute.attribute_type(kind).build().unwrap()
        };
        let key = |name: &str, role| {
            let key = KeySchemaElement::builder().attribute_name(name);
            key.key_type(role).build().unwrap()
        };
        let keys = |hash, range| vec![key(hash, KeyType::Hash), key(range, KeyType::Range)];
        let all = || {
            Projection::builder()
                .projection_type(ProjectionType::All)
                .build()
        };
        let by_status = GlobalSecondaryIndex::builder().index_name("by-status");
        let by_city = LocalSecondaryIndex::builder().index_name("by-city");
        let client = slot::<Order>().client().await.unwrap();
        client
            .create_table()
            .table_name("orders")
            .attribute_definitions(attribute("customer", ScalarAttributeType::S))
            .attribute_definitions(attribute("number", ScalarAttributeType::N))
            .attribute_definitions(attribute("status", ScalarAttributeType::S))
            .attribute_definitions(attribute("city", ScalarAttributeType::S))
            .set_key_schema(Some(keys("customer", "number")))
            .global_secondary_indexes(
                by_status
                    .set_key_schema(Some(keys("status", "number")))
                    .projection(all())
                    .build()
                    .unwrap(),
            )
            .local_secondary_indexes(
                by_city
                    .set_key_schema(Some(keys("customer", "city")))
                    .projection(all())
                    .build()
                    .unwrap(),
            )
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await
            .unwrap();
        Order::create_table().wait().await.unwrap();
        let orders = ["a", "b"].map(|customer| (0..count).map(|n| Order::new(customer, n)));
        Order::batch_write()
            .save_all(orders.into_iter().flatten())
            .await
            .unwrap();
    };
    local.profile("default").scope(create).await;
    local.aws.clear_calls();
    local
}

fn numbers(orders: &[Order]) -> Vec<u64> {
    orders.iter().map(|order| order.number).collect()
}

#[tokio::test]
async fn a_query_reads_one_hash_key_in_order() {
    let local = with_orders(12).await;
    let _default = local.profile("default").awsenv();
    let query = || Order::query("a");
    let read = async |query: bsm_dynamodb::Query<Order>| {
        let orders = query.collect().await.unwrap();
        assert!(orders.iter().all(|order| order.customer == "a"));
        numbers(&orders)
    };
    assert_eq!(
        read(query().page_size(5)).await,
        (0..12).collect::<Vec<_>>()
    );
    assert_eq!(read(query().range_eq(7)).await, [7]);
    assert_eq!(read(query().range_lt(2)).await, [0, 1]);
    assert_eq!(read(query().range_le(2)).await, [0, 1, 2]);
    assert_eq!(read(query().range_gt(9)).await, [10, 11]);
    assert_eq!(read(query().range_ge(9).descending()).await, [11, 10, 9]);
    assert_eq!(
        read(query().range_between(3, 5).consistent_read(true)).await,
        [3, 4, 5]
    );
    assert!(read(Order::query("c")).await.is_empty());
}

#[tokio::test]
async fn an_index_is_queried_by_its_type() {
    let local = with_orders(12).await;
    let _default = local.profile("default").awsenv();
    let paid = ByStatus::query("paid").range_ge(6).collect().await.unwrap();
    assert_eq!(numbers(&paid), [6, 6, 9, 9]);
    let cities = ByCity::query("a")
        .range_begins_with("B")
        .consistent_read(true);
    let cities = cities.collect().await.unwrap();
    assert_eq!(cities.len(), 8);
    assert!(cities.is_sorted_by_key(|order| &order.city));
    assert_eq!(ByStatus::scan().count().await.unwrap(), 24);
    assert_eq!(ByCity::scan().segments(3).count().await.unwrap(), 24);
}

#[tokio::test]
async fn a_limit_counts_items_after_the_filter() {
    let local = with_orders(30).await;
    let _default = local.profile("default").awsenv();
    let paid = || Order::query("a").filter(Order::status().eq("paid"));
    let some = paid().limit(4).page_size(5).collect().await.unwrap();
    assert_eq!(numbers(&some), [0, 3, 6, 9]);
    assert_eq!(paid().page_size(4).count().await.unwrap(), 10);
    assert_eq!(paid().limit(3).page_size(4).count().await.unwrap(), 3);
    assert_eq!(Order::query("a").limit(0).count().await.unwrap(), 0);
}

#[tokio::test]
async fn without_a_filter_a_read_stops_at_the_limit() {
    let local = with_orders(30).await;
    let _default = local.profile("default").awsenv();
    let raw = Order::query("a")
        .limit(7)
        .page_size(10)
        .raw()
        .await
        .unwrap();
    assert_eq!(raw.get_limit(), &Some(7));
    let filtered = Order::query("a")
        .limit(7)
        .filter(Order::status().eq("open"));
    assert_eq!(filtered.raw().await.unwrap().get_limit(), &None);
    let some = Order::query("a")
        .limit(7)
        .page_size(5)
        .collect()
        .await
        .unwrap();
    assert_eq!(numbers(&some), (0..7).collect::<Vec<_>>());
    assert_eq!(local.aws.call_count("dynamodb", "Query"), 2);
}

#[tokio::test]
async fn a_page_can_be_empty_without_being_the_last() {
    let local = with_orders(30).await;
    let _default = local.profile("default").awsenv();
    let last = || {
        Order::query("a")
            .page_size(5)
            .filter(Order::city().eq("Bonn"))
    };
    let pages: Vec<_> = last()
        .filter(Order::status().eq("none"))
        .pages()
        .try_collect()
        .await
        .unwrap();
    assert!(pages.len() >= 6 && pages.iter().all(|page| page.items().is_empty()));
    assert_eq!(
        pages
            .iter()
            .map(bsm_dynamodb::Page::scanned_count)
            .sum::<usize>(),
        30
    );

    let found = Order::query("a").range_ge(0).page_size(1);
    let found = found.filter(Order::city().eq("Bonn")).limit(1);
    assert_eq!(numbers(&found.collect().await.unwrap()), [2]);
}

#[tokio::test]
async fn pages_ignore_the_limit() {
    let local = with_orders(12).await;
    let _default = local.profile("default").awsenv();
    let pages = Order::query("a").limit(2).page_size(5).pages();
    let pages: Vec<_> = pages.try_collect().await.unwrap();
    let sizes: Vec<_> = pages.iter().map(|page| page.items().len()).collect();
    assert_eq!(sizes, [5, 5, 2]);
}

#[tokio::test]
async fn a_parallel_scan_returns_all_segments_in_one_stream() {
    let local = with_orders(40).await;
    let _default = local.profile("default").awsenv();
    let scan = || Order::scan().segments(7).concurrency(3).page_size(4);
    let mut all = scan().collect().await.unwrap();
    all.sort_by_key(|order| (order.customer.clone(), order.number));
    let wanted = ["a", "b"].map(|customer| (0..40).map(move |n| Order::new(customer, n)));
    assert_eq!(all, wanted.into_iter().flatten().collect::<Vec<_>>());
    assert_eq!(scan().count().await.unwrap(), 80);
    assert_eq!(scan().limit(9).collect().await.unwrap().len(), 9);
}

#[tokio::test]
async fn concurrency_limits_the_segments_that_are_read_at_a_time() {
    let local = with_orders(8).await;
    let _default = local.profile("default").awsenv();
    local
        .aws
        .faults()
        .add(Fault::latency(Duration::from_millis(50)).operation("Scan"));
    let start = Instant::now();
    Order::scan()
        .segments(6)
        .concurrency(2)
        .count()
        .await
        .unwrap();
    let slow = start.elapsed();
    assert!(slow >= Duration::from_millis(150), "{slow:?}");
}

#[tokio::test]
async fn a_parallel_scan_ends_at_the_first_error() {
    let local = with_orders(8).await;
    let _default = local.profile("default").awsenv();
    local
        .aws
        .faults()
        .add(Fault::error(400, "AccessDeniedException", "no").operation("Scan"));
    let mut items = Order::scan().segments(6).concurrency(2).stream();
    assert!(items.try_next().await.unwrap_err().is_access_denied());
    assert!(items.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_rate_limit_waits_for_consumed_capacity() {
    let local = with_orders(40).await;
    let _default = local.profile("default").awsenv();
    // A page of ten small items is half a unit, so four of them are two units at least.
    let start = Instant::now();
    let limited = Order::query("a").page_size(10).rate_limit(4);
    assert_eq!(limited.collect().await.unwrap().len(), 40);
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
}

#[tokio::test]
async fn a_filter_on_the_key_of_a_query_is_rejected() {
    let local = with_orders(1).await;
    let _default = local.profile("default").awsenv();
    let query = Order::query("a").filter(Order::number().eq(1));
    let error = query.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
    assert_eq!(error.operation(), "Query");
}

#[tokio::test]
async fn a_missing_index_is_rejected() {
    enum Missing {}
    impl Index for Missing {
        type Model = Order;
        type Key = String;
        type Kind = GlobalIndex;
        const NAME: &'static str = "missing";
        const KEY: KeySchema<String> = KeySchema::hash("status");
    }
    let local = with_orders(1).await;
    let _default = local.profile("default").awsenv();
    let error = Missing::query("open").collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
}

#[tokio::test]
async fn a_query_is_bound_like_any_operation() {
    let local = with_orders(2).await;
    let default = local.profile("default");
    let (items, collect) = (
        default.sync_scope(|| Order::query("a").stream()),
        Order::query("a"),
    );
    let staging = local.profile("staging");
    let found: Vec<_> = staging.scope(items.try_collect()).await.unwrap();
    assert_eq!(numbers(&found), [0, 1]);
    let error = staging.scope(collect.collect()).await.unwrap_err();
    assert!(error.is_table_not_found());
}

#[tokio::test]
async fn an_invalid_setting_fails_the_read_before_any_request() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let query = || Order::query("a");
    let failures = [
        query().page_size(0).collect().await.unwrap_err(),
        query().rate_limit(0).collect().await.unwrap_err(),
        query().range_ge(1).range_lt(3).collect().await.unwrap_err(),
        query().page_size(0).raw().await.unwrap_err(),
        Order::scan().segments(0).collect().await.unwrap_err(),
        Order::scan().concurrency(0).count().await.unwrap_err(),
        Order::scan()
            .page_size(0)
            .stream()
            .try_next()
            .await
            .unwrap_err(),
        Order::scan()
            .rate_limit(0)
            .pages()
            .try_next()
            .await
            .unwrap_err(),
        // A limit of 0 reads nothing, and hides nothing.
        query().page_size(0).limit(0).collect().await.unwrap_err(),
        Order::scan()
            .segments(0)
            .limit(0)
            .count()
            .await
            .unwrap_err(),
    ];
    let settings = [
        "page_size(0)",
        "rate_limit(0)",
        "range_between()",
        "page_size(0)",
        "segments(0)",
        "concurrency(0)",
        "page_size(0)",
        "rate_limit(0)",
        "page_size(0)",
        "segments(0)",
    ];
    for (error, setting) in failures.iter().zip(settings) {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
        assert!(error.to_string().contains(setting), "{error}");
    }
    let none = Order::number().in_([0; 0]);
    for error in [
        Order::scan()
            .filter(none.clone())
            .limit(0)
            .collect()
            .await
            .unwrap_err(),
        query().filter(none).limit(0).count().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
    }
    assert!(query().limit(0).collect().await.unwrap().is_empty());
    assert_eq!(Order::scan().limit(0).count().await.unwrap(), 0);
    let dynamodb = local.aws.calls().into_iter();
    let dynamodb: Vec<_> = dynamodb
        .filter(|call| call.operation != "AssumeRole")
        .collect();
    assert!(dynamodb.is_empty(), "{dynamodb:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_repeated_ends_the_read() {
    let playground = Playground::start().await;
    let key = serde_json::json!({ "customer": { "S": "ann" }, "number": { "N": "1" } });
    let page = serde_json::json!({
        "Items": [], "Count": 0, "ScannedCount": 1, "LastEvaluatedKey": key,
    });
    let url = proxy::start(playground.aws.endpoint_url(), move |operation, _| {
        matches!(operation, "Query" | "Scan").then(|| page.clone())
    });
    let manager = proxy::manager(&playground, "staging", url);
    let reads = async {
        let query = Order::query("ann").collect().await.unwrap_err();
        let scan = Order::scan().collect().await.unwrap_err();
        [query, scan]
    };
    for error in manager.scope(reads).await {
        assert_eq!(error.kind(), ErrorKind::Service, "{error}");
        assert!(error.to_string().contains("LastEvaluatedKey"), "{error}");
    }
}
