//! Catching up with incremental exports.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::{AttributeValue, StreamViewType};
use aws_smithy_async::time::TimeSource;
use bsm_dynamodb::{ErrorKind, MigrationPhase, MigrationProgress};
use bsm_local_aws::{Clock, Fault};

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
    let compares = |progress: &MigrationProgress| {
        progress.lag() == Some(Duration::ZERO) && progress.compared() > 0
    };
    world.run_until(true, compares).await;
    drop(hurry);
    world.aws.clock().advance(25 * HOUR);
    let error = world.migrate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TransferFailed, "{error}");
    assert!(
        error.to_string().contains("no longer has all records"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_trimmed_before_they_are_read_end_the_migration() {
    for operation in ["GetShardIterator", "GetRecords"] {
        let world = World::start(50).await;
        world.run_to(MigrationPhase::Streaming, true).await;
        let trimmed = Fault::error(400, "TrimmedDataAccessException", "trimmed");
        world.aws.faults().add(trimmed.operation(operation));
        let error = world.migrate().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TransferFailed, "{error}");
        assert!(
            error.to_string().contains("no longer has all records"),
            "{error}"
        );
    }
}

/// Replaces the stream of the source, and writes an item that neither stream has.
async fn replace_stream(world: &World, view_type: StreamViewType) {
    turn_off_stream(&world.source).await;
    let request = client(&world.source).await.put_item().table_name(TABLE);
    let request = request.item("id", AttributeValue::S("between".to_owned()));
    request.send().await.unwrap();
    // The labels of streams have milliseconds.
    world.aws.clock().advance(Duration::from_secs(1));
    turn_on_stream(&world.source, view_type).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_replaced_before_it_is_read_is_made_up_for_by_windows() {
    let world = World::start(50).await;
    world.run_to(MigrationPhase::CatchingUp, true).await;
    replace_stream(&world, StreamViewType::NewImage).await;
    let _hurry = world.hurry(9);
    world.migrate().await.unwrap();
    world.assert_migrated().await;
    assert!(world.calls("ExportTableToPointInTime") > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_replaced_while_it_is_read_ends_the_migration() {
    for (view_type, kind, part) in [
        (
            StreamViewType::NewImage,
            ErrorKind::TransferFailed,
            "turned off and on again",
        ),
        (
            StreamViewType::KeysOnly,
            ErrorKind::InvalidRequest,
            "KEYS_ONLY",
        ),
    ] {
        let world = World::start(50).await;
        world.run_to(MigrationPhase::Streaming, true).await;
        replace_stream(&world, view_type).await;
        let error = world.migrate().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_empty_or_cut_off_are_not_the_end_of_the_stream() {
    let world = World::start(50).await;
    let hurry = world.hurry(1);
    world
        .run_until(true, |progress| {
            progress.phase() >= MigrationPhase::Streaming
        })
        .await;
    drop(hurry);
    // A stream is read in pages of 1 MB. Nothing is compared, so nothing else finds a write that is missed.
    let client = client(&world.source).await;
    for number in 0..20 {
        let request = client.put_item().table_name(TABLE);
        let request = request.item("id", AttributeValue::S(format!("large-{number}")));
        let text = AttributeValue::S("x".repeat(350_000));
        request.item("text", text).send().await.unwrap();
    }
    let faults = world.aws.faults();
    for after in [0, 4, 9] {
        faults.add(Fault::empty_page().after(after).times(3));
    }
    world.migrate().compare(false).await.unwrap();
    world.assert_migrated().await;
}

/// A key that nothing else has written to since the comparison began, and that is therefore not among those
/// that are compared at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_arrives_late_is_not_lost() {
    let world = World::start(50).await;
    let _hurry = world.hurry(1);
    let (source, faults) = (world.source.clone(), world.aws.faults().clone());
    let migration = world.migrate().cutover(move || async move {
        let request = client(&source).await.put_item().table_name(TABLE);
        let request = request.item("id", AttributeValue::S("late".to_owned()));
        // Two seconds, as the shard is read five times a second.
        faults.add(Fault::empty_page().times(10));
        request.send().await?;
        Ok(())
    });
    assert!(migration.await.unwrap().is_verified());
    world.assert_migrated().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_turned_off_is_not_one_without_writes() {
    let world = World::start(50).await;
    let _hurry = world.hurry(1);
    let source = world.source.clone();
    let migration = world.migrate().compare(false).cutover(move || async move {
        turn_off_stream(&source).await;
        let request = client(&source).await.put_item().table_name(TABLE);
        let request = request.item("id", AttributeValue::S("late".to_owned()));
        request.send().await.unwrap();
        Ok(())
    });
    let error = migration.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TransferFailed, "{error}");
    assert!(error.to_string().contains("was turned off"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_have_gone_on_since_an_interrupted_pause_are_stopped_again() {
    let world = World::start(50).await;
    let migrate = || world.migrate().stream(false).compare(false);
    let (reached, stop) = tokio::sync::oneshot::channel::<()>();
    let mut reached = Some(reached);
    let hurry = world.hurry(3);
    let error = migrate()
        .on_progress(move |progress| {
            if progress.phase() == MigrationPhase::Draining {
                drop(reached.take());
            }
        })
        .stop_when(async { drop(stop.await) })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    drop(hurry);
    // The writers continue for longer than the pause, until the next run stops them.
    world.aws.clock().advance(HOUR);
    let request = client(&world.source).await.put_item().table_name(TABLE);
    let request = request.item("id", AttributeValue::S("later".to_owned()));
    request.send().await.unwrap();
    let (stopping, stops) = std::sync::mpsc::channel();
    let _hurry = world.hurry(9);
    let migration = migrate().cutover(move || async move {
        stopping.send(()).unwrap();
        Ok(())
    });
    migration.await.unwrap();
    assert_eq!(stops.try_iter().count(), 1);
    world.assert_migrated().await;
}

/// The clock of a machine that is wrong by some seconds.
#[derive(Debug)]
struct WrongClock {
    right: Clock,
    seconds: i64,
}

impl TimeSource for WrongClock {
    fn now(&self) -> SystemTime {
        let off = Duration::from_secs(self.seconds.unsigned_abs());
        match self.seconds < 0 {
            true => self.right.now() - off,
            false => self.right.now() + off,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_of_the_machine_cuts_off_no_writes() {
    // The SDK corrects its signatures by what AWS's responses say.
    for seconds in [-7_200, -240, 7_200] {
        for streams in [true, false] {
            let world = World::start(50).await;
            let clock = WrongClock {
                right: world.aws.clock(),
                seconds,
            };
            let source = manager(world.folder(), "source").time_source(clock).build();
            let writer = client(&world.source).await;
            let aws = Arc::clone(&world.aws);
            let cutover = move || async move {
                if !streams {
                    // The last window is as long as its writes need then, and no longer.
                    aws.clock().advance(Duration::from_secs(20 * 60));
                }
                for number in 0..30 {
                    let request = writer.put_item().table_name(TABLE);
                    let request = request.item("id", AttributeValue::S(format!("late-{number}")));
                    request.send().await?;
                }
                Ok(())
            };
            let migration = migration(&source, &world.target, &world.checkpoint())
                .stream(streams)
                .compare(false)
                .cutover(cutover);
            // Moved between the requests of the migration, whose signatures are corrected after a response.
            let aws = Arc::clone(&world.aws);
            let polls = move || aws.call_count("dynamodb", "DescribeContinuousBackups");
            let aws = Arc::clone(&world.aws);
            let passing = tokio::spawn(async move {
                let mut seen = 0;
                loop {
                    if polls() > seen {
                        seen = polls();
                        aws.clock().advance(Duration::from_secs(20));
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
            let summary = migration.await;
            passing.abort();
            summary.unwrap();
            world.assert_migrated().await;
            assert_eq!(world.stored(TARGET).len(), 80, "{seconds} {streams}");
        }
    }
}
