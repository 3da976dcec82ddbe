//! Several tables with one checkpoint.

use std::fs;
use std::path::PathBuf;

use bsm_dynamodb::{CopyTables, ErrorKind, copy_table, copy_tables};
use bsm_local_aws::Fault;
use tempfile::TempDir;

use super::support::{Pair, client, create, user};
use crate::support::{PRODUCTION, STAGING};

const TABLES: [&str; 3] = ["customers", "orders", "invoices"];

async fn begin() -> (Pair, TempDir, PathBuf) {
    let pair = Pair::start(0).await;
    for table in TABLES {
        create(&pair.source, table).await;
        let client = client(&pair.source).await;
        for number in 0..40 {
            let put = client.put_item().table_name(table);
            let put = put.set_item(Some(user(format!("{table}-{number:02}"))));
            put.send().await.unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.json");
    (pair, folder, path)
}

fn all(pair: &Pair, path: &PathBuf) -> CopyTables {
    let copies = TABLES.map(|table| {
        let copy = copy_table(&pair.source, &pair.target, table);
        copy.create_target(true).verify(true)
    });
    copy_tables(copies).checkpoint(path)
}

fn assert_copied(pair: &Pair) {
    for table in TABLES {
        let copied = pair.stored(PRODUCTION, table);
        assert_eq!(copied.len(), 40);
        assert_eq!(copied, pair.stored(STAGING, table));
    }
}

#[tokio::test]
async fn a_migration_of_several_tables_can_be_run_again() {
    let (pair, folder, path) = begin().await;
    let denied = Fault::error(400, "AccessDeniedException", "no").operation("BatchWriteItem");
    let denied = pair.local.aws.faults().add(denied.table("orders").after(1));
    let error = all(&pair, &path).await.unwrap_err();
    assert!(
        error.is_access_denied() && error.table() == "orders",
        "{error}"
    );
    assert_eq!(pair.stored(PRODUCTION, "customers").len(), 40);
    assert!(pair.stored(PRODUCTION, "invoices").is_empty());

    pair.local.aws.faults().remove(denied);
    let plans = all(&pair, &path).preflight().await.unwrap();
    let plans = plans
        .iter()
        .map(|plan| (plan.source().table(), plan.resumes()));
    assert_eq!(
        plans.collect::<Vec<_>>(),
        [("orders", true), ("invoices", false)]
    );
    let summary = all(&pair, &path).await.unwrap();
    assert_eq!(summary.already_copied()[0].table(), "customers");
    assert_eq!(summary.copied().len(), 2);
    assert_copied(&pair);

    // A target that is used from now on is left alone.
    let target = client(&pair.target).await;
    let put = target.put_item().table_name("orders");
    put.set_item(Some(user("later"))).send().await.unwrap();
    let writes = pair.calls("BatchWriteItem");
    let summary = all(&pair, &path).await.unwrap();
    assert_eq!(
        (summary.already_copied().len(), summary.copied().len()),
        (3, 0)
    );
    assert_eq!(pair.calls("BatchWriteItem"), writes);
    assert_eq!(pair.stored(PRODUCTION, "orders").len(), 41);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_table_that_is_refused_is_found_before_anything_is_written() {
    let (pair, _folder, path) = begin().await;
    create(&pair.target, "invoices").await;
    let target = client(&pair.target).await;
    let put = target.put_item().table_name("invoices");
    put.set_item(Some(user("another program's")))
        .send()
        .await
        .unwrap();
    let error = all(&pair, &path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableNotEmpty, "{error}");
    assert_eq!(error.table(), "invoices");
    assert!(pair.stored(PRODUCTION, "customers").is_empty() && !path.exists());
}

#[tokio::test]
async fn a_table_that_was_created_again_since_is_refused() {
    let (pair, _folder, path) = begin().await;
    all(&pair, &path).await.unwrap();
    assert_copied(&pair);
    let target = client(&pair.target).await;
    target
        .delete_table()
        .table_name("orders")
        .send()
        .await
        .unwrap();
    create(&pair.target, "orders").await;
    let error = all(&pair, &path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    assert!(error.to_string().contains("created again"), "{error}");
}

#[tokio::test]
async fn a_checkpoint_of_one_table_is_not_one_of_several() {
    let (pair, _folder, path) = begin().await;
    all(&pair, &path).await.unwrap();
    let one = copy_table(&pair.source, &pair.target, "orders").checkpoint(&path);
    let error = one.await.unwrap_err();
    assert!(
        error.to_string().contains("belongs to copy_tables()"),
        "{error}"
    );

    let one = copy_table(&pair.source, &pair.target, "orders").checkpoint(&path);
    let error = copy_tables([one]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");

    let twice = ["orders", "orders"].map(|it| copy_table(&pair.source, &pair.target, it));
    let error = copy_tables(twice).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
}

#[tokio::test]
async fn several_tables_are_stopped_together() {
    let (pair, _folder, path) = begin().await;
    let stopped = all(&pair, &path).stop_when(std::future::ready(())).await;
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Stopped);
    all(&pair, &path).await.unwrap();
    assert_copied(&pair);
}
