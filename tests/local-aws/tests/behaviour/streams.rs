//! DynamoDB Streams: shards, positions, and what is forgotten.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType};
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::operation::get_records::GetRecordsOutput;
use aws_sdk_dynamodbstreams::types::{Record, Shard, ShardIteratorType, StreamStatus};
use bsm_local_aws::{Fault, LocalAws};

use crate::support::*;

const FOUR_HOURS: Duration = Duration::from_secs(4 * 3600);

fn specification(view_type: Option<StreamViewType>) -> StreamSpecification {
    let builder = StreamSpecification::builder().stream_enabled(view_type.is_some());
    builder.set_stream_view_type(view_type).build().unwrap()
}

/// Turns a stream on or off, and returns its ARN.
async fn set_stream(
    client: &aws_sdk_dynamodb::Client,
    view_type: Option<StreamViewType>,
) -> Option<String> {
    let request = client.update_table().table_name("users");
    let updated = request
        .stream_specification(specification(view_type))
        .send();
    updated
        .await
        .unwrap()
        .table_description
        .unwrap()
        .latest_stream_arn
}

async fn start(view_type: StreamViewType) -> (LocalAws, aws_sdk_dynamodb::Client, Client, String) {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    let arn = set_stream(&client, Some(view_type)).await.unwrap();
    let streams = streams(&aws, dev());
    (aws, client, streams, arn)
}

async fn shards(streams: &Client, arn: &str) -> Vec<Shard> {
    let described = streams
        .describe_stream()
        .stream_arn(arn)
        .send()
        .await
        .unwrap();
    described
        .stream_description
        .unwrap()
        .shards
        .unwrap_or_default()
}

async fn iterator(streams: &Client, arn: &str, shard: &Shard) -> String {
    let request = streams.get_shard_iterator().stream_arn(arn);
    let request = request.shard_id(shard.shard_id().unwrap());
    let request = request.shard_iterator_type(ShardIteratorType::TrimHorizon);
    request.send().await.unwrap().shard_iterator.unwrap()
}

async fn read(streams: &Client, arn: &str, shard: &Shard) -> GetRecordsOutput {
    let iterator = iterator(streams, arn, shard).await;
    streams
        .get_records()
        .shard_iterator(iterator)
        .send()
        .await
        .unwrap()
}

/// The records of all shards, parents first.
async fn records(streams: &Client, arn: &str) -> Vec<Record> {
    let mut records = Vec::new();
    for shard in shards(streams, arn).await {
        records.extend(read(streams, arn, &shard).await.records.unwrap_or_default());
    }
    records
}

#[tokio::test]
async fn every_write_is_recorded_with_the_images_of_the_view_type() {
    for (view_type, new, old) in [
        (StreamViewType::NewImage, true, false),
        (StreamViewType::OldImage, false, true),
        (StreamViewType::NewAndOldImages, true, true),
        (StreamViewType::KeysOnly, false, false),
    ] {
        let (_aws, client, streams, arn) = start(view_type.clone()).await;
        // The engine records both images for the recovery, and clients see what they asked for.
        recover(&client, "users").await;
        put(&client, "users", "1").await;
        let update = client
            .update_item()
            .table_name("users")
            .key("id", text("1"));
        let update = update.update_expression("SET a = :a");
        update
            .expression_attribute_values(":a", text("b"))
            .send()
            .await
            .unwrap();
        let records = records(&streams, &arn).await;
        let events: Vec<_> = records
            .iter()
            .map(|it| it.event_name().unwrap().as_str())
            .collect();
        assert_eq!(events, ["INSERT", "MODIFY"]);
        let modified = records[1].dynamodb().unwrap();
        assert_eq!(
            modified.stream_view_type().unwrap().as_str(),
            view_type.as_str()
        );
        assert_eq!(modified.new_image().is_some(), new, "{view_type}");
        assert_eq!(modified.old_image().is_some(), old, "{view_type}");
        assert_eq!(records[1].aws_region(), Some(US));
    }
}

#[tokio::test]
async fn a_page_has_at_most_a_megabyte_or_nothing_at_all() {
    let (aws, client, streams, arn) = start(StreamViewType::NewImage).await;
    for _ in 0..4 {
        let request = client.put_item().table_name("users").item("id", text("1"));
        let request = request.item("text", text(&"x".repeat(300_000)));
        request.send().await.unwrap();
    }
    let mut pages = Vec::new();
    for shard in shards(&streams, &arn).await {
        let mut at = iterator(&streams, &arn, &shard).await;
        for _ in 0..3 {
            let empty = aws.faults().add(Fault::empty_page().times(1));
            let page = streams.get_records().shard_iterator(&at).send().await;
            let page = page.unwrap();
            assert_eq!(page.records().len(), 0);
            assert_eq!(aws.faults().hits(empty), 1);
            at = page.next_shard_iterator.unwrap();
            let page = streams.get_records().shard_iterator(&at).send().await;
            let page = page.unwrap();
            pages.push(page.records().len());
            at = page.next_shard_iterator.unwrap();
        }
    }
    // All writes are to one key, so one of the shards has them.
    pages.sort_unstable();
    assert_eq!(pages, [0, 0, 0, 0, 1, 3]);
}

#[tokio::test]
async fn a_stream_starts_when_it_is_turned_on() {
    let (aws, client, streams, arn) = start(StreamViewType::NewImage).await;
    put(&client, "users", "1").await;
    recover(&client, "users").await;
    set_stream(&client, None).await;
    put(&client, "users", "2").await;
    // What a stream has recorded can be read for a day after it was turned off.
    let described = streams.describe_stream().stream_arn(&arn).send().await;
    let status = described.unwrap().stream_description.unwrap().stream_status;
    assert_eq!(status, Some(StreamStatus::Disabled));
    assert_eq!(records(&streams, &arn).await.len(), 1);
    for shard in shards(&streams, &arn).await {
        assert_eq!(read(&streams, &arn, &shard).await.next_shard_iterator, None);
    }
    aws.clock().advance(25 * Duration::from_secs(3600));
    assert_eq!(records(&streams, &arn).await.len(), 0);
    let again = set_stream(&client, Some(StreamViewType::NewImage))
        .await
        .unwrap();
    put(&client, "users", "3").await;
    let records = records(&streams, &again).await;
    assert_eq!(records.len(), 1);
    let twice = client.update_table().table_name("users");
    let twice = twice.stream_specification(specification(Some(StreamViewType::NewImage)));
    assert_eq!(
        error_response(twice.send().await).code,
        "ValidationException"
    );
}

#[tokio::test]
async fn shards_end_after_four_hours_and_have_children() {
    let (aws, client, streams, arn) = start(StreamViewType::NewImage).await;
    for round in 0..3 {
        for id in 0..20 {
            put(&client, "users", &format!("{round}-{id}")).await;
        }
        aws.clock().advance(FOUR_HOURS);
    }
    let all = shards(&streams, &arn).await;
    assert_eq!(all.len(), 8);
    let by_id: HashMap<_, _> = all
        .iter()
        .map(|shard| (shard.shard_id().unwrap(), shard))
        .collect();
    let mut total = 0;
    for shard in &all {
        let output = read(&streams, &arn, shard).await;
        total += output.records().len();
        let is_open = shard
            .sequence_number_range()
            .unwrap()
            .ending_sequence_number()
            .is_none();
        assert_eq!(output.next_shard_iterator().is_some(), is_open);
        if let Some(parent) = shard.parent_shard_id() {
            let first = |shard: &Shard| {
                let range = shard.sequence_number_range().unwrap();
                range.starting_sequence_number().unwrap().to_owned()
            };
            assert!(first(by_id[parent]) < first(shard) || is_open);
        }
    }
    assert_eq!(total, 60);
}

#[tokio::test]
async fn records_are_forgotten_after_a_day_and_iterators_after_15_minutes() {
    let (aws, client, streams, arn) = start(StreamViewType::NewImage).await;
    put(&client, "users", "1").await;
    let old = records(&streams, &arn).await.remove(0);
    let shard = &shards(&streams, &arn).await[0];
    let iterator = iterator(&streams, &arn, shard).await;
    aws.clock().advance(Duration::from_secs(16 * 60));
    let expired = streams.get_records().shard_iterator(iterator).send().await;
    assert_eq!(error_response(expired).code, "ExpiredIteratorException");

    aws.clock().advance(Duration::from_secs(23 * 3600 + 3000));
    put(&client, "users", "2").await;
    assert_eq!(records(&streams, &arn).await.len(), 1);
    // A reader that has fallen behind gets an error.
    for shard in shards(&streams, &arn).await {
        let request = streams.get_shard_iterator().stream_arn(&arn);
        let request = request.shard_id(shard.shard_id().unwrap());
        let request = request.shard_iterator_type(ShardIteratorType::AtSequenceNumber);
        let number = old.dynamodb().unwrap().sequence_number().unwrap();
        let iterator = request
            .sequence_number(number)
            .send()
            .await
            .unwrap()
            .shard_iterator;
        let read = streams
            .get_records()
            .set_shard_iterator(iterator)
            .send()
            .await;
        if shard.parent_shard_id().is_none() && read.is_err() {
            assert_eq!(error_response(read).code, "TrimmedDataAccessException");
            return;
        }
    }
    panic!("no shard has forgotten the record");
}
