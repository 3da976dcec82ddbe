//! Exports laid out by hand, as the DynamoDB Developer Guide documents them under "DynamoDB table export
//! output format".

use std::io::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::base64;
use bsm_dynamodb::{ErrorKind, MigrateTable};
use bsm_local_aws::Fault;
use flate2::{Compression, write::GzEncoder};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::support::*;

const PREFIX: &str = "2020-Nov";

/// The items of the full export: one line each.
const ITEMS: [&str; 2] = [
    r#"{"Item":{"id":{"S":"CUST#200"},"FirstName":{"S":"Ana"},"Authors":{"SS":["Author1","Author2"]},"Dimensions":{"S":"8.5 x 11.0 x 1.5"},"InPublication":{"BOOL":false},"PageCount":{"N":"600"},"Price":{"N":"2000"}}}"#,
    r#"{"Item":{"id":{"S":"CUST#300"},"FirstName":{"S":"Rui"},"Photo":{"B":"AP8="},"Scores":{"NS":["1","2.5"]},"Past":{"L":[{"M":{"City":{"S":"Porto"}}}]},"Nothing":{"NULL":true}}}"#,
];

/// The changes of the incremental export: an insert, an update and a delete. The guide shows the time of
/// the write as text, and DynamoDB writes it as a number.
const CHANGES: [&str; 3] = [
    r#"{"Metadata":{"WriteTimestampMicros":"1680109764000000"},"Keys":{"id":{"S":"CUST#100"}},"NewImage":{"id":{"S":"CUST#100"},"FirstName":{"S":"Lea"}}}"#,
    r#"{"Metadata":{"WriteTimestampMicros":{"N":"1680109764000001"}},"Keys":{"id":{"S":"CUST#200"}},"OldImage":{"id":{"S":"CUST#200"},"FirstName":{"S":"Ana"}},"NewImage":{"id":{"S":"CUST#200"},"FirstName":{"S":"Anna"}}}"#,
    r#"{"Metadata":{"WriteTimestampMicros":{"N":"1680109764000002"}},"Keys":{"id":{"S":"CUST#300"}},"OldImage":{"id":{"S":"CUST#300"},"FirstName":{"S":"Rui"}}}"#,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_as_aws_documents_them_are_loaded() {
    let world = World::start(0).await;
    let source = client(&world.source).await;
    for line in ITEMS {
        put(&source, &parsed(line)["Item"]).await;
    }
    let migrate = || -> MigrateTable {
        let migration = world.migrate().prefix(PREFIX).import(false).stream(false);
        // Nothing but the files says what the target gets.
        migration.compare(false)
    };
    let unreadable = || Fault::error(403, "AccessDenied", "not yet").operation("GetObject");
    let _hurry = world.hurry(9);

    // DynamoDB has exported, and the migration has not read the files.
    world.aws.faults().add(unreadable());
    let error = migrate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
    world.aws.faults().clear();
    let folder = replace(&world, "data", &ITEMS).await;

    // The writers' last writes, and the export of them.
    let (aws, writer) = (world.aws.clone(), source.clone());
    let cutover = move || async move {
        for line in CHANGES {
            let change = parsed(line);
            match &change["NewImage"] {
                Value::Null => {
                    let request = writer.delete_item().table_name(TABLE);
                    let key = change["Keys"]["id"]["S"].as_str().unwrap();
                    let request = request.key("id", AttributeValue::S(key.to_owned()));
                    request.send().await?;
                }
                item => put(&writer, item).await,
            }
        }
        aws.faults().add(unreadable());
        Ok(())
    };
    let error = migrate().cutover(cutover).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
    world.aws.faults().clear();
    let window = replace(&world, "../data", &CHANGES).await;
    assert_ne!(folder, window);

    let summary = migrate().await.unwrap();
    assert_eq!(summary.statistics().loaded(), 2);
    assert_eq!(summary.statistics().caught_up(), 3);
    let ids = world.stored(TARGET);
    assert_eq!(ids.len(), 2);
    world.assert_migrated().await;
}

/// Replaces the files of the last export by files of these lines, and returns the folder of the manifest.
async fn replace(world: &World, data: &str, lines: &[&str]) -> String {
    let s3 = world.source.client(aws_sdk_s3::Client::new).await.unwrap();
    let keys = world.aws.object_keys(BUCKET, PREFIX);
    // The names begin with the time of the export.
    let manifest = keys
        .iter()
        .rfind(|key| key.ends_with("/manifest-files.json"));
    let folder = manifest.unwrap().trim_end_matches("/manifest-files.json");
    let own = keys
        .iter()
        .filter(|key| key.starts_with(&format!("{folder}/")));
    for key in own.chain(keys.iter().filter(|key| key.contains("AWSDynamoDB/data/"))) {
        s3.delete_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .unwrap();
    }
    let put = async |key: String, object: Vec<u8>| {
        let request = s3.put_object().bucket(BUCKET).key(key).body(object.into());
        request.send().await.unwrap();
    };
    let (root, export) = folder.rsplit_once('/').unwrap();
    let data = match data {
        "data" => format!("{folder}/data"),
        // All incremental exports share a folder.
        _ => format!("{root}/data"),
    };
    let mut files = String::new();
    // One file for each partition, and those of empty partitions are empty.
    for (number, line) in lines.iter().copied().chain([""]).enumerate() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        if !line.is_empty() {
            writeln!(gzip, "{line}").unwrap();
        }
        let object = gzip.finish().unwrap();
        let key = format!("{data}/{number}{export}.json.gz");
        let entry = json!({
            "itemCount": u8::from(!line.is_empty()),
            "md5Checksum": base64::encode(Md5::digest(&object)),
            "etag": "af83d6f217c19b8b0fff8023d8ca4716-1",
            // Without the prefix, as in the guide.
            "dataFileS3Key": key.strip_prefix(&format!("{PREFIX}/")).unwrap(),
        });
        files.push_str(&format!("{entry}\n"));
        put(key, object).await;
    }
    let summary = summary(export, lines.len());
    for (name, text) in [("manifest-files", files), ("manifest-summary", summary)] {
        let checksum = base64::encode(Md5::digest(text.as_bytes()));
        put(format!("{folder}/{name}.json"), text.into_bytes()).await;
        put(format!("{folder}/{name}.checksum"), checksum.into_bytes()).await;
    }
    put(format!("{folder}/_started"), Vec::new()).await;
    folder.to_owned()
}

fn summary(export: &str, items: usize) -> String {
    let arn = format!("arn:aws:dynamodb:us-east-1:{SOURCE}:table/{TABLE}");
    let summary = json!({
        "version": "2020-06-30",
        "exportArn": format!("{arn}/export/{export}"),
        "startTime": "2020-11-04T07:28:34.028Z",
        "endTime": "2020-11-04T07:33:43.897Z",
        "tableArn": arn,
        "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
        "exportTime": "2020-11-04T07:28:34.028Z",
        "s3Bucket": BUCKET,
        "s3Prefix": PREFIX,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": null,
        "manifestFilesS3Key": format!("AWSDynamoDB/{export}/manifest-files.json"),
        "billedSizeBytes": 0,
        "itemCount": items,
        "outputFormat": "DYNAMODB_JSON",
    });
    summary.to_string()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Puts an item in DynamoDB's JSON.
async fn put(client: &aws_sdk_dynamodb::Client, item: &Value) {
    let item = item.as_object().unwrap().iter();
    let item = item.map(|(name, value)| (name.clone(), attribute_value(value)));
    let request = client.put_item().table_name(TABLE);
    let request = request.set_item(Some(item.collect()));
    request.send().await.unwrap();
}

fn attribute_value(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let texts = |value: &Value| value.as_array().unwrap().iter().map(text).collect();
    match &**kind {
        "S" => AttributeValue::S(text(value)),
        "N" => AttributeValue::N(text(value)),
        "B" => AttributeValue::B(base64::decode(text(value)).unwrap().into()),
        "SS" => AttributeValue::Ss(texts(value)),
        "NS" => AttributeValue::Ns(texts(value)),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "NULL" => AttributeValue::Null(true),
        "L" => {
            let values = value.as_array().unwrap().iter();
            AttributeValue::L(values.map(attribute_value).collect())
        }
        "M" => {
            let members = value.as_object().unwrap().iter();
            let members = members.map(|(name, value)| (name.clone(), attribute_value(value)));
            AttributeValue::M(members.collect())
        }
        other => panic!("{other}"),
    }
}
