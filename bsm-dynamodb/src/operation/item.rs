//! Operations on one item.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use serde::de::DeserializeOwned;

use crate::codec::{CodecError, Item};
use crate::connection::slot::{Call, Slot};
use crate::error::{Error, ErrorKind};
use crate::expression::{Condition, Expressions, Node, Writer, and_condition};
use crate::model::Model;
use crate::model::key::{IntoKey, KeyValues};
use crate::model::stored::{self, key_of};
use crate::model::version::Watched;
use crate::operation::projection::Projection;
use crate::operation::{Pending, Raw, Request, bind_when_awaited, debug_settings};

/// Reads one item; see [`Model::get`] and [`Model::refresh`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Get<M, T = M> {
    key: Result<KeyValues, CodecError>,
    consistent_read: bool,
    projection: Projection<T>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Get<M> {
    pub(crate) fn new(key: impl IntoKey<M::Key>) -> Self {
        Self::of(M::KEY.encode::<M, M::Codec>(key))
    }

    /// Reads an item again.
    pub(crate) fn again(model: &M) -> Self {
        let key = stored::encode(model).and_then(|item| key_of::<M>(&item));
        Self::of(key).consistent_read(true)
    }

    fn of(key: Result<KeyValues, CodecError>) -> Self {
        Self {
            key,
            consistent_read: false,
            projection: Projection::whole(stored::decode),
            model: PhantomData,
        }
    }
}

impl<M: Model, T: Send + 'static> Get<M, T> {
    /// Asks for a read that sees every write that was acknowledged before, at twice the cost.
    ///
    /// Source: [Read consistency](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html)
    /// in the Developer Guide.
    pub fn consistent_read(mut self, consistent: bool) -> Self {
        self.consistent_read = consistent;
        self
    }

    /// Reads a `P` instead of the model: only the attributes that it has fields for.
    ///
    /// A type that does not tell serde its fields, because it is a map or has `#[serde(flatten)]`,
    /// is made of all attributes. The cost is that of the whole item.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String, name: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// #[derive(serde::Deserialize)]
    /// struct Named {
    ///     name: String,
    /// }
    ///
    /// let named: Named = User::get("123").project().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn project<P: DeserializeOwned + Send + 'static>(self) -> Get<M, P> {
        Get {
            key: self.key,
            consistent_read: self.consistent_read,
            projection: Projection::fields(),
            model: PhantomData,
        }
    }

    /// Gives the request in the words of the SDK, ready to be changed and sent.
    ///
    /// It is for what this crate has no word for. What comes back is the SDK's, too.
    ///
    /// ```no_run
    /// # use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// let request = User::get("123").raw().await?;
    /// let total = ReturnConsumedCapacity::Total;
    /// let output = request.return_consumed_capacity(total).send().await?;
    /// println!("{:?}", output.consumed_capacity());
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw(self) -> Raw<M, GetItemFluentBuilder> {
        Raw::new(self)
    }

    /// Takes it apart, for a transaction.
    pub(crate) fn into_parts(self) -> (Result<KeyValues, CodecError>, Projection<T>) {
        (self.key, self.projection)
    }

    async fn run(self, slot: Slot<M>) -> Result<T, Error> {
        let call = slot.call(Self::NAME);
        let decode = self.projection.decode;
        let output = self.build(&call).await?.send().await;
        match output.map_err(|error| call.failed(error))?.item {
            Some(item) => call.decode(decode, item),
            None => Err(call.error(ErrorKind::ItemNotFound, "no item has this key")),
        }
    }
}

impl<M: Model, T: Send + 'static> Request for Get<M, T> {
    type Model = M;
    type Builder = GetItemFluentBuilder;

    const NAME: &'static str = "GetItem";

    async fn build(self, call: &Call<M>) -> Result<GetItemFluentBuilder, Error> {
        let key = self.key.map_err(|cause| call.not_encoded(cause))?;
        let mut writer = Writer::default();
        // A key that is read tells an item without any of the other attributes from none.
        let projection = self
            .projection
            .expression(&mut writer, &[M::KEY.hash_name()]);
        let (names, _) = writer.finish();
        let request = call.client().await?.get_item();
        Ok(request
            .table_name(call.table())
            .set_key(Some(M::KEY.name_values(key)))
            .consistent_read(self.consistent_read)
            .set_projection_expression(projection)
            .set_expression_attribute_names(names))
    }
}

/// Writes one item; see [`Model::save`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Save<M> {
    item: Result<Item, CodecError>,
    condition: Option<Node>,
    version: Option<Watched>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Save<M> {
    pub(crate) fn new(model: &M) -> Self {
        let mut item = stored::encode(model);
        let version = Watched::of(model);
        if let (Some(version), Ok(item)) = (&version, &mut item) {
            version.advance(item);
        }
        Self {
            item,
            condition: version.as_ref().map(Watched::condition),
            version,
            model: PhantomData,
        }
    }

    /// Writes only if this holds for the item that is there; conditions add up.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f(user: User) -> Result<(), bsm_dynamodb::Error> {
    /// user.save().condition(User::id().not_exists()).await?; // a new one
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is awaited:
    /// [`ErrorKind::ConditionalCheckFailed`](crate::ErrorKind::ConditionalCheckFailed), with the
    /// item that is there: [`Error::existing_item`].
    pub fn condition(mut self, condition: Condition<M>) -> Self {
        and_condition(&mut self.condition, condition.into_node());
        self
    }

    /// Returns the item that was replaced, if there was one.
    pub fn return_old(self) -> ReturnOld<Self> {
        ReturnOld(self)
    }

    /// Gives the request in the words of the SDK; see [`Get::raw`].
    pub fn raw(self) -> Raw<M, PutItemFluentBuilder> {
        Raw::new(self)
    }

    /// Takes it apart, for a transaction.
    pub(crate) fn into_parts(self) -> (Result<Item, CodecError>, Option<Node>, Option<Watched>) {
        (self.item, self.condition, self.version)
    }

    async fn run(mut self, slot: Slot<M>) -> Result<(), Error> {
        let call = slot.call(Self::NAME);
        let version = self.version.take();
        let output = self.build(&call).await?.send().await;
        output.map_err(|error| call.write_failed(error))?;
        version.inspect(Watched::saved);
        Ok(())
    }

    async fn run_for_old(mut self, slot: Slot<M>) -> Result<Option<M>, Error> {
        let call = slot.call(Self::NAME);
        let version = self.version.take();
        let request = self.build(&call).await?.return_values(ReturnValue::AllOld);
        let output = request.send().await;
        let old = output.map_err(|error| call.write_failed(error))?.attributes;
        version.inspect(Watched::saved);
        old.map(|item| call.decode_written(stored::decode, item))
            .transpose()
    }
}

impl<M: Model> Request for Save<M> {
    type Model = M;
    type Builder = PutItemFluentBuilder;

    const NAME: &'static str = "PutItem";

    async fn build(self, call: &Call<M>) -> Result<PutItemFluentBuilder, Error> {
        let item = self.item.map_err(|cause| call.not_encoded(cause))?;
        let all = Expressions::of_condition::<M, M::Codec>(self.condition.as_ref());
        let all = all.map_err(|cause| call.not_expressed(cause))?;
        let request = call.client().await?.put_item();
        Ok(request
            .table_name(call.table())
            .set_item(Some(item))
            .set_return_values_on_condition_check_failure(old_item_if(all.condition.is_some()))
            .set_condition_expression(all.condition)
            .set_expression_attribute_names(all.names)
            .set_expression_attribute_values(all.values))
    }
}

/// Deletes one item; see [`Model::delete`] and [`Model::delete_key`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Delete<M> {
    key: Result<KeyValues, CodecError>,
    condition: Option<Node>,
    version: Option<Watched>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Delete<M> {
    pub(crate) fn of(model: &M) -> Self {
        let key = stored::encode(model).and_then(|item| key_of::<M>(&item));
        Self::new(key, Watched::of(model))
    }

    pub(crate) fn of_key(key: impl IntoKey<M::Key>) -> Self {
        Self::new(M::KEY.encode::<M, M::Codec>(key), None)
    }

    fn new(key: Result<KeyValues, CodecError>, version: Option<Watched>) -> Self {
        Self {
            key,
            condition: version.as_ref().map(Watched::condition),
            version,
            model: PhantomData,
        }
    }

    /// Deletes only if this holds for the item that is there; conditions add up.
    ///
    /// If there is no item, only [`not_exists`](crate::Path::not_exists) and the like hold.
    ///
    /// # Errors
    ///
    /// As [`Save::condition`].
    pub fn condition(mut self, condition: Condition<M>) -> Self {
        and_condition(&mut self.condition, condition.into_node());
        self
    }

    /// Returns the item that was deleted, if there was one.
    pub fn return_old(self) -> ReturnOld<Self> {
        ReturnOld(self)
    }

    /// Gives the request in the words of the SDK; see [`Get::raw`].
    pub fn raw(self) -> Raw<M, DeleteItemFluentBuilder> {
        Raw::new(self)
    }

    /// Takes it apart, for a transaction.
    pub(crate) fn into_parts(
        self,
    ) -> (Result<KeyValues, CodecError>, Option<Node>, Option<Watched>) {
        (self.key, self.condition, self.version)
    }

    async fn run(mut self, slot: Slot<M>) -> Result<(), Error> {
        let call = slot.call(Self::NAME);
        let version = self.version.take();
        let output = self.build(&call).await?.send().await;
        output.map_err(|error| call.write_failed(error))?;
        version.inspect(Watched::deleted);
        Ok(())
    }

    async fn run_for_old(mut self, slot: Slot<M>) -> Result<Option<M>, Error> {
        let call = slot.call(Self::NAME);
        let version = self.version.take();
        let request = self.build(&call).await?.return_values(ReturnValue::AllOld);
        let output = request.send().await;
        let old = output.map_err(|error| call.write_failed(error))?.attributes;
        version.inspect(Watched::deleted);
        old.map(|item| call.decode_written(stored::decode, item))
            .transpose()
    }
}

impl<M: Model> Request for Delete<M> {
    type Model = M;
    type Builder = DeleteItemFluentBuilder;

    const NAME: &'static str = "DeleteItem";

    async fn build(self, call: &Call<M>) -> Result<DeleteItemFluentBuilder, Error> {
        let key = self.key.map_err(|cause| call.not_encoded(cause))?;
        let all = Expressions::of_condition::<M, M::Codec>(self.condition.as_ref());
        let all = all.map_err(|cause| call.not_expressed(cause))?;
        let request = call.client().await?.delete_item();
        Ok(request
            .table_name(call.table())
            .set_key(Some(M::KEY.name_values(key)))
            .set_return_values_on_condition_check_failure(old_item_if(all.condition.is_some()))
            .set_condition_expression(all.condition)
            .set_expression_attribute_names(all.names)
            .set_expression_attribute_values(all.values))
    }
}

/// A write that returns the item as it was before, or `None` if there was none.
///
/// See [`Save::return_old`] and [`Delete::return_old`].
///
/// # Errors
///
/// As the write itself, and [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if the old
/// item does not fit the model; the write was done then.
#[must_use = "operations do nothing unless they are awaited"]
pub struct ReturnOld<O>(O);

macro_rules! bind_return_old {
    ($($operation:ident),*) => {$(
        impl<M: Model> IntoFuture for ReturnOld<$operation<M>> {
            type Output = Result<Option<M>, Error>;
            type IntoFuture = Pending<Option<M>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.0.run_for_old(crate::slot()))
            }
        }
    )*};
}

bind_return_old!(Save, Delete);

impl<O: fmt::Debug> fmt::Debug for ReturnOld<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReturnOld").field(&self.0).finish()
    }
}

/// Asks for the item that a condition does not hold for. It costs no capacity.
///
/// Source: [PutItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html)
/// in the API Reference.
pub(crate) fn old_item_if(conditional: bool) -> Option<ReturnValuesOnConditionCheckFailure> {
    conditional.then_some(ReturnValuesOnConditionCheckFailure::AllOld)
}

bind_when_awaited! {
    Get<M, T> => T,
    Save => (),
    Delete => (),
}

debug_settings! {
    Get<M, T> { consistent_read, projection },
    Save { condition },
    Delete { condition },
}
