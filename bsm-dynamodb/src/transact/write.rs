//! Transactions that write.

use std::fmt;

use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete as SdkDelete, Put, TransactWriteItem, Update as SdkUpdate,
};

use super::models::{TransactionModels, action_error, combine};
use crate::batch::least_stored_bytes;
use crate::codec::CodecError;
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::{Condition, Expressions, Writer};
use crate::model::Model;
use crate::model::key::IntoKey;
use crate::model::version::VersionLock;
use crate::operation::delete::Delete;
use crate::operation::save::Save;
use crate::operation::update::Update;
use crate::operation::{Pending, existing_item_if};

/// The limit of the items of one transaction: 4 MB.
///
/// Source: [TransactWriteItems](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)
/// in the API Reference.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Starts a transaction that writes: either all of its actions take effect, or none.
///
/// An action is an operation that writes one item of any model, with its conditions. All models must
/// follow the same session and region when the transaction is awaited.
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "accounts")]
/// # struct Account { #[model(hash_key)] id: String, balance: u64, open: bool }
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "transfers")]
/// # struct Transfer { #[model(hash_key)] id: String }
/// use bsm_dynamodb::transact_write;
///
/// # async fn f(transfer: Transfer) -> Result<(), bsm_dynamodb::Error> {
/// let outcome = transact_write()
///     .write(transfer.save().condition(Transfer::id().not_exists()))
///     .write(
///         Account::update("alice")
///             .decrement(Account::balance(), 10)
///             .condition(Account::balance().ge(10)),
///     )
///     .write(Account::update("bob").increment(Account::balance(), 10))
///     .check("bank", Account::open().eq(true))
///     .await;
/// if let Err(error) = outcome {
///     for (index, reason) in error.cancellation_reasons().iter().enumerate() {
///         println!("action {index}: {}", reason.code());
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub fn transact_write() -> TransactWrite {
    TransactWrite {
        models: TransactionModels::default(),
        actions: Vec::new(),
        token: None,
    }
}

/// A transaction that writes; see [`transact_write`].
///
/// It is retried like any request, but never done twice: the SDK gives each transaction a token.
///
/// # Errors
///
/// - [`ErrorKind::TransactionCancelled`] if a condition is false, or another request was changing an
///   item; [`Error::cancellation_reasons`] returns the reason for each action, in the order in which
///   they were added;
/// - [`ErrorKind::InvalidRequest`] if there are more than 100 actions, or two for the same item, if the
///   items have more than 4 MB, or if the models follow different sessions;
/// - [`ErrorKind::InvalidItem`] if a value cannot be stored.
///
/// Source: [TransactWriteItems](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)
/// in the API Reference.
#[doc(alias = "TransactWriteItems")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct TransactWrite {
    models: TransactionModels,
    actions: Vec<ActionRequest>,
    token: Option<String>,
}

impl TransactWrite {
    /// Adds a write of one item: what [`save`](Model::save), [`update`](Model::update),
    /// [`delete`](Model::delete) or [`delete_key`](Model::delete_key) returns.
    pub fn write<A: Action>(mut self, action: A) -> Self {
        self.models.add::<A::Model>();
        self.actions.push(action.into_request());
        self
    }

    /// Adds a condition for an item that the transaction does not write.
    #[doc(alias = "ConditionCheck")]
    pub fn check<M: Model>(mut self, key: impl IntoKey<M::Key>, condition: Condition<M>) -> Self {
        let key = M::KEY.encode::<M, M::Codec>(key);
        let node = condition.into_node();
        let item = key.and_then(|key| {
            let expressions = Expressions::write_condition::<M, M::Codec>(Some(&node))?;
            let check = ConditionCheck::builder()
                .table_name(M::table_name())
                .set_key(Some(M::KEY.name_values(key)))
                .set_condition_expression(expressions.condition)
                // A check always has a condition, so its failure can always return the item.
                .set_return_values_on_condition_check_failure(existing_item_if(true))
                .set_expression_attribute_names(expressions.names)
                .set_expression_attribute_values(expressions.values)
                .build()?;
            Ok(TransactWriteItem::builder().condition_check(check).build())
        });
        self.models.add::<M>();
        self.actions.push(ActionRequest { item, lock: None });
        self
    }

    /// Sets the token that identifies the transaction, of at most 36 characters. Default: a random
    /// one.
    ///
    /// DynamoDB does a transaction with the same token only once within 10 minutes, even if another
    /// process sends it.
    #[doc(alias = "ClientRequestToken")]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    async fn run(self, calls: Vec<Call>) -> Result<(), Error> {
        let Some(call) = combine(calls, self.actions.len()).await? else {
            return Ok(());
        };
        let mut items = Vec::with_capacity(self.actions.len());
        let mut locks = Vec::new();
        for (index, action) in self.actions.into_iter().enumerate() {
            let item = action.item;
            items.push(item.map_err(|cause| action_error(&call, index, cause))?);
            // Acknowledged only after the request: a version in memory must not be ahead of the table's.
            locks.extend(action.lock);
        }
        // Only puts have a known size: what an update leaves depends on the item in the table.
        let puts = items.iter().filter_map(TransactWriteItem::put);
        if puts
            .map(|put| least_stored_bytes(put.item()))
            .sum::<usize>()
            > MAX_BYTES
        {
            // DynamoDB's own error for a body that is too large doesn't say what the limit is.
            let message = "the items of a transaction have at most 4 MB: split it";
            return Err(call.error(ErrorKind::InvalidRequest, message));
        }
        let request = call.client().await?.transact_write_items();
        request
            .set_transact_items(Some(items))
            // If the caller gives none, the SDK generates one, and sends the same one with every retry.
            .set_client_request_token(self.token)
            .customize()
            // After a lost response, the error says that the transaction may have been done.
            .interceptor(call.attempts())
            .send()
            .await
            .map_err(|error| call.sdk_error(error))?;
        // DynamoDB has done the writes: the models get their new versions.
        locks.iter().for_each(VersionLock::acknowledge);
        Ok(())
    }
}

impl IntoFuture for TransactWrite {
    type Output = Result<(), Error>;
    type IntoFuture = Pending<()>;

    fn into_future(self) -> Pending<()> {
        let calls = self.models.bind("TransactWriteItems");
        Box::pin(self.run(calls))
    }
}

impl fmt::Debug for TransactWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactWrite")
            .field("actions", &self.actions.len())
            .finish_non_exhaustive()
    }
}

/// An operation that can be an action of a transaction; see [`TransactWrite::write`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an action of a transaction",
    note = "what `save`, `update`, `delete` and `delete_key` return can"
)]
pub trait Action {
    /// The model of the operation.
    type Model: Model;

    #[doc(hidden)]
    fn into_request(self) -> ActionRequest;
}

/// An action, ready to be sent.
pub struct ActionRequest {
    item: Result<TransactWriteItem, CodecError>,
    /// The version in memory, to be updated once DynamoDB acknowledges the transaction.
    lock: Option<VersionLock>,
}

impl<M: Model> Action for Save<M> {
    type Model = M;

    fn into_request(self) -> ActionRequest {
        let (item, condition, lock) = self.into_parts();
        let expressions = Expressions::write_condition::<M, M::Codec>(condition.as_ref());
        let item = item.and_then(|item| {
            let expressions = expressions?;
            let put = Put::builder()
                .table_name(M::table_name())
                .set_item(Some(item))
                .set_return_values_on_condition_check_failure(existing_item_if(
                    expressions.condition.is_some(),
                ))
                .set_condition_expression(expressions.condition)
                .set_expression_attribute_names(expressions.names)
                .set_expression_attribute_values(expressions.values)
                .build()?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        ActionRequest { item, lock }
    }
}

impl<M: Model> Action for Delete<M> {
    type Model = M;

    fn into_request(self) -> ActionRequest {
        let (key, condition, lock) = self.into_parts();
        let expressions = Expressions::write_condition::<M, M::Codec>(condition.as_ref());
        let item = key.and_then(|key| {
            let expressions = expressions?;
            let delete = SdkDelete::builder()
                .table_name(M::table_name())
                .set_key(Some(M::KEY.name_values(key)))
                .set_return_values_on_condition_check_failure(existing_item_if(
                    expressions.condition.is_some(),
                ))
                .set_condition_expression(expressions.condition)
                .set_expression_attribute_names(expressions.names)
                .set_expression_attribute_values(expressions.values)
                .build()?;
            Ok(TransactWriteItem::builder().delete(delete).build())
        });
        ActionRequest { item, lock }
    }
}

impl<M: Model, T> Action for Update<M, T> {
    type Model = M;

    fn into_request(self) -> ActionRequest {
        let (key, mut changes, condition) = self.into_parts();
        let item = key.and_then(|key| {
            changes.complete::<M>(&key)?;
            let update = |writer: &mut Writer| changes.expression(writer);
            let expressions = Expressions::write::<M, M::Codec>(condition.as_ref(), update)?;
            let update = SdkUpdate::builder()
                .table_name(M::table_name())
                .set_key(Some(M::KEY.name_values(key)))
                .set_update_expression(expressions.update)
                .set_return_values_on_condition_check_failure(existing_item_if(
                    expressions.condition.is_some(),
                ))
                .set_condition_expression(expressions.condition)
                .set_expression_attribute_names(expressions.names)
                .set_expression_attribute_values(expressions.values)
                .build()?;
            Ok(TransactWriteItem::builder().update(update).build())
        });
        // An update has no model in memory whose version it could set.
        ActionRequest { item, lock: None }
    }
}
