use futures_util::future::join_all;
use tokio::runtime::{Builder, Runtime};

use super::super::testing::{Behaviour, Clock, Fake, LIMIT};
use super::*;

/// A cache in front of a source that gives credentials for so many seconds.
fn refresher(seconds: u64) -> (Refresher, Fake, Clock) {
    let clock = Clock::new();
    let fake = Fake::new(&clock, Behaviour::Give(seconds));
    let refresher = Refresher::on(Engine::Current, fake.provider(), clock.shared());
    (refresher, fake, clock)
}

async fn key(refresher: &Refresher) -> String {
    let credentials = refresher.credentials().await.unwrap();
    credentials.access_key_id().to_owned()
}

/// Lets tasks in the background come to an end.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thousand_callers_make_one_call() {
    let (refresher, fake, _) = refresher(3_600);
    let keys = join_all((0..1_000).map(|_| key(&refresher))).await;
    assert!(keys.iter().all(|key| key == "key 1"));
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn fresh_credentials_are_not_refreshed() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.advance(2_699);
    assert_eq!(key(&refresher).await, "key 1");
    settle().await;
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn in_the_advisory_window_one_refresh_runs_and_nobody_waits() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.advance(2_701);
    fake.behave(Behaviour::Hang);
    for _ in 0..100 {
        assert_eq!(key(&refresher).await, "key 1");
        settle().await;
    }
    assert_eq!(fake.calls(), 2);
    fake.behave(Behaviour::Give(3_600));
    settle().await;
    assert_eq!(key(&refresher).await, "key 2");
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn in_the_mandatory_window_all_wait_for_one_refresh() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.advance(3_541);
    let keys = join_all((0..100).map(|_| key(&refresher))).await;
    assert!(keys.iter().all(|key| key == "key 2"));
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn a_role_of_15_minutes_is_refreshed_once_per_window_at_any_rate() {
    let (refresher, fake, clock) = refresher(900);
    // Ten windows of 600 s, from a request to the next advisory window.
    for _ in 0..600 {
        for _ in 0..20 {
            key(&refresher).await;
            settle().await;
        }
        clock.advance(10);
    }
    assert_eq!(fake.calls(), 10);
}

#[tokio::test]
async fn a_source_that_returns_the_same_credentials_again_is_called_rarely() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    for left in (1..=900).rev() {
        clock.advance(if left == 900 { 2_700 } else { 1 });
        fake.behave(Behaviour::Give(left));
        for _ in 0..5 {
            key(&refresher).await;
            settle().await;
        }
    }
    assert!(fake.calls() < 15, "{} calls", fake.calls());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_down_from_the_advisory_window_to_the_expiry_fails_nobody() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.advance(2_700);
    fake.behave(Behaviour::Fail(ErrorKind::Unreachable));
    for _ in 0..900 {
        for _ in 0..5 {
            assert_eq!(key(&refresher).await, "key 1");
            settle().await;
        }
        clock.advance(1);
    }
    // Two or three in the advisory window, then one in 1 to 5 s.
    assert!((13..=64).contains(&fake.calls()), "{} calls", fake.calls());

    let error = refresher.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    fake.behave(Behaviour::Give(3_600));
    clock.advance(5);
    assert!(refresher.credentials().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_blocks_callers_only_briefly_while_the_credentials_are_valid() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.advance(3_545);
    fake.behave(Behaviour::Hang);
    let before = tokio::time::Instant::now();
    let keys = join_all((0..100).map(|_| key(&refresher))).await;
    assert!(keys.iter().all(|key| key == "key 1"));
    assert_eq!(before.elapsed().as_secs(), MAX_WAIT.as_secs());
    // The others do not even wait that long.
    assert_eq!(key(&refresher).await, "key 1");
    assert_eq!(before.elapsed().as_secs(), MAX_WAIT.as_secs());
    fake.behave(Behaviour::Give(3_600));
    settle().await;
    assert_eq!(key(&refresher).await, "key 2");
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn a_failure_is_everyones_error_and_is_kept_for_a_second_at_least() {
    let (refresher, fake, clock) = refresher(3_600);
    fake.behave(Behaviour::Fail(ErrorKind::AccessDenied));
    let errors = join_all((0..100).map(|_| refresher.credentials())).await;
    let messages: Vec<_> = errors
        .into_iter()
        .map(|e| e.unwrap_err().to_string())
        .collect();
    assert!(messages.iter().all(|message| message == "failure 1"));
    assert_eq!(
        refresher.credentials().await.unwrap_err().to_string(),
        "failure 1"
    );
    assert_eq!(fake.calls(), 1);
    clock.advance(5);
    assert_eq!(
        refresher.credentials().await.unwrap_err().to_string(),
        "failure 2"
    );
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_prolong_an_error() {
    let (refresher, fake, clock) = refresher(3_600);
    fake.behave(Behaviour::Fail(ErrorKind::AccessDenied));
    assert!(refresher.credentials().await.is_err());
    clock.set_back(86_400);
    fake.behave(Behaviour::Give(3_600));
    assert!(refresher.credentials().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_keeps_no_credentials_alive() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.set_back(86_400);
    tokio::time::advance(Duration::from_secs(2_690)).await;
    assert_eq!(key(&refresher).await, "key 1");
    settle().await;
    assert_eq!(fake.calls(), 1);
    tokio::time::advance(Duration::from_secs(911)).await;
    assert!(refresher.expires_within(Duration::ZERO));
    assert_eq!(key(&refresher).await, "key 2");
}

#[tokio::test]
async fn a_panic_of_the_source_is_an_error_and_is_not_repeated_at_once() {
    let (refresher, fake, clock) = refresher(3_600);
    fake.behave(Behaviour::Panic);
    for outcome in join_all((0..10).map(|_| refresher.credentials())).await {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Runtime);
    }
    assert_eq!(fake.calls(), 1);
    fake.behave(Behaviour::Give(3_600));
    clock.advance(5);
    assert!(refresher.credentials().await.is_ok());
}

#[tokio::test]
async fn expired_credentials_from_the_source_are_an_error() {
    let (refresher, _, _) = refresher(0);
    let error = refresher.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsRejected);
}

#[tokio::test]
async fn a_wrong_mfa_code_is_asked_for_again_at_once() {
    let (refresher, fake, _) = refresher(3_600);
    fake.behave(Behaviour::Fail(ErrorKind::MfaCodeRejected));
    assert!(
        refresher
            .credentials()
            .await
            .unwrap_err()
            .is_mfa_code_rejected()
    );
    fake.behave(Behaviour::Give(3_600));
    assert_eq!(key(&refresher).await, "key 2");
}

#[tokio::test]
async fn a_user_who_enters_no_mfa_code_is_not_prompted_again_before_the_expiry() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.advance(3_541);
    fake.behave(Behaviour::Fail(ErrorKind::MfaCodeUnavailable));
    for _ in 0..58 {
        assert_eq!(key(&refresher).await, "key 1");
        clock.advance(1);
    }
    assert_eq!(fake.calls(), 2);
    clock.advance(1);
    assert!(
        refresher
            .credentials()
            .await
            .unwrap_err()
            .is_mfa_code_unavailable()
    );
    assert_eq!(fake.calls(), 3);
}

#[tokio::test]
async fn a_refresh_that_would_prompt_does_not_run_in_the_background() {
    let clock = Clock::new();
    let with_mfa = Fake::prompting(&clock, Behaviour::Give(3_600));
    let parent = Refresher::on(Engine::Current, with_mfa.provider(), clock.shared());
    let child_of_it = Fake::of_parent(&clock, &parent);
    let child = Refresher::on(Engine::Current, child_of_it.provider(), clock.shared());

    key(&parent).await;
    clock.advance(1_000);
    key(&child).await;
    clock.advance(1_800);
    // The parent is in its advisory window: no prompt.
    key(&parent).await;
    settle().await;
    assert_eq!(with_mfa.calls(), 1);

    clock.advance(910);
    // The child is in its own, and the parent has expired: a refresh would make a prompt appear.
    key(&child).await;
    settle().await;
    assert_eq!(child_of_it.calls(), 1);

    // A caller of the parent who waits has its prompt, and then the child follows.
    assert_eq!(key(&parent).await, "key 2");
    key(&child).await;
    settle().await;
    assert_eq!(child_of_it.calls(), 2);
}

#[tokio::test]
async fn a_demand_for_more_time_refreshes_at_once() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.advance(600);
    let credentials = refresher.credentials_for(Duration::from_secs(3_300)).await;
    assert_eq!(credentials.unwrap().access_key_id(), "key 2");
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn a_demand_that_the_source_cannot_meet_is_an_error_and_is_not_tried_for_a_minute() {
    let (refresher, fake, clock) = refresher(900);
    for _ in 0..50 {
        let error = refresher
            .credentials_for(Duration::from_secs(1_200))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
        assert!(error.to_string().contains("only 900 s"), "{error}");
    }
    assert_eq!(fake.calls(), 2);
    clock.advance(60);
    fake.behave(Behaviour::Give(3_600));
    refresher
        .credentials_for(Duration::from_secs(1_200))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_demand_that_fails_gives_the_reason_though_the_old_credentials_are_valid() {
    let (refresher, fake, _) = refresher(900);
    key(&refresher).await;
    fake.behave(Behaviour::Fail(ErrorKind::Unreachable));
    for _ in 0..50 {
        let error = refresher
            .credentials_for(Duration::from_secs(1_200))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
    }
    assert_eq!(fake.calls(), 2);
    assert_eq!(key(&refresher).await, "key 1");
}

#[tokio::test]
async fn a_waiter_that_is_dropped_does_not_lose_the_refresh() {
    let (refresher, fake, _) = refresher(3_600);
    fake.behave(Behaviour::Hang);
    let first = tokio::spawn({
        let refresher = refresher.clone();
        async move { refresher.credentials().await }
    });
    settle().await;
    first.abort();
    fake.behave(Behaviour::Give(3_600));
    settle().await;
    assert_eq!(key(&refresher).await, "key 1");
    assert_eq!(fake.calls(), 1);
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_runtime_that_shuts_down_during_a_refresh_loses_nothing() {
    let clock = Clock::new();
    let fake = Fake::new(&clock, Behaviour::Give(3_600));
    let refresher = Refresher::new(fake.provider(), clock.shared(), Observer::default());
    runtime().block_on(key(&refresher));
    clock.advance(2_701);
    fake.behave(Behaviour::Hang);
    assert_eq!(runtime().block_on(key(&refresher)), "key 1");
    clock.advance(899);
    fake.behave(Behaviour::Give(3_600));
    assert_eq!(runtime().block_on(key(&refresher)), "key 2");
    assert_eq!(fake.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_abandoned_after_its_limit_and_the_next_caller_starts_afresh() {
    let (refresher, fake, clock) = refresher(3_600);
    fake.behave(Behaviour::Hang);
    let before = tokio::time::Instant::now();
    let errors = join_all((0..16).map(|_| refresher.credentials())).await;
    assert_eq!(before.elapsed(), LIMIT);
    for error in errors {
        let error = error.unwrap_err();
        assert!(error.is_timed_out(), "{error}");
        assert_eq!(
            error.to_string(),
            "timed out after 30 s waiting for the fake"
        );
    }
    assert_eq!(fake.calls(), 1);
    fake.behave(Behaviour::Give(3_600));
    clock.advance(5);
    assert_eq!(key(&refresher).await, "key 2");
}

#[tokio::test]
async fn a_refresh_in_the_background_keeps_nothing_alive() {
    let (refresher, fake, clock) = refresher(3_600);
    key(&refresher).await;
    clock.advance(2_701);
    fake.behave(Behaviour::Hang);
    key(&refresher).await;
    settle().await;
    let inner = Arc::downgrade(&refresher.inner);
    drop(refresher);
    assert!(inner.upgrade().is_none());
}
