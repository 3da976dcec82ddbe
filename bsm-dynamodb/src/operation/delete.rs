//! Deleting one item.

use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;

use crate::codec::{CodecError, Item};
use crate::connection::call::Call;
use crate::error::Error;
use crate::expression::{Condition, Expressions, Node, and_condition};
use crate::model::key::{IntoKey, KeyValues};
use crate::model::stored::{self, key_of};
use crate::model::version::VersionLock;
use crate::model::{Model, bind};
use crate::operation::item_write::{self, ItemWrite};
use crate::operation::raw::Raw;
use crate::operation::return_old::ReturnOld;
use crate::operation::{Pending, Request, bind_when_awaited, debug_settings, existing_item_if};

/// Deletes one item; see [`Model::delete`] and [`Model::delete_key`].
///
/// Source: [DeleteItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html)
/// in the API Reference.
#[doc(alias = "DeleteItem")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct Delete<M> {
    key: Result<KeyValues, CodecError>,
    condition: Option<Node>,
    lock: Option<VersionLock>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Delete<M> {
    pub(crate) fn item(model: &M) -> Self {
        // The key is taken from the item that a save would write, so that both find the same item.
        let key = stored::encode(model).and_then(|item| key_of::<M>(&item));
        Self::new(key, VersionLock::for_delete(M::VERSION, model))
    }

    pub(crate) fn key(key: impl IntoKey<M::Key>) -> Self {
        // A key has no version, so the deletion doesn't check one.
        Self::new(M::KEY.encode::<M, M::Codec>(key), None)
    }

    fn new(key: Result<KeyValues, CodecError>, lock: Option<VersionLock>) -> Self {
        Self {
            key,
            condition: lock.as_ref().map(VersionLock::condition),
            lock,
            model: PhantomData,
        }
    }

    /// Deletes the item only if this condition is true for it. Several conditions must all be true.
    ///
    /// If there is no item, its attributes are missing: [`not_exists`](crate::Path::not_exists) and
    /// [`ne`](crate::Path::ne) are true, and everything else is false.
    ///
    /// # Errors
    ///
    /// The operation fails with
    /// [`ErrorKind::ConditionalCheckFailed`](crate::ErrorKind::ConditionalCheckFailed) if the
    /// condition is false. [`Error::existing_item`] returns the existing item.
    pub fn condition(mut self, condition: Condition<M>) -> Self {
        and_condition(&mut self.condition, condition.into_node());
        self
    }

    /// Returns the item that was deleted, or `None` if there was none.
    pub fn return_old(self) -> ReturnOld<Self> {
        ReturnOld(self)
    }

    /// Returns the SDK's request builder; see [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, DeleteItemFluentBuilder> {
        Raw::new(self)
    }

    /// Returns the parts of the request, for a transaction.
    pub(crate) fn into_parts(
        self,
    ) -> (
        Result<KeyValues, CodecError>,
        Option<Node>,
        Option<VersionLock>,
    ) {
        (self.key, self.condition, self.lock)
    }

    async fn run(self, call: Call) -> Result<(), Error> {
        item_write::write(self, &call).await
    }

    async fn run_for_old(self, call: Call) -> Result<Option<M>, Error> {
        item_write::write_for_old(self, &call).await
    }
}

impl<M: Model> Request for Delete<M> {
    type Builder = DeleteItemFluentBuilder;

    const NAME: &'static str = "DeleteItem";

    async fn build(self, call: &Call) -> Result<DeleteItemFluentBuilder, Error> {
        // Before the client: a request that can't be written needs no session.
        let key = self.key.map_err(|cause| call.encode_error::<M>(cause))?;
        let expressions = Expressions::write_condition::<M, M::Codec>(self.condition.as_ref());
        let expressions = expressions.map_err(|cause| call.expression_error(cause))?;
        let request = call.client().await?.delete_item();
        Ok(request
            .table_name(call.table())
            .set_key(Some(M::KEY.name_values(key)))
            .set_return_values_on_condition_check_failure(existing_item_if(
                expressions.condition.is_some(),
            ))
            .set_condition_expression(expressions.condition)
            .set_expression_attribute_names(expressions.names)
            .set_expression_attribute_values(expressions.values))
    }
}

impl<M: Model> ItemWrite for Delete<M> {
    type Model = M;

    fn take_lock(&mut self) -> Option<VersionLock> {
        self.lock.take()
    }

    async fn send(
        request: DeleteItemFluentBuilder,
        return_values: Option<ReturnValue>,
        call: &Call,
    ) -> Result<Option<Item>, Error> {
        // The interceptor sees every attempt, so the error can say whether the write may have been done.
        let request = request.set_return_values(return_values).customize();
        let output = request.interceptor(call.attempts()).send().await;
        Ok(output.map_err(|error| call.sdk_error(error))?.attributes)
    }
}

bind_when_awaited! {
    Delete => (),
}

impl<M: Model> IntoFuture for ReturnOld<Delete<M>> {
    type Output = Result<Option<M>, Error>;
    type IntoFuture = Pending<Option<M>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.0.run_for_old(bind::<M>(Delete::<M>::NAME)))
    }
}

debug_settings! {
    Delete { condition },
}
