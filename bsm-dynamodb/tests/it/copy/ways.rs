//! Policies, filters and the other ways to copy.

use std::sync::{Arc, Mutex};

use bsm_dynamodb::{CopyPhase, CopyPolicy, CopyProgress, ErrorKind, copy_table};
use bsm_local_aws::standard;

use super::support::{Pair, TABLE, create, item, n, s, user, users};
use crate::support::{PRODUCTION, STAGING};

#[tokio::test]
async fn every_item_is_copied_and_counted() {
    let pair = Pair::start(1000).await;
    let seen: Arc<Mutex<Vec<CopyProgress>>> = Arc::default();
    let into = Arc::clone(&seen);
    let copy = pair.copy().page_size(30);
    let copy = copy.on_progress(move |progress| into.lock().unwrap().push(progress.clone()));
    let summary = copy.verify(true).await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());

    let statistics = summary.statistics();
    assert_eq!((statistics.scanned(), statistics.written()), (1000, 1000));
    assert_eq!((statistics.skipped(), statistics.filtered()), (0, 0));
    assert_eq!((statistics.merged(), statistics.retried()), (0, 0));
    assert_eq!(statistics.segments(), (8, 8));
    assert!(statistics.read_capacity() > 0.0 && statistics.write_capacity() >= 1000.0);
    assert_eq!(summary.plan().source().account(), STAGING);
    assert_eq!(summary.plan().target().account(), PRODUCTION);
    let verification = summary.verification().unwrap();
    assert!(verification.is_identical());
    assert_eq!(verification.compared(), 1000);

    let seen = seen.lock().unwrap();
    assert!(seen.iter().is_sorted_by_key(CopyProgress::written));
    let last = seen.last().unwrap();
    assert_eq!(
        (last.phase(), last.compared()),
        (CopyPhase::Verifying, 1000)
    );
    assert_eq!(last.phase().to_string(), "comparing");
}

#[tokio::test]
async fn a_page_of_small_items_is_no_larger_than_a_thousand() {
    let pair = Pair::start(2500).await;
    let before = pair.calls("Scan");
    let copy = pair.copy().policy(CopyPolicy::Overwrite).segments(1);
    copy.await.unwrap();
    assert_eq!(pair.calls("Scan") - before, 3);
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn an_empty_table_is_copied() {
    let pair = Pair::start(0).await;
    let summary = pair.copy().verify(true).await.unwrap();
    assert_eq!(summary.statistics().scanned(), 0);
    assert!(summary.verification().unwrap().is_identical());
}

#[tokio::test]
async fn a_copy_does_nothing_until_it_is_awaited_and_follows_no_session() {
    let pair = Pair::start(10).await;
    let default = pair.local.profile("default");
    let before = pair.local.aws.calls().len();
    let copy = pair.copy();
    assert_eq!(pair.local.aws.calls().len(), before);
    default.scope(copy).await.unwrap();
    assert_eq!(pair.in_target().len(), 10);
    let accounts = pair.local.accounts("BatchWriteItem");
    assert!(accounts.ends_with(&[PRODUCTION.to_owned()]), "{accounts:?}");
}

#[tokio::test]
async fn a_target_with_items_is_refused_by_default() {
    let pair = Pair::start(100).await;
    let old = item([("id", s("00007")), ("name", s("another name"))]);
    pair.put(&pair.target, vec![old, user("target only")]).await;
    let before = pair.in_target();
    let error = pair.copy().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableNotEmpty, "{error}");
    assert!(error.to_string().contains("policy()"), "{error}");
    assert_eq!(pair.in_target(), before);

    let skipping = pair.copy().policy(CopyPolicy::SkipExisting).verify(true);
    let summary = skipping.await.unwrap();
    let statistics = summary.statistics();
    assert_eq!((statistics.written(), statistics.skipped()), (99, 1));
    let verification = summary.verification().unwrap();
    assert_eq!(
        verification.different().keys(),
        [item([("id", s("00007"))])]
    );
    let extra = verification.extra().unwrap();
    assert_eq!(extra.keys(), [item([("id", s("target only"))])]);
    assert_eq!(pair.in_target().len(), 101);

    let overwriting = pair.copy().policy(CopyPolicy::Overwrite).verify(true);
    let summary = overwriting.await.unwrap();
    let verification = summary.verification().unwrap();
    assert!(verification.is_complete() && !verification.is_identical());
    assert_eq!(summary.statistics().written(), 100);
}

#[tokio::test]
async fn a_filter_leaves_out_and_a_transform_changes() {
    let pair = Pair::start(100).await;
    let even = |item: &bsm_dynamodb::Item| item["id"].as_s().unwrap().ends_with(['0', '2', '4']);
    let summary = pair.copy().filter(even).verify(true).await.unwrap();
    let statistics = summary.statistics();
    assert_eq!((statistics.written(), statistics.filtered()), (30, 70));
    assert!(summary.verification().unwrap().is_identical());

    let transformed = pair
        .copy()
        .policy(CopyPolicy::Overwrite)
        .transform(|mut item| {
            item.remove("name");
            item.insert("version".into(), n(2));
            Ok(item)
        });
    let summary = transformed.verify(true).await.unwrap();
    let verification = summary.verification().unwrap();
    assert!(verification.is_identical() && verification.extra().is_none());
    assert_eq!(pair.in_target()[3]["version"]["N"], "2");
    assert!(pair.in_target()[3]["name"].is_null());
}

#[tokio::test]
async fn items_that_a_transform_gives_the_same_key_are_merged_or_refused() {
    let pair = Pair::start(50).await;
    let one_key = |mut item: bsm_dynamodb::Item| {
        item.insert("id".into(), s("the same"));
        Ok(item)
    };
    let summary = pair.copy().segments(1).transform(one_key).await.unwrap();
    let statistics = summary.statistics();
    assert_eq!((statistics.written(), statistics.merged()), (1, 49));

    let no_key = |mut item: bsm_dynamodb::Item| {
        item.remove("id");
        Ok(item)
    };
    let copy = pair.copy().policy(CopyPolicy::Overwrite).transform(no_key);
    let error = copy.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error}");
}

#[tokio::test]
async fn a_failing_transform_ends_the_copy() {
    let pair = Pair::start(10).await;
    let copy = pair.copy().transform(|_| Err("no such luck".into()));
    let error = copy.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem);
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "no such luck");
    assert!(pair.in_target().is_empty());
}

#[tokio::test]
async fn a_dry_run_reads_everything_and_writes_nothing() {
    let pair = Pair::with(crate::support::Playground::start().await).await;
    pair.put(&pair.source, users(60)).await;
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let copy = pair.copy().create_target(true).checkpoint(&checkpoint);
    let before = pair.calls("BatchWriteItem");
    let summary = copy.verify(true).dry_run(true).await.unwrap();
    assert!(summary.plan().creates_target());
    assert_eq!(summary.statistics().scanned(), 60);
    assert_eq!(summary.statistics().written(), 0);
    assert!(summary.verification().is_none() && !checkpoint.exists());
    assert_eq!(pair.calls("BatchWriteItem"), before);
    assert!(
        pair.local
            .aws
            .tables(PRODUCTION, standard::REGION)
            .is_empty()
    );
}

#[tokio::test]
async fn another_name_or_region_is_another_table() {
    let pair = Pair::start(30).await;
    create(&pair.source, "users-copy").await;
    let copy = copy_table(&pair.source, &pair.source, TABLE).target_table("users-copy");
    let summary = copy.verify(true).await.unwrap();
    assert!(summary.verification().unwrap().is_identical());
    assert_eq!(pair.stored(STAGING, "users-copy"), pair.in_source());

    let ireland = pair.source.with_region("eu-west-1");
    let copy = copy_table(&pair.source, &ireland, TABLE).create_target(true);
    assert_eq!(copy.await.unwrap().plan().target().region(), "eu-west-1");
    let copied = pair.local.aws.table_items(STAGING, "eu-west-1", TABLE);
    assert_eq!(copied.unwrap().len(), 30);
}

#[tokio::test]
async fn rate_limits_are_kept() {
    let pair = Pair::start(100).await;
    let began = std::time::Instant::now();
    let copy = pair.copy().write_capacity(50).write_concurrency(1);
    let summary = copy.await.unwrap();
    // 100 units at 50 a second; the last batch is not waited for.
    assert!(summary.statistics().write_capacity() >= 100.0);
    assert!(began.elapsed().as_secs_f64() > 1.0, "{:?}", began.elapsed());
}
