//! Copies that are stopped, dropped or fail, and are resumed.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bsm_dynamodb::{CopyTable, ErrorKind, copy_table};
use bsm_local_aws::Fault;
use serde_json::Value;
use tempfile::TempDir;

use super::support::{Pair, TABLE, client, create, user};
use crate::support::PRODUCTION;

/// A pair with a checkpoint, and slow enough to be interrupted.
async fn slow(items: usize) -> (Pair, TempDir, PathBuf) {
    let pair = Pair::start(items).await;
    let slow = Fault::latency(Duration::from_millis(20)).operation("BatchWriteItem");
    pair.local.aws.faults().add(slow);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.json");
    (pair, folder, path)
}

fn resumable(pair: &Pair, path: &PathBuf) -> CopyTable {
    pair.copy()
        .page_size(10)
        .write_concurrency(2)
        .checkpoint(path)
}

/// The items that the checkpoint records as stored.
fn stored(path: &PathBuf) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let segments: HashMap<u64, u64> = lines
        .filter_map(|line: Value| {
            let segment = line.get("segment")?;
            Some((segment["number"].as_u64()?, segment["stored"].as_u64()?))
        })
        .collect();
    segments.values().sum()
}

#[tokio::test]
async fn a_stopped_copy_is_resumed() {
    let (pair, _folder, path) = slow(1000).await;
    let copy = resumable(&pair, &path);
    let error = pair.stopped(copy, "BatchWriteItem", 20).await;
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    assert!(error.to_string().contains("users.json"), "{error}");
    let so_far = pair.in_target().len();
    assert!(so_far > 0 && so_far < 1000, "{so_far}");
    // What was begun was ended, so nothing is written twice.
    assert_eq!(stored(&path), so_far as u64);

    assert!(resumable(&pair, &path).preflight().await.unwrap().resumes());
    let summary = resumable(&pair, &path).verify(true).await.unwrap();
    assert_eq!(summary.statistics().written(), 1000 - so_far as u64);
    assert_eq!(summary.statistics().total_written(), 1000);
    assert!(summary.plan().resumes());
    let line = format!("\nresumes a copy that has processed {so_far} items of the source");
    assert!(summary.plan().to_string().ends_with(&line));
    assert_eq!(summary.statistics().position(), 1000);
    assert!(summary.verification().unwrap().is_identical());
    assert!(!path.exists());
}

#[tokio::test]
async fn a_slow_copy_stops_soon() {
    let pair = Pair::start(1000).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.json");
    let began = std::time::Instant::now();
    let slow = pair.copy().checkpoint(&path).segments(1).write_capacity(25);
    let error = pair.stopped(slow, "BatchWriteItem", 2).await;
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    // The page that was read would take forty seconds.
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());

    pair.copy().checkpoint(&path).await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn a_copy_that_was_dropped_leaves_a_checkpoint() {
    let (pair, _folder, path) = slow(1000).await;
    let (sender, recorded) = tokio::sync::oneshot::channel();
    let (file, mut sender) = (path.clone(), Some(sender));
    let copy = resumable(&pair, &path).on_progress(move |_| {
        if stored(&file) > 0
            && let Some(sender) = sender.take()
        {
            _ = sender.send(());
        }
    });
    tokio::select! {
        ended = copy.into_future() => panic!("{ended:?}"),
        recorded = recorded => recorded.unwrap(),
    }
    let calls = pair.calls("BatchWriteItem");
    let before = stored(&path);
    assert!(before > 0 && before <= pair.in_target().len() as u64);
    tokio::time::sleep(Duration::from_millis(100)).await;
    // No task continues after the caller has dropped the copy.
    assert!(pair.calls("BatchWriteItem") <= calls + 2);

    resumable(&pair, &path).await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn a_failed_copy_is_resumed() {
    let (pair, _folder, path) = slow(500).await;
    let denied = Fault::error(400, "AccessDeniedException", "no").operation("BatchWriteItem");
    let denied = pair.local.aws.faults().add(denied.after(15));
    let error = resumable(&pair, &path).await.unwrap_err();
    assert!(error.is_access_denied(), "{error}");
    let before = stored(&path);
    assert!(before > 0 && before < 500, "{before}");

    pair.local.aws.faults().remove(denied);
    let summary = resumable(&pair, &path).await.unwrap();
    assert_eq!(summary.statistics().scanned(), 500 - before);
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn a_checkpoint_belongs_to_its_tables_and_segments() {
    let (pair, _folder, path) = slow(500).await;
    let stopped = pair.stopped(resumable(&pair, &path), "BatchWriteItem", 5);
    assert_eq!(stopped.await.kind(), ErrorKind::Stopped);
    let before = fs::read(&path).unwrap();

    let other = resumable(&pair, &path).segments(3).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Checkpoint, "{other}");
    assert!(other.to_string().contains("8 segments, not 3"), "{other}");

    create(&pair.target, "others").await;
    let other = resumable(&pair, &path).target_table("others");
    let other = other.await.unwrap_err();
    assert!(other.to_string().contains("another target"), "{other}");

    create(&pair.source, "others").await;
    let other = copy_table(&pair.source, &pair.target, "others").target_table(TABLE);
    let other = other.checkpoint(&path).await.unwrap_err();
    assert!(other.to_string().contains("another source"), "{other}");

    // A table that was created again is empty: resuming would lose what was copied.
    let target = client(&pair.target).await;
    let delete = target.delete_table().table_name(TABLE);
    delete.send().await.unwrap();
    create(&pair.target, TABLE).await;
    let again = resumable(&pair, &path).await.unwrap_err();
    assert!(again.to_string().contains("created again"), "{again}");

    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(pair.local.ids(PRODUCTION, TABLE).is_empty());
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_used_is_an_error_before_anything_is_written() {
    let pair = Pair::start(10).await;
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged");
    fs::write(&damaged, "{").unwrap();
    for path in [damaged, folder.path().join("no/such/folder/file")] {
        let error = pair.copy().checkpoint(path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
    assert!(pair.in_target().is_empty());
}

#[tokio::test]
async fn a_verification_that_was_stopped_does_not_copy_again() {
    let (pair, _folder, path) = slow(100).await;
    let broken = Fault::error(400, "AccessDeniedException", "no").operation("BatchGetItem");
    let broken = pair.local.aws.faults().add(broken);
    let error = resumable(&pair, &path).verify(true).await.unwrap_err();
    assert!(error.is_access_denied());
    pair.local.aws.faults().remove(broken);
    let calls = pair.calls("BatchWriteItem");
    let summary = resumable(&pair, &path).verify(true).await.unwrap();
    assert!(summary.verification().unwrap().is_identical());
    assert_eq!(pair.calls("BatchWriteItem"), calls);
    assert!(!path.exists());
    pair.put(&pair.source, vec![user("later")]).await;
}
