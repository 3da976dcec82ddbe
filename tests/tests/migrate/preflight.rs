//! The plan, and what is refused before anything is changed.

use aws_sdk_dynamodb::types::{StreamViewType, Tag};
use aws_sdk_s3::types::{
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule,
};
use bsm_dynamodb::{ErrorKind, MigrateTable, migrate_table};
use bsm_local_aws::Fault;

use crate::support::*;

async fn refused(migration: MigrateTable) -> (ErrorKind, String) {
    let error = migration.await.unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn the_plan_says_what_changes_and_changes_nothing() {
    let world = World::start(10).await;
    let plan = world.migrate().plan().await.unwrap();
    let text = plan.to_string();
    for line in [
        "from table users in 444444444444, us-east-1",
        "to   table users in 555555555555, us-east-1",
        "through bucket migrations of 444444444444",
        "turns on in the source, until the end: point-in-time recovery, stream",
        "DynamoDB imports the export as a new table",
        "the writers pause while the last records of the stream arrive: seconds",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("left behind"), "{text}");
    let client = client(&world.source).await;
    let tag = Tag::builder().key("team").value("one").build().unwrap();
    let arn = format!("arn:aws:dynamodb:us-east-1:{SOURCE}:table/{TABLE}");
    let tagged = client.tag_resource().resource_arn(arn).tags(tag).send();
    tagged.await.unwrap();
    let plan = world.migrate().plan().await.unwrap();
    assert_eq!(plan.settings().len(), 1);
    assert!(
        plan.to_string().contains("left behind: tags (team)"),
        "{plan}"
    );
    assert_eq!(world.turned_on().await, (false, false));
    assert!(world.aws.tables(TARGET, "us-east-1").is_empty());
    assert!(!world.checkpoint().exists());
    assert_eq!(world.migrate().status().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bucket_policy_of_the_plan_is_enough_and_needed() {
    let world = World::without_policy(30).await;
    let (kind, message) = refused(world.migrate()).await;
    assert_eq!(kind, ErrorKind::AccessDenied, "{message}");
    assert!(
        message.contains("may not list the bucket migrations"),
        "{message}"
    );
    assert_eq!(world.turned_on().await, (false, false));

    world.allow_the_target().await;
    let plan = world.migrate().plan().await.unwrap();
    world.set_policy(plan.bucket_policy().unwrap()).await;
    let _hurry = world.hurry(1);
    world.migrate().await.unwrap();
    world.assert_migrated().await;
}

#[tokio::test]
async fn policies_name_the_actions_of_the_migration() {
    let world = World::start(0).await;
    let key = "arn:aws:kms:us-east-1:444444444444:key/1";
    let migration = || world.migrate().prefix("moves/users").export_key(key);
    let plan = migration().plan().await.unwrap();
    let (source, target) = (plan.source_policy(), plan.target_policy());
    for part in [
        "dynamodb:ExportTableToPointInTime",
        "table/users/stream/*",
        key,
        "moves/users/AWS",
    ] {
        assert!(source.contains(part), "{part}: {source}");
    }
    for part in [
        "dynamodb:ImportTable",
        "table/users/import/*",
        key,
        "s3:GetObject",
        "logs:",
    ] {
        assert!(target.contains(part), "{part}: {target}");
    }
    assert!(
        plan.to_string()
            .contains("its key policy must let 444444444444"),
        "{plan}"
    );
    let plan = migration()
        .import(false)
        .stream(false)
        .plan()
        .await
        .unwrap();
    assert!(!plan.target_policy().contains("ImportTable"));
    assert!(!plan.source_policy().contains("GetRecords"));
    // Every statement can be parsed, and one account needs no bucket policy.
    for policy in [
        plan.source_policy(),
        plan.target_policy(),
        plan.bucket_policy().unwrap(),
    ] {
        serde_json::from_str::<serde_json::Value>(&policy).unwrap();
    }
    let within = migrate_table(&world.source, &world.source, TABLE).target_table("users-2");
    let plan = within.bucket(BUCKET).plan().await.unwrap();
    assert_eq!(plan.bucket_policy(), None);
}

#[tokio::test]
async fn the_plan_says_what_the_default_encryption_of_the_bucket_needs() {
    let world = World::start(0).await;
    let key = "arn:aws:kms:us-east-1:666666666666:key/shared";
    let s3 = world.source.client(aws_sdk_s3::Client::new).await.unwrap();
    let set = async |algorithm: ServerSideEncryption, key: Option<&str>| {
        let default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm);
        let default = default.set_kms_master_key_id(key.map(str::to_owned));
        let rule = ServerSideEncryptionRule::builder();
        let rule = rule.apply_server_side_encryption_by_default(default.build().unwrap());
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build());
        let request = s3.put_bucket_encryption().bucket(BUCKET);
        let request = request.server_side_encryption_configuration(rules.build().unwrap());
        request.send().await.unwrap();
    };
    let migration = || world.migrate();
    let plan = migration().plan().await.unwrap();
    assert!(!plan.to_string().contains("encrypt"), "{plan}");

    set(ServerSideEncryption::AwsKms, Some(key)).await;
    let plan = migration().plan().await.unwrap();
    let needed = format!(
        "the bucket encrypts the exported files with {key}: its key policy must let {SOURCE} generate \
         data keys, and {TARGET} decrypt"
    );
    assert!(plan.to_string().contains(&needed), "{plan}");
    assert!(plan.source_policy().contains(key));
    assert!(plan.target_policy().contains(key));
    // A key of the files takes precedence.
    let own = "arn:aws:kms:us-east-1:444444444444:key/own";
    let plan = migration().export_key(own).plan().await.unwrap();
    assert!(!plan.to_string().contains(key), "{plan}");
    assert!(!plan.target_policy().contains(key));

    // The key that AWS manages for an account is of no use to another one.
    set(ServerSideEncryption::AwsKms, None).await;
    let plan = migration().plan().await.unwrap();
    let useless = "which other accounts cannot use";
    assert!(plan.to_string().contains(useless), "{plan}");

    let denied = Fault::error(403, "AccessDenied", "no").operation("GetBucketEncryption");
    world.aws.faults().add(denied);
    let plan = migration().plan().await.unwrap();
    let unknown = "the default encryption of the bucket could not be read";
    assert!(plan.to_string().contains(unknown), "{plan}");
}

#[tokio::test]
async fn what_cannot_be_migrated_is_refused() {
    let world = World::start(3).await;
    let named = |table: &str| {
        let checkpoint = world.checkpoint();
        migrate_table(&world.source, &world.target, table)
            .bucket(BUCKET)
            .checkpoint(checkpoint)
    };
    let bare = || migrate_table(&world.source, &world.target, TABLE).bucket(BUCKET);
    let within = || {
        let migration = migrate_table(&world.source, &world.source, TABLE).bucket(BUCKET);
        migration
            .checkpoint(world.checkpoint())
            .cutover(|| async { Ok(()) })
    };
    for (migration, kind, part) in [
        (bare(), ErrorKind::InvalidRequest, "needs a checkpoint"),
        (named(TABLE), ErrorKind::InvalidRequest, "needs a cutover"),
        (
            world.migrate().bucket(""),
            ErrorKind::InvalidRequest,
            "needs a bucket",
        ),
        (
            world.migrate().bucket("none"),
            ErrorKind::InvalidRequest,
            "none does not exist",
        ),
        (
            world.migrate().bucket_owner(TARGET),
            ErrorKind::AccessDenied,
            "bucket_owner()",
        ),
        (
            named("none").cutover(|| async { Ok(()) }),
            ErrorKind::TableNotFound,
            "the source table does not exist",
        ),
        (within(), ErrorKind::SameTable, "is the source table"),
    ] {
        let (actual, message) = refused(migration).await;
        assert_eq!(actual, kind, "{message}");
        assert!(message.contains(part), "{message}");
    }

    create(&world.target, TABLE).await;
    let target = client(&world.target).await;
    target
        .put_item()
        .table_name(TABLE)
        .set_item(Some(user(1)))
        .send()
        .await
        .unwrap();
    let (kind, message) = refused(world.migrate()).await;
    assert_eq!(kind, ErrorKind::TableNotEmpty, "{message}");
    target
        .delete_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();

    turn_on_stream(&world.source, StreamViewType::KeysOnly).await;
    let (kind, message) = refused(world.migrate()).await;
    assert_eq!(kind, ErrorKind::InvalidRequest, "{message}");
    assert!(message.contains("KEYS_ONLY"), "{message}");
    assert!(world.migrate().stream(false).plan().await.is_ok());
    assert_eq!(world.calls("UpdateContinuousBackups"), 0);
    assert!(!world.checkpoint().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_of_something_else_is_refused() {
    let world = World::start(3).await;
    // Interrupted while the restorable time is not there yet.
    let stop = async {
        while world.calls("DescribeContinuousBackups") < 4 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = world.migrate().into_future() => panic!("{ended:?}"),
        () = stop => {}
    }
    let text = std::fs::read_to_string(world.checkpoint()).unwrap();
    for (migration, part) in [
        (world.migrate().prefix("x"), "another prefix"),
        (world.migrate().stream(false), "another setting of stream()"),
        (
            world.migrate().target_table("other"),
            "belongs to another target",
        ),
    ] {
        let (kind, message) = refused(migration).await;
        assert_eq!(kind, ErrorKind::Checkpoint, "{message}");
        assert!(message.contains(part), "{message}");
    }
    for damaged in [
        text.replace("preparing", "finishing"),
        text[..20].to_owned(),
        "{}".to_owned(),
    ] {
        std::fs::write(world.checkpoint(), damaged).unwrap();
        let (kind, message) = refused(world.migrate()).await;
        assert_eq!(kind, ErrorKind::Checkpoint, "{message}");
        assert!(world.migrate().abort().await.is_err());
    }
    std::fs::write(world.checkpoint(), text).unwrap();
    let _hurry = world.hurry(1);
    world.migrate().await.unwrap();
    world.assert_migrated().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_do_not_share_a_checkpoint() {
    let world = World::start(3).await;
    let first = tokio::spawn(world.migrate().into_future());
    while world.calls("DescribeContinuousBackups") < 4 {
        tokio::task::yield_now().await;
    }
    let (kind, message) = refused(world.migrate()).await;
    assert_eq!(kind, ErrorKind::Checkpoint);
    assert!(
        message.contains("another run is using the checkpoint"),
        "{message}"
    );
    let _hurry = world.hurry(1);
    first.await.unwrap().unwrap();
}
