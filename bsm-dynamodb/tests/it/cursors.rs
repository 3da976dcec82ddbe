//! A cursor resumes a query or scan at its position, and is rejected anywhere else.

use std::sync::LazyLock;

use bsm_dynamodb::{Cursor, Error, ErrorKind, Index, Items, Model, Pages};
use bsm_local_aws::Fault;
use futures_util::TryStreamExt as _;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::queries::{ByCity, ByStatus, Order, with_orders};
use crate::support::Playground;

type Key = (String, u64);

fn key(order: Order) -> Key {
    (order.customer, order.number)
}

/// Reads so many items, and gives a cursor that has been stored in between.
async fn take(mut items: Items<Order>, count: usize) -> (Vec<Key>, Cursor) {
    let mut taken = Vec::new();
    while taken.len() < count
        && let Some(order) = items.try_next().await.unwrap()
    {
        taken.push(key(order));
    }
    let text = serde_json::to_string(&items.cursor().await.unwrap()).unwrap();
    (taken, serde_json::from_str(&text).unwrap())
}

async fn rest(mut items: Items<Order>) -> (Vec<Key>, Cursor) {
    let mut taken = Vec::new();
    while let Some(order) = items.try_next().await.unwrap() {
        taken.push(key(order));
    }
    (taken, items.cursor().await.unwrap())
}

macro_rules! resumes_at_every_position {
    ($($name:ident: $operation:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let local = with_orders(11).await;
            let _default = local.profile("default").awsenv();
            let mut all = $operation.collect().await.unwrap().into_iter().map(key).collect::<Vec<_>>();
            all.sort();
            for position in 0..=all.len() {
                let (mut keys, cursor) = take($operation.stream(), position).await;
                let (more, end) = rest($operation.resume(cursor).stream()).await;
                keys.extend(more);
                keys.sort();
                assert_eq!(keys, all, "at {position}");
                assert!(end.is_finished());
                assert!($operation.resume(end).collect().await.unwrap().is_empty());
            }
        }
    )*};
}

resumes_at_every_position! {
    a_query_resumes_at_every_position: Order::query("a").page_size(4);
    a_descending_query_resumes_at_every_position: Order::query("a").descending().page_size(4);
    a_filtered_query_resumes_at_every_position:
        Order::query("a").filter(Order::status().eq("paid")).page_size(4);
    a_query_of_a_global_index_resumes_at_every_position: ByStatus::query("open").page_size(3);
    a_query_of_a_local_index_resumes_at_every_position: ByCity::query("b").page_size(3);
    a_scan_resumes_at_every_position: Order::scan().page_size(4);
    a_scan_of_an_index_resumes_at_every_position: ByStatus::scan().page_size(5);
    a_parallel_scan_resumes_at_every_position: Order::scan().segments(3).page_size(2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_chain_of_cursors_gives_each_item_exactly_once(
        steps in proptest::collection::vec((1_usize..9, 1_u32..9), 1..30),
        segments in 1_u16..5,
        paid in any::<bool>(),
    ) {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
        static LOCAL: LazyLock<Playground> = LazyLock::new(|| RUNTIME.block_on(with_orders(15)));
        let read = async {
            let scan = || {
                let scan = Order::scan().segments(segments);
                if paid { scan.filter(Order::status().eq("paid")) } else { scan }
            };
            let mut keys = Vec::new();
            let mut cursor = None;
            for (count, page_size) in steps {
                let scan = scan().page_size(page_size).limit(count);
                let scan = match cursor.take() {
                    Some(cursor) => scan.resume(cursor),
                    None => scan,
                };
                let (taken, next) = rest(scan.stream()).await;
                keys.extend(taken);
                cursor = Some(next);
            }
            let last = scan().resume(cursor.unwrap()).collect().await.unwrap();
            keys.extend(last.into_iter().map(key));
            keys.sort();
            let mut all: Vec<_> = scan().collect().await.unwrap().into_iter().map(key).collect();
            all.sort();
            assert_eq!(keys, all);
        };
        RUNTIME.block_on(LOCAL.profile("default").scope(read));
    }
}

#[tokio::test]
async fn pages_resume_after_the_last_returned_page() {
    let local = with_orders(11).await;
    let _default = local.profile("default").awsenv();
    let query = || Order::query("a").page_size(4);
    let mut pages: Pages<Order> = query().pages();
    assert_eq!(pages.try_next().await.unwrap().unwrap().items().len(), 4);
    let cursor = pages.cursor().await.unwrap();
    let more = query().resume(cursor).collect().await.unwrap();
    assert_eq!(more[0].number, 4);
    assert_eq!(more.len(), 7);
}

#[tokio::test]
async fn a_cursor_can_be_created_on_another_task() {
    let local = with_orders(5).await;
    let (mut items, pages) = local
        .profile("default")
        .sync_scope(|| (Order::scan().stream(), Order::scan().pages()));
    let task = tokio::spawn(async move {
        items.try_next().await.unwrap();
        (items.cursor().await.unwrap(), pages.cursor().await.unwrap())
    });
    let (after_one, start) = task.await.unwrap();
    let count = async |cursor| {
        let scan = Order::scan().resume(cursor).count();
        local.profile("default").scope(scan).await.unwrap()
    };
    assert_eq!((count(after_one).await, count(start).await), (9, 10));
}

#[tokio::test]
async fn a_projection_without_the_key_can_be_resumed() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Status {
        status: String,
    }
    let local = with_orders(5).await;
    let _default = local.profile("default").awsenv();
    let query = || ByCity::query("a").project::<Status>();
    let mut items = query().stream();
    items.try_next().await.unwrap().unwrap();
    let cursor = items.cursor().await.unwrap();
    assert_eq!(query().resume(cursor).collect().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_cursor_of_another_place_is_rejected_before_anything_is_read() {
    #[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "elsewhere")]
    struct Other {
        #[model(hash_key)]
        customer: String,
        #[model(range_key)]
        number: u64,
    }
    fn refused<T: std::fmt::Debug>(result: Result<Vec<T>, Error>, difference: &str) {
        let error = result.unwrap_err();
        assert!(error.is_invalid_cursor(), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::InvalidCursor);
        assert!(error.to_string().contains(difference), "{error}");
    }
    let local = with_orders(5).await;
    let default = local.profile("default");
    let _default = default.awsenv();
    let (_, cursor) = take(Order::query("a").stream(), 2).await;
    local.aws.clear_calls();

    let resume = || Order::query("a").resume(cursor.clone()).collect();
    let account = "its account is 111111111111, not 222222222222";
    refused(local.profile("staging").scope(resume()).await, account);
    let elsewhere = default.with_region("eu-west-1");
    refused(
        elsewhere.scope(resume()).await,
        "its region is us-east-1, not eu-west-1",
    );
    let other = Other::query("a").resume(cursor.clone()).collect().await;
    refused(other, "its table is orders, not elsewhere");
    let index = ByCity::query("a").resume(cursor.clone()).collect().await;
    refused(index, "its index is none, not by-city");
    let scan = Order::scan().resume(cursor.clone()).collect().await;
    refused(scan, "its operation is Query, not Scan");
    let raw = Order::scan().resume(cursor.clone()).raw().await;
    assert!(raw.unwrap_err().is_invalid_cursor());
    let (_, cursor) = take(Order::scan().stream(), 2).await;
    local.aws.clear_calls();
    let scan = Order::scan().segments(2).resume(cursor).collect().await;
    refused(scan, "its number of segments is 1, not 2");
    let reads = |operation| local.aws.call_count("dynamodb", operation);
    assert_eq!((reads("Query"), reads("Scan")), (0, 0));
}

#[tokio::test]
async fn debug_of_a_cursor_hides_the_key() {
    let local = with_orders(5).await;
    let _default = local.profile("default").awsenv();
    let (_, cursor) = take(ByStatus::query("paid").stream(), 1).await;
    let text = format!("{cursor:?}");
    assert!(
        text.contains("orders") && text.contains("by-status"),
        "{text}"
    );
    assert!(!text.contains("paid"), "{text}");
}

#[tokio::test]
async fn a_cursor_needs_no_sts_where_there_is_none() {
    let local = with_orders(11).await;
    let _default = local.profile("default").awsenv();
    let sts = Fault::error(404, "UnknownOperationException", "no STS").service("sts");
    local.aws.faults().add(sts);
    let (mut keys, cursor) = take(Order::scan().page_size(2).stream(), 5).await;
    let (more, _) = rest(Order::scan().resume(cursor).stream()).await;
    keys.extend(more);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), Order::scan().count().await.unwrap());
}

#[tokio::test]
async fn a_finished_cursor_has_no_page_to_build_a_request_for() {
    let local = with_orders(3).await;
    let _default = local.profile("default").awsenv();
    let (_, finished) = rest(Order::scan().stream()).await;
    let error = Order::scan().resume(finished).raw().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidCursor, "{error}");
    let (_, finished) = rest(Order::query("a").stream()).await;
    let error = Order::query("a").resume(finished).raw().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidCursor, "{error}");
    let (_, cursor) = take(Order::query("a").stream(), 1).await;
    let page = Order::query("a").resume(cursor).raw().await.unwrap();
    let all = Order::query("a").count().await.unwrap();
    assert_eq!(page.send().await.unwrap().items().len(), all - 1);
}
