//! The error of this crate.

pub(crate) mod cancellation;
pub(crate) mod unprocessed;

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use bsm_core::{FailureStep, SdkFailure, adapter};

use self::cancellation::CancellationReason;
use self::unprocessed::Unprocessed;
use crate::codec::Item;

/// The error of an operation on a model or a table.
///
/// The message names the operation, the table and the manager, states one fact and says what to do.
/// The [`source()`](StdError::source) is the cause that the message doesn't show: the error of the
/// codec, or an [`SdkFailure`], which has the request id and AWS's own message. If the session failed,
/// the message contains the session's own message, and [`session_error`](Self::session_error) returns
/// its error. Neither the message nor a cause contains a value of an item.
///
/// # Examples
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

// Behind a box, so that an `Error` has the size of a pointer and every `Result` stays small.
struct Inner {
    kind: ErrorKind,
    context: ErrorContext,
    message: Cow<'static, str>,
    aws_code: Option<String>,
    cause: Cause,
    unprocessed: Option<Unprocessed>,
    unread_keys: Option<Vec<Item>>,
    cancellation_reasons: Vec<CancellationReason>,
    existing_item: Option<Item>,
    item_key: Option<Item>,
    may_have_been_applied: bool,
}

/// What led to an error.
enum Cause {
    None,
    /// The session's error. The message of our error ends with its message.
    Session(bsm_core::Error),
    Other(Box<dyn StdError + Send + Sync>),
}

/// The request that an error belongs to: what the first half of its message says.
#[derive(Debug)]
pub(crate) struct ErrorContext {
    pub(crate) operation: &'static str,
    pub(crate) table: Cow<'static, str>,
    pub(crate) manager: String,
    /// Known once the manager has a client.
    pub(crate) region: Option<String>,
}

/// The kinds of [`Error`], by what a program can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The table has no item with this key.
    ItemNotFound,
    /// The table does not exist in the account and region of the operation.
    TableNotFound,
    /// The table is being created, changed or deleted.
    TableInUse,
    /// The table exists, but its key or an index differs from the model's.
    TableMismatch,
    /// The condition of a write is false.
    ConditionalCheckFailed,
    /// A transaction was cancelled, and none of its actions took effect; see
    /// [`Error::cancellation_reasons`].
    TransactionCancelled,
    /// Another request was changing the item at the same time, and nothing was done. The SDK has retried it.
    Conflict,
    /// A transaction with the same token is still in progress.
    TransactionInProgress,
    /// The items of a hash key, with their local indexes, have more than 10 GB.
    ItemCollectionTooLarge,
    /// DynamoDB throttled the request.
    Throttled,
    /// A quota of the account is used up, such as that of tables, of indexes or of simultaneous operations on tables.
    LimitExceeded,
    /// The identity lacks the permission.
    AccessDenied,
    /// DynamoDB rejected the credentials: they have expired, are unknown, or are wrong.
    CredentialsRejected,
    /// The session failed to provide a client or credentials; see [`Error::session_error`].
    Session,
    /// A model cannot be converted to an item, or an item to a model.
    InvalidItem,
    /// The request is invalid: either DynamoDB rejected it, or it was not sent.
    InvalidRequest,
    /// A cursor belongs to another table, index, account, region, or kind of operation.
    InvalidCursor,
    /// DynamoDB did not process some writes of a batch, or some keys; see [`Error::unprocessed`]
    /// and [`Error::unread_keys`].
    BatchIncomplete,
    /// The table did not reach the expected state before the time limit.
    WaitTimedOut,
    /// The source and the target of a copy or migration are the same table.
    SameTable,
    /// The target table of a copy or migration already contains items.
    TableNotEmpty,
    /// The checkpoint of a copy or migration belongs to other tables or settings, or its file cannot be
    /// read or written.
    Checkpoint,
    /// A copy or migration was stopped before it was complete.
    Stopped,
    /// An export to S3 or an import from S3 failed or is incomplete, or the stream of a migration no
    /// longer has what is needed.
    TransferFailed,
    /// The source and the target of a migration differ after the writers have stopped.
    TablesDiffer,
    /// The endpoint cannot be reached, or did not respond in time.
    Unreachable,
    /// DynamoDB returned another error.
    Service,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        context: ErrorContext,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            context,
            message: message.into(),
            aws_code: None,
            cause: Cause::None,
            unprocessed: None,
            unread_keys: None,
            cancellation_reasons: Vec::new(),
            existing_item: None,
            item_key: None,
            may_have_been_applied: false,
        }))
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.cause = Cause::Other(source.into());
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

    pub(crate) fn with_item_key(mut self, key: Item) -> Self {
        // An item may have none of the key attributes. `item_key()` then returns `None` instead of an empty key.
        self.0.item_key = Some(key).filter(|key| !key.is_empty());
        self
    }

    /// Records that the write was done, or may have been.
    pub(crate) fn applied(mut self) -> Self {
        self.0.may_have_been_applied = true;
        self
    }

    /// Returns the kind of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the name of the table.
    pub fn table(&self) -> &str {
        &self.0.context.table
    }

    /// Returns the operation of the DynamoDB API, such as `GetItem`.
    pub fn operation(&self) -> &str {
        self.0.context.operation
    }

    /// Returns the error code that AWS returned, such as `ResourceNotFoundException`.
    pub fn aws_code(&self) -> Option<&str> {
        self.0.aws_code.as_deref()
    }

    /// Returns the SDK's own error by value, to be downcast to an
    /// [`SdkError`] of the operation.
    ///
    /// Its `Debug` form prints the request or the response, items included: do not log it.
    ///
    /// # Errors
    ///
    /// Returns this error if no request was its cause.
    pub fn into_sdk_error(mut self) -> Result<Box<dyn StdError + Send + Sync>, Self> {
        // `downcast` consumes the source, so a source of another type is put back.
        self.0.cause = match std::mem::replace(&mut self.0.cause, Cause::None) {
            Cause::Other(source) => match source.downcast::<SdkFailure>() {
                Ok(failure) => return Ok(failure.into_sdk_error()),
                Err(source) => Cause::Other(source),
            },
            cause => cause,
        };
        Err(self)
    }

    /// Returns the session's error, if the session is why the operation failed.
    pub fn session_error(&self) -> Option<&bsm_core::Error> {
        match &self.0.cause {
            Cause::Session(error) => Some(error),
            // The session's error may be further down the chain of another cause.
            Cause::Other(source) => bsm_core::Error::find_in(source.as_ref()),
            Cause::None => None,
        }
    }

    /// Returns the writes of a batch that DynamoDB did not process.
    ///
    /// Pass them to [`BatchWrite::resume`](crate::BatchWrite::resume) to retry them later.
    pub fn unprocessed(&self) -> Option<&Unprocessed> {
        self.0.unprocessed.as_ref()
    }

    /// Returns why a transaction was cancelled: one reason per action, in the order of the actions.
    ///
    /// The slice is empty for every other kind of error.
    pub fn cancellation_reasons(&self) -> &[CancellationReason] {
        &self.0.cancellation_reasons
    }

    /// Returns the writes of a batch that DynamoDB did not process, consuming the error.
    pub fn into_unprocessed(self) -> Option<Unprocessed> {
        self.0.unprocessed
    }

    /// Returns the keys that [`get_many`](crate::Model::get_many) did not read.
    ///
    /// Pass them to [`GetMany::resume`](crate::GetMany::resume) to read them later.
    pub fn unread_keys(&self) -> Option<&[Item]> {
        self.0.unread_keys.as_deref()
    }

    /// Returns the keys that [`get_many`](crate::Model::get_many) did not read, consuming the error.
    pub fn into_unread_keys(self) -> Option<Vec<Item>> {
        self.0.unread_keys
    }

    /// Returns the item that made the condition of a write false.
    ///
    /// Returns `None` if the table has no item with the key of the write.
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

    /// Returns the key of an item that does not fit the type that it was read as.
    ///
    /// The key consists of the key attributes of the table, and of the index if one was read. It is in
    /// no message, because it may be a name or an address.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use bsm_dynamodb::{Error, Model};
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), Error> {
    /// use futures_util::StreamExt as _;
    ///
    /// let mut users = User::scan().stream();
    /// while let Some(user) = users.next().await {
    ///     match user {
    ///         Ok(user) => println!("{}", user.id),
    ///         Err(error) if error.is_invalid_item() => eprintln!("{:?}", error.item_key()),
    ///         Err(error) => return Err(error),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn item_key(&self) -> Option<&Item> {
        self.0.item_key.as_ref()
    }

    /// Returns `true` if DynamoDB may have done the write, although the operation failed.
    ///
    /// That is so if the response to an attempt was lost, because the connection broke, a time limit
    /// passed or DynamoDB responded with status 500 or more. The SDK retries such an attempt. If the first
    /// one was done, the condition of the second one is false: an insert with `not_exists()` fails
    /// because of its own item, and so does the save of a [`Version`](crate::Version).
    ///
    /// If the write was done and only the returned item does not fit the model, it is `true` as well. It is
    /// known for `save`, `update`, `delete` and `transact_write`, and for the operations that create, change or
    /// delete a table, its indexes or its time to live. It is `false` for everything else.
    ///
    /// An [`update`](crate::Model::update) with `increment()` can be done twice and succeed. A
    /// [`transact_write`](crate::transact_write) has a token and is done once.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use bsm_dynamodb::{Error, Model};
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "locks")]
    /// # struct Lock { #[model(hash_key)] id: String, owner: String }
    /// # async fn f(lock: Lock) -> Result<bool, Error> {
    /// match lock.save().condition(Lock::id().not_exists()).await {
    ///     Ok(()) => Ok(true),
    ///     // Either another writer has the lock, or this one has it and the response was lost.
    ///     Err(error) if error.is_conditional_check_failed() && error.may_have_been_applied() => {
    ///         let stored = Lock::get(&lock.id).consistent_read(true).await?;
    ///         Ok(stored.owner == lock.owner)
    ///     }
    ///     Err(error) if error.is_conditional_check_failed() => Ok(false),
    ///     Err(error) => Err(error),
    /// }
    /// # }
    /// ```
    pub fn may_have_been_applied(&self) -> bool {
        self.0.may_have_been_applied
    }

    /// Returns `true` if an item does not fit its type, or a model cannot be stored.
    pub fn is_invalid_item(&self) -> bool {
        self.kind() == ErrorKind::InvalidItem
    }

    /// Returns `true` if the table has no item with this key.
    pub fn is_item_not_found(&self) -> bool {
        self.kind() == ErrorKind::ItemNotFound
    }

    /// Returns `true` if the table does not exist in the account and region of the operation.
    pub fn is_table_not_found(&self) -> bool {
        self.kind() == ErrorKind::TableNotFound
    }

    /// Returns `true` if the condition of a write is false.
    #[doc(alias = "ConditionalCheckFailedException")]
    pub fn is_conditional_check_failed(&self) -> bool {
        self.kind() == ErrorKind::ConditionalCheckFailed
    }

    /// Returns `true` if a cursor belongs to another table, index, account, region or operation.
    pub fn is_invalid_cursor(&self) -> bool {
        self.kind() == ErrorKind::InvalidCursor
    }

    /// Returns `true` if a transaction was cancelled; see [`Error::cancellation_reasons`].
    #[doc(alias = "TransactionCanceledException")]
    pub fn is_transaction_cancelled(&self) -> bool {
        self.kind() == ErrorKind::TransactionCancelled
    }

    /// Returns `true` if another request was changing an item at the same time, so that nothing was done.
    ///
    /// It is also `true` for a transaction that was cancelled for that reason alone.
    #[doc(alias = "TransactionConflictException")]
    pub fn is_conflict(&self) -> bool {
        let failures = self.cancellation_reasons().iter();
        let mut failures = failures.filter(|reason| reason.is_failure()).peekable();
        // `all` is true for no failures at all, which is what the errors of other requests have.
        let of_transaction =
            failures.peek().is_some() && failures.all(CancellationReason::is_conflict);
        self.kind() == ErrorKind::Conflict || of_transaction
    }

    /// Returns `true` if DynamoDB throttled the request.
    #[doc(alias = "ProvisionedThroughputExceededException")]
    pub fn is_throttled(&self) -> bool {
        self.kind() == ErrorKind::Throttled
    }

    /// Returns `true` if the identity lacks the permission.
    pub fn is_access_denied(&self) -> bool {
        self.kind() == ErrorKind::AccessDenied
    }

    /// Returns `true` if the session failed to provide a client or credentials.
    pub fn is_session(&self) -> bool {
        self.kind() == ErrorKind::Session
    }

    /// Returns `true` if DynamoDB kept leaving writes of a batch, or keys, unprocessed.
    ///
    /// A batch may also end early for another reason, such as a lost permission:
    /// [`unprocessed`](Self::unprocessed) and [`unread_keys`](Self::unread_keys) return what was left
    /// whatever the kind.
    pub fn is_batch_incomplete(&self) -> bool {
        self.kind() == ErrorKind::BatchIncomplete
    }

    /// Returns `true` if the endpoint cannot be reached.
    pub fn is_unreachable(&self) -> bool {
        self.kind() == ErrorKind::Unreachable
    }
}

impl ErrorContext {
    /// Converts the SDK's error for a request of this context.
    ///
    /// Every SDK error becomes one of ours here, and nowhere else.
    pub(crate) fn sdk_error<E, R>(self, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        // Read before `sdk_failure`, which consumes the error.
        let service_error = error.as_service_error();
        let existing_item = service_error
            .and_then(|error| existing_item(error))
            .cloned();
        let reasons = service_error.and_then(|error| cancellation_reasons(error));
        let failure = match adapter::sdk_failure(error) {
            Ok(failure) => failure,
            // The SDK asks the session for credentials, and wraps its error.
            Err(error) => return self.session_error(error),
        };
        // The endpoint is a setting of the session, so one that is no URL is the session's error.
        if failure.step() == FailureStep::Endpoint {
            let kind = bsm_core::ErrorKind::InvalidConfig;
            let error = bsm_core::Error::new(kind, adapter::advice(&failure));
            return self.session_error(error.with_source(failure));
        }
        let (kind, message) = match (failure.step(), failure.code()) {
            (FailureStep::Service, Some(code)) => {
                let kind = ErrorKind::from_aws_code(code);
                (kind, kind.message(code))
            }
            (FailureStep::Build, _) => (
                ErrorKind::InvalidRequest,
                "the request cannot be built: the cause says why".into(),
            ),
            (FailureStep::Service, None) => (ErrorKind::Service, adapter::advice(&failure).into()),
            (FailureStep::Response, _) => (
                ErrorKind::Unreachable,
                "the response cannot be read: check that the endpoint is a DynamoDB endpoint"
                    .into(),
            ),
            // A connection that failed, or a time limit that passed: no response arrived.
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
        let mut converted = Error::new(kind, self, message);
        converted.0.aws_code = failure.code().map(str::to_owned);
        converted.0.existing_item = existing_item;
        converted.0.cancellation_reasons = reasons.unwrap_or_default();
        converted.with_source(failure)
    }

    /// Builds the error of a request that failed because of its session.
    pub(crate) fn session_error(self, error: bsm_core::Error) -> Error {
        let mut converted = Error::new(ErrorKind::Session, self, error.to_string());
        converted.0.cause = Cause::Session(error);
        converted
    }
}

/// Returns the item that made the condition of a write false.
fn existing_item(error: &dyn Any) -> Option<&Item> {
    // The SDK has one error type per operation and no trait for what they share.
    if let Some(PutItemError::ConditionalCheckFailedException(failure)) = error.downcast_ref() {
        failure.item()
    } else if let Some(UpdateItemError::ConditionalCheckFailedException(failure)) =
        error.downcast_ref()
    {
        failure.item()
    } else if let Some(DeleteItemError::ConditionalCheckFailedException(failure)) =
        error.downcast_ref()
    {
        failure.item()
    } else {
        None
    }
}

/// Returns the reasons for which a transaction was cancelled.
fn cancellation_reasons(error: &dyn Any) -> Option<Vec<CancellationReason>> {
    let reasons = if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.downcast_ref()
    {
        cancelled.cancellation_reasons()
    } else if let Some(TransactGetItemsError::TransactionCanceledException(cancelled)) =
        error.downcast_ref()
    {
        cancelled.cancellation_reasons()
    } else {
        return None;
    };
    Some(reasons.iter().map(CancellationReason::from).collect())
}

impl ErrorKind {
    /// Maps an error code of DynamoDB to a kind.
    ///
    /// Source: "Error handling with DynamoDB" in the Developer Guide, and "Common errors" in the
    /// API Reference.
    pub(crate) fn from_aws_code(code: &str) -> Self {
        match code {
            // Operations on backups and exports have codes of their own for these facts.
            "ResourceNotFoundException" | "TableNotFoundException" => Self::TableNotFound,
            "ResourceInUseException" | "TableAlreadyExistsException" | "TableInUseException" => {
                Self::TableInUse
            }
            "ConditionalCheckFailedException" => Self::ConditionalCheckFailed,
            "TransactionCanceledException" => Self::TransactionCancelled,
            "ReplicatedWriteConflictException" | "TransactionConflictException" => Self::Conflict,
            "TransactionInProgressException" => Self::TransactionInProgress,
            "ItemCollectionSizeLimitExceededException" => Self::ItemCollectionTooLarge,
            "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingException" => Self::Throttled,
            // Not throttling: some of these limits pass with time, and others only with a deletion or a higher quota.
            "LimitExceededException" => Self::LimitExceeded,
            // The token belongs to a transaction with other actions, so a retry can't succeed.
            "IdempotentParameterMismatchException"
            | "SerializationException"
            | "ValidationException" => Self::InvalidRequest,
            // Codes that every AWS service has, such as those about permissions and credentials.
            _ => match adapter::kind_of_code(code) {
                bsm_core::ErrorKind::AccessDenied => Self::AccessDenied,
                bsm_core::ErrorKind::CredentialsRejected => Self::CredentialsRejected,
                _ => Self::Service,
            },
        }
    }

    /// Returns the fact and the remedy for an error that DynamoDB returned.
    fn message(self, code: &str) -> Cow<'static, str> {
        match self {
            Self::TableNotFound => {
                "the table does not exist in this account and region: create it with \
                 create_table(), or use the session that has it"
            }
            Self::TableInUse => {
                "the table is being created, changed or deleted: try again when it is active"
            }
            Self::ConditionalCheckFailed => "the condition of the write is false",
            Self::TransactionCancelled => {
                "the transaction was cancelled and none of its actions took effect: \
                 cancellation_reasons() has the reason for each action"
            }
            Self::Conflict => {
                "another request was changing the item at the same time, and nothing was done: try again"
            }
            Self::TransactionInProgress => {
                "a transaction with the same token is still in progress: try again with the same token"
            }
            Self::ItemCollectionTooLarge => {
                "the items of this hash key have more than 10 GB with their local indexes: delete some, \
                 or use a table without local indexes"
            }
            Self::Throttled => {
                "DynamoDB throttled the request: send fewer requests, or give the table more \
                 capacity"
            }
            Self::LimitExceeded => {
                "a quota of the account is used up: try again once other operations on tables have finished, \
                 or raise the quota that the cause names"
            }
            Self::AccessDenied => {
                "the identity lacks the permission: allow it this action on the table, or use \
                 another session"
            }
            Self::CredentialsRejected => {
                "DynamoDB rejected the credentials: check the keys and the clock, or sign in again"
            }
            Self::InvalidRequest => "DynamoDB rejected the request: the cause says why",
            _ => return format!("DynamoDB returned {code}").into(),
        }
        .into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.context, self.0.message)
    }
}

impl fmt::Display for ErrorContext {
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
        // The `Debug` form of a cause may show values of items; its `Display` form does not.
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
            // Keys are values of items, so `Debug` shows only how many there are.
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
        match &self.0.cause {
            Cause::None => None,
            // Our message already contains the session's, so a report that prints the chain
            // continues with what is behind it.
            Cause::Session(error) => error.source(),
            Cause::Other(source) => Some(source.as_ref()),
        }
    }
}
