//! Tables to copy, and what is in them.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PutRequest,
    ScalarAttributeType, WriteRequest,
};
use bsm_core::BotoSesManager;
use bsm_dynamodb::{CopyTable, Error, Item};
use bsm_local_aws::standard;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::support::{PRODUCTION, Playground, STAGING};

pub(super) const TABLE: &str = "users";

/// A local AWS, with a table in staging to copy from and a manager for production to copy to.
pub(super) struct Pair {
    pub(super) local: Playground,
    pub(super) source: BotoSesManager,
    pub(super) target: BotoSesManager,
}

impl Pair {
    /// Starts with the two tables. The source has this many items.
    pub(super) async fn start(items: usize) -> Self {
        let pair = Self::with(Playground::start().await).await;
        create(&pair.target, TABLE).await;
        pair.put(&pair.source, users(items)).await;
        pair
    }

    /// Starts with an empty source, and no target.
    pub(super) async fn with(local: Playground) -> Self {
        let manager = |profile| {
            let clock = local.aws.clock();
            let builder = local.builder().profile_name(profile);
            builder.time_source(clock).build()
        };
        let (source, target) = (manager("staging"), manager("production"));
        create(&source, TABLE).await;
        Self {
            source,
            target,
            local,
        }
    }

    pub(super) fn copy(&self) -> bsm_dynamodb::CopyTable {
        bsm_dynamodb::copy_table(&self.source, &self.target, TABLE)
    }

    pub(super) async fn put(&self, manager: &BotoSesManager, items: Vec<Item>) {
        let client = client(manager).await;
        for chunk in items.chunks(25) {
            let puts = chunk.iter().map(|item| {
                let put = PutRequest::builder().set_item(Some(item.clone())).build();
                WriteRequest::builder().put_request(put.unwrap()).build()
            });
            let request = client.batch_write_item();
            let request = request.request_items(TABLE, puts.collect());
            request.send().await.unwrap();
        }
    }

    pub(super) async fn delete(&self, manager: &BotoSesManager, id: AttributeValue) {
        let request = client(manager).await.delete_item().table_name(TABLE);
        request.key("id", id).send().await.unwrap();
    }

    pub(super) fn in_source(&self) -> Vec<Value> {
        self.stored(STAGING, TABLE)
    }

    pub(super) fn in_target(&self) -> Vec<Value> {
        self.stored(PRODUCTION, TABLE)
    }

    /// The items of a table as they are stored, in the order of their ids.
    pub(super) fn stored(&self, account: &str, table: &str) -> Vec<Value> {
        let items = self.local.aws.table_items(account, standard::REGION, table);
        let mut items = items.unwrap_or_default();
        items.sort_by_key(|item| item["id"].to_string());
        items
    }

    /// Runs a copy, and stops it when this many more calls of an operation have arrived.
    pub(super) async fn stopped(&self, copy: CopyTable, operation: &str, calls: usize) -> Error {
        let (sender, stop) = oneshot::channel();
        let mut copy = copy.stop_when(async { stop.await.unwrap() }).into_future();
        tokio::select! {
            ended = &mut copy => panic!("{ended:?}"),
            () = self.called(operation, calls) => sender.send(()).unwrap(),
        }
        copy.await.unwrap_err()
    }

    /// Runs a copy, and drops it when this many more calls of an operation have arrived.
    pub(super) async fn dropped(&self, copy: CopyTable, operation: &str, calls: usize) {
        tokio::select! {
            ended = copy.into_future() => panic!("{ended:?}"),
            () = self.called(operation, calls) => {}
        }
    }

    async fn called(&self, operation: &str, calls: usize) {
        let calls = self.calls(operation) + calls;
        while self.calls(operation) < calls {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn calls(&self, operation: &str) -> usize {
        self.local.aws.call_count("dynamodb", operation)
    }
}

pub(super) async fn client(manager: &BotoSesManager) -> Client {
    manager.client(Client::new).await.unwrap()
}

pub(super) async fn create(manager: &BotoSesManager, table: &str) {
    create_with_key(manager, table, "id", ScalarAttributeType::S).await;
}

pub(super) async fn create_with_key(
    manager: &BotoSesManager,
    table: &str,
    name: &str,
    key_type: ScalarAttributeType,
) {
    let request = client(manager).await.create_table().table_name(table);
    request
        .attribute_definitions(attribute(name, key_type))
        .key_schema(key(name, KeyType::Hash))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

pub(super) fn attribute(name: &str, key_type: ScalarAttributeType) -> AttributeDefinition {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    attribute.attribute_type(key_type).build().unwrap()
}

pub(super) fn key(name: &str, role: KeyType) -> KeySchemaElement {
    let element = KeySchemaElement::builder().attribute_name(name);
    element.key_type(role).build().unwrap()
}

pub(super) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
    HashMap::from(attributes)
}

pub(super) fn user(id: impl ToString) -> Item {
    item([
        ("id", s(id.to_string())),
        ("name", s(format!("user {}", id.to_string()))),
    ])
}

pub(super) fn users(count: usize) -> Vec<Item> {
    (0..count).map(|n| user(format!("{n:05}"))).collect()
}
