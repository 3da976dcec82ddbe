//! Writing one item.

use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;

use crate::codec::{CodecError, Item};
use crate::connection::call::Call;
use crate::error::Error;
use crate::expression::{Condition, Expressions, Node, and_condition};
use crate::model::stored;
use crate::model::version::VersionLock;
use crate::model::{Model, bind};
use crate::operation::item_write::{self, ItemWrite};
use crate::operation::raw::Raw;
use crate::operation::return_old::ReturnOld;
use crate::operation::{Pending, Request, bind_when_awaited, debug_settings, existing_item_if};

/// Writes one item; see [`Model::save`].
///
/// Source: [PutItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html)
/// in the API Reference.
#[doc(alias = "PutItem")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct Save<M> {
    item: Result<Item, CodecError>,
    condition: Option<Node>,
    lock: Option<VersionLock>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Save<M> {
    pub(crate) fn new(model: &M) -> Self {
        // Encoded here, so that the operation writes the value as it is at the time of the call.
        let mut item = stored::encode(model);
        let lock = VersionLock::for_save(M::VERSION, model);
        if let (Some(lock), Ok(item)) = (&lock, &mut item) {
            lock.write_next(item);
        }
        Self {
            item,
            condition: lock.as_ref().map(VersionLock::condition),
            lock,
            model: PhantomData,
        }
    }

    /// Writes the item only if this condition is true for the existing item. Several conditions must
    /// all be true.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f(user: User) -> Result<(), bsm_dynamodb::Error> {
    /// user.save().condition(User::id().not_exists()).await?; // creates, never replaces
    /// # Ok(())
    /// # }
    /// ```
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

    /// Returns the item that was replaced, or `None` if there was none.
    pub fn return_old(self) -> ReturnOld<Self> {
        ReturnOld(self)
    }

    /// Returns the SDK's request builder; see [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, PutItemFluentBuilder> {
        Raw::new(self)
    }

    /// Returns the parts of the request, for a transaction.
    pub(crate) fn into_parts(
        self,
    ) -> (Result<Item, CodecError>, Option<Node>, Option<VersionLock>) {
        (self.item, self.condition, self.lock)
    }

    async fn run(self, call: Call) -> Result<(), Error> {
        item_write::write(self, &call).await
    }

    async fn run_for_old(self, call: Call) -> Result<Option<M>, Error> {
        item_write::write_for_old(self, &call).await
    }
}

impl<M: Model> Request for Save<M> {
    type Builder = PutItemFluentBuilder;

    const NAME: &'static str = "PutItem";

    async fn build(self, call: &Call) -> Result<PutItemFluentBuilder, Error> {
        let item = self.item.map_err(|cause| call.encode_error::<M>(cause))?;
        let expressions = Expressions::write_condition::<M, M::Codec>(self.condition.as_ref());
        let expressions = expressions.map_err(|cause| call.expression_error(cause))?;
        let request = call.client().await?.put_item();
        Ok(request
            .table_name(call.table())
            .set_item(Some(item))
            .set_return_values_on_condition_check_failure(existing_item_if(
                expressions.condition.is_some(),
            ))
            .set_condition_expression(expressions.condition)
            .set_expression_attribute_names(expressions.names)
            .set_expression_attribute_values(expressions.values))
    }
}

impl<M: Model> ItemWrite for Save<M> {
    type Model = M;

    fn take_lock(&mut self) -> Option<VersionLock> {
        self.lock.take()
    }

    async fn send(
        request: PutItemFluentBuilder,
        return_values: Option<ReturnValue>,
        call: &Call,
    ) -> Result<Option<Item>, Error> {
        let request = request.set_return_values(return_values).customize();
        let output = request.interceptor(call.attempts()).send().await;
        Ok(output.map_err(|error| call.sdk_error(error))?.attributes)
    }
}

bind_when_awaited! {
    Save => (),
}

impl<M: Model> IntoFuture for ReturnOld<Save<M>> {
    type Output = Result<Option<M>, Error>;
    type IntoFuture = Pending<Option<M>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.0.run_for_old(bind::<M>(Save::<M>::NAME)))
    }
}

debug_settings! {
    Save { condition },
}
