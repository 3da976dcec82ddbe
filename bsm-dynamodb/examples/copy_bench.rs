//! How fast a copy is, and how much memory it takes, beside a plain loop of the SDK.
//!
//! For a local AWS in a process of its own, whose profiles `staging` and `production` are the usual
//! files:
//!
//! ```text
//! copy_bench fill N                  # makes the table `bench` anew, with N items, in staging
//! copy_bench plain                   # one page at a time, one batch at a time, to a new table
//! copy_bench copy                    # copy_table, to a new table
//! copy_bench copy READERS WRITERS    # the same, with another concurrency,
//! copy_bench copy READERS WRITERS N  # and pages of N items
//! copy_bench compare                 # compares the two tables after `copy`
//! copy_bench load                    # the loader of a migration, to a new table (feature migrate)
//! ```
//!
//! `load` exports the table first, which is not measured, and needs a local AWS with the feature `s3`.

use std::collections::HashMap;
use std::error::Error;
use std::time::Instant;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PutRequest,
    ScalarAttributeType, WriteRequest,
};
use bsm_core::BotoSesManager;
use bsm_dynamodb::{CopyTable, Item, copy_table};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

const TABLE: &str = "bench";
const COPY: &str = "bench-copy";

/// How many batches `fill` has under way.
const FILLERS: usize = 16;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (source, target) = (
        BotoSesManager::from_profile("staging"),
        BotoSesManager::from_profile("production"),
    );
    let copy = || copy_table(&source, &target, TABLE).target_table(COPY);
    prepare(&source, &target, &args).await?;
    let began = Instant::now();
    let items = match args[..] {
        ["fill", items] => fill(&source, items.parse()?).await?,
        ["plain"] => plain(&source, &target).await?,
        ["copy"] => run(copy()).await?,
        ["copy", readers, writers] => {
            let copy = copy().read_concurrency(readers.parse()?);
            run(copy.write_concurrency(writers.parse()?)).await?
        }
        ["copy", readers, writers, items] => {
            let copy = copy().read_concurrency(readers.parse()?);
            let copy = copy.write_concurrency(writers.parse()?);
            run(copy.page_size(items.parse()?)).await?
        }
        #[cfg(feature = "migrate")]
        ["load"] => return load(&source, &target).await,
        ["compare"] => {
            let found = copy().compare().await?;
            assert!(found.is_identical(), "{found:?}");
            usize::try_from(found.compared())?
        }
        _ => {
            return Err(
                "usage: copy_bench fill N | plain | copy [READERS WRITERS] | compare | load".into(),
            );
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    let rate = items as f64 / seconds;
    println!(
        "{args:?}: {items} items in {seconds:.2} s, {rate:.0} a second, {}",
        peak()
    );
    Ok(())
}

/// Deletes the table that is going to be made.
async fn prepare(source: &BotoSesManager, target: &BotoSesManager, args: &[&str]) -> Result {
    let (manager, table) = match args.first() {
        Some(&"fill") => (source, TABLE),
        Some(&"plain") => (target, "bench-plain"),
        Some(&"copy") => (target, COPY),
        _ => return Ok(()),
    };
    let client = manager.client(Client::new).await?;
    match client.delete_table().table_name(table).send().await {
        Err(error)
            if !error
                .as_service_error()
                .is_some_and(|it| it.is_resource_not_found_exception()) =>
        {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

async fn run(copy: CopyTable) -> Result<usize> {
    let summary = copy.create_target(true).await?;
    Ok(usize::try_from(summary.statistics().written())?)
}

async fn fill(source: &BotoSesManager, items: usize) -> Result<usize> {
    let client = source.client(Client::new).await?;
    create(&client, TABLE).await?;
    let batches = (0..items).step_by(25).map(|from| {
        let batch = (from..items.min(from + 25)).map(item);
        write(&client, TABLE, batch.collect())
    });
    let written = stream::iter(batches).buffer_unordered(FILLERS);
    written.try_collect::<()>().await?;
    Ok(items)
}

/// An item of about 350 bytes.
fn item(number: usize) -> Item {
    let text = |text: String| AttributeValue::S(text);
    let tags = AttributeValue::Ss(vec!["a".into(), "b".into()]);
    Item::from([
        ("id".to_owned(), text(format!("{number:08}"))),
        ("number".to_owned(), AttributeValue::N(number.to_string())),
        ("tags".to_owned(), tags),
        ("note".to_owned(), text("x".repeat(300))),
    ])
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

/// Runs a migration until its export is loaded, and prints what the loading took.
#[cfg(feature = "migrate")]
async fn load(source: &BotoSesManager, target: &BotoSesManager) -> Result {
    use bsm_dynamodb::{MigrationPhase, migrate_table};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    const BUCKET: &str = "bench";
    let loaded = "bench-loaded";
    let folder = tempfile::tempdir()?;
    let s3 = source.client(aws_sdk_s3::Client::new).await?;
    // It may exist already.
    let _ = s3.create_bucket().bucket(BUCKET).send().await;
    let policy = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "{}"}},
        "Action": ["s3:ListBucket", "s3:GetObject"],
        "Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"]}}]}}"#,
        target.aws_account_id().await?
    );
    s3.put_bucket_policy()
        .bucket(BUCKET)
        .policy(policy)
        .send()
        .await?;
    let client = target.client(Client::new).await?;
    let _ = client.delete_table().table_name(loaded).send().await;

    let endpoint = source
        .sdk_config()
        .await?
        .endpoint_url()
        .unwrap_or_default()
        .to_owned();
    let times: Arc<Mutex<Vec<(MigrationPhase, Instant, u64)>>> = Arc::default();
    let seen = Arc::clone(&times);
    let is_exporting = Arc::new(AtomicBool::new(false));
    let exports = Arc::clone(&is_exporting);
    // Restorable times are minutes behind.
    let hurry = tokio::spawn(async move {
        while !is_exporting.load(Ordering::Relaxed) {
            let _ = advance(&endpoint);
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut stop = Some(stop);
    let migration = migrate_table(source, target, TABLE)
        .target_table(loaded)
        .bucket(BUCKET)
        .checkpoint(folder.path().join("bench.json"))
        .import(false)
        .stream(false)
        .poll_interval(std::time::Duration::from_millis(200))
        .cutover(std::future::pending)
        .on_progress(move |progress| {
            if progress.phase() >= MigrationPhase::Exporting {
                exports.store(true, Ordering::Relaxed);
            }
            if progress.phase() >= MigrationPhase::Loading
                && let Ok(mut times) = seen.lock()
            {
                times.push((progress.phase(), Instant::now(), progress.loaded()));
                if progress.phase() > MigrationPhase::Loading {
                    drop(stop.take());
                }
            }
        })
        .stop_when(async { drop(stopped.await) });
    let stopped = migration.await;
    hurry.abort();
    let times = times.lock().map_err(|_| "a callback has panicked")?;
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Err(format!("nothing was loaded: {stopped:?}").into());
    };
    let (seconds, items) = (last.1.duration_since(first.1).as_secs_f64(), last.2);
    let rate = items as f64 / seconds;
    println!(
        "load: {items} items in {seconds:.2} s, {rate:.0} a second, {}",
        peak()
    );
    Ok(())
}

/// Moves the clock of the local AWS forward by a minute.
#[cfg(feature = "migrate")]
fn advance(endpoint: &str) -> std::io::Result<()> {
    use std::io::{Read as _, Write as _};

    let host = endpoint.trim_start_matches("http://");
    let body = r#"{"advance_seconds": 60}"#;
    let mut connection = std::net::TcpStream::connect(host)?;
    write!(
        connection,
        "POST /_local/clock HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    connection.read_to_end(&mut Vec::new()).map(drop)
}

/// The most memory that the process has had, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status
        .lines()
        .filter_map(|line| line.strip_prefix("VmHWM:"));
    format!("peak memory {}", lines.next().unwrap_or("unknown").trim())
}
