//! One of the two tables, and the requests to it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::TableDescription;
use bsm_core::BotoSesManager;

use super::statistics::Statistics;
use crate::codec::Item;
use crate::error::{Error, ErrorContext, ErrorKind};
use crate::model::key::KeyValues;
use crate::throttle::backoff::Backoff;

/// How often a request is sent before the copy begins: a typing error should not take a minute.
const FIRST_ATTEMPTS: u32 = 5;

/// A table with the manager that reaches it.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) client: Client,
    pub(super) table: String,
    manager: BotoSesManager,
}

/// The client of copies: retries are counted and bounded here, not in the SDK.
#[derive(Clone)]
struct CopyClient(Client);

impl CopyClient {
    fn new(config: aws_sdk_dynamodb::config::Builder) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let partition = RetryPartition::custom(format!("bsm-dynamodb-copy-{number}")).build();
        let config = config
            .retry_config(RetryConfig::disabled())
            .retry_partition(partition);
        Self(Client::from_conf(config.build()))
    }
}

impl Side {
    pub(super) async fn open(manager: &BotoSesManager, table: &str) -> Result<Self, Error> {
        let client = manager.client(|config| CopyClient::new(config.into()));
        match client.await {
            Ok(CopyClient(client)) => Ok(Self {
                client,
                table: table.to_owned(),
                manager: manager.clone(),
            }),
            Err(error) => Err(place("CopyTable", table, manager, None).session_error(error)),
        }
    }

    pub(super) async fn account(&self) -> Result<String, Error> {
        let account = self.manager.aws_account_id().await;
        account.map_err(|error| self.place("GetCallerIdentity").session_error(error))
    }

    pub(super) fn region(&self) -> Option<String> {
        self.client.config().region().map(ToString::to_string)
    }

    pub(super) fn manager(&self) -> &BotoSesManager {
        &self.manager
    }

    /// Describes the table, or returns `None` if there is none.
    pub(super) async fn describe(&self) -> Result<Option<TableDescription>, Error> {
        let described = persist(FIRST_ATTEMPTS, None, || async {
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

    /// Says whether the table has any item.
    pub(super) async fn has_items(&self) -> Result<bool, Error> {
        let output = persist(FIRST_ATTEMPTS, None, || async {
            let request = self.client.scan().table_name(&self.table);
            let output = request.limit(1).consistent_read(true).send().await;
            output.map_err(|error| self.failed("Scan", error))
        });
        Ok(output.await?.count > 0)
    }

    /// Builds the error of a request that failed.
    pub(super) fn failed<E, R>(&self, operation: &'static str, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        self.place(operation).sdk_error(error)
    }

    /// Builds an error that is not the SDK's.
    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.place("CopyTable"), message.into())
    }

    fn place(&self, operation: &'static str) -> ErrorContext {
        place(operation, &self.table, &self.manager, self.region())
    }
}

fn place(
    operation: &'static str,
    table: &str,
    manager: &BotoSesManager,
    region: Option<String>,
) -> ErrorContext {
    ErrorContext {
        operation,
        table: table.to_owned().into(),
        manager: manager.to_string(),
        region,
    }
}

/// Sends a request until it is answered, or has failed too often, or for good.
pub(super) async fn persist<T, F: Future<Output = Result<T, Error>>>(
    max_attempts: u32,
    statistics: Option<&Statistics>,
    send: impl Fn() -> F,
) -> Result<T, Error> {
    let mut backoff = Backoff::new(max_attempts);
    loop {
        match send().await {
            Err(error) if is_transient(&error) => {
                if !backoff.wait_before_retry(1, 1).await {
                    return Err(error);
                }
                if let Some(statistics) = statistics {
                    statistics.count(|counts| counts.retried += 1);
                }
            }
            done => return done,
        }
    }
}

/// Says whether the same request may well succeed a little later.
pub(super) fn is_transient(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Throttled | ErrorKind::Unreachable => true,
        // Credentials may expire between signing and arrival, and their manager refreshes them; or
        // the machine has slept, and the signature is too old.
        ErrorKind::CredentialsRejected => matches!(
            error.aws_code(),
            Some("ExpiredToken" | "ExpiredTokenException" | "InvalidSignatureException")
        ),
        // The same holds for the request with which a session refreshes a role.
        ErrorKind::Session => error.session_error().is_some_and(|error| {
            error.is_unreachable() || error.kind() == bsm_core::ErrorKind::CredentialsRejected
        }),
        ErrorKind::Service => matches!(
            error.aws_code(),
            Some("InternalFailure" | "InternalServerError" | "ServiceUnavailable")
        ),
        _ => false,
    }
}

/// The names of the key attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableKey {
    pub(super) hash: String,
    pub(super) range: Option<String>,
}

impl TableKey {
    /// Reads the key out of an item, or gives the name of the attribute that is not a key.
    pub(super) fn values_in(&self, item: &Item) -> Result<KeyValues, &str> {
        KeyValues::in_item(item, &self.hash, self.range.as_deref())
    }

    /// Takes the key attributes of an item as they are.
    pub(super) fn attributes_of(&self, item: &Item) -> Item {
        self.names()
            .filter_map(|name| Some((name.to_owned(), item.get(name)?.clone())))
            .collect()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.hash).chain(self.range.as_deref())
    }
}
