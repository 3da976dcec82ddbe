//! Faults on the way: every item arrives in the end, and no request is retried forever.

use std::time::Duration;

use bsm_dynamodb::{CopyPolicy, ErrorKind};
use bsm_local_aws::Fault;
use bsm_local_aws::standard::{PRODUCTION_ROLE_ARN, STAGING_ROLE_ARN};

use super::support::Pair;

const ITEMS: usize = 1500;

fn bad_day(pair: &Pair, operation: &str, seed: u64) {
    let faults = [
        (Fault::throttling(), 0.15),
        (Fault::unprocessed_fraction(0.6), 0.15),
        (Fault::dropped_connection(), 0.05),
        (Fault::dropped_response(), 0.05),
        (Fault::truncated_body(), 0.05),
        (Fault::internal_error(), 0.05),
        (Fault::expired_token(), 0.05),
    ];
    for (place, (fault, probability)) in faults.into_iter().enumerate() {
        let fault = fault.operation(operation);
        let fault = fault.probability(probability, seed + place as u64);
        pair.local.aws.faults().add(fault);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_survived_with_a_bounded_number_of_attempts() {
    let pair = Pair::start(ITEMS).await;
    let before = pair.calls("BatchWriteItem");
    for (seed, operation) in ["Scan", "BatchWriteItem", "BatchGetItem"]
        .iter()
        .enumerate()
    {
        bad_day(&pair, operation, 100 * seed as u64);
    }
    let summary = pair.copy().page_size(100).verify(true).await.unwrap();
    assert!(summary.verification().unwrap().is_identical());
    assert_eq!(pair.in_target(), pair.in_source());
    assert_eq!(summary.statistics().written(), ITEMS as u64);
    assert!(summary.statistics().retried() > 0);

    // About 60 batches would do. Half of the requests fail in one way or another.
    let attempts = pair.calls("BatchWriteItem") - before;
    assert!((80..=320).contains(&attempts), "{attempts} attempts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn existing_items_are_skipped_despite_faults() {
    let pair = Pair::start(300).await;
    let old: Vec<_> = super::support::users(600).split_off(200);
    pair.put(&pair.target, old).await;
    for operation in ["PutItem", "BatchGetItem"] {
        bad_day(&pair, operation, 7);
    }
    let copy = pair.copy().policy(CopyPolicy::SkipExisting).page_size(50);
    let summary = copy.await.unwrap();
    let statistics = summary.statistics();
    // A write whose response was lost is found in the target.
    assert_eq!(statistics.written() + statistics.skipped(), 300);
    assert!(statistics.skipped() >= 100, "{statistics:?}");
    assert_eq!(pair.in_target().len(), 600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_refreshed_on_the_way() {
    let mut pair = Pair::start(ITEMS).await;
    let slow = Fault::latency(Duration::from_millis(60)).operation("BatchWriteItem");
    pair.local.aws.faults().add(slow);
    let clock = pair.local.aws.clock();
    let user = pair.local.builder().profile_name("default");
    let user = user.time_source(clock.clone()).build();
    let quarter = Duration::from_secs(900);
    pair.source = user.assume_role(STAGING_ROLE_ARN).duration(quarter).build();
    pair.target = user
        .assume_role(PRODUCTION_ROLE_ARN)
        .duration(quarter)
        .build();
    // 14 minutes at a time: AWS refuses a request that was signed longer ago.
    let copy = pair.copy().page_size(50).write_concurrency(2);
    let copy = copy.on_progress(move |_| clock.advance(Duration::from_secs(840)));
    let summary = copy.verify(true).await.unwrap();
    assert!(summary.verification().unwrap().is_identical());
    let assumed = pair.local.aws.call_count("sts", "AssumeRole");
    assert!(assumed >= 10, "{assumed}");
}

#[tokio::test]
async fn a_write_that_never_succeeds_fails_the_copy() {
    let pair = Pair::start(100).await;
    let before = pair.calls("BatchWriteItem");
    let stuck = Fault::unprocessed_fraction(1.0).operation("BatchWriteItem");
    let stuck = pair.local.aws.faults().add(stuck);
    let copy = || pair.copy().max_attempts(3).write_concurrency(1);
    let error = copy().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BatchIncomplete, "{error}");
    assert_eq!(pair.calls("BatchWriteItem") - before, 3);

    pair.local.aws.faults().remove(stuck);
    let throttled = Fault::throttling().operation("Scan").after(1);
    pair.local.aws.faults().add(throttled);
    let scans = pair.calls("Scan");
    let error = copy().read_concurrency(1).await.unwrap_err();
    assert!(error.is_throttled(), "{error}");
    assert_eq!(pair.calls("Scan") - scans, 1 + 3);
}

#[tokio::test]
async fn progress_of_a_copy_resets_the_attempts() {
    let pair = Pair::start(25).await;
    let slow = Fault::unprocessed_fraction(0.9).operation("BatchWriteItem");
    pair.local.aws.faults().add(slow.times(6));
    let copy = pair.copy().segments(1).max_attempts(2);
    copy.await.unwrap();
    assert_eq!(pair.in_target(), pair.in_source());
}
