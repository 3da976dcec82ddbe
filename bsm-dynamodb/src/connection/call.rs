//! One operation that is bound to its account: its client, and the context of its errors.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use bsm_core::BotoSesManager;

use crate::codec::{CodecError, Decode, Item};
use crate::connection::attempts::Attempts;
use crate::connection::client::{client_of, endpoint_url};
use crate::error::{Error, ErrorContext, ErrorKind};

/// One operation of the DynamoDB API on a table, bound to a manager.
pub(crate) struct Call {
    operation: &'static str,
    table: Cow<'static, str>,
    manager: BotoSesManager,
    client: OnceLock<Client>,
    /// Only of writes: a read needs none, and most operations are reads.
    attempts: OnceLock<Attempts>,
}

impl Call {
    pub(crate) fn new(
        operation: &'static str,
        table: impl Into<Cow<'static, str>>,
        manager: BotoSesManager,
    ) -> Self {
        Self {
            operation,
            table: table.into(),
            manager,
            client: OnceLock::new(),
            attempts: OnceLock::new(),
        }
    }

    /// Returns a call of another operation on the same table with the same manager.
    pub(crate) fn with_operation(&self, operation: &'static str) -> Self {
        // With attempts of its own, because those of another request say nothing about it.
        Self::new(operation, self.table.clone(), self.manager.clone())
    }

    /// Replaces the name of the table that errors show.
    pub(crate) fn with_table(mut self, table: String) -> Self {
        self.table = table.into();
        self
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    pub(crate) fn manager(&self) -> &BotoSesManager {
        &self.manager
    }

    /// Returns the client, which resolves the session on first use.
    pub(crate) async fn client(&self) -> Result<&Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        match client_of(&self.manager).await {
            // Two tasks may get here at the same time: all requests use the client of the first.
            Ok(client) => Ok(self.client.get_or_init(|| client)),
            Err(error) => Err(self.session_error(error)),
        }
    }

    /// Returns the interceptor of a write, which lets its error say whether the write may have been done.
    pub(crate) fn attempts(&self) -> Attempts {
        self.attempts.get_or_init(Attempts::default).clone()
    }

    /// Returns the account that the call goes to.
    pub(crate) async fn account(&self) -> Result<String, Error> {
        let account = self.manager.aws_account_id().await;
        account.map_err(|error| self.session_error(error))
    }

    /// Returns the endpoint that is set for DynamoDB; `None` if the SDK derives it from the region.
    pub(crate) async fn endpoint_url(&self) -> Result<Option<String>, Error> {
        let config = self.manager().sdk_config().await;
        let config = config.map_err(|error| self.session_error(error))?;
        Ok(endpoint_url(&config))
    }

    /// Returns the ARN of the identity that makes the call.
    pub(crate) async fn principal_arn(&self) -> Result<String, Error> {
        let arn = self.manager.principal_arn().await;
        arn.map_err(|error| self.session_error(error))
    }

    /// Converts an item that was read. The error has its key, the attributes of these names.
    pub(crate) fn decode<T>(
        &self,
        decode: impl FnOnce(Item) -> Result<T, CodecError>,
        item: Item,
        key_names: impl IntoIterator<Item = &'static str>,
    ) -> Result<T, Error> {
        // Before `decode`, which consumes the item.
        let key = attributes_of(&item, key_names);
        decode(item).map_err(|cause| self.misfit::<T>(cause, key))
    }

    fn misfit<T>(&self, cause: CodecError, key: Item) -> Error {
        let message = format!(
            "an item of the table does not fit the type {}: an attribute is missing or has another \
             type; item_key() returns its key",
            std::any::type_name::<T>()
        );
        self.invalid_item(message, cause).with_item_key(key)
    }

    /// Converts an item that a write returned.
    ///
    /// The caller of a failed operation would otherwise repeat a write that was done.
    pub(crate) fn decode_written<T>(
        &self,
        decode: Decode<T>,
        item: Item,
        key_names: impl IntoIterator<Item = &'static str>,
    ) -> Result<T, Error> {
        let key = attributes_of(&item, key_names);
        decode(item).map_err(|cause| {
            let message = format!(
                "the write was done, but the item that it returned does not fit the type {}: do not \
                 repeat it",
                std::any::type_name::<T>()
            );
            self.invalid_item(message, cause).with_item_key(key).applied()
        })
    }

    /// Builds an error that has no SDK error behind it.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(kind, self.context(), message)
    }

    /// Converts the SDK's error.
    pub(crate) fn sdk_error<E, R>(&self, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let error = self.context().sdk_error(error);
        // After a lost response it is unknown whether DynamoDB has done the write: the error says so,
        // even if the last attempt was refused.
        match self.attempts.get().is_some_and(Attempts::response_was_lost) {
            true => error.applied(),
            false => error,
        }
    }

    /// Converts the error of the session.
    fn session_error(&self, error: bsm_core::Error) -> Error {
        self.context().session_error(error)
    }

    /// Builds the error of a model that cannot be converted to an item.
    pub(crate) fn encode_error<M>(&self, cause: CodecError) -> Error {
        let message = format!(
            "a value of the model {} cannot be stored as an item",
            std::any::type_name::<M>()
        );
        self.invalid_item(message, cause)
    }

    fn invalid_item(&self, message: String, cause: CodecError) -> Error {
        self.error(ErrorKind::InvalidItem, message)
            .with_source(cause)
    }

    /// Builds the error of a condition or an update that cannot be written as an expression.
    pub(crate) fn expression_error(&self, cause: CodecError) -> Error {
        let message = "the expression cannot be written: the cause says why";
        self.error(ErrorKind::InvalidRequest, message)
            .with_source(cause)
    }

    /// Builds the error of a request that lacks a field.
    pub(crate) fn build_error(&self, cause: BuildError) -> Error {
        let message = "the request cannot be built: the cause says why";
        self.error(ErrorKind::InvalidRequest, message)
            .with_source(cause)
    }

    fn context(&self) -> ErrorContext {
        // Not `client()`: an error must not resolve the session again.
        let client = self.client.get();
        let region = client.and_then(|client| client.config().region());
        ErrorContext {
            operation: self.operation,
            table: self.table.clone(),
            manager: self.manager.to_string(),
            region: region.map(ToString::to_string),
        }
    }
}

fn attributes_of(item: &Item, names: impl IntoIterator<Item = &'static str>) -> Item {
    let names = names.into_iter();
    let attributes = names.filter_map(|name| item.get_key_value(name));
    attributes
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
