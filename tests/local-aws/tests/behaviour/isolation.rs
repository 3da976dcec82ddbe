//! Isolation: accounts and regions share nothing, and responses contain the right ones.

use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType};
use bsm_local_aws::{LocalAws, standard};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn every_account_and_region_has_its_own_tables() {
    let aws = LocalAws::start().await.unwrap();
    let staging = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let places = [
        (dynamodb_in(&aws, dev(), US), "111111111111", US),
        (dynamodb_in(&aws, dev(), EU), "111111111111", EU),
        (dynamodb_in(&aws, staging, US), "222222222222", US),
    ];
    for (client, account, region) in &places {
        create_table(client, "users").await;
        put(client, "users", &format!("{account} {region}")).await;
    }
    for (client, account, region) in &places {
        let expected = json!([{ "id": { "S": format!("{account} {region}") } }]);
        assert_eq!(json!(aws.table_items(account, region, "users")), expected);
        let scanned = client.scan().table_name("users").send().await.unwrap();
        assert_eq!(scanned.count, 1);
    }
    assert_eq!(aws.tables("333333333333", US), [""; 0]);
    assert_eq!(aws.table_items("222222222222", EU, "users"), None);
}

#[tokio::test]
async fn two_servers_share_nothing() {
    let (one, other) = tokio::join!(LocalAws::start(), LocalAws::start());
    let (one, other) = (one.unwrap(), other.unwrap());
    create_table(&dynamodb(&one, dev()), "users").await;
    assert_eq!(one.tables("111111111111", US), ["users"]);
    assert!(other.tables("111111111111", US).is_empty());
}

#[tokio::test]
async fn arns_carry_the_account_and_region_of_the_caller() {
    let aws = LocalAws::start().await.unwrap();
    let production = assume(&aws, dev(), standard::PRODUCTION_ROLE_ARN).await;
    let client = dynamodb_in(&aws, production, EU);
    create_table(&client, "users").await;
    let table = client
        .describe_table()
        .table_name("users")
        .send()
        .await
        .unwrap()
        .table
        .unwrap();
    assert_eq!(
        table.table_arn(),
        Some("arn:aws:dynamodb:eu-west-1:333333333333:table/users")
    );

    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewImage)
        .build()
        .unwrap();
    let update = client
        .update_table()
        .table_name("users")
        .stream_specification(stream);
    let table = update.send().await.unwrap().table_description.unwrap();
    let arn = table.latest_stream_arn().unwrap();
    assert!(
        arn.starts_with("arn:aws:dynamodb:eu-west-1:333333333333:table/users/stream/"),
        "{arn}"
    );
}

#[tokio::test]
async fn a_table_can_be_named_by_its_own_arn_and_not_by_anothers() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    put(
        &client,
        "arn:aws:dynamodb:us-east-1:111111111111:table/users",
        "1",
    )
    .await;
    assert_eq!(
        aws.table_items("111111111111", US, "users").unwrap().len(),
        1
    );

    let foreign = "arn:aws:dynamodb:us-east-1:222222222222:table/users";
    let error = error_response(client.scan().table_name(foreign).send().await);
    assert_eq!(error.code, "AccessDeniedException");
    assert_eq!(
        error.message,
        "User: arn:aws:iam::111111111111:user/dev is not authorized to perform: dynamodb:Scan on \
         resource: arn:aws:dynamodb:us-east-1:222222222222:table/users because no resource-based \
         policy allows the dynamodb:Scan action"
    );
}

#[tokio::test]
async fn tags_belong_to_the_table_of_the_callers_account() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    let arn = "arn:aws:dynamodb:us-east-1:111111111111:table/users";
    let tag = aws_sdk_dynamodb::types::Tag::builder()
        .key("team")
        .value("a")
        .build()
        .unwrap();
    client
        .tag_resource()
        .resource_arn(arn)
        .tags(tag)
        .send()
        .await
        .unwrap();
    let tags = client
        .list_tags_of_resource()
        .resource_arn(arn)
        .send()
        .await
        .unwrap()
        .tags
        .unwrap();
    assert_eq!(tags[0].value, "a");
}
