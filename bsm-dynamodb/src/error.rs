//! The error of this crate.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use bsm_core::{FailureStep, SdkFailure};

use crate::batch::Unprocessed;
use crate::codec::{Codec, CodecError, Item};
use crate::model::Model;
use crate::transact::CancellationReason;

/// Why an operation on a model failed.
///
/// The message names the operation, the table and the manager, states one fact and says what to do.
/// The error of the session or of the codec is the [`source()`](StdError::source), and of an error of
/// the SDK an [`SdkFailure`], which has the request id and AWS's own message. Values of items appear
/// in neither.
///
/// Branch on a predicate or on [`kind()`](Error::kind):
///
/// ```no_run
/// # use bsm_dynamodb::{Error, Model};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # async fn f() -> Result<(), Error> {
/// let user = match User::get("123").await {
///     Ok(user) => Some(user),
///     Err(error) if error.is_item_not_found() => None,
///     Err(error) => return Err(error),
/// };
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    at: Place,
    message: Cow<'static, str>,
    aws_code: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    unprocessed: Option<Unprocessed>,
    unread_keys: Option<Vec<Item>>,
    cancellation_reasons: Vec<CancellationReason>,
    existing_item: Option<Item>,
}

/// Where an error happened.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) operation: &'static str,
    pub(crate) table: Cow<'static, str>,
    pub(crate) manager: String,
    pub(crate) region: Option<String>,
}

/// The kinds of [`Error`], by what a program can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The table has no item with this key.
    ItemNotFound,
    /// The table does not exist in the account and region that the operation was bound to.
    TableNotFound,
    /// The table exists, but is being created, changed or deleted.
    TableInUse,
    /// The table exists with another key than the model's.
    TableMismatch,
    /// The condition of a write did not hold.
    ConditionalCheckFailed,
    /// A transaction was cancelled, and nothing was done; see [`Error::cancellation_reasons`].
    TransactionCancelled,
    /// DynamoDB refused the request because there are too many of them.
    Throttled,
    /// The identity lacks the permission.
    AccessDenied,
    /// DynamoDB did not accept the credentials: expired, unknown, or wrong.
    CredentialsRejected,
    /// The session could not provide a client or credentials; see [`Error::session_error`].
    Session,
    /// A model could not be turned into an item, or an item into a model.
    InvalidItem,
    /// DynamoDB does not accept the request as it is.
    InvalidRequest,
    /// A cursor belongs to another table, index, account or region, or to another operation.
    InvalidCursor,
    /// Some writes of a batch were not done, or some keys not read; see [`Error::unprocessed`] and
    /// [`Error::unread_keys`].
    BatchIncomplete,
    /// The table did not become ready within the time that was given.
    WaitTimedOut,
    /// The table to copy to is the table to copy from.
    SameTable,
    /// The table to copy to has items already.
    TableNotEmpty,
    /// A checkpoint of a copy is of other tables, or its file cannot be read or written.
    Checkpoint,
    /// A copy was stopped before its end.
    Stopped,
    /// The endpoint could not be reached, or did not answer in time.
    Unreachable,
    /// DynamoDB answered with another error.
    Service,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, at: Place, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            at,
            message: message.into(),
            aws_code: None,
            source: None,
            unprocessed: None,
            unread_keys: None,
            cancellation_reasons: Vec::new(),
            existing_item: None,
        }))
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_aws_code(mut self, code: Option<&str>) -> Self {
        self.0.aws_code = code.map(str::to_owned);
        self
    }

    pub(crate) fn with_table(mut self, table: String) -> Self {
        self.0.at.table = table.into();
        self
    }

    pub(crate) fn with_cancellation_reasons(
        mut self,
        reasons: Option<Vec<CancellationReason>>,
    ) -> Self {
        self.0.cancellation_reasons = reasons.unwrap_or_default();
        self
    }

    pub(crate) fn with_unread_keys(mut self, keys: Vec<Item>) -> Self {
        self.0.unread_keys = Some(keys);
        self
    }

    pub(crate) fn with_unprocessed(mut self, unprocessed: Unprocessed) -> Self {
        self.0.unprocessed = Some(unprocessed);
        self
    }

    pub(crate) fn with_existing_item(mut self, item: Option<Item>) -> Self {
        self.0.existing_item = item;
        self
    }

    /// Returns the kind of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the name of the table.
    pub fn table(&self) -> &str {
        &self.0.at.table
    }

    /// Returns the operation of the DynamoDB API, such as `GetItem`.
    pub fn operation(&self) -> &str {
        self.0.at.operation
    }

    /// Returns the error code with which AWS answered, such as `ResourceNotFoundException`.
    pub fn aws_code(&self) -> Option<&str> {
        self.0.aws_code.as_deref()
    }

    /// Returns the error of the session, if that is why the operation failed.
    pub fn session_error(&self) -> Option<&bsm_core::Error> {
        self.source().and_then(bsm_core::Error::find_in)
    }

    /// Returns the writes that a batch did not do.
    ///
    /// They may be given to [`BatchWrite::resume`](crate::BatchWrite::resume) later.
    pub fn unprocessed(&self) -> Option<&Unprocessed> {
        self.0.unprocessed.as_ref()
    }

    /// Returns why a transaction was cancelled: a reason for each action, in the order of the call.
    ///
    /// It is empty if the error is none of a cancelled transaction.
    pub fn cancellation_reasons(&self) -> &[CancellationReason] {
        &self.0.cancellation_reasons
    }

    /// Returns the keys that [`get_many`](crate::Model::get_many) did not read.
    pub fn unread_keys(&self) -> Option<&[Item]> {
        self.0.unread_keys.as_deref()
    }

    /// Takes out the writes that a batch did not do.
    pub fn into_unprocessed(self) -> Option<Unprocessed> {
        self.0.unprocessed
    }

    /// Returns the item that was there when the condition of a write did not hold.
    ///
    /// There is none if the condition demanded that there is one.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use bsm_dynamodb::{Error, Model};
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f(user: User) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let saved = user.save().condition(User::id().not_exists()).await;
    /// match saved {
    ///     Err(error) if error.is_conditional_check_failed() => {
    ///         let existing: Option<User> = error.existing_model()?;
    ///     }
    ///     saved => saved?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn existing_item(&self) -> Option<&Item> {
        self.0.existing_item.as_ref()
    }

    /// Returns the [`existing_item`](Self::existing_item) as a model.
    ///
    /// # Errors
    ///
    /// That of the model's codec, if the item does not fit the model.
    pub fn existing_model<M: Model>(&self) -> Result<Option<M>, CodecError> {
        let item = self.0.existing_item.clone();
        item.map(M::Codec::from_item).transpose()
    }

    /// Says whether the table has no item with this key.
    pub fn is_item_not_found(&self) -> bool {
        self.kind() == ErrorKind::ItemNotFound
    }

    /// Says whether the table does not exist in the account and region of the operation.
    pub fn is_table_not_found(&self) -> bool {
        self.kind() == ErrorKind::TableNotFound
    }

    /// Says whether the condition of a write did not hold.
    pub fn is_conditional_check_failed(&self) -> bool {
        self.kind() == ErrorKind::ConditionalCheckFailed
    }

    /// Says whether a cursor belongs elsewhere.
    pub fn is_invalid_cursor(&self) -> bool {
        self.kind() == ErrorKind::InvalidCursor
    }

    /// Says whether a transaction was cancelled; see [`Error::cancellation_reasons`].
    pub fn is_transaction_cancelled(&self) -> bool {
        self.kind() == ErrorKind::TransactionCancelled
    }

    /// Says whether DynamoDB refused the request because there are too many of them.
    pub fn is_throttled(&self) -> bool {
        self.kind() == ErrorKind::Throttled
    }

    /// Says whether the identity lacks the permission.
    pub fn is_access_denied(&self) -> bool {
        self.kind() == ErrorKind::AccessDenied
    }

    /// Says whether the session could not provide a client or credentials.
    pub fn is_session(&self) -> bool {
        self.kind() == ErrorKind::Session
    }

    /// Says whether some writes of a batch were not done, or some keys not read, whatever the reason.
    pub fn is_batch_incomplete(&self) -> bool {
        self.0.unprocessed.is_some() || self.0.unread_keys.is_some()
    }

    /// Says whether the endpoint could not be reached.
    pub fn is_unreachable(&self) -> bool {
        self.kind() == ErrorKind::Unreachable
    }
}

impl ErrorKind {
    /// Sorts an error code of DynamoDB into a kind.
    ///
    /// Source: "Error handling with DynamoDB" in the Developer Guide, and "Common errors" in the
    /// API Reference.
    pub(crate) fn of_aws_code(code: &str) -> Self {
        match code {
            "ResourceNotFoundException" | "TableNotFoundException" => Self::TableNotFound,
            "ResourceInUseException" | "TableAlreadyExistsException" | "TableInUseException" => {
                Self::TableInUse
            }
            "ConditionalCheckFailedException" => Self::ConditionalCheckFailed,
            "TransactionCanceledException" => Self::TransactionCancelled,
            "LimitExceededException"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingException" => Self::Throttled,
            "AccessDenied" | "AccessDeniedException" => Self::AccessDenied,
            "ExpiredToken"
            | "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => Self::CredentialsRejected,
            "IdempotentParameterMismatchException"
            | "ItemCollectionSizeLimitExceededException"
            | "SerializationException"
            | "ValidationException" => Self::InvalidRequest,
            _ => Self::Service,
        }
    }

    /// The fact and the way out, for an error that DynamoDB answered with.
    pub(crate) fn advice(self, code: &str) -> Cow<'static, str> {
        match self {
            Self::TableNotFound => {
                "the table does not exist in this account and region: create it with \
                 create_table(), or use the session that has it"
            }
            Self::TableInUse => {
                "the table is being created, changed or deleted: try again when it is done"
            }
            Self::ConditionalCheckFailed => "the condition of the write does not hold",
            Self::TransactionCancelled => {
                "the transaction was cancelled and nothing was done: cancellation_reasons() says \
                 why, action by action"
            }
            Self::Throttled => {
                "DynamoDB refused the request because there are too many: send fewer, or give the \
                 table more capacity"
            }
            Self::AccessDenied => {
                "the identity may not do this: allow it the action on the table, or use another \
                 session"
            }
            Self::CredentialsRejected => {
                "DynamoDB did not accept the credentials: check the keys and the clock, or sign in \
                 again"
            }
            Self::InvalidRequest => "DynamoDB does not accept the request: the cause says why",
            _ => return format!("DynamoDB answered {code}").into(),
        }
        .into()
    }
}

impl Place {
    /// Builds the error of a request that failed.
    pub(crate) fn failed<E, R>(self, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let failure = match SdkFailure::new(error) {
            Ok(failure) => failure,
            Err(error) => return self.no_session(error),
        };
        if failure.step() == FailureStep::Endpoint {
            let kind = bsm_core::ErrorKind::InvalidConfig;
            let error = bsm_core::Error::new(kind, failure.advice());
            return self.no_session(error.with_source(failure));
        }
        let (kind, message) = match (failure.step(), failure.code()) {
            (FailureStep::Service, Some(code)) => {
                let kind = ErrorKind::of_aws_code(code);
                (kind, kind.advice(code))
            }
            (FailureStep::Build, _) => (
                ErrorKind::InvalidRequest,
                "the request could not be built: the cause says why".into(),
            ),
            (FailureStep::Service, None) => (ErrorKind::Service, failure.advice().into()),
            (FailureStep::Response, _) => (
                ErrorKind::Unreachable,
                "the answer could not be read: is the endpoint a DynamoDB endpoint?".into(),
            ),
            _ => {
                let endpoint = failure.endpoint().map(|endpoint| format!(" {endpoint}"));
                let endpoint = endpoint.unwrap_or_default();
                let message = format!(
                    "the endpoint{endpoint} could not be reached: check the network, the region and \
                     any endpoint_url"
                );
                (ErrorKind::Unreachable, message.into())
            }
        };
        let code = failure.code().map(str::to_owned);
        Error::new(kind, self, message)
            .with_aws_code(code.as_deref())
            .with_source(failure)
    }

    /// Builds the error of a session that cannot be used.
    pub(crate) fn no_session(self, error: bsm_core::Error) -> Error {
        Error::new(ErrorKind::Session, self, "the session cannot be used").with_source(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.at, self.0.message)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} on table {} ({}",
            self.operation, self.table, self.manager
        )?;
        if let Some(region) = &self.region {
            write!(f, ", {region}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug
            .field("kind", &self.0.kind)
            .field("message", &self.to_string());
        // What causes say about themselves with `Debug` may show values.
        let causes: Vec<_> = std::iter::successors(self.source(), |&cause| cause.source())
            .map(ToString::to_string)
            .collect();
        if !causes.is_empty() {
            debug.field("causes", &causes);
        }
        if !self.cancellation_reasons().is_empty() {
            debug.field("cancellation_reasons", &self.cancellation_reasons());
        }
        if let Some(keys) = &self.0.unread_keys {
            debug.field("unread_keys", &keys.len());
        }
        if let Some(unprocessed) = &self.0.unprocessed {
            debug.field("unprocessed", unprocessed);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
