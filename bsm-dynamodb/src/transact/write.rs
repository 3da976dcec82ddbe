//! Writing in a transaction.

use std::fmt;

use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete as SdkDelete, Put, TransactWriteItem, Update as SdkUpdate,
};

use super::MAX_ACTIONS;
use super::participant::{Connections, Participants};
use crate::batch::least_stored_bytes;
use crate::codec::CodecError;
use crate::error::{Error, ErrorKind};
use crate::expression::{Condition, Expressions};
use crate::model::Model;
use crate::model::key::IntoKey;
use crate::model::version::Watched;
use crate::operation::Pending;
use crate::operation::item::{Delete, Save, old_item_if};
use crate::operation::update::Update;

/// The limit of the items of one transaction.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Begins a transaction that writes: every action is done, or none.
///
/// An action is any operation that writes one item, with its conditions, of any model. The models
/// must follow one session, and one region; that is looked at where the transaction is awaited, as
/// for any operation.
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
///     for (place, reason) in error.cancellation_reasons().iter().enumerate() {
///         println!("action {place}: {}", reason.code());
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub fn transact_write() -> TransactWrite {
    TransactWrite {
        participants: Participants::default(),
        parts: Vec::new(),
        token: None,
    }
}

/// Writes in a transaction; see [`transact_write`].
///
/// It is retried like any request, and not done twice: the SDK gives each transaction a token.
///
/// # Errors
///
/// When it is awaited: [`ErrorKind::TransactionCancelled`] if a condition does not hold, or another
/// request was changing an item; [`Error::cancellation_reasons`] has a reason for each action, in the
/// order in which they were added. [`ErrorKind::InvalidRequest`] if there are more than 100 actions,
/// or two on the same item, if the items have more than 4 MB, or if the models follow different
/// sessions.
///
/// Source: [TransactWriteItems](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)
/// in the API Reference.
#[must_use = "operations do nothing unless they are awaited"]
pub struct TransactWrite {
    participants: Participants,
    parts: Vec<Part>,
    token: Option<String>,
}

impl TransactWrite {
    /// Adds a write of one item: what [`save`](Model::save), [`update`](Model::update),
    /// [`delete`](Model::delete) or [`delete_key`](Model::delete_key) returns.
    pub fn write<A: Action>(mut self, action: A) -> Self {
        self.participants.add::<A::Model>();
        self.parts.push(action.into_part());
        self
    }

    /// Demands that a condition holds for an item that is not written.
    pub fn check<M: Model>(mut self, key: impl IntoKey<M::Key>, condition: Condition<M>) -> Self {
        let key = M::KEY.encode::<M, M::Codec>(key);
        let node = condition.into_node();
        let item = key.and_then(|key| {
            let all = Expressions::of_condition::<M, M::Codec>(Some(&node))?;
            let check = ConditionCheck::builder()
                .table_name(M::table_name())
                .set_key(Some(M::KEY.name_values(key)))
                .set_condition_expression(all.condition)
                .set_return_values_on_condition_check_failure(old_item_if(true))
                .set_expression_attribute_names(all.names)
                .set_expression_attribute_values(all.values)
                .build()?;
            Ok(TransactWriteItem::builder().condition_check(check).build())
        });
        self.participants.add::<M>();
        self.parts.push(Part {
            item,
            version: None,
        });
        self
    }

    /// Names the transaction, so that it is not done again within 10 minutes, even if it is asked for
    /// by another process: at most 36 characters.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    async fn run(self, models: Connections) -> Result<(), Error> {
        let Some(client) = models.client().await? else {
            return Ok(());
        };
        if self.parts.len() > MAX_ACTIONS {
            let message = format!(
                "a transaction has at most {MAX_ACTIONS} actions, not {}",
                self.parts.len()
            );
            return Err(models.error(ErrorKind::InvalidRequest, message));
        }
        let mut items = Vec::with_capacity(self.parts.len());
        let mut versions = Vec::new();
        for (place, part) in self.parts.into_iter().enumerate() {
            items.push(part.item.map_err(|cause| models.not_built(place, cause))?);
            versions.extend(part.version);
        }
        let puts = items.iter().filter_map(TransactWriteItem::put);
        if puts
            .map(|put| least_stored_bytes(put.item()))
            .sum::<usize>()
            > MAX_BYTES
        {
            let message = "the items of a transaction have at most 4 MB";
            return Err(models.error(ErrorKind::InvalidRequest, message));
        }
        client
            .transact_write_items()
            .set_transact_items(Some(items))
            .set_client_request_token(self.token)
            .send()
            .await
            .map_err(|error| models.write_failed(error))?;
        for (version, follow) in versions {
            follow(&version);
        }
        Ok(())
    }
}

impl IntoFuture for TransactWrite {
    type Output = Result<(), Error>;
    type IntoFuture = Pending<()>;

    fn into_future(self) -> Pending<()> {
        let models = self.participants.bind("TransactWriteItems");
        Box::pin(self.run(models))
    }
}

impl fmt::Debug for TransactWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactWrite")
            .field("actions", &self.parts.len())
            .finish_non_exhaustive()
    }
}

/// An operation that can be part of a transaction; see [`TransactWrite::write`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a transaction",
    note = "what `save`, `update`, `delete` and `delete_key` return can"
)]
pub trait Action {
    /// The model that the operation is on.
    type Model: Model;

    #[doc(hidden)]
    fn into_part(self) -> Part;
}

/// An action, ready to be sent.
pub struct Part {
    item: Result<TransactWriteItem, CodecError>,
    /// The version in memory, and how it follows the table.
    version: Option<(Watched, Follow)>,
}

type Follow = fn(&Watched);

impl<M: Model> Action for Save<M> {
    type Model = M;

    fn into_part(self) -> Part {
        let (item, condition, version) = self.into_parts();
        let all = Expressions::of_condition::<M, M::Codec>(condition.as_ref());
        let item = item.and_then(|item| {
            let all = all?;
            let put = Put::builder()
                .table_name(M::table_name())
                .set_item(Some(item))
                .set_return_values_on_condition_check_failure(old_item_if(all.condition.is_some()))
                .set_condition_expression(all.condition)
                .set_expression_attribute_names(all.names)
                .set_expression_attribute_values(all.values)
                .build()?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        Part {
            item,
            version: version.map(|version| (version, Watched::saved as Follow)),
        }
    }
}

impl<M: Model> Action for Delete<M> {
    type Model = M;

    fn into_part(self) -> Part {
        let (key, condition, version) = self.into_parts();
        let all = Expressions::of_condition::<M, M::Codec>(condition.as_ref());
        let item = key.and_then(|key| {
            let all = all?;
            let delete = SdkDelete::builder()
                .table_name(M::table_name())
                .set_key(Some(M::KEY.name_values(key)))
                .set_return_values_on_condition_check_failure(old_item_if(all.condition.is_some()))
                .set_condition_expression(all.condition)
                .set_expression_attribute_names(all.names)
                .set_expression_attribute_values(all.values)
                .build()?;
            Ok(TransactWriteItem::builder().delete(delete).build())
        });
        Part {
            item,
            version: version.map(|version| (version, Watched::deleted as Follow)),
        }
    }
}

impl<M: Model> Action for Update<M> {
    type Model = M;

    fn into_part(self) -> Part {
        let (key, changes, condition) = self.into_parts();
        let all =
            Expressions::of::<M, M::Codec>(condition.as_ref(), |writer| changes.expression(writer));
        let item = key.and_then(|key| {
            let all = all?;
            let update = SdkUpdate::builder()
                .table_name(M::table_name())
                .set_key(Some(M::KEY.name_values(key)))
                .set_update_expression(all.update)
                .set_return_values_on_condition_check_failure(old_item_if(all.condition.is_some()))
                .set_condition_expression(all.condition)
                .set_expression_attribute_names(all.names)
                .set_expression_attribute_values(all.values)
                .build()?;
            Ok(TransactWriteItem::builder().update(update).build())
        });
        Part {
            item,
            version: None,
        }
    }
}
