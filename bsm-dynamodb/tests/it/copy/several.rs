//! Several tables with one checkpoint.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bsm_dynamodb::{CopyPolicy, CopyTables, ErrorKind, copy_table, copy_tables};
use bsm_local_aws::Fault;
use tempfile::TempDir;

use super::support::{Pair, client, create, item, s, user};
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

#[tokio::test]
async fn closures_without_a_fingerprint_are_refused_with_a_checkpoint() {
    let (pair, _folder, path) = begin().await;
    let copy = || copy_table(&pair.source, &pair.target, "orders").create_target(true);
    for copy in [
        copy().filter(|_| true),
        copy().transform(Ok),
        copy().transform(Ok).fingerprint(" \n"),
    ] {
        let copies = copy_tables([copy]).checkpoint(&path);
        for error in [
            copies.preflight().await.unwrap_err(),
            copies.await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
            assert!(error.to_string().contains("fingerprint()"), "{error}");
        }
    }
    assert!(pair.stored(PRODUCTION, "orders").is_empty() && !path.exists());
    copy_tables([copy().filter(|_| true)]).await.unwrap();
    assert_eq!(pair.stored(PRODUCTION, "orders").len(), 40);
}

#[tokio::test]
async fn a_table_with_findings_is_compared_again() {
    let (pair, _folder, path) = begin().await;
    create(&pair.target, "orders").await;
    let target = client(&pair.target).await;
    let put = |user| {
        let put = target.put_item().table_name("orders");
        put.set_item(Some(user)).send()
    };
    let copy = |policy, verify| {
        let copy = copy_table(&pair.source, &pair.target, "orders");
        let copy = copy.policy(policy).verify(verify);
        copy_tables([copy]).checkpoint(&path)
    };
    // Another program changes an item before the comparison has read it.
    let changed = item([("id", s("orders-07")), ("name", s("another"))]);
    copy(CopyPolicy::Overwrite, false).await.unwrap();
    put(changed).await.unwrap();

    // The first run has not compared, so it is not done for a run that does.
    for _ in 0..2 {
        let summary = copy(CopyPolicy::Overwrite, true).await.unwrap();
        let verification = summary.copied()[0].verification().unwrap();
        assert_eq!(verification.different().count(), 1);
    }
    put(user("orders-07")).await.unwrap();
    let writes = pair.calls("BatchWriteItem");
    let summary = copy(CopyPolicy::Overwrite, true).await.unwrap();
    assert!(summary.copied()[0].verification().unwrap().is_identical());
    let summary = copy(CopyPolicy::Overwrite, true).await.unwrap();
    assert_eq!(summary.already_copied().len(), 1);
    assert_eq!(pair.calls("BatchWriteItem"), writes);
}

#[tokio::test]
async fn a_table_whose_first_comparison_has_findings_is_not_done() {
    let (pair, _folder, path) = begin().await;
    create(&pair.target, "orders").await;
    let target = client(&pair.target).await;
    let copy = || {
        let copy = copy_table(&pair.source, &pair.target, "orders");
        let copy = copy.policy(CopyPolicy::Overwrite).verify(true);
        let (seen, lie) = (AtomicUsize::new(0), "orders-07");
        // The item is left out while it is copied, and not while it is compared.
        let copy = copy.filter(move |item| {
            item["id"].as_s().unwrap() != lie || seen.fetch_add(1, Ordering::SeqCst) > 0
        });
        copy_tables([copy.fingerprint("flaky")]).checkpoint(&path)
    };
    let summary = copy().await.unwrap();
    let verification = summary.copied()[0].verification().unwrap();
    assert_eq!(verification.missing().count(), 1);
    let put = target.put_item().table_name("orders");
    put.set_item(Some(user("orders-07"))).send().await.unwrap();
    // Compared again, and not skipped as done.
    assert_eq!(copy().await.unwrap().copied().len(), 1);
    assert_eq!(copy().await.unwrap().already_copied().len(), 1);
}

#[tokio::test]
async fn a_checkpoint_that_is_refused_is_not_recommended_for_deletion() {
    let (pair, _folder, path) = begin().await;
    all(&pair, &path).await.unwrap();
    let mut text = fs::read_to_string(&path).unwrap();
    text = text.replacen("\"stored\":", "\"stored\":1", 1);
    fs::write(&path, text).unwrap();
    let error = all(&pair, &path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    assert!(error.to_string().contains("keep this file"), "{error}");
}
