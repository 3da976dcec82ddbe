//! A connection slot: which manager a model follows, and its client.

use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use bsm_core::BotoSesManager;

use crate::codec::{CodecError, Item};
use crate::error::{Error, ErrorKind, Place};
use crate::model::Model;

/// Returns the slot of a model, or of code of another kind: the manager that it follows here and
/// now.
///
/// The slot is bound when it is made. It keeps its manager wherever it is used afterwards.
///
/// The manager is, in this order: the innermost override that names the model
/// ([`use_boto_session`](crate::use_boto_session), [`with_boto_session`](crate::with_boto_session));
/// the manager that the model was left on with `restore_on_exit(false)`; the general default,
/// [`BotoSesManager::current`]. In the first two cases the manager's region holds; in the last one
/// the region that the model declares does, if it declares one.
///
/// # Examples
///
/// The client of a slot serves code that uses another model layer, or none:
///
/// ```no_run
/// # use bsm_dynamodb::{Error, Model, slot};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let client = slot::<User>().client().await?;
/// let tables = client.list_tables().send().await?;
/// # Ok(())
/// # }
/// ```
pub fn slot<S: ConnectionSlot>() -> Slot<S> {
    let binding = BotoSesManager::current_for::<S>();
    let manager = match S::REGION {
        Some(region) if !binding.is_specific() => binding.manager().with_region(region),
        _ => binding.into_manager(),
    };
    Slot {
        manager,
        stands_for: PhantomData,
    }
}

/// What sessions can be chosen for: a [`Model`], or a type that stands for code of another kind.
///
/// Every model is one. For code that uses another model layer, or none, implement it for a type of
/// your own; [`use_boto_session`](crate::use_boto_session) then switches that, too.
///
/// ```no_run
/// use bsm_core::BotoSesManager;
/// use bsm_dynamodb::{ConnectionSlot, slot, use_boto_session};
///
/// struct Reports;
///
/// impl ConnectionSlot for Reports {}
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let _session = use_boto_session::<Reports>(&BotoSesManager::from_profile("staging"));
/// let client = slot::<Reports>().client().await?;
/// # Ok(())
/// # }
/// ```
pub trait ConnectionSlot: 'static {
    /// The region, where no manager was chosen for this very slot.
    ///
    /// Without one it is the region of the active manager.
    const REGION: Option<&'static str> = None;
}

impl<M: Model> ConnectionSlot for M {
    const REGION: Option<&'static str> = <M as Model>::REGION;
}

/// A connection, bound to a manager; see [`slot`].
pub struct Slot<S> {
    manager: BotoSesManager,
    stands_for: PhantomData<fn() -> S>,
}

impl<S> Slot<S> {
    /// Returns the manager that the slot is bound to.
    pub fn manager(&self) -> &BotoSesManager {
        &self.manager
    }

    /// Returns the DynamoDB client of the slot's manager.
    ///
    /// Each manager has one client for all slots, made on first use. It has a retry quota of its
    /// own: throttling in one account does not use up the retries of another.
    ///
    /// # Errors
    ///
    /// The session's own if the manager cannot provide one: there is no session in scope, no
    /// region, a profile that does not exist.
    pub fn client(&self) -> impl Future<Output = Result<Client, bsm_core::Error>> + Send + use<S> {
        let manager = self.manager.clone();
        async move {
            let client = manager.client(|config| SlotClient::new(config.into()));
            Ok(client.await?.0)
        }
    }
}

impl<M: Model> Slot<M> {
    /// Begins a call of the DynamoDB API.
    pub(crate) fn call(&self, operation: &'static str) -> Call<M> {
        Call {
            operation,
            slot: self.clone(),
            client: OnceLock::new(),
        }
    }
}

impl<S> Clone for Slot<S> {
    fn clone(&self) -> Self {
        Self {
            manager: self.manager.clone(),
            stands_for: PhantomData,
        }
    }
}

impl<S> fmt::Debug for Slot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("stands_for", &std::any::type_name::<S>())
            .field("manager", &self.manager)
            .finish()
    }
}

/// The client that the slots of one manager share.
///
/// A type of its own, because a manager caches its clients by type, and the program may well ask
/// the manager for a plain `Client`.
#[derive(Clone)]
struct SlotClient(Client);

impl SlotClient {
    fn new(config: aws_sdk_dynamodb::config::Builder) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let partition = RetryPartition::custom(format!("bsm-dynamodb-{number}")).build();
        Self(Client::from_conf(config.retry_partition(partition).build()))
    }
}

/// One operation on its way: the client to use, and what its errors have to name.
pub(crate) struct Call<M> {
    operation: &'static str,
    slot: Slot<M>,
    client: OnceLock<Client>,
}

impl<M: Model> Call<M> {
    pub(crate) async fn client(&self) -> Result<&Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        match self.slot.client().await {
            Ok(client) => Ok(self.client.get_or_init(|| client)),
            Err(error) => Err(self.no_session(error)),
        }
    }

    pub(crate) fn table(&self) -> String {
        M::table_name().into_owned()
    }

    /// Builds an error that is not the SDK's.
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Error {
        Error::new(kind, self.place(), message)
    }

    /// Builds the error of a request that failed.
    pub(crate) fn failed<E, R>(&self, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        self.place().failed(error)
    }

    /// Returns the manager that the call is bound to.
    pub(crate) fn manager(&self) -> &BotoSesManager {
        &self.slot.manager
    }

    /// Returns who makes the call.
    pub(crate) async fn principal_arn(&self) -> Result<String, Error> {
        let arn = self.slot.manager.principal_arn().await;
        arn.map_err(|error| self.no_session(error))
    }

    /// Returns the account that the call goes to.
    pub(crate) async fn account(&self) -> Result<String, Error> {
        let account = self.slot.manager.aws_account_id().await;
        account.map_err(|error| self.no_session(error))
    }

    /// Turns an item that was read into a model, or into another type.
    pub(crate) fn decode<T>(
        &self,
        decode: fn(Item) -> Result<T, CodecError>,
        item: Item,
    ) -> Result<T, Error> {
        decode(item).map_err(|cause| {
            let message = format!(
                "an item of the table does not fit the type {}: its attributes are missing or of \
                 other types",
                std::any::type_name::<T>()
            );
            self.error(ErrorKind::InvalidItem, message)
                .with_source(cause)
        })
    }

    /// Turns an item that a write has returned into a model.
    ///
    /// The caller of a failed operation would otherwise repeat a write that was done.
    pub(crate) fn decode_written<T>(
        &self,
        decode: fn(Item) -> Result<T, CodecError>,
        item: Item,
    ) -> Result<T, Error> {
        decode(item).map_err(|cause| {
            let message = format!(
                "the write was done, but the item that it returned does not fit the type {}: do not \
                 repeat it",
                std::any::type_name::<T>()
            );
            self.error(ErrorKind::InvalidItem, message)
                .with_source(cause)
        })
    }

    /// Builds the error of a model that could not be turned into an item.
    pub(crate) fn not_encoded(&self, cause: CodecError) -> Error {
        let message = format!(
            "a value of the model {} cannot be stored as an item",
            std::any::type_name::<M>()
        );
        self.error(ErrorKind::InvalidItem, message)
            .with_source(cause)
    }

    /// Builds the error of a condition or an update that could not be written.
    pub(crate) fn not_expressed(&self, cause: CodecError) -> Error {
        let message = "the expression cannot be written: the cause says why";
        self.error(ErrorKind::InvalidRequest, message)
            .with_source(cause)
    }

    /// Builds the error of a write that failed; if its condition did not hold, with the item.
    pub(crate) fn write_failed<E, R>(&self, error: SdkError<E, R>) -> Error
    where
        E: ConditionalWrite + ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let item = error.as_service_error().and_then(E::existing_item).cloned();
        self.failed(error).with_existing_item(item)
    }

    fn no_session(&self, error: bsm_core::Error) -> Error {
        self.place().no_session(error)
    }

    fn place(&self) -> Place {
        let region = self
            .client
            .get()
            .and_then(|client| client.config().region());
        Place {
            operation: self.operation,
            table: M::table_name(),
            manager: self.slot.manager.to_string(),
            region: region.map(ToString::to_string),
        }
    }
}

/// The error of a write that may have a condition.
pub(crate) trait ConditionalWrite {
    /// Returns the item that the condition did not hold for.
    fn existing_item(&self) -> Option<&Item>;
}

macro_rules! conditional_writes {
    ($($error:ident),*) => {$(
        impl ConditionalWrite for $error {
            fn existing_item(&self) -> Option<&Item> {
                match self {
                    Self::ConditionalCheckFailedException(failure) => failure.item(),
                    _ => None,
                }
            }
        }
    )*};
}

conditional_writes!(PutItemError, UpdateItemError, DeleteItemError);
