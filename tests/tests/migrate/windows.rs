//! Catching up with incremental exports.

use std::time::Duration;

use bsm_local_aws::Fault;

use crate::support::*;
use crate::writers::Writers;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_of_two_days_is_caught_up_with_window_after_window() {
    let world = World::start(300).await;
    let writers = Writers::start(&world, 400).await;
    // The import takes longer than the stream keeps its records.
    world
        .aws
        .faults()
        .add(Fault::slow_job(48 * HOUR).operation("ImportTable"));
    let hurry = world.hurry(1);
    let migrating = tokio::spawn(world.migrate_under(&writers).into_future());
    while world.calls("DescribeImport") == 0 {
        tokio::task::yield_now().await;
    }
    drop(hurry);
    for _ in 0..48 {
        writers.advance(&world, HOUR).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let summary = migrating.await.unwrap().unwrap();
    world.assert_migrated().await;
    // The export, and windows of at most 24 hours until the stream is close enough.
    assert_eq!(world.calls("ExportTableToPointInTime"), 3);
    assert!(summary.statistics().caught_up() > 0);
    assert!(summary.statistics().streamed() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_stream_the_last_window_brings_the_last_writes() {
    let world = World::start(300).await;
    let writers = Writers::start(&world, 400).await;
    let _hurry = world.hurry(3);
    let migration = world.migrate_under(&writers).stream(false);
    let plan = migration.plan().await.unwrap();
    assert!(
        plan.to_string()
            .contains("the writers pause for 15 minutes and more"),
        "{plan}"
    );
    assert!(!plan.turns_on_stream());
    let summary = migration.await.unwrap();
    world.assert_migrated().await;
    assert!(summary.is_verified());
    assert!(summary.pause().is_some());
    assert_eq!(summary.statistics().streamed(), 0);
    assert!(summary.statistics().caught_up() > 0);
    assert_eq!(world.calls("GetRecords"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_is_interrupted_for_a_day_loses_nothing_unnoticed() {
    let world = World::start(50).await;
    let hurry = world.hurry(1);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut stop = Some(stop);
    let error = world
        .migrate()
        .cutover(std::future::pending)
        .on_progress(move |progress| {
            if progress.lag() == Some(Duration::ZERO) && progress.compared() > 0 {
                drop(stop.take());
            }
        })
        .stop_when(async { drop(stopped.await) })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), bsm_dynamodb::ErrorKind::Stopped);
    drop(hurry);
    world.aws.clock().advance(25 * HOUR);
    let error = world.migrate().await.unwrap_err();
    assert_eq!(
        error.kind(),
        bsm_dynamodb::ErrorKind::TransferFailed,
        "{error}"
    );
    assert!(error.to_string().contains("no longer kept"), "{error}");
}
