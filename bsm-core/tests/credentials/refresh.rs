use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bsm_core::ErrorKind;
use bsm_local_aws::Fault;
use futures_util::future::join_all;

use crate::support::{ADMIN, READER, assume_role_calls, playground, request};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn sts_down() -> Fault {
    Fault::unavailable().service("sts").operation("AssumeRole")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_on_a_cold_role_make_one_call() {
    let playground = playground();
    let bsm = playground.profile("admin");
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let bsm = bsm.clone();
            tokio::spawn(async move { bsm.credentials().await.unwrap().access_key_id().to_owned() })
        })
        .collect();
    let keys: Vec<_> = join_all(tasks)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(assume_role_calls(&playground), 1);
}

#[tokio::test]
async fn a_role_of_15_minutes_is_assumed_once_per_window_at_any_rate() {
    let playground = playground();
    let role = playground.profile("dev").assume_role(ADMIN);
    let bsm = role
        .duration(Duration::from_secs(900))
        .load()
        .await
        .unwrap();
    let windows = 5;
    for _ in 0..windows * 60 {
        for _ in 0..5 {
            request(&bsm).await;
        }
        playground.aws.clock().advance(Duration::from_secs(10));
    }
    let assumed = assume_role_calls(&playground);
    assert!(
        (windows..=windows + 1).contains(&assumed),
        "{assumed} calls"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_tasks_on_a_failing_sts_make_the_calls_of_one_refresh_and_share_the_error() {
    let playground = playground();
    playground.aws.faults().add(sts_down());
    let bsm = playground.profile("admin");

    let errors = join_all((0..100).map(|_| bsm.credentials())).await;
    let messages: Vec<_> = errors
        .into_iter()
        .map(|e| e.unwrap_err().to_string())
        .collect();
    assert!(
        messages.iter().all(|message| *message == messages[0]),
        "{messages:?}"
    );
    assert!(
        messages[0].contains("ServiceUnavailable"),
        "{}",
        messages[0]
    );
    assert_eq!(
        assume_role_calls(&playground),
        3,
        "a refresh makes three attempts"
    );

    let until = Instant::now() + Duration::from_secs(4);
    let requests = join_all((0..100).map(|_| {
        let bsm = bsm.clone();
        tokio::spawn(async move {
            let mut requests = 0;
            while Instant::now() < until {
                assert!(bsm.credentials().await.is_err());
                requests += 1;
                tokio::task::yield_now().await;
            }
            requests
        })
    }))
    .await;
    let requests: usize = requests.into_iter().map(Result::unwrap).sum();
    let mut calls: Vec<_> = playground.aws.calls().iter().map(|call| call.at).collect();
    calls.sort_unstable();
    println!("{requests} requests, {} calls", calls.len());
    // The fourth call is that of the next refresh, after the pause.
    for four in calls.windows(4) {
        let apart = four[3].duration_since(four[0]).unwrap();
        assert!(apart >= Duration::from_secs(1), "four calls in {apart:?}");
    }
}

#[tokio::test]
async fn an_outage_of_sts_is_not_felt_before_the_expiry_and_forgotten_after_it() {
    let playground = playground();
    let clock = playground.aws.clock();
    let bsm = playground.profile("admin");
    request(&bsm).await;
    let expiration = std::time::SystemTime::from(bsm.expiration().unwrap());
    clock.advance(Duration::from_secs(2_700));
    let fault = playground.aws.faults().add(sts_down());
    playground.aws.clear_calls();

    let mut requests = 0;
    // Far enough from the expiry for a slow request: the clock also runs by itself.
    while clock.now() + Duration::from_secs(30) < expiration {
        request(&bsm).await;
        requests += 1;
        clock.advance(Duration::from_secs(2));
    }
    assert!(requests > 400, "{requests} requests");
    println!(
        "{requests} requests, {} calls",
        assume_role_calls(&playground)
    );
    assert!(playground.aws.faults().hits(fault) > 0);

    clock.advance(Duration::from_secs(40));
    let error = bsm.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Service);
    assert!(bsm.is_expired(Duration::ZERO) && bsm.is_expired(Duration::MAX));

    playground.aws.faults().clear();
    clock.advance(Duration::from_secs(5));
    assert_eq!(request(&bsm).await.split(':').nth(4), Some("222222222222"));
    assert!(!bsm.is_expired(Duration::from_secs(3_000)));
}

#[tokio::test]
async fn an_sts_that_answers_slowly_holds_up_nobody_in_the_advisory_window() {
    let playground = playground();
    let bsm = playground.profile("admin");
    request(&bsm).await;
    playground.aws.clock().advance(Duration::from_secs(2_800));
    let slow = Fault::latency(Duration::from_secs(3_600)).operation("AssumeRole");
    playground.aws.faults().add(slow);
    for _ in 0..50 {
        request(&bsm).await;
    }
    while assume_role_calls(&playground) < 2 {
        tokio::task::yield_now().await;
    }
    request(&bsm).await;
    assert_eq!(assume_role_calls(&playground), 2);
}

#[test]
fn a_refresh_survives_the_runtime_that_started_it() {
    let playground = playground();
    let bsm = playground.profile("admin");
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    runtime().block_on(request(&bsm));
    for round in 0..10 {
        playground.aws.clock().advance(Duration::from_secs(3_300));
        let latency = Fault::latency(Duration::from_millis(200)).operation("AssumeRole");
        playground.aws.faults().add(latency);
        // Starts a refresh in the background, and is gone before the answer is there.
        runtime().block_on(request(&bsm));
        playground.aws.faults().clear();
        // Less than the five minutes after which STS refuses a request that was signed before.
        playground.aws.clock().advance(Duration::from_secs(290));
        let done = Arc::new(AtomicBool::new(false));
        runtime().block_on(async {
            request(&bsm).await;
            done.store(true, Ordering::SeqCst);
        });
        assert!(done.load(Ordering::SeqCst), "round {round}");
        // They are new: the old ones had ten seconds left. The refresh of the first runtime may have
        // been answered before the clock advanced.
        let left = bsm.expiration().expect("a role expires") - chrono::Utc::now();
        assert!(
            !bsm.is_expired(Duration::from_secs(60)),
            "round {round}: {left}"
        );
    }
}

#[tokio::test]
async fn a_program_learns_of_each_refresh_and_each_failure() {
    let playground = playground();
    let (events, received) = std::sync::mpsc::channel();
    let bsm = playground
        .builder()
        .profile_name("admin")
        .on_refresh(move |event| {
            events.send(event.clone()).unwrap();
            // Fails no caller.
            panic!("the function of the user is broken");
        })
        .build();
    let before = bsm.credentials().await.unwrap();
    let role = bsm.assume_role(READER).load().await.unwrap();
    let next = || received.recv_timeout(PATIENCE).unwrap();
    let [own, of_role] = [(); 2].map(|()| next());
    assert_eq!(own.session(), bsm.to_string());
    assert_eq!(own.expiration(), bsm.expiration());
    assert_eq!(of_role.session(), role.to_string());
    assert!(own.error().is_none() && of_role.error().is_none());

    playground.aws.faults().add(sts_down());
    playground.aws.clock().advance(Duration::from_secs(3_580));
    assert_eq!(bsm.credentials().await.unwrap(), before);
    let failed = next();
    assert_eq!(failed.error().unwrap().kind(), ErrorKind::Service);
    assert_eq!(failed.expiration(), bsm.expiration());

    playground.aws.clock().advance(Duration::from_secs(60));
    bsm.credentials().await.unwrap_err();
    let failed = next();
    assert!(failed.error().is_some() && failed.expiration().is_none());

    // One event for each refresh: the next one is of the next refresh.
    playground.aws.faults().clear();
    bsm.clear_cache();
    bsm.credentials().await.unwrap();
    assert!(next().error().is_none());
}
