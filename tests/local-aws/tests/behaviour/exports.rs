//! Exports to S3: what is in the files, and when an export is refused.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb as ddb;
use bsm_local_aws::{Fault, LocalAws, standard};
use ddb::operation::export_table_to_point_in_time::builders::ExportTableToPointInTimeFluentBuilder;
use ddb::primitives::DateTime;
use ddb::types::{
    ExportDescription, ExportStatus, ExportType, ExportViewType, IncrementalExportSpecification,
};
use serde_json::Value;

use crate::support::*;

pub(crate) const BUCKET: &str = "exports";
const HOUR: Duration = Duration::from_secs(3600);

/// The items of a table by their ids.
type Items = BTreeMap<String, Value>;

pub(crate) async fn start() -> (LocalAws, ddb::Client) {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    s3(&aws, dev())
        .create_bucket()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    (aws, client)
}

fn seconds(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn arn(table: &str) -> String {
    format!(
        "arn:aws:dynamodb:{US}:{}:table/{table}",
        standard::DEFAULT_ACCOUNT
    )
}

fn export(client: &ddb::Client) -> ExportTableToPointInTimeFluentBuilder {
    client
        .export_table_to_point_in_time()
        .table_arn(arn("users"))
        .s3_bucket(BUCKET)
}

fn window(client: &ddb::Client, from: i64, to: i64) -> ExportTableToPointInTimeFluentBuilder {
    let specification = IncrementalExportSpecification::builder()
        .export_from_time(DateTime::from_secs(from))
        .export_to_time(DateTime::from_secs(to))
        .export_view_type(ExportViewType::NewAndOldImages)
        .build();
    let request = export(client).export_type(ExportType::IncrementalExport);
    request.incremental_export_specification(specification)
}

/// Starts an export, and returns its description when it has ended.
pub(crate) async fn ended(
    client: &ddb::Client,
    request: ExportTableToPointInTimeFluentBuilder,
) -> ExportDescription {
    let started = request.send().await.unwrap().export_description.unwrap();
    loop {
        let described = client
            .describe_export()
            .export_arn(started.export_arn().unwrap());
        let described = described.send().await.unwrap().export_description.unwrap();
        if described.export_status() != Some(&ExportStatus::InProgress) {
            return described;
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn full(client: &ddb::Client) -> ExportDescription {
    let described = ended(client, export(client)).await;
    assert_eq!(
        described.export_status(),
        Some(&ExportStatus::Completed),
        "{described:?}"
    );
    described
}

fn json(aws: &LocalAws, key: &str) -> Value {
    serde_json::from_slice(&aws.object(BUCKET, key).unwrap()).unwrap()
}

fn md5(bytes: &[u8]) -> String {
    use md5::Digest as _;
    aws_smithy_types::base64::encode(md5::Md5::digest(bytes))
}

/// Reads an export as AWS documents it, and checks counts and checksums.
fn lines(aws: &LocalAws, export: &ExportDescription) -> Vec<Value> {
    let summary_key = export.export_manifest().unwrap();
    let folder = summary_key.strip_suffix("/manifest-summary.json").unwrap();
    assert_eq!(
        aws.object(BUCKET, &format!("{folder}/_started")).unwrap(),
        b""
    );
    let summary = json(aws, summary_key);
    let files_key = summary["manifestFilesS3Key"].as_str().unwrap();
    for key in [summary_key, files_key] {
        let checksum = aws
            .object(BUCKET, &key.replace(".json", ".checksum"))
            .unwrap();
        assert_eq!(md5(&aws.object(BUCKET, key).unwrap()).as_bytes(), checksum);
    }
    let manifest = String::from_utf8(aws.object(BUCKET, files_key).unwrap()).unwrap();
    let mut all = Vec::new();
    for file in manifest.lines() {
        let file: Value = serde_json::from_str(file).unwrap();
        let object = aws
            .object(BUCKET, file["dataFileS3Key"].as_str().unwrap())
            .unwrap();
        assert_eq!(md5(&object), file["md5Checksum"]);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*object)
            .read_to_string(&mut text)
            .unwrap();
        let lines: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(file["itemCount"], lines.len());
        all.extend(lines);
    }
    assert_eq!(summary["itemCount"], all.len());
    assert_eq!(export.item_count(), i64::try_from(all.len()).ok());
    all
}

fn exported(aws: &LocalAws, export: &ExportDescription) -> Items {
    let items = lines(aws, export)
        .into_iter()
        .map(|mut line| line["Item"].take());
    items
        .map(|item| (item["id"]["S"].to_string(), item))
        .collect()
}

fn stored(aws: &LocalAws) -> Items {
    let items = aws
        .table_items(standard::DEFAULT_ACCOUNT, US, "users")
        .unwrap();
    items
        .into_iter()
        .map(|item| (item["id"]["S"].to_string(), item))
        .collect()
}

async fn write(client: &ddb::Client, id: &str, value: &str) {
    let put = client.put_item().table_name("users").item("id", text(id));
    put.item("value", text(value)).send().await.unwrap();
}

async fn delete(client: &ddb::Client, id: &str) {
    client
        .delete_item()
        .table_name("users")
        .key("id", text(id))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_export_is_the_table_at_its_time() {
    let (aws, client) = start().await;
    for id in ["1", "2", "3"] {
        write(&client, id, "old").await;
    }
    aws.clock().advance(Duration::from_secs(2));
    recover(&client, "users").await;
    let then = stored(&aws);
    aws.clock().advance(HOUR);
    let time = seconds(aws.clock().now());
    write(&client, "1", "new").await;
    delete(&client, "2").await;
    write(&client, "4", "new").await;
    aws.clock().advance(HOUR);

    let before = export(&client).export_time(DateTime::from_secs(time));
    assert_eq!(
        exported(&aws, &ended(&client, before.s3_prefix("p")).await),
        then
    );
    // By default, the latest time, which is five minutes ago.
    let after = full(&client).await;
    assert_eq!(exported(&aws, &after), stored(&aws));
    let summary = json(&aws, after.export_manifest().unwrap());
    for (member, value) in [
        ("version", "2020-06-30"),
        ("tableArn", &*arn("users")),
        ("s3Bucket", BUCKET),
        ("s3SseAlgorithm", "AES256"),
        ("outputFormat", "DYNAMODB_JSON"),
        ("exportArn", after.export_arn().unwrap()),
    ] {
        assert_eq!(summary[member], value, "{member}");
    }
    assert_eq!(aws.object_keys(BUCKET, "p/AWSDynamoDB/").len(), 5 + 4);
}

#[tokio::test]
async fn an_incremental_export_has_one_record_for_each_changed_key() {
    let (aws, client) = start().await;
    recover(&client, "users").await;
    for id in ["changed", "deleted", "untouched"] {
        write(&client, id, "0").await;
    }
    aws.clock().advance(HOUR);
    let from = seconds(aws.clock().now());
    write(&client, "changed", "1").await;
    write(&client, "changed", "2").await;
    delete(&client, "deleted").await;
    write(&client, "passing", "1").await;
    delete(&client, "passing").await;
    aws.clock().advance(HOUR);
    let to = seconds(aws.clock().now());
    // The end is exclusive.
    write(&client, "untouched", "1").await;
    aws.clock().advance(HOUR);

    let export = ended(&client, window(&client, from, to)).await;
    let mut lines = lines(&aws, &export);
    lines.sort_by_key(|line| line["Keys"]["id"]["S"].to_string());
    let [changed, deleted] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(changed["Keys"]["id"]["S"], "changed");
    assert_eq!(changed["OldImage"]["value"]["S"], "0");
    assert_eq!(changed["NewImage"]["value"]["S"], "2");
    let written: i64 = changed["Metadata"]["WriteTimestampMicros"]["N"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((from..to).contains(&(written / 1_000_000)));
    assert_eq!(deleted["Keys"]["id"]["S"], "deleted");
    assert_eq!(deleted.get("NewImage"), None);
    let summary = json(&aws, export.export_manifest().unwrap());
    assert_eq!(summary["version"], "2023-08-01");
    assert_eq!(summary["outputView"], "NEW_AND_OLD_IMAGES");
    assert!(!aws.object_keys(BUCKET, "AWSDynamoDB/data/").is_empty());
}

/// The property that migrations stand on.
#[tokio::test]
async fn a_full_export_and_the_windows_after_it_add_up_to_the_table() {
    let (aws, client) = start().await;
    let mut rng = fastrand::Rng::with_seed(7);
    let random_writes = async |rng: &mut fastrand::Rng| {
        for _ in 0..30 {
            let id = rng.u8(..20).to_string();
            match rng.u8(..3) {
                0 => delete(&client, &id).await,
                _ => write(&client, &id, &rng.u32(..).to_string()).await,
            }
            aws.clock().advance(Duration::from_secs(rng.u64(..90)));
        }
    };
    random_writes(&mut rng).await;
    recover(&client, "users").await;
    random_writes(&mut rng).await;
    aws.clock().advance(HOUR);
    let described = full(&client).await;
    let mut position = described.export_time().unwrap().secs();
    let mut items = exported(&aws, &described);
    for _ in 0..4 {
        random_writes(&mut rng).await;
        aws.clock().advance(HOUR);
        let to = seconds(aws.clock().now()) - 5 * 60;
        for line in lines(&aws, &ended(&client, window(&client, position, to)).await) {
            let id = line["Keys"]["id"]["S"].to_string();
            match line.get("NewImage") {
                Some(item) => _ = items.insert(id, item.clone()),
                None => _ = items.remove(&id),
            }
        }
        position = to;
    }
    assert_eq!(items, stored(&aws));
}

#[tokio::test]
async fn an_export_that_aws_refuses_is_refused() {
    let (aws, client) = start().await;
    let code = async |request: ExportTableToPointInTimeFluentBuilder| {
        error_response(request.send().await).code
    };
    let unavailable = "PointInTimeRecoveryUnavailableException";
    assert_eq!(code(export(&client)).await, unavailable);
    recover(&client, "users").await;
    let now = seconds(aws.clock().now());
    aws.clock().advance(HOUR * 48);
    let at = |time| export(&client).export_time(DateTime::from_secs(time));
    let hour = 3600;
    for (request, expected) in [
        (at(now - 60), "InvalidExportTimeException"),
        (at(now + 48 * hour - 60), "InvalidExportTimeException"),
        (window(&client, now, now + 899), "ValidationException"),
        (
            window(&client, now, now + 24 * hour + 1),
            "ValidationException",
        ),
        (
            window(&client, now - 60, now + hour),
            "InvalidExportTimeException",
        ),
        (
            window(&client, now + 47 * hour, now + 48 * hour),
            "InvalidExportTimeException",
        ),
        (
            export(&client).table_arn(arn("none")),
            "TableNotFoundException",
        ),
    ] {
        assert_eq!(code(request).await, expected);
    }
    let missing = client
        .describe_export()
        .export_arn(format!("{}/export/x", arn("users")));
    assert_eq!(
        error_response(missing.send().await).code,
        "ExportNotFoundException"
    );
}

#[tokio::test]
async fn a_client_token_starts_one_export() {
    let (_aws, client) = start().await;
    recover(&client, "users").await;
    let request = || export(&client).client_token("token");
    let arn = |it: ExportDescription| it.export_arn.unwrap();
    let first = arn(ended(&client, request()).await);
    assert_eq!(arn(ended(&client, request()).await), first);
    let other = request().s3_prefix("other").send().await;
    assert_eq!(error_response(other).code, "ExportConflictException");
    let listed = client.list_exports().send().await.unwrap();
    assert_eq!(listed.export_summaries().len(), 1);
}

#[tokio::test]
async fn an_export_fails_or_is_slow_as_a_fault_says() {
    let (aws, client) = start().await;
    recover(&client, "users").await;
    aws.faults().add(Fault::failed_job().times(1));
    let failed = ended(&client, export(&client)).await;
    assert_eq!(failed.export_status(), Some(&ExportStatus::Failed));
    assert_eq!(failed.failure_code(), Some("InternalServerError"));

    aws.faults().add(Fault::slow_job(HOUR).times(1));
    let started = export(&client)
        .send()
        .await
        .unwrap()
        .export_description
        .unwrap();
    let describe = || {
        client
            .describe_export()
            .export_arn(started.export_arn().unwrap())
            .send()
    };
    let status = async || {
        describe()
            .await
            .unwrap()
            .export_description
            .unwrap()
            .export_status
    };
    assert_eq!(status().await, Some(ExportStatus::InProgress));
    aws.clock().advance(HOUR);
    while status().await == Some(ExportStatus::InProgress) {}
    assert_eq!(status().await, Some(ExportStatus::Completed));
}

#[tokio::test]
async fn an_export_to_another_account_needs_its_bucket_policy() {
    let (aws, _) = start().await;
    let staging = dynamodb(&aws, assume(&aws, dev(), standard::STAGING_ROLE_ARN).await);
    create_table(&staging, "users").await;
    recover(&staging, "users").await;
    let table = arn("users").replace(standard::DEFAULT_ACCOUNT, standard::STAGING_ACCOUNT);
    let request = || {
        let request = export(&staging).table_arn(&table);
        request.s3_bucket_owner(standard::DEFAULT_ACCOUNT)
    };
    let denied = ended(&staging, request()).await;
    assert_eq!(denied.failure_code(), Some("S3AccessDenied"));
    let policy = format!(
        r#"{{"Statement": {{"Effect": "Allow", "Principal": {{"AWS": "{}"}}, "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::{BUCKET}/*"}}}}"#,
        standard::STAGING_ACCOUNT
    );
    let owner = s3(&aws, dev());
    owner
        .put_bucket_policy()
        .bucket(BUCKET)
        .policy(policy)
        .send()
        .await
        .unwrap();
    let done = ended(&staging, request()).await;
    assert_eq!(done.export_status(), Some(&ExportStatus::Completed));
    let wrong = ended(
        &staging,
        request().s3_bucket_owner(standard::STAGING_ACCOUNT),
    )
    .await;
    assert_eq!(wrong.failure_code(), Some("S3AccessDenied"));
    let missing = ended(&staging, request().s3_bucket("none")).await;
    assert_eq!(missing.failure_code(), Some("S3NoSuchBucket"));
}
