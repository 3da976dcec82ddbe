//! A checkpoint is trusted as far as it proves something, and no further.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use bsm_dynamodb::{CopyPolicy, CopyTable, Error, ErrorKind, Item};
use bsm_local_aws::Fault;
use tempfile::TempDir;

use super::support::{Pair, item, n, s, user};
use crate::support::STAGING;

async fn begin(items: usize) -> (Pair, TempDir, PathBuf) {
    let pair = Pair::start(items).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.json");
    (pair, folder, path)
}

fn denied(operation: &str) -> Fault {
    Fault::error(400, "AccessDeniedException", "no").operation(operation)
}

/// Fails a copy by a fault, which is gone afterwards.
async fn interrupted(pair: &Pair, copy: CopyTable, fault: Fault) {
    let fault = pair.local.aws.faults().add(fault);
    let error = copy.await.unwrap_err();
    assert!(error.is_access_denied(), "{error}");
    pair.local.aws.faults().remove(fault);
}

/// One segment, one writer, and pages of four batches.
fn one_at_a_time(pair: &Pair, path: &PathBuf) -> CopyTable {
    let copy = pair.copy().checkpoint(path).segments(1);
    copy.page_size(100).write_concurrency(1)
}

fn others_item() -> Item {
    item([("id", s("00007")), ("name", s("another program's"))])
}

fn assert_refused(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::TableNotEmpty, "{error}");
    assert!(error.to_string().contains("policy()"), "{error}");
}

#[tokio::test]
async fn items_written_after_a_run_that_wrote_nothing_are_not_overwritten() {
    // Once before the first page is read, and once when the first batch is refused.
    let faults = [denied("Scan").account(STAGING), denied("BatchWriteItem")];
    for fault in faults {
        let (pair, _folder, path) = begin(300).await;
        let copy = || one_at_a_time(&pair, &path);
        interrupted(&pair, copy(), fault).await;
        assert!(path.exists() && pair.in_target().is_empty());

        pair.put(&pair.target, vec![others_item()]).await;
        let before = pair.in_target();
        assert_refused(&copy().preflight().await.unwrap_err());
        assert_refused(&copy().await.unwrap_err());
        assert_eq!(pair.in_target(), before);
    }
}

#[tokio::test]
async fn a_run_that_wrote_nothing_is_resumed_into_an_empty_table() {
    let (pair, _folder, path) = begin(300).await;
    interrupted(&pair, one_at_a_time(&pair, &path), denied("BatchWriteItem")).await;
    let summary = one_at_a_time(&pair, &path).await.unwrap();
    assert!(summary.plan().resumes());
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn a_run_that_recorded_no_page_is_resumed_among_its_own_items_only() {
    let (pair, _folder, path) = begin(300).await;
    let copy = || one_at_a_time(&pair, &path);
    interrupted(&pair, copy(), denied("BatchWriteItem").after(3)).await;
    assert_eq!(pair.in_target().len(), 75);
    assert!(!fs::read_to_string(&path).unwrap().contains("segment\":{"));

    // Neither an item that the source does not have, nor another one with the same key.
    for other in [user("another"), others_item()] {
        let id = other["id"].clone();
        pair.put(&pair.target, vec![other]).await;
        let before = pair.in_target();
        assert_refused(&copy().await.unwrap_err());
        assert_eq!(pair.in_target(), before);
        pair.delete(&pair.target, id).await;
    }
    copy().await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn a_run_that_filtered_every_page_is_resumed_into_an_empty_table_only() {
    let (pair, _folder, path) = begin(300).await;
    let copy = || {
        let copy = one_at_a_time(&pair, &path).segments(8).page_size(5);
        let copy = copy.filter(|item| item["id"].as_s().unwrap() == "00007");
        copy.fingerprint("only 7")
    };
    let fault = denied("BatchWriteItem");
    interrupted(&pair, copy(), fault).await;
    pair.put(&pair.target, vec![others_item()]).await;
    assert_refused(&copy().await.unwrap_err());
}

#[tokio::test]
async fn transformed_items_are_recognised_as_the_copys_own() {
    let (pair, _folder, path) = begin(300).await;
    let copy = || {
        let copy = one_at_a_time(&pair, &path).fingerprint("version 2");
        copy.transform(|mut item| {
            item.insert("version".into(), n(2));
            Ok(item)
        })
    };
    interrupted(&pair, copy(), denied("BatchWriteItem").after(2)).await;
    let summary = copy().verify(true).await.unwrap();
    assert!(summary.verification().unwrap().is_identical());
    assert_eq!(summary.statistics().total_written(), 300);
}

#[tokio::test]
async fn other_settings_than_the_first_runs_are_refused() {
    let (pair, _folder, path) = begin(300).await;
    let keep = |_: &Item| true;
    let plain = || one_at_a_time(&pair, &path);
    let first = || plain().filter(keep).fingerprint("v1");
    interrupted(&pair, first(), denied("BatchWriteItem").after(6)).await;
    let before = fs::read(&path).unwrap();
    for (copy, fact) in [
        (
            first().policy(CopyPolicy::Overwrite),
            "the policy FailIfNotEmpty, not Overwrite",
        ),
        (plain(), "with a filter, not without one"),
        (first().transform(Ok), "without a transform, not with one"),
        (
            first().fingerprint("v2"),
            "the fingerprint \"v1\", not \"v2\"",
        ),
    ] {
        let error = copy.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        assert!(error.to_string().contains(fact), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    // The settings that decide how fast it is may change.
    first().write_concurrency(4).page_size(7).await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test]
async fn closures_without_a_fingerprint_are_refused_with_a_checkpoint() {
    let (pair, _folder, path) = begin(30).await;
    let copy = || one_at_a_time(&pair, &path);
    for copy in [
        copy().filter(|_| true),
        copy().transform(Ok),
        copy().transform(Ok).fingerprint(""),
        copy().filter(|_| true).fingerprint(" \t"),
    ] {
        let error = copy.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        assert!(error.to_string().contains("fingerprint()"), "{error}");
    }
    assert!(pair.in_target().is_empty() && !path.exists());
}

#[tokio::test]
async fn an_edited_checkpoint_is_refused() {
    let (pair, _folder, path) = begin(400).await;
    let copy = || {
        pair.copy()
            .checkpoint(&path)
            .page_size(10)
            .write_concurrency(1)
    };
    let fault = denied("BatchWriteItem").after(20);
    interrupted(&pair, copy(), fault).await;
    let before = pair.in_target().len();
    let text = fs::read_to_string(&path).unwrap();
    let number = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["segment"]["number"].as_u64()
    };
    let of = |segment| text.lines().rfind(|line| number(line) == Some(segment));
    let (Some(zero), Some(one)) = (of(0), of(1)) else {
        panic!("{text}");
    };
    let swapped = text
        .replace(zero, "ZERO")
        .replace(one, &zero.replace("\"number\":0", "\"number\":1"))
        .replace("ZERO", &one.replace("\"number\":1", "\"number\":0"));
    let huge = text.replace("\"stored\":", "\"stored\":1844674407370955161");
    for edited in [swapped, huge] {
        assert_ne!(edited, text);
        fs::write(&path, &edited).unwrap();
        let error = copy().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("is damaged, or was edited"), "{cause}");
        assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    }
    assert_eq!(pair.in_target().len(), before);
    fs::write(&path, &text).unwrap();
    copy().await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_do_not_use_one_checkpoint() {
    let (pair, folder, path) = begin(300).await;
    let slow = Fault::latency(Duration::from_secs(60)).operation("BatchWriteItem");
    let slow = pair.local.aws.faults().add(slow);
    let first = tokio::spawn(one_at_a_time(&pair, &path).into_future());
    while !path.exists() {
        tokio::task::yield_now().await;
    }
    let error = one_at_a_time(&pair, &path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    assert!(
        error.to_string().contains("another run is using"),
        "{error}"
    );

    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    pair.local.aws.faults().remove(slow);
    one_at_a_time(&pair, &path).await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_written_between_the_checks_and_the_first_write_are_not_overwritten() {
    let pair = Arc::new(Pair::start(300).await);
    for with_checkpoint in [false, true] {
        let (other, runtime) = (Arc::clone(&pair), tokio::runtime::Handle::current());
        let put = Once::new();
        // Another program is faster, after the preflight has found the target empty.
        let copy = pair.copy().segments(1).filter(move |_| {
            put.call_once(|| {
                let put = async { other.put(&other.target, vec![others_item()]).await };
                tokio::task::block_in_place(|| runtime.block_on(put));
            });
            true
        });
        let folder = tempfile::tempdir().unwrap();
        let copy = match with_checkpoint {
            true => copy.checkpoint(folder.path().join("it")).fingerprint("all"),
            false => copy,
        };
        assert_refused(&copy.await.unwrap_err());
        assert_eq!(pair.in_target().len(), 1);
        pair.delete(&pair.target, s("00007")).await;
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_a_checkpoint_is_the_same_checkpoint() {
    let (pair, folder, path) = begin(300).await;
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let slow = Fault::latency(Duration::from_secs(60)).operation("BatchWriteItem");
    let slow = pair.local.aws.faults().add(slow);
    let first = tokio::spawn(one_at_a_time(&pair, &link).into_future());
    while !path.exists() {
        tokio::task::yield_now().await;
    }
    let error = one_at_a_time(&pair, &path).await.unwrap_err();
    assert!(
        error.to_string().contains("another run is using"),
        "{error}"
    );
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    pair.local.aws.faults().remove(slow);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    one_at_a_time(&pair, &link).await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_a_file_is_a_checkpoint() {
    let (pair, folder, path) = begin(30).await;
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    for path in [path, folder.path().to_owned(), "/dev/null".into()] {
        let copy = || one_at_a_time(&pair, &path);
        for error in [
            copy().await.unwrap_err(),
            copy().preflight().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert_eq!(cause, "it is not a regular file");
        }
    }
    assert!(pair.in_target().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
