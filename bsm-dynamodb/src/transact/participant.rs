//! The models that take part in a transaction, and that they share a connection.

use std::any::TypeId;
use std::borrow::Cow;
use std::pin::Pin;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use bsm_core::BotoSesManager;

use super::CancellationReason;
use crate::codec::CodecError;
use crate::connection::slot::Call;
use crate::error::{Error, ErrorKind};
use crate::model::Model;

/// Binds a model, for an operation of the DynamoDB API.
type Bind = fn(&'static str) -> Connection;

/// The models that take part, each once.
#[derive(Default)]
pub(super) struct Participants(Vec<(TypeId, Bind)>);

impl Participants {
    pub(super) fn add<M: Model>(&mut self) {
        let model = TypeId::of::<M>();
        if self.0.iter().all(|(known, _)| *known != model) {
            self.0.push((model, |operation| {
                Box::new(crate::slot::<M>().call(operation))
            }));
        }
    }

    /// Binds each model to the manager that it follows, here and now.
    pub(super) fn bind(&self, operation: &'static str) -> Connections {
        Connections(self.0.iter().map(|(_, bind)| bind(operation)).collect())
    }
}

/// A call of one model.
type Connection = Box<dyn Participant>;

/// The bound models of a transaction.
pub(super) struct Connections(Vec<Connection>);

impl Connections {
    /// Returns the client that all models share.
    pub(super) async fn client(&self) -> Result<Option<Client>, Error> {
        let Some((first, others)) = self.0.split_first() else {
            return Ok(None);
        };
        let client = first.client().await?;
        for other in others {
            let its_client = other.client().await?;
            // Each manager's client has a partition of its own.
            if its_client.config().retry_partition() == client.config().retry_partition() {
                continue;
            }
            let same_region = its_client.config().region() == client.config().region();
            if !same_region || other.identity().await? != first.identity().await? {
                let message = format!(
                    "the models of a transaction follow different sessions, {} and {} (table {}): \
                     switch them together, as in use_boto_session::<(A, B)>()",
                    first.manager(),
                    other.manager(),
                    other.table(),
                );
                return Err(first.error(ErrorKind::InvalidRequest, message.into()));
            }
        }
        Ok(Some(client))
    }

    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        let message = message.into();
        self.named(self.first().error(kind, message))
    }

    pub(super) fn write_failed(&self, error: WriteFailure) -> Error {
        let reasons = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                Some(CancellationReason::all(cancelled.cancellation_reasons()))
            }
            _ => None,
        };
        let error = self.first().write_failed(error);
        self.named(error).with_cancellation_reasons(reasons)
    }

    pub(super) fn get_failed(&self, error: GetFailure) -> Error {
        let reasons = match error.as_service_error() {
            Some(TransactGetItemsError::TransactionCanceledException(cancelled)) => {
                Some(CancellationReason::all(cancelled.cancellation_reasons()))
            }
            _ => None,
        };
        let error = self.first().get_failed(error);
        self.named(error).with_cancellation_reasons(reasons)
    }

    fn first(&self) -> &dyn Participant {
        let first = self.0.first();
        &**first.expect("a transaction with actions has a model")
    }

    /// Builds the error of an action that cannot be written down.
    pub(super) fn not_built(&self, place: usize, cause: CodecError) -> Error {
        let message = format!("action {} cannot be written: the cause says why", place + 1);
        self.error(ErrorKind::InvalidItem, message)
            .with_source(cause)
    }

    /// Names every table in an error.
    fn named(&self, error: Error) -> Error {
        let mut tables: Vec<_> = self.0.iter().map(|it| it.table()).collect();
        tables.dedup();
        error.with_table(tables.join(", "))
    }
}

/// A call of any model.
trait Participant: Send + Sync {
    fn client(&self) -> Answer<'_, Client>;
    fn identity(&self) -> Answer<'_, String>;
    fn manager(&self) -> &BotoSesManager;
    fn table(&self) -> String;
    fn error(&self, kind: ErrorKind, message: Cow<'static, str>) -> Error;
    fn write_failed(&self, error: WriteFailure) -> Error;
    fn get_failed(&self, error: GetFailure) -> Error;
}

type WriteFailure = SdkError<TransactWriteItemsError, HttpResponse>;
type GetFailure = SdkError<TransactGetItemsError, HttpResponse>;
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl<M: Model> Participant for Call<M> {
    fn client(&self) -> Answer<'_, Client> {
        Box::pin(async { Self::client(self).await.cloned() })
    }

    fn identity(&self) -> Answer<'_, String> {
        Box::pin(Self::principal_arn(self))
    }

    fn manager(&self) -> &BotoSesManager {
        Self::manager(self)
    }

    fn table(&self) -> String {
        Self::table(self)
    }

    fn error(&self, kind: ErrorKind, message: Cow<'static, str>) -> Error {
        Self::error(self, kind, message)
    }

    fn write_failed(&self, error: WriteFailure) -> Error {
        self.failed(error)
    }

    fn get_failed(&self, error: GetFailure) -> Error {
        self.failed(error)
    }
}
