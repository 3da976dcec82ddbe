//! Two accounts, a bucket that they share, and a table to migrate.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    PointInTimeRecoveryStatus, PutRequest, ScalarAttributeType, StreamViewType, WriteRequest,
};
use bsm_core::BotoSesManager;
use bsm_dynamodb::{
    ErrorKind, Item, MigrateTable, MigrationPhase, MigrationProgress, migrate_table,
};
use bsm_local_aws::{Account, LocalAws, Profile, User, standard};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::writers::Writers;

pub(crate) const TABLE: &str = "users";
pub(crate) const BUCKET: &str = "migrations";
pub(crate) const SOURCE: &str = "444444444444";
pub(crate) const TARGET: &str = "555555555555";

pub(crate) struct World {
    pub(crate) aws: Arc<LocalAws>,
    pub(crate) source: BotoSesManager,
    pub(crate) target: BotoSesManager,
    folder: TempDir,
}

impl World {
    /// Starts with a table of this many items, and a bucket of the source that the target may read.
    pub(crate) async fn start(items: usize) -> Self {
        let world = Self::without_policy(items).await;
        let plan = world.migrate().plan().await;
        // Without the policy, the plan cannot be made: take it from one for a bucket of the target.
        assert!(plan.is_err());
        world.allow_the_target().await;
        world
    }

    /// Starts with a bucket that the target may not read.
    pub(crate) async fn without_policy(items: usize) -> Self {
        let account = |id: &str, key: &str| {
            Account::new(id).user(User::new("admin").access_key(key, "not-a-secret"))
        };
        let profile = |name: &str, account: &str| {
            let profile = Profile::new(name).region(standard::REGION);
            profile.user(format!("arn:aws:iam::{account}:user/admin"))
        };
        let aws = LocalAws::builder()
            .account(account(SOURCE, "AKIALOCALSOURCE00001"))
            .account(account(TARGET, "AKIALOCALTARGET00001"))
            .profile(profile("source", SOURCE))
            .profile(profile("target", TARGET));
        let aws = Arc::new(aws.start().await.unwrap());
        let folder = tempfile::tempdir().unwrap();
        aws.write_profiles(folder.path()).unwrap();
        let manager = |name| {
            manager(folder.path(), name)
                .time_source(aws.clock())
                .build()
        };
        let (source, target) = (manager("source"), manager("target"));
        create(&source, TABLE).await;
        fill(&source, items).await;
        let s3 = source.client(aws_sdk_s3::Client::new).await.unwrap();
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();
        Self {
            aws,
            source,
            target,
            folder,
        }
    }

    pub(crate) async fn allow_the_target(&self) {
        let policy = format!(
            r#"{{"Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "{TARGET}"}},
            "Action": ["s3:ListBucket", "s3:GetObject"],
            "Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"]}}]}}"#
        );
        self.set_policy(policy).await;
    }

    pub(crate) async fn set_policy(&self, policy: String) {
        let s3 = self.source.client(aws_sdk_s3::Client::new).await.unwrap();
        let request = s3.put_bucket_policy().bucket(BUCKET).policy(policy);
        request.send().await.unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.folder().join("users.migration.json")
    }

    /// A migration whose writers have stopped.
    pub(crate) fn migrate(&self) -> MigrateTable {
        let checkpoint = self.checkpoint();
        migration(&self.source, &self.target, &checkpoint).cutover(|| async { Ok(()) })
    }

    /// A migration whose cutover stops these writers.
    pub(crate) fn migrate_under(&self, writers: &Arc<Writers>) -> MigrateTable {
        let writers = Arc::clone(writers);
        self.migrate().cutover(move || async move {
            writers.stop().await;
            Ok(())
        })
    }

    /// Lets time pass quickly until this many exports have been requested.
    ///
    /// Restorable times are minutes behind, and a stream counts only from a minute after its creation.
    pub(crate) fn hurry(&self, exports: usize) -> Hurry {
        self.advance_by(Duration::from_secs(20), exports)
    }

    /// As [`hurry`](Self::hurry), for a process of its own, which notices the server's time in responses only.
    pub(crate) fn hurry_slowly(&self, exports: usize) -> Hurry {
        self.advance_by(Duration::from_secs(2), exports)
    }

    fn advance_by(&self, step: Duration, exports: usize) -> Hurry {
        let aws = Arc::clone(&self.aws);
        Hurry(tokio::spawn(async move {
            while aws.call_count("dynamodb", "ExportTableToPointInTime") < exports {
                aws.clock().advance(step);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }))
    }

    /// The items of a table as they are stored, in the order of their ids.
    pub(crate) fn stored(&self, account: &str) -> Vec<Value> {
        let items = self.aws.table_items(account, standard::REGION, TABLE);
        let mut items = items.unwrap_or_default();
        items.sort_by_key(|item| item["id"].to_string());
        items
    }

    /// Asserts that the target is the source, and that the source has its settings back.
    pub(crate) async fn assert_migrated(&self) {
        let (source, target) = (self.stored(SOURCE), self.stored(TARGET));
        assert_eq!(source.len(), target.len());
        for (one, other) in source.iter().zip(&target) {
            assert_eq!(one, other);
        }
        assert!(!source.is_empty());
        self.assert_restored().await;
    }

    /// Asserts that point-in-time recovery and the stream of the source are off.
    pub(crate) async fn assert_restored(&self) {
        assert_eq!(self.turned_on().await, (false, false));
        assert!(!self.checkpoint().exists());
    }

    /// Whether point-in-time recovery and the stream of the source are on.
    pub(crate) async fn turned_on(&self) -> (bool, bool) {
        let client = client(&self.source).await;
        let backups = client.describe_continuous_backups().table_name(TABLE);
        let backups = backups
            .send()
            .await
            .unwrap()
            .continuous_backups_description
            .unwrap();
        let recovery = backups.point_in_time_recovery_description.unwrap();
        let table = client
            .describe_table()
            .table_name(TABLE)
            .send()
            .await
            .unwrap();
        (
            recovery.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled),
            table.table.unwrap().stream_specification.is_some(),
        )
    }

    /// Runs a migration until it reports a phase.
    pub(crate) async fn run_to(&self, phase: MigrationPhase, imports: bool) {
        let _hurry = self.hurry(1);
        let reached = move |progress: &MigrationProgress| progress.phase() >= phase;
        match phase >= MigrationPhase::Draining {
            // The writers have stopped.
            true => interrupt(self.migrate().import(imports), reached).await,
            false => self.run_until(imports, reached).await,
        }
    }

    /// Runs a migration until its progress fulfils a condition.
    pub(crate) async fn run_until(
        &self,
        imports: bool,
        condition: impl Fn(&MigrationProgress) -> bool + Send + Sync + 'static,
    ) {
        let migration = self.migrate().import(imports);
        interrupt(migration.cutover(std::future::pending), condition).await;
    }

    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.aws.call_count("dynamodb", operation)
    }
}

/// Runs a migration until its progress fulfils a condition.
async fn interrupt(
    migration: MigrateTable,
    condition: impl Fn(&MigrationProgress) -> bool + Send + Sync + 'static,
) {
    let (reached, stop) = tokio::sync::oneshot::channel::<()>();
    let reached = Mutex::new(Some(reached));
    let error = migration
        .on_progress(move |progress| {
            if condition(progress) {
                drop(reached.lock().unwrap().take());
            }
        })
        .stop_when(async { drop(stop.await) })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
}

/// Lets time pass until it is dropped.
pub(crate) struct Hurry(JoinHandle<()>);

impl Drop for Hurry {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A manager that reads the profiles of a folder, and nothing else.
pub(crate) fn manager(folder: &Path, profile: &str) -> bsm_core::Builder {
    BotoSesManager::builder()
        .profile_name(profile)
        .config_file(folder.join("config"))
        .shared_credentials_file(folder.join("credentials"))
        .environment([])
}

pub(crate) fn migration(
    source: &BotoSesManager,
    target: &BotoSesManager,
    checkpoint: &Path,
) -> MigrateTable {
    migrate_table(source, target, TABLE)
        .bucket(BUCKET)
        .checkpoint(checkpoint)
        .poll_interval(Duration::from_millis(20))
}

pub(crate) async fn client(manager: &BotoSesManager) -> Client {
    manager.client(Client::new).await.unwrap()
}

pub(crate) fn key(name: &str, role: KeyType) -> KeySchemaElement {
    let element = KeySchemaElement::builder().attribute_name(name);
    element.key_type(role).build().unwrap()
}

pub(crate) fn attribute(name: &str) -> AttributeDefinition {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    attribute
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap()
}

pub(crate) async fn create(manager: &BotoSesManager, table: &str) {
    let request = client(manager).await.create_table().table_name(table);
    request
        .attribute_definitions(attribute("id"))
        .key_schema(key("id", KeyType::Hash))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

/// An item with values of every kind.
pub(crate) fn user(id: usize) -> Item {
    let text = |text: String| AttributeValue::S(text);
    Item::from([
        ("id".to_owned(), text(format!("{id:06}"))),
        ("name".to_owned(), text(format!("user {id} \u{e9}\n\""))),
        (
            "balance".to_owned(),
            AttributeValue::N(format!("{id}.1234567890123456789012345")),
        ),
        (
            "photo".to_owned(),
            AttributeValue::B(vec![0, 255, 10].into()),
        ),
        (
            "tags".to_owned(),
            AttributeValue::Ss(vec!["a".into(), id.to_string()]),
        ),
        ("nothing".to_owned(), AttributeValue::Null(true)),
        (
            "nested".to_owned(),
            AttributeValue::L(vec![AttributeValue::M(
                [("x".to_owned(), AttributeValue::Bool(true))].into(),
            )]),
        ),
    ])
}

async fn fill(manager: &BotoSesManager, items: usize) {
    let client = client(manager).await;
    for ids in (0..items).collect::<Vec<_>>().chunks(25) {
        let puts = ids.iter().map(|&id| {
            let put = PutRequest::builder().set_item(Some(user(id))).build();
            WriteRequest::builder().put_request(put.unwrap()).build()
        });
        let request = client
            .batch_write_item()
            .request_items(TABLE, puts.collect());
        request.send().await.unwrap();
    }
}

/// Turns off the stream of the source.
pub(crate) async fn turn_off_stream(manager: &BotoSesManager) {
    let stream = aws_sdk_dynamodb::types::StreamSpecification::builder().stream_enabled(false);
    let request = client(manager).await.update_table().table_name(TABLE);
    let request = request.stream_specification(stream.build().unwrap());
    request.send().await.unwrap();
}

/// Turns on a stream of the source.
pub(crate) async fn turn_on_stream(manager: &BotoSesManager, view_type: StreamViewType) {
    let stream = aws_sdk_dynamodb::types::StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(view_type)
        .build();
    let request = client(manager).await.update_table().table_name(TABLE);
    request
        .stream_specification(stream.unwrap())
        .send()
        .await
        .unwrap();
}
