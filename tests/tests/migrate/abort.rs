//! Ending a migration before it is done.

use std::sync::{Arc, Mutex};

use bsm_dynamodb::{ErrorKind, MigrationPhase};

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_leaves_the_source_as_it_was_in_every_phase() {
    use MigrationPhase::{
        CatchingUp, Draining, Exporting, Finishing, Loading, Preparing, Streaming,
    };
    let phases = [
        Preparing, Exporting, Loading, CatchingUp, Streaming, Draining, Finishing,
    ];
    for imports in [true, false] {
        for phase in phases {
            let world = World::start(40).await;
            let before = world.stored(SOURCE);
            world.run_to(phase, imports).await;
            assert!(world.migrate().status().await.unwrap().is_some());
            let aborted = loop {
                match world.migrate().abort().await {
                    Ok(aborted) => break aborted,
                    // An import is still creating the table.
                    Err(error) if error.kind() == ErrorKind::TableInUse => {}
                    // An import that has just begun is not listed yet.
                    Err(error) if error.is_table_not_found() => {}
                    Err(error) => panic!("{phase} {error}"),
                }
            };
            assert_eq!(aborted.bucket, BUCKET);
            let files = world.aws.object_keys(BUCKET, &aborted.prefix);
            assert!(!files.is_empty() || phase <= Exporting, "{phase} {imports}");
            assert_eq!(world.stored(SOURCE), before);
            world.assert_restored().await;
            let tables = world.aws.tables(TARGET, "us-east-1");
            if phase == Finishing {
                // The target has every write, and the writers may write to it by now.
                assert!(!aborted.deleted_target, "{imports}");
                assert_eq!(world.stored(TARGET), before);
                continue;
            }
            // A table that was being created at that moment is left alone, if it may be another's.
            let may_stay = phase == Loading && !imports;
            assert!(tables.is_empty() || may_stay, "{phase} {imports}");
            assert!(
                phase <= Loading || aborted.deleted_target,
                "{phase} {imports}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_keeps_a_table_that_existed_or_that_is_another_one() {
    let world = World::start(40).await;
    create(&world.target, TABLE).await;
    world.run_to(MigrationPhase::Streaming, true).await;
    assert!(!world.migrate().abort().await.unwrap().deleted_target);
    assert_eq!(world.stored(TARGET).len(), 40);
    world.assert_restored().await;

    let world = World::start(40).await;
    world.run_to(MigrationPhase::Streaming, true).await;
    // Somebody has replaced the table.
    let target = client(&world.target).await;
    target
        .delete_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
    create(&world.target, TABLE).await;
    let error = world.migrate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    assert!(!world.migrate().abort().await.unwrap().deleted_target);
    assert_eq!(world.aws.tables(TARGET, "us-east-1"), [TABLE]);
}

#[tokio::test]
async fn without_a_checkpoint_there_is_nothing_to_abort() {
    let world = World::start(0).await;
    let error = world.migrate().abort().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    assert!(
        error.to_string().contains("no migration to abort"),
        "{error}"
    );
    assert_eq!(world.calls("UpdateTable"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cutover_that_fails_can_be_repeated() {
    let world = World::start(20).await;
    let _hurry = world.hurry(1);
    let failing = world
        .migrate()
        .cutover(|| async { Err("the writers go on".into()) });
    let error = failing.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    assert!(
        error.to_string().contains("cutover() has failed"),
        "{error}"
    );
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    world
        .migrate()
        .cutover(move || async move {
            *counted.lock().unwrap() += 1;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(*calls.lock().unwrap(), 1);
    world.assert_migrated().await;
}
