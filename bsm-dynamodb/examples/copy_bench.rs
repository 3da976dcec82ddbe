//! How fast a copy is, and how much memory it takes, beside a plain loop of the SDK.
//!
//! For a local AWS in a process of its own, whose profiles `staging` and `production` are the usual
//! files:
//!
//! ```text
//! copy_bench fill N     # makes the table `bench` with N items in staging
//! copy_bench plain      # one page at a time, one batch at a time, to a new table
//! copy_bench copy       # copy_table, to a new table
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::time::Instant;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PutRequest,
    ScalarAttributeType, WriteRequest,
};
use bsm_core::BotoSesManager;
use bsm_dynamodb::{Item, copy_table};

const TABLE: &str = "bench";

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (source, target) = (
        BotoSesManager::from_profile("staging"),
        BotoSesManager::from_profile("production"),
    );
    let began = Instant::now();
    let items = match args[..] {
        ["fill", items] => fill(&source, items.parse()?).await?,
        ["plain"] => plain(&source, &target).await?,
        ["copy"] => {
            let copy = copy_table(&source, &target, TABLE).create_target(true);
            let summary = copy.target_table("bench-copy").await?;
            summary.statistics().written() as usize
        }
        _ => return Err("usage: copy_bench fill N | plain | copy".into()),
    };
    let seconds = began.elapsed().as_secs_f64();
    let rate = items as f64 / seconds;
    println!(
        "{args:?}: {items} items in {seconds:.2} s, {rate:.0} a second, {}",
        peak()
    );
    Ok(())
}

async fn fill(source: &BotoSesManager, items: usize) -> Result<usize> {
    let client = source.client(Client::new).await?;
    create(&client, TABLE).await?;
    for from in (0..items).step_by(25) {
        let batch = (from..items.min(from + 25)).map(|number| {
            let text = |text: String| AttributeValue::S(text);
            Item::from([
                ("id".to_owned(), text(format!("{number:08}"))),
                ("number".to_owned(), AttributeValue::N(number.to_string())),
                (
                    "tags".to_owned(),
                    AttributeValue::Ss(vec!["a".into(), "b".into()]),
                ),
                ("note".to_owned(), text("x".repeat(300))),
            ])
        });
        write(&client, TABLE, batch.collect()).await?;
    }
    Ok(items)
}

async fn plain(source: &BotoSesManager, target: &BotoSesManager) -> Result<usize> {
    let source = source.client(Client::new).await?;
    let target = target.client(Client::new).await?;
    create(&target, "bench-plain").await?;
    let (mut copied, mut start) = (0, None);
    loop {
        let page = source.scan().table_name(TABLE);
        let page = page.set_exclusive_start_key(start).send().await?;
        let items = page.items.unwrap_or_default();
        copied += items.len();
        for batch in items.chunks(25) {
            write(&target, "bench-plain", batch.to_vec()).await?;
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(copied);
        }
    }
}

async fn write(client: &Client, table: &str, items: Vec<Item>) -> Result {
    let puts = items.into_iter().map(|item| {
        let put = PutRequest::builder().set_item(Some(item)).build()?;
        Ok(WriteRequest::builder().put_request(put).build())
    });
    let mut left = HashMap::from([(table.to_owned(), puts.collect::<Result<Vec<_>>>()?)]);
    while !left.is_empty() {
        let request = client.batch_write_item().set_request_items(Some(left));
        left = request.send().await?.unprocessed_items.unwrap_or_default();
    }
    Ok(())
}

async fn create(client: &Client, table: &str) -> Result {
    let key = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S)
        .build()?;
    let schema = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash)
        .build()?;
    let request = client.create_table().table_name(table);
    let request = request.attribute_definitions(key).key_schema(schema);
    let request = request.billing_mode(BillingMode::PayPerRequest);
    request.send().await?;
    Ok(())
}

/// The most memory that the process has had, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status
        .lines()
        .filter_map(|line| line.strip_prefix("VmHWM:"));
    format!("peak memory {}", lines.next().unwrap_or("unknown").trim())
}
