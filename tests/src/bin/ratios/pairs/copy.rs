//! The CPU time of a copy and of a comparison, beside plain loops of the SDK, where the network
//! answers at once.

use std::collections::HashMap;

use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bsm_dynamodb::{CopyTable, copy_table};
use bsm_tests::measured::by_hand;
use tokio::runtime::Runtime;

use super::in_process::{InProcess, PAGE, SOURCE_REGION, TABLE, TARGET_REGION, Target, managers};
use super::one_thread;
use crate::Result;
use crate::measure::{Effort, cpu_time};
use crate::probe::{Side, Subject, allocations, instructions};
use crate::row::{self, Row, Unit};

/// DynamoDB's limit for a BatchWriteItem.
const BATCH: usize = 25;

/// DynamoDB's limit for a BatchGetItem.
const LOOKUP: usize = 100;

type Item = HashMap<String, AttributeValue>;

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let runtime = one_thread()?;
    let new = InProcess::new(Target::Empty);
    let [ours, decoding, theirs] = cpu_time(
        effort,
        [
            &mut |pages| copy_ours(&runtime, new.with_pages(pages)),
            &mut |pages| {
                let copy = copy(new.with_pages(pages), |copy| copy.filter(|_| true));
                runtime.block_on(copy).expect("the copy succeeds");
            },
            &mut |pages| copy_theirs(&runtime, new.with_pages(pages)),
        ],
    )?;
    let copied = InProcess::new(Target::Copied);
    let [comparing, comparing_theirs] = cpu_time(
        effort,
        [
            &mut |pages| compare_ours(&runtime, copied.with_pages(pages)),
            &mut |pages| compare_theirs(&runtime, copied.with_pages(pages)),
        ],
    )?;
    let mut row = |name: &str, page_ours: f64, page_theirs: f64, target| {
        let (ours, theirs) = (page_ours / PAGE as f64, page_theirs / PAGE as f64);
        report(Row::new(name, Unit::Seconds, ours, theirs, target));
    };
    row(
        "copied item: CPU; a loop of the SDK",
        ours,
        theirs,
        row::Target::Ratio(0.3),
    );
    row(
        "copied item with a filter: CPU; a loop of the SDK",
        decoding,
        theirs,
        row::Target::Ratio(1.0),
    );
    row(
        "compared item: CPU; a loop of the SDK",
        comparing,
        comparing_theirs,
        row::Target::Ratio(0.3),
    );
    if effort == Effort::Once {
        return Ok(());
    }
    let subjects = [
        ("copied item", Subject::Copy, row::Target::Ratio(0.3)),
        ("compared item", Subject::Compare, row::Target::Ratio(0.3)),
    ];
    for (name, subject, target) in subjects {
        // A call of these probes is a tenth of a page.
        let per_item = |figure: f64| figure * CALLS_PER_PAGE as f64 / PAGE as f64;
        let rows = [
            ("instructions", Unit::Instructions, target),
            ("allocations", Unit::Allocations, row::Target::Nothing),
        ];
        for (what, unit, target) in rows {
            let count = |side| match unit {
                Unit::Instructions => instructions(subject, side),
                _ => allocations(subject, side),
            };
            let (ours, theirs) = (per_item(count(Side::Ours)?), per_item(count(Side::Theirs)?));
            let name = format!("{name}: {what}; a loop of the SDK");
            report(Row::new(name, unit, ours, theirs, target));
        }
    }
    Ok(())
}

/// Fewer pages than calls, which a probe of one request has hundreds of.
const CALLS_PER_PAGE: usize = 10;

pub(crate) fn probe_copy(side: Side, calls: usize) -> Result {
    let http_client = InProcess::new(Target::Empty).with_pages(calls / CALLS_PER_PAGE);
    match side {
        Side::Ours => copy_ours(&one_thread()?, http_client),
        Side::Theirs => copy_theirs(&one_thread()?, http_client),
    }
    Ok(())
}

pub(crate) fn probe_compare(side: Side, calls: usize) -> Result {
    let http_client = InProcess::new(Target::Copied).with_pages(calls / CALLS_PER_PAGE);
    match side {
        Side::Ours => compare_ours(&one_thread()?, http_client),
        Side::Theirs => compare_theirs(&one_thread()?, http_client),
    }
    Ok(())
}

fn copy_ours(runtime: &Runtime, http_client: SharedHttpClient) {
    let copy = copy(http_client, |copy| copy);
    runtime.block_on(copy).expect("the copy succeeds");
}

async fn copy(
    http_client: SharedHttpClient,
    with: impl Fn(CopyTable) -> CopyTable,
) -> std::result::Result<(), bsm_dynamodb::Error> {
    let [source, target] = managers(&http_client);
    let copy = copy_table(&source, &target, TABLE).segments(1);
    with(copy.read_concurrency(1).write_concurrency(1)).await?;
    Ok(())
}

fn copy_theirs(runtime: &Runtime, http_client: SharedHttpClient) {
    let copy = plain_copy(http_client);
    runtime.block_on(copy).expect("the loop succeeds");
}

/// Copies the table as most programs do: one page at a time, and one batch at a time.
async fn plain_copy(http_client: SharedHttpClient) -> Result {
    let [source, target] = clients(http_client).await;
    let mut start = None;
    loop {
        let page = source.scan().table_name(TABLE).limit(PAGE as i32);
        let page = page.set_exclusive_start_key(start).send().await?;
        let mut items = page.items.unwrap_or_default().into_iter();
        loop {
            let puts: Vec<_> = items
                .by_ref()
                .take(BATCH)
                .map(|item| {
                    let put = PutRequest::builder().set_item(Some(item)).build()?;
                    Ok(WriteRequest::builder().put_request(put).build())
                })
                .collect::<Result<_>>()?;
            if puts.is_empty() {
                break;
            }
            target
                .batch_write_item()
                .request_items(TABLE, puts)
                .send()
                .await?;
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(());
        }
    }
}

async fn clients(http_client: SharedHttpClient) -> [Client; 2] {
    let config = by_hand()
        .http_client(http_client)
        .retry_config(RetryConfig::disabled())
        .load()
        .await;
    [SOURCE_REGION, TARGET_REGION].map(|region| {
        let config = config.to_builder().region(Region::from_static(region));
        Client::new(&config.build())
    })
}

fn compare_ours(runtime: &Runtime, http_client: SharedHttpClient) {
    let compared = runtime.block_on(async {
        let [source, target] = managers(&http_client);
        let copy = copy_table(&source, &target, TABLE).segments(1);
        copy.read_concurrency(1).compare().await
    });
    let compared = compared.expect("the comparison succeeds");
    assert!(compared.is_identical(), "{compared:?}");
}

fn compare_theirs(runtime: &Runtime, http_client: SharedHttpClient) {
    let compare = plain_comparison(http_client);
    let is_identical = runtime.block_on(compare).expect("the loop succeeds");
    assert!(is_identical);
}

/// Compares the tables in both directions: the items of the source, and the keys of the target.
async fn plain_comparison(http_client: SharedHttpClient) -> Result<bool> {
    let [source, target] = clients(http_client).await;
    Ok(has_all(&source, &target, false).await? && has_all(&target, &source, true).await?)
}

async fn has_all(one: &Client, other: &Client, keys_only: bool) -> Result<bool> {
    let projection = || keys_only.then(|| "id".to_owned());
    let mut start = None;
    loop {
        let page = one.scan().table_name(TABLE).limit(PAGE as i32);
        let page = page.set_projection_expression(projection());
        let page = page.consistent_read(true);
        let page = page.set_exclusive_start_key(start).send().await?;
        for items in page.items().chunks(LOOKUP) {
            let mut wanted = HashMap::new();
            for item in items {
                let id = item["id"].as_s().map_err(|_| "an id is a string")?;
                wanted.insert(id.as_str(), item);
            }
            for found in look_up(other, items, projection()).await? {
                let id = found["id"].as_s().map_err(|_| "an id is a string")?;
                if wanted.remove(id.as_str()) != Some(&found) {
                    return Ok(false);
                }
            }
            if !wanted.is_empty() {
                return Ok(false);
            }
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(true);
        }
    }
}

async fn look_up(client: &Client, items: &[Item], projection: Option<String>) -> Result<Vec<Item>> {
    let keys = items.iter();
    let keys = keys.map(|item| Item::from([("id".to_owned(), item["id"].clone())]));
    let keys = KeysAndAttributes::builder()
        .set_keys(Some(keys.collect()))
        .set_projection_expression(projection)
        .consistent_read(true)
        .build()?;
    let request = client.batch_get_item().request_items(TABLE, keys);
    let found = request.send().await?.responses.unwrap_or_default();
    Ok(found.into_values().flatten().collect())
}
