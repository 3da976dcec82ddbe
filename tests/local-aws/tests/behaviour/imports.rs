//! Imports from S3.

use std::time::Duration;

use aws_sdk_dynamodb as ddb;
use aws_sdk_s3::primitives::ByteStream;
use bsm_local_aws::{Fault, LocalAws, standard};
use ddb::operation::import_table::builders::ImportTableFluentBuilder;
use ddb::types::{
    AttributeDefinition, BillingMode, ImportStatus, ImportTableDescription, InputCompressionType,
    InputFormat, KeySchemaElement, KeyType, S3BucketSource, ScalarAttributeType,
    TableCreationParameters, TableStatus,
};
use serde_json::Value;

use crate::exports::{BUCKET, full, start};
use crate::support::*;

fn import(client: &ddb::Client, prefix: &str) -> ImportTableFluentBuilder {
    let key = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash);
    let attribute = AttributeDefinition::builder().attribute_name("id");
    let attribute = attribute.attribute_type(ScalarAttributeType::S);
    let parameters = TableCreationParameters::builder()
        .table_name("imported")
        .key_schema(key.build().unwrap())
        .attribute_definitions(attribute.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .build();
    let source = S3BucketSource::builder()
        .s3_bucket(BUCKET)
        .s3_key_prefix(prefix)
        .build();
    client
        .import_table()
        .s3_bucket_source(source.unwrap())
        .input_format(InputFormat::DynamodbJson)
        .input_compression_type(InputCompressionType::Gzip)
        .table_creation_parameters(parameters.unwrap())
}

async fn describe(client: &ddb::Client, arn: &str) -> ImportTableDescription {
    let described = client
        .describe_import()
        .import_arn(arn)
        .send()
        .await
        .unwrap();
    described.import_table_description.unwrap()
}

async fn ended(client: &ddb::Client, request: ImportTableFluentBuilder) -> ImportTableDescription {
    let started = request
        .send()
        .await
        .unwrap()
        .import_table_description
        .unwrap();
    loop {
        let described = describe(client, started.import_arn().unwrap()).await;
        if described.import_status() != Some(&ImportStatus::InProgress) {
            return described;
        }
        tokio::task::yield_now().await;
    }
}

fn items(aws: &LocalAws, table: &str) -> Vec<Value> {
    let mut items = aws
        .table_items(standard::DEFAULT_ACCOUNT, US, table)
        .unwrap();
    items.sort_by_key(|item| item["id"]["S"].to_string());
    items
}

/// Exports a table of 40 items, and returns the prefix of its data files.
async fn exported() -> (LocalAws, ddb::Client, String) {
    let (aws, client) = start().await;
    for id in 0..40 {
        put(&client, "users", &id.to_string()).await;
    }
    aws.clock().advance(Duration::from_secs(2));
    recover(&client, "users").await;
    let export = full(&client).await;
    let prefix = export
        .export_manifest()
        .unwrap()
        .replace("manifest-summary.json", "data/");
    (aws, client, prefix)
}

#[tokio::test]
async fn an_export_is_imported_as_a_new_table() {
    let (aws, client, prefix) = exported().await;
    let described = ended(&client, import(&client, &prefix)).await;
    assert_eq!(described.import_status(), Some(&ImportStatus::Completed));
    assert_eq!(
        (
            described.processed_item_count,
            described.imported_item_count
        ),
        (40, 40)
    );
    assert_eq!(items(&aws, "imported"), items(&aws, "users"));
    let again = import(&client, &prefix).send().await;
    assert_eq!(error_response(again).code, "ResourceInUseException");
}

#[tokio::test]
async fn a_table_is_being_created_until_its_import_is_done() {
    let (aws, client, prefix) = exported().await;
    aws.faults().add(Fault::slow_job(Duration::from_secs(60)));
    let started = import(&client, &prefix).send().await.unwrap();
    let arn = started
        .import_table_description
        .unwrap()
        .import_arn
        .unwrap();
    let status = async || {
        let described = client
            .describe_table()
            .table_name("imported")
            .send()
            .await
            .unwrap();
        described.table.unwrap().table_status.unwrap()
    };
    assert_eq!(status().await, TableStatus::Creating);
    let write = client
        .put_item()
        .table_name("imported")
        .item("id", text("x"))
        .send()
        .await;
    assert_eq!(error_response(write).code, "ResourceNotFoundException");
    let delete = client.delete_table().table_name("imported").send().await;
    assert_eq!(error_response(delete).code, "ResourceInUseException");
    aws.clock().advance(Duration::from_secs(60));
    while describe(&client, &arn).await.import_status() == Some(&ImportStatus::InProgress) {}
    assert_eq!(status().await, TableStatus::Active);
}

#[tokio::test]
async fn lines_that_cannot_be_read_are_skipped_and_counted() {
    let (aws, client, prefix) = exported().await;
    let mut lines = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let text =
        "{\"Item\":{\"id\":{\"S\":\"x\"}}}\nnonsense\n{\"Item\":{\"name\":{\"S\":\"no key\"}}}\n";
    std::io::Write::write_all(&mut lines, text.as_bytes()).unwrap();
    let put = s3(&aws, dev())
        .put_object()
        .bucket(BUCKET)
        .key(format!("{prefix}extra.json.gz"));
    put.body(ByteStream::from(lines.finish().unwrap()))
        .send()
        .await
        .unwrap();
    aws.faults().add(Fault::skipped_lines(3));
    let described = ended(&client, import(&client, &prefix)).await;
    assert_eq!(described.import_status(), Some(&ImportStatus::Completed));
    assert_eq!(described.processed_item_count, 43);
    assert_eq!(
        (described.imported_item_count, described.error_count),
        (38, 5)
    );
    assert_eq!(items(&aws, "imported").len(), 38);
}

#[tokio::test]
async fn a_failed_import_leaves_a_part_of_the_table() {
    let (aws, client, prefix) = exported().await;
    aws.faults().add(Fault::failed_job());
    let described = ended(&client, import(&client, &prefix)).await;
    assert_eq!(described.import_status(), Some(&ImportStatus::Failed));
    let stored = items(&aws, "imported").len();
    assert!((1..40).contains(&stored), "{stored}");
    assert_eq!(
        described.imported_item_count,
        i64::try_from(stored).unwrap()
    );
}

#[tokio::test]
async fn another_account_needs_the_bucket_policy_to_import() {
    let (aws, _, prefix) = exported().await;
    let staging = dynamodb(&aws, assume(&aws, dev(), standard::STAGING_ROLE_ARN).await);
    let denied = ended(&staging, import(&staging, &prefix)).await;
    assert_eq!(denied.failure_code(), Some("S3AccessDenied"));
}
