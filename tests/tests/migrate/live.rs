//! Migrations from their begin to their end, while the source is written to.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, KeyType, LocalSecondaryIndex, Projection, ProjectionType,
    S3SseAlgorithm, StreamViewType, TableClass, TimeToLiveSpecification,
};
use bsm_dynamodb::{LoadMethod, MigrationPhase};

use crate::support::*;
use crate::writers::Writers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_migrated_while_it_is_written_to() {
    let world = World::start(600).await;
    let writers = Writers::start(&world, 800).await;
    let phases = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&phases);
    let _hurry = world.hurry(1);
    let summary = world
        .migrate_under(&writers)
        .on_progress(move |progress| {
            let mut phases = seen.lock().unwrap();
            if phases.last() != Some(&progress.phase()) {
                phases.push(progress.phase());
            }
        })
        .await
        .unwrap();
    world.assert_migrated().await;
    assert!(writers.writes() > 50, "{}", writers.writes());
    assert!(summary.is_verified());
    assert!(summary.pause().is_some(), "{summary:?}");
    assert_eq!(summary.plan().load_method(), LoadMethod::Import);
    let statistics = summary.statistics();
    assert_eq!(statistics.exported(), statistics.loaded());
    assert!(statistics.streamed() > 0);
    // The table was imported, so only what the stream brought was written.
    assert!(world.calls("BatchWriteItem") < 600);
    use MigrationPhase::{
        CatchingUp, Draining, Exporting, Finishing, Loading, Preparing, Streaming,
    };
    let phases = phases.lock().unwrap().clone();
    let expected = [
        Preparing, Exporting, Loading, CatchingUp, Streaming, Draining, Finishing,
    ];
    assert_eq!(phases, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_exists_and_is_empty_is_loaded() {
    let world = World::start(600).await;
    create(&world.target, TABLE).await;
    let writers = Writers::start(&world, 800).await;
    let _hurry = world.hurry(1);
    let summary = world.migrate_under(&writers).await.unwrap();
    assert_eq!(summary.plan().load_method(), LoadMethod::ExistingTable);
    assert_eq!(world.calls("ImportTable"), 0);
    world.assert_migrated().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_table_has_the_indexes_and_the_time_to_live_of_the_source() {
    let projection = || {
        let all = Projection::builder().projection_type(ProjectionType::All);
        Some(all.build())
    };
    for (has_local, loading) in [(false, LoadMethod::Import), (true, LoadMethod::NewTable)] {
        let world = World::start(0).await;
        let source = client(&world.source).await;
        source
            .delete_table()
            .table_name(TABLE)
            .send()
            .await
            .unwrap();
        let global = GlobalSecondaryIndex::builder()
            .index_name("by-name")
            .key_schema(key("name", KeyType::Hash))
            .set_projection(projection());
        let local = LocalSecondaryIndex::builder()
            .index_name("local")
            .key_schema(key("id", KeyType::Hash))
            .key_schema(key("name", KeyType::Range))
            .set_projection(projection());
        let local = has_local.then(|| vec![local.build().unwrap()]);
        let request = source.create_table().table_name(TABLE);
        request
            .attribute_definitions(attribute("id"))
            .attribute_definitions(attribute("at"))
            .attribute_definitions(attribute("name"))
            .key_schema(key("id", KeyType::Hash))
            .key_schema(key("at", KeyType::Range))
            .global_secondary_indexes(global.build().unwrap())
            .set_local_secondary_indexes(local)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await
            .unwrap();
        let ttl = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name("expires");
        let request = source.update_time_to_live().table_name(TABLE);
        let request = request.time_to_live_specification(ttl.build().unwrap());
        request.send().await.unwrap();
        for id in 0..30 {
            let mut item = user(id);
            item.insert("at".to_owned(), item["id"].clone());
            let request = source.put_item().table_name(TABLE).set_item(Some(item));
            request.send().await.unwrap();
        }

        let _hurry = world.hurry(1);
        let summary = world.migrate().await.unwrap();
        assert_eq!(summary.plan().load_method(), loading);
        world.assert_migrated().await;
        let target = client(&world.target).await;
        let table = target
            .describe_table()
            .table_name(TABLE)
            .send()
            .await
            .unwrap();
        let table = table.table.unwrap();
        let indexes = table.global_secondary_indexes();
        assert_eq!(indexes[0].index_name(), Some("by-name"));
        assert_eq!(
            table.local_secondary_indexes().len(),
            usize::from(has_local)
        );
        let ttl = target
            .describe_time_to_live()
            .table_name(TABLE)
            .send()
            .await
            .unwrap();
        let ttl = ttl.time_to_live_description.unwrap();
        assert_eq!(ttl.attribute_name(), Some("expires"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_prefix_reach_the_export_and_the_import() {
    let world = World::start(20).await;
    let key = |name: &str, account: &str| format!("arn:aws:kms:us-east-1:{account}:key/{name}");
    let (files, table) = (key("files", SOURCE), key("table", TARGET));
    let _hurry = world.hurry(1);
    let migration = world.migrate().prefix("/moves/users/").export_key(&files);
    migration.target_key(&table).await.unwrap();
    world.assert_migrated().await;

    let source = client(&world.source).await;
    let exports = source.list_exports().send().await.unwrap();
    let arn = exports.export_summaries()[0].export_arn().unwrap();
    let export = source.describe_export().export_arn(arn).send().await;
    let export = export.unwrap().export_description.unwrap();
    assert_eq!(export.s3_prefix(), Some("moves/users"));
    assert_eq!(export.s3_sse_algorithm(), Some(&S3SseAlgorithm::Kms));
    assert_eq!(export.s3_sse_kms_key_id(), Some(&*files));

    let target = client(&world.target).await;
    let imports = target.list_imports().send().await.unwrap();
    let arn = imports.import_summary_list()[0].import_arn().unwrap();
    let import = target.describe_import().import_arn(arn).send().await;
    let import = import.unwrap().import_table_description.unwrap();
    let encryption = import.table_creation_parameters.unwrap().sse_specification;
    assert_eq!(encryption.unwrap().kms_master_key_id(), Some(&*table));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_target_has_the_table_class_of_the_source() {
    for imports in [true, false] {
        let world = World::start(20).await;
        let request = client(&world.source).await.update_table();
        let request = request.table_name(TABLE);
        let class = TableClass::StandardInfrequentAccess;
        request.table_class(class.clone()).send().await.unwrap();
        let migrate = || world.migrate().import(imports);
        let plan = migrate().plan().await.unwrap();
        let said = plan
            .to_string()
            .contains("the table class STANDARD_INFREQUENT_ACCESS after the import");
        assert_eq!(said, imports, "{plan}");
        assert_eq!(
            plan.target_policy().contains("dynamodb:UpdateTable"),
            imports
        );
        let _hurry = world.hurry(1);
        migrate().await.unwrap();
        world.assert_migrated().await;
        let target = client(&world.target).await;
        let table = target.describe_table().table_name(TABLE).send().await;
        let table = table.unwrap().table.unwrap();
        let found = table.table_class_summary().unwrap().table_class();
        assert_eq!(found, Some(&class), "{imports}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_on_before_stays_on() {
    let world = World::start(50).await;
    turn_on_stream(&world.source, StreamViewType::NewAndOldImages).await;
    let on = aws_sdk_dynamodb::types::PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true)
        .build();
    let request = client(&world.source).await.update_continuous_backups();
    let request = request.table_name(TABLE);
    let request = request.point_in_time_recovery_specification(on.unwrap());
    request.send().await.unwrap();
    let _hurry = world.hurry(1);
    let summary = world.migrate().await.unwrap();
    assert!(!summary.plan().turns_on_recovery() && !summary.plan().turns_on_stream());
    assert_eq!(world.turned_on().await, (true, true));
    assert_eq!(world.stored(SOURCE), world.stored(TARGET));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_table_is_migrated() {
    let world = World::start(0).await;
    let _hurry = world.hurry(1);
    let summary = world.migrate().await.unwrap();
    assert_eq!(summary.statistics().loaded(), 0);
    assert_eq!(world.aws.tables(TARGET, "us-east-1"), [TABLE]);
    world.assert_restored().await;
}
