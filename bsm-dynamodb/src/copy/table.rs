//! One of the two tables, and the client that reaches it.

use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription,
};
use bsm_core::BotoSesManager;

use super::retry::retry_transient;
use crate::codec::Item;
use crate::connection::client::with_own_retry_quota;
use crate::error::{Error, ErrorContext, ErrorKind};
use crate::model::key::KeyValues;
use crate::wire::item::{InvalidItem, WireItem};

/// The attempts at a request before the copy begins. Fewer than later, so that a mistyped endpoint
/// fails within a second.
pub(crate) const SETUP_ATTEMPTS: u32 = 5;

/// A table with the client that reaches it.
#[derive(Clone)]
pub(crate) struct TableClient {
    pub(crate) client: Client,
    pub(crate) table: String,
    manager: BotoSesManager,
    /// The operation of this crate that errors name if no request failed.
    operation: &'static str,
}

/// The SDK's client as copies use it: `retry_transient` counts and bounds retries, not the SDK.
#[derive(Clone)]
struct CopyClient(Client);

impl CopyClient {
    fn new(config: aws_sdk_dynamodb::config::Builder) -> Self {
        let config = with_own_retry_quota(config).retry_config(RetryConfig::disabled());
        Self(Client::from_conf(config.build()))
    }
}

impl TableClient {
    pub(crate) async fn open(manager: &BotoSesManager, table: &str) -> Result<Self, Error> {
        Self::open_for("CopyTable", manager, table).await
    }

    pub(crate) async fn open_for(
        operation: &'static str,
        manager: &BotoSesManager,
        table: &str,
    ) -> Result<Self, Error> {
        // A manager caches clients by type: a plain `Client` would share the one of other callers, with its retries.
        let client = manager.client(|config| CopyClient::new(config.into()));
        match client.await {
            Ok(CopyClient(client)) => Ok(Self {
                client,
                table: table.to_owned(),
                manager: manager.clone(),
                operation,
            }),
            // Without a client, the region is unknown.
            Err(error) => Err(error_context(operation, table, manager, None).session_error(error)),
        }
    }

    pub(crate) async fn account(&self) -> Result<String, Error> {
        let account = self.manager.aws_account_id().await;
        account.map_err(|error| self.error_context("GetCallerIdentity").session_error(error))
    }

    pub(crate) fn region(&self) -> String {
        let region = self.client.config().region();
        region.map(ToString::to_string).unwrap_or_default()
    }

    pub(crate) fn manager(&self) -> &BotoSesManager {
        &self.manager
    }

    /// Sends a request of the preparation, with a few retries.
    pub(crate) async fn set_up<T, F: Future<Output = Result<T, Error>>>(
        &self,
        send: impl Fn() -> F,
    ) -> Result<T, Error> {
        retry_transient(SETUP_ATTEMPTS, || {}, send).await
    }

    /// Describes the table; returns `None` if it does not exist.
    pub(crate) async fn describe(&self) -> Result<Option<TableDescription>, Error> {
        let described = self.set_up(|| async {
            let request = self.client.describe_table().table_name(&self.table);
            let output = request.send().await;
            output.map_err(|error| self.failed("DescribeTable", error))
        });
        match described.await {
            Ok(output) => Ok(output.table),
            Err(error) if error.is_table_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns `true` if the table has any item.
    pub(crate) async fn has_items(&self, max_attempts: u32) -> Result<bool, Error> {
        let mut start = None;
        // A page without items may be followed by one with items: only a page without a
        // LastEvaluatedKey is the last one.
        loop {
            let send = || async {
                let request = self.client.scan().table_name(&self.table);
                let request = request.set_exclusive_start_key(start.clone());
                // One item is enough. Consistent, because it may have been written a moment ago.
                let output = request.limit(1).consistent_read(true).send().await;
                output.map_err(|error| self.failed("Scan", error))
            };
            let output = retry_transient(max_attempts, || {}, send).await?;
            if output.count > 0 {
                return Ok(true);
            }
            let end = output.last_evaluated_key.filter(|key| !key.is_empty());
            if end.is_none() {
                return Ok(false);
            }
            if end == start {
                return Err(self.error(
                    ErrorKind::Service,
                    "DynamoDB returned the same LastEvaluatedKey twice, so the scan would never \
                     end: check the endpoint",
                ));
            }
            start = end;
        }
    }

    /// Builds the error of a failed request.
    pub(crate) fn failed<E, R>(&self, operation: &'static str, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        self.error_context(operation).sdk_error(error)
    }

    /// Builds an error that does not come from the SDK.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.error_context(self.operation), message.into())
    }

    /// Builds the error of a request that failed because of its session.
    #[cfg(feature = "migrate")]
    pub(crate) fn session_failed(&self, operation: &'static str, error: bsm_core::Error) -> Error {
        self.error_context(operation).session_error(error)
    }

    /// Reads the key attributes of an item that this table has.
    pub(super) fn key_attributes(&self, item: &WireItem, key: &TableKey) -> Result<Item, Error> {
        item.inspect(key.names()).map_err(|flaw| self.flawed(flaw))
    }

    /// Builds the error of an item that cannot be read.
    pub(super) fn flawed(&self, flaw: InvalidItem) -> Error {
        match flaw {
            InvalidItem::UnknownType(path) => self.error(
                ErrorKind::InvalidItem,
                format!(
                    "the attribute `{path}` of an item has a type that this version of bsm-dynamodb \
                     does not know: update it"
                ),
            ),
            InvalidItem::Malformed => self.malformed("Scan"),
        }
    }

    /// Builds the error of a response that is not DynamoDB's JSON.
    pub(super) fn malformed(&self, operation: &'static str) -> Error {
        Error::new(
            // A transient kind, so that the request is retried: perhaps a proxy has responded in place of DynamoDB.
            ErrorKind::Unreachable,
            self.error_context(operation),
            "the response cannot be read: check that the endpoint is a DynamoDB endpoint",
        )
    }

    fn error_context(&self, operation: &'static str) -> ErrorContext {
        error_context(operation, &self.table, &self.manager, Some(self.region()))
    }
}

fn error_context(
    operation: &'static str,
    table: &str,
    manager: &BotoSesManager,
    region: Option<String>,
) -> ErrorContext {
    ErrorContext {
        operation,
        table: table.to_owned().into(),
        manager: manager.to_string(),
        region: region.filter(|region| !region.is_empty()),
    }
}

/// The names of the key attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableKey {
    pub(crate) hash: String,
    range: Option<String>,
}

impl TableKey {
    /// Returns the key of a table, or `None` if the description has no hash key.
    pub(crate) fn of(table: &TableDescription) -> Option<Self> {
        let name = |role: KeyType| {
            let mut elements = table.key_schema().iter();
            let element = elements.find(|element| *element.key_type() == role);
            element.map(|element| element.attribute_name().to_owned())
        };
        Some(Self {
            hash: name(KeyType::Hash)?,
            range: name(KeyType::Range),
        })
    }

    /// Returns the key of an item, or the name of the attribute that is missing or not a key.
    pub(crate) fn values_in(&self, item: &Item) -> Result<KeyValues, &str> {
        KeyValues::in_item(item, &self.hash, self.range.as_deref())
    }

    /// Returns the key attributes of an item unchanged.
    pub(crate) fn attributes_of(&self, item: &Item) -> Item {
        self.names()
            .filter_map(|name| Some((name.to_owned(), item.get(name)?.clone())))
            .collect()
    }

    /// Returns an expression for the key attributes, and the names of its aliases: an attribute name
    /// may be a reserved word.
    pub(crate) fn projection(&self) -> (String, Vec<(String, String)>) {
        let names = self.names().enumerate();
        let names: Vec<_> = names
            .map(|(number, name)| (format!("#k{number}"), name.to_owned()))
            .collect();
        let aliases: Vec<_> = names.iter().map(|(alias, _)| alias.as_str()).collect();
        (aliases.join(", "), names)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.hash).chain(self.range.as_deref())
    }
}

/// Returns the type of an attribute, if the table defines it.
pub(crate) fn defined_type<'a>(
    table: &'a TableDescription,
    name: &str,
) -> Option<&'a ScalarAttributeType> {
    let defined = table.attribute_definitions().iter();
    let mut defined = defined.filter(|attribute| attribute.attribute_name() == name);
    defined.next().map(AttributeDefinition::attribute_type)
}

/// Returns the attributes that must have a certain type because an index has them as keys.
pub(crate) fn index_keys(table: &TableDescription) -> Vec<AttributeDefinition> {
    let global = table.global_secondary_indexes().iter();
    let global = global.flat_map(|index| index.key_schema());
    let local = table.local_secondary_indexes().iter();
    let local = local.flat_map(|index| index.key_schema());
    // The keys of the table itself are compared by `check_keys`.
    let names: Vec<&str> = global
        .chain(local)
        .map(KeySchemaElement::attribute_name)
        .collect();
    let defined = table.attribute_definitions().iter();
    defined
        .filter(|attribute| names.contains(&attribute.attribute_name()))
        .cloned()
        .collect()
}
