//! The checks before anything is written.

use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, KeyType, LocalSecondaryIndex, Projection, ProjectionType,
    ProvisionedThroughput, ScalarAttributeType, TimeToLiveSpecification,
};
use bsm_core::BotoSesManager;
use bsm_dynamodb::{ErrorKind, Model, copy_model, copy_table};
use bsm_local_aws::Fault;
use serde_json::json;

use super::proxy;
use super::support::{
    Pair, TABLE, attribute, client, create, create_with_key, item, key, n, s, users,
};
use crate::support::{PRODUCTION, Playground, STAGING, user_model};

user_model!(User);

#[tokio::test]
async fn both_tables_must_exist() {
    let local = Playground::start().await;
    let (source, target) = (local.profile("staging"), local.profile("production"));
    let error = copy_table(&source, &target, TABLE).await.unwrap_err();
    assert!(error.is_table_not_found(), "{error}");
    assert!(error.to_string().contains("staging"), "{error}");

    create(&source, TABLE).await;
    let error = copy_table(&source, &target, TABLE).await.unwrap_err();
    assert!(error.is_table_not_found(), "{error}");
    assert!(error.to_string().contains("create_target"), "{error}");
}

#[tokio::test]
async fn a_table_is_not_copied_to_itself() {
    let pair = Pair::start(10).await;
    let twin = pair.local.profile("staging");
    let error = copy_table(&pair.source, &twin, TABLE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SameTable, "{error}");
}

#[tokio::test]
async fn both_tables_must_have_the_same_key() {
    let pair = Pair::with(Playground::start().await).await;
    for (table, name, key_type) in [
        ("other-name", "key", ScalarAttributeType::S),
        ("other-type", "id", ScalarAttributeType::N),
    ] {
        create_with_key(&pair.target, table, name, key_type).await;
        let error = pair.copy().target_table(table).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TableMismatch, "{error}");
    }
}

/// Creates a table with an index on `age`.
async fn create_with_index(manager: &BotoSesManager, table: &str, age: ScalarAttributeType) {
    let index = GlobalSecondaryIndex::builder()
        .index_name("by-age")
        .key_schema(key("age", KeyType::Hash))
        .projection(all())
        .build();
    let request = client(manager).await.create_table().table_name(table);
    request
        .attribute_definitions(attribute("id", ScalarAttributeType::S))
        .attribute_definitions(attribute("age", age))
        .key_schema(key("id", KeyType::Hash))
        .global_secondary_indexes(index.unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

fn all() -> Projection {
    let projection = Projection::builder();
    projection.projection_type(ProjectionType::All).build()
}

#[tokio::test]
async fn an_index_of_the_target_must_fit() {
    let pair = Pair::with(Playground::start().await).await;
    create_with_index(&pair.source, "source", ScalarAttributeType::S).await;
    create_with_index(&pair.target, "target", ScalarAttributeType::N).await;
    let copy = copy_table(&pair.source, &pair.target, "source").target_table("target");
    let error = copy.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableMismatch, "{error}");
    assert!(error.to_string().contains("`age`"), "{error}");

    // The source says nothing of the attribute; an item does.
    let items = vec![
        item([("id", s("1")), ("age", n(7))]),
        item([("id", s("2")), ("age", s("seven"))]),
    ];
    pair.put(&pair.source, items).await;
    let error = pair.copy().target_table("target").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error}");
    assert!(!format!("{error:?}").contains("seven"));
    let copy = pair.copy().target_table("target");
    let copy = copy.policy(bsm_dynamodb::CopyPolicy::Overwrite);
    let summary = copy.filter(|item| item["age"].is_n()).await.unwrap();
    assert_eq!(summary.statistics().written(), 1);
}

#[tokio::test]
async fn the_expected_account_is_honoured() {
    let pair = Pair::start(10).await;
    let wrong = pair.local.builder().profile_name("production");
    let wrong = wrong.expect_account(STAGING).build();
    let error = copy_table(&pair.source, &wrong, TABLE).await.unwrap_err();
    assert!(
        error.session_error().unwrap().is_account_mismatch(),
        "{error:?}"
    );
    assert!(pair.in_target().is_empty());
}

#[tokio::test]
async fn a_preflight_names_accounts_and_tables_and_writes_nothing() {
    let pair = Pair::with(Playground::start().await).await;
    pair.put(&pair.source, users(10)).await;
    let plan = pair.copy().create_target(true).preflight().await.unwrap();
    assert!(plan.creates_target() && !plan.resumes());
    assert_eq!(
        (plan.source().account(), plan.target().account()),
        (STAGING, PRODUCTION)
    );
    assert_eq!(plan.expected_items(), Some(10));
    assert_eq!(
        plan.to_string(),
        "from table users in 222222222222, us-east-1 (profile \"staging\")\n\
         to   table users in 333333333333, us-east-1 (profile \"production\") (to be created)"
    );
    assert_eq!(plan.target().arn(), None);
    assert!(pair.local.aws.tables(PRODUCTION, "us-east-1").is_empty());
}

#[tokio::test]
async fn a_model_names_the_table() {
    let pair = Pair::start(3).await;
    copy_model::<User>(&pair.source, &pair.target)
        .await
        .unwrap();
    let found = pair.target.scope(User::get("00002")).await;
    assert_eq!(found.unwrap(), User::new("00002"));
}

#[tokio::test]
async fn a_wrong_endpoint_fails_soon() {
    let pair = Pair::start(3).await;
    let nowhere = pair
        .local
        .builder()
        .keys("AKIA", "secret")
        .region("us-east-1");
    let nowhere = nowhere.endpoint_url("http://127.0.0.1:1").build();
    let error = copy_table(&pair.source, &nowhere, TABLE).await.unwrap_err();
    assert!(error.is_unreachable() || error.is_session(), "{error:?}");
}

#[tokio::test]
async fn a_target_is_created_like_the_source() {
    let pair = Pair::with(Playground::start().await).await;
    let source = client(&pair.source).await;
    let local_index = LocalSecondaryIndex::builder()
        .index_name("by-date")
        .key_schema(key("id", KeyType::Hash))
        .key_schema(key("date", KeyType::Range))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::Include)
                .non_key_attributes("total")
                .build(),
        );
    let units = |read, write| {
        let units = ProvisionedThroughput::builder();
        let units = units.read_capacity_units(read).write_capacity_units(write);
        units.build().unwrap()
    };
    let global_index = GlobalSecondaryIndex::builder()
        .index_name("by-age")
        .key_schema(key("age", KeyType::Hash))
        .projection(all())
        .provisioned_throughput(units(3, 4));
    source
        .create_table()
        .table_name("orders")
        .attribute_definitions(attribute("id", ScalarAttributeType::S))
        .attribute_definitions(attribute("number", ScalarAttributeType::N))
        .attribute_definitions(attribute("date", ScalarAttributeType::S))
        .attribute_definitions(attribute("age", ScalarAttributeType::N))
        .key_schema(key("id", KeyType::Hash))
        .key_schema(key("number", KeyType::Range))
        .local_secondary_indexes(local_index.build().unwrap())
        .global_secondary_indexes(global_index.build().unwrap())
        .provisioned_throughput(units(7, 8))
        .send()
        .await
        .unwrap();
    let ttl = TimeToLiveSpecification::builder();
    let ttl = ttl.attribute_name("expires").enabled(true).build().unwrap();
    let request = source.update_time_to_live().table_name("orders");
    request
        .time_to_live_specification(ttl)
        .send()
        .await
        .unwrap();

    // An answer that is lost must not make it fail.
    for operation in ["CreateTable", "UpdateTimeToLive"] {
        let lost = Fault::dropped_response().operation(operation);
        pair.local.aws.faults().add(lost.times(1));
    }
    let copy = copy_table(&pair.source, &pair.target, "orders").create_target(true);
    let summary = copy.await.unwrap();
    let arn = summary.plan().target().arn().unwrap();
    assert_eq!(arn, "arn:aws:dynamodb:us-east-1:333333333333:table/orders");

    let target = client(&pair.target).await;
    let described = target.describe_table().table_name("orders").send().await;
    let table = described.unwrap().table.unwrap();
    let described = source.describe_table().table_name("orders").send().await;
    let wanted = described.unwrap().table.unwrap();
    assert_eq!(table.key_schema, wanted.key_schema);
    let sorted = |table: &aws_sdk_dynamodb::types::TableDescription| {
        let mut names: Vec<_> = table.attribute_definitions().to_vec();
        names.sort_by_key(|attribute| attribute.attribute_name.clone());
        names
    };
    assert_eq!(sorted(&table), sorted(&wanted));
    let throughput = table.provisioned_throughput().unwrap();
    assert_eq!(throughput.write_capacity_units, Some(8));
    let index = &table.global_secondary_indexes()[0];
    assert_eq!(
        index.provisioned_throughput().unwrap().read_capacity_units,
        Some(3)
    );
    let index = &table.local_secondary_indexes()[0];
    assert_eq!(index.projection().unwrap().non_key_attributes(), ["total"]);
    let request = target.describe_time_to_live().table_name("orders");
    let ttl = request
        .send()
        .await
        .unwrap()
        .time_to_live_description
        .unwrap();
    assert_eq!(ttl.attribute_name.as_deref(), Some("expires"));
}

/// Leads to the local AWS, and answers the first scans of the target with empty pages.
fn with_empty_pages(pair: &Pair, keys: &'static [&str]) -> BotoSesManager {
    let mut keys = keys.iter();
    let url = proxy::start(pair.local.aws.endpoint_url(), move |operation, _| {
        let key = (operation == "Scan").then(|| keys.next()).flatten()?;
        let key = json!({ "id": { "S": key } });
        Some(json!({ "Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": key }))
    });
    proxy::manager(&pair.local, "production", url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_page_is_not_an_empty_table() {
    let pair = Pair::start(10).await;
    pair.put(&pair.target, users(3)).await;
    let target = with_empty_pages(&pair, &[" ", "0"]);
    let error = copy_table(&pair.source, &target, TABLE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableNotEmpty, "{error}");

    let target = with_empty_pages(&pair, &["0", "0"]);
    let error = copy_table(&pair.source, &target, TABLE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Service, "{error}");
    assert_eq!(pair.in_target().len(), 3);
}
