//! What goes wrong in AWS.

use std::sync::Mutex;
use std::time::Duration;

use bsm_dynamodb::{Error, ErrorKind, MigrationPhase};
use bsm_local_aws::Fault;

use crate::support::*;
use crate::writers::Writers;

fn assert_failed(error: &Error, part: &str) {
    assert_eq!(error.kind(), ErrorKind::TransferFailed, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_fails_is_repeated_by_the_next_run() {
    let world = World::start(30).await;
    world.aws.faults().add(
        Fault::failed_job()
            .operation("ExportTableToPointInTime")
            .times(1),
    );
    let _hurry = world.hurry(1);
    assert_failed(
        &world.migrate().await.unwrap_err(),
        "the export has failed with Internal",
    );
    world.migrate().await.unwrap();
    world.assert_migrated().await;
    assert_eq!(world.calls("ExportTableToPointInTime"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_fails_or_leaves_out_items_is_repeated_with_a_new_table() {
    for (fault, part) in [
        (
            Fault::failed_job(),
            "the import has failed with InternalServerError",
        ),
        (
            Fault::skipped_lines(2),
            "the import has stored 28 of 30 items, with 2 errors",
        ),
    ] {
        let world = World::start(30).await;
        world
            .aws
            .faults()
            .add(fault.operation("ImportTable").times(1));
        let _hurry = world.hurry(1);
        assert_failed(&world.migrate().await.unwrap_err(), part);
        world.migrate().await.unwrap();
        world.assert_migrated().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_responses_start_no_second_job() {
    let world = World::start(30).await;
    for operation in ["ExportTableToPointInTime", "ImportTable"] {
        world
            .aws
            .faults()
            .add(Fault::dropped_response().operation(operation).times(2));
    }
    let _hurry = world.hurry(1);
    world.migrate().await.unwrap();
    world.assert_migrated().await;
    let client = client(&world.source).await;
    let exports = client.list_exports().send().await.unwrap();
    assert_eq!(exports.export_summaries().len(), 1);
}

/// DynamoDB forgets the token of a request after eight hours, and takes a second one for another job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_response_was_lost_is_found_or_repeated_after_a_day() {
    for operation in ["ExportTableToPointInTime", "ImportTable"] {
        let world = World::start(30).await;
        let lost = Fault::dropped_response().operation(operation);
        let lost = world.aws.faults().add(lost);
        let _hurry = world.hurry(1);
        let migrating = tokio::spawn(world.migrate().into_future());
        while world.calls(operation) == 0 {
            tokio::task::yield_now().await;
        }
        migrating.abort();
        migrating.await.unwrap_err();
        world.aws.faults().remove(lost);
        world.aws.clock().advance(Duration::from_secs(20 * 3600));
        world.migrate().await.unwrap();
        world.assert_migrated().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_and_broken_connections_are_retried() {
    let world = World::start(400).await;
    create(&world.target, TABLE).await;
    let writers = Writers::start(&world, 500).await;
    let faults = world.aws.faults();
    faults.add(Fault::throttling().service("s3").probability(0.3, 1));
    faults.add(
        Fault::truncated_body()
            .operation("GetObject")
            .probability(0.3, 2),
    );
    faults.add(
        Fault::dropped_connection()
            .operation("GetRecords")
            .probability(0.2, 3),
    );
    faults.add(
        Fault::unprocessed_fraction(0.5)
            .operation("BatchWriteItem")
            .probability(0.3, 4),
    );
    faults.add(Fault::throttling().operation("GetShardIterator").times(2));
    faults.add(Fault::internal_error().operation("DescribeExport").times(2));
    let _hurry = world.hurry(1);
    world.migrate_under(&writers).await.unwrap();
    world.assert_migrated().await;
}

/// Runs a migration to a table that exists, up to the loading, and returns the key of a data file.
async fn exported(world: &World) -> String {
    create(&world.target, TABLE).await;
    let (reached, stop) = tokio::sync::oneshot::channel::<()>();
    let reached = Mutex::new(Some(reached));
    let _hurry = world.hurry(1);
    world
        .aws
        .faults()
        .add(Fault::latency(Duration::from_millis(300)).operation("BatchWriteItem"));
    let migration = world.migrate().on_progress(move |progress| {
        if progress.phase() == MigrationPhase::Loading {
            drop(reached.lock().unwrap().take());
        }
    });
    let error = migration
        .stop_when(async { drop(stop.await) })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    world.aws.faults().clear();
    let keys = world.aws.object_keys(BUCKET, "AWSDynamoDB/");
    keys.into_iter()
        .find(|key| key.ends_with(".json.gz"))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_damaged_are_not_taken_for_the_export() {
    fn gzip(text: &str) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }
    let secret = "{\"Item\":{\"id\":{\"S\":\"sesame\"}, \"x\":{\"NEW\":\"sesame\"}}}\n";
    for (object, part) in [
        (gzip(""), "does not match its checksum"),
        (
            gzip("{\"Item\":{\"id\":{\"S\":\"x\"}}}\n"),
            "does not match its checksum",
        ),
        (gzip(secret), "has an unreadable line 1"),
        (b"no gzip".to_vec(), "cannot be decompressed"),
    ] {
        let world = World::start(60).await;
        let key = exported(&world).await;
        let whole = world.aws.object(BUCKET, &key).unwrap();
        let s3 = world.source.client(aws_sdk_s3::Client::new).await.unwrap();
        let put = |object: Vec<u8>| s3.put_object().bucket(BUCKET).key(&key).body(object.into());
        put(object).send().await.unwrap();
        let error = world.migrate().await.unwrap_err();
        assert_failed(&error, part);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("sesame"), "{shown}");
        // With the right file, the migration resumes. The comparison finds what was not the source's.
        put(whole).send().await.unwrap();
        match world.migrate().await {
            Ok(_) => world.assert_migrated().await,
            Err(error) => assert_eq!(error.kind(), ErrorKind::TablesDiffer, "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_has_lost_something_is_not_loaded_as_a_whole_one() {
    for (object, keeps_lines, part) in [
        (".json.gz", None, "has been deleted"),
        ("manifest-files.json", None, "has been deleted"),
        (
            "manifest-files.json",
            Some(1),
            "items, and DynamoDB has exported 60",
        ),
        ("manifest-files.json", Some(0), "lists 0 items"),
    ] {
        let world = World::start(60).await;
        exported(&world).await;
        let keys = world.aws.object_keys(BUCKET, "AWSDynamoDB/");
        let key = keys.into_iter().rfind(|key| key.ends_with(object)).unwrap();
        let whole = world.aws.object(BUCKET, &key).unwrap();
        let s3 = world.source.client(aws_sdk_s3::Client::new).await.unwrap();
        let put = |object: Vec<u8>| s3.put_object().bucket(BUCKET).key(&key).body(object.into());
        match keeps_lines {
            Some(lines) => {
                let text = String::from_utf8(whole.clone()).unwrap();
                let text: String = text.split_inclusive('\n').take(lines).collect();
                put(text.into_bytes()).send().await.unwrap();
            }
            None => {
                let request = s3.delete_object().bucket(BUCKET).key(&key);
                request.send().await.unwrap();
            }
        }
        let error = world.migrate().await.unwrap_err();
        assert_failed(&error, part);
        assert_failed(&error, "abort the migration, and start again");
        put(whole).send().await.unwrap();
        world.migrate().await.unwrap();
        world.assert_migrated().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_writer_of_the_target_is_found() {
    let world = World::start(60).await;
    let _hurry = world.hurry(1);
    let target = world.target.clone();
    let migration = world.migrate().cutover(|| async { Ok(()) });
    let seen = Mutex::new(false);
    let error = migration
        .on_progress(move |progress| {
            let mut seen = seen.lock().unwrap();
            if progress.phase() == MigrationPhase::CatchingUp && !*seen {
                *seen = true;
                let target = target.clone();
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(async {
                        let client = client(&target).await;
                        let put = client.put_item().table_name(TABLE);
                        put.set_item(Some(user(999_999))).send().await.unwrap();
                    });
                });
            }
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TablesDiffer, "{error}");
    assert!(error.to_string().contains("1 items differ"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_has_a_time_limit() {
    let world = World::start(10).await;
    world
        .aws
        .faults()
        .add(Fault::slow_job(Duration::from_secs(3600)).times(1));
    let _hurry = world.hurry(1);
    let migration = world.migrate().job_timeout(Duration::from_millis(100));
    let error = migration.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimedOut, "{error}");
    world.aws.clock().advance(Duration::from_secs(3600));
    world.migrate().await.unwrap();
    world.assert_migrated().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_whose_import_fails_can_go_on_by_loading() {
    let world = World::start(60).await;
    let _hurry = world.hurry(1);
    let failed = Fault::failed_job().operation("ImportTable").times(1);
    world.aws.faults().add(failed);
    let error = world.migrate().await.unwrap_err();
    assert_failed(&error, "the import has failed");
    world.migrate().import(false).await.unwrap();
    world.assert_migrated().await;
    assert_eq!(world.calls("ImportTable"), 1);
    // The export of the first run.
    assert_eq!(world.calls("ExportTableToPointInTime"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_while_an_account_has_as_many_as_it_may() {
    let world = World::start(60).await;
    let _hurry = world.hurry(21);
    for operation in ["ExportTableToPointInTime", "ImportTable"] {
        let limit = Fault::error(400, "LimitExceededException", "too many at a time");
        world.aws.faults().add(limit.operation(operation).times(21));
    }
    world.migrate().await.unwrap();
    world.assert_migrated().await;
    assert_eq!(world.calls("ImportTable"), 22);
}
