//! Reading one item.

use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use serde::de::DeserializeOwned;

use crate::codec::CodecError;
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::Writer;
use crate::model::key::{IntoKey, KeyValues};
use crate::model::stored::{self, key_of};
use crate::model::{Model, bind, entity};
use crate::operation::optional::Optional;
use crate::operation::projection::ReadAs;
use crate::operation::raw::Raw;
use crate::operation::{Pending, Request, bind_when_awaited, debug_settings};

/// Reads one item; see [`Model::get`] and [`Model::refresh`].
///
/// Source: [GetItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html)
/// in the API Reference.
#[doc(alias = "GetItem")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct Get<M, T = M> {
    key: Result<KeyValues, CodecError>,
    consistent_read: bool,
    read_as: ReadAs<T>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Get<M> {
    pub(crate) fn new(key: impl IntoKey<M::Key>) -> Self {
        Self::with_key(M::KEY.encode::<M, M::Codec>(key))
    }

    /// Reads the item that has the key of this model.
    pub(crate) fn refresh(model: &M) -> Self {
        let key = stored::encode(model).and_then(|item| key_of::<M>(&item));
        // The default of `get` could return the item as it was before the last write.
        Self::with_key(key).consistent_read(true)
    }

    fn with_key(key: Result<KeyValues, CodecError>) -> Self {
        Self {
            key,
            consistent_read: false,
            read_as: ReadAs::whole(stored::decode),
            model: PhantomData,
        }
    }
}

impl<M: Model, T: Send + 'static> Get<M, T> {
    /// Sets whether the read is strongly consistent: it then sees every write that was acknowledged
    /// before, at twice the cost. Default: `false`; for [`refresh`](Model::refresh), `true`.
    ///
    /// Source: [Read consistency](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html)
    /// in the Developer Guide.
    pub fn consistent_read(mut self, consistent: bool) -> Self {
        self.consistent_read = consistent;
        self
    }

    /// Reads a `P` instead of the model: only the attributes for which it has fields.
    ///
    /// A map, or a struct with `#[serde(flatten)]`, gets all attributes, because serde doesn't know
    /// its fields in advance. DynamoDB charges for the whole item in any case.
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
            read_as: ReadAs::fields(),
            model: PhantomData,
        }
    }

    /// Returns `None` if the item does not exist, instead of an error.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// let user: Option<User> = User::get("123").optional().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A table that does not exist is an error in any case.
    pub fn optional(self) -> Optional<Self> {
        Optional(self)
    }

    /// Returns the SDK's request builder, ready to be changed and sent.
    ///
    /// Use it for settings that this crate doesn't have. Sending it returns the SDK's output.
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

    /// Returns the key and the projection, for a transaction.
    pub(crate) fn into_parts(self) -> (Result<KeyValues, CodecError>, ReadAs<T>) {
        (self.key, self.read_as)
    }

    async fn run(self, call: Call) -> Result<T, Error> {
        let item = self.run_optional(&call).await?;
        item.ok_or_else(|| {
            let message = "the table has no item with this key";
            call.error(ErrorKind::ItemNotFound, message)
        })
    }

    async fn run_optional(self, call: &Call) -> Result<Option<T>, Error> {
        let decode = self.read_as.decode;
        let output = self.build(call).await?.send().await;
        let item = output.map_err(|error| call.sdk_error(error))?.item;
        let Some(item) = item else { return Ok(None) };
        let decode = |item| entity::decode_own::<M, T>(decode, item);
        call.decode(decode, item, M::KEY.names()).map(Some)
    }
}

impl<M: Model, T: Send + 'static> Request for Get<M, T> {
    type Builder = GetItemFluentBuilder;

    const NAME: &'static str = "GetItem";

    async fn build(self, call: &Call) -> Result<GetItemFluentBuilder, Error> {
        let key = self.key.map_err(|cause| call.encode_error::<M>(cause))?;
        // A read by key has no values, so the writer needs no codec.
        let mut writer = Writer::default();
        // With the key among them, an item that has none of the attributes differs from no item.
        let entity = M::ENTITY.map(|entity| entity.attribute());
        let additional = M::KEY.names().chain(entity);
        let projection = self.read_as.projection_expression(&mut writer, additional);
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

bind_when_awaited! {
    Get<M, T> => T,
}

impl<M: Model, T: Send + 'static> IntoFuture for Optional<Get<M, T>> {
    type Output = Result<Option<T>, Error>;
    type IntoFuture = Pending<Option<T>>;

    fn into_future(self) -> Self::IntoFuture {
        let call = bind::<M>(Get::<M, T>::NAME);
        Box::pin(async move { self.0.run_optional(&call).await })
    }
}

debug_settings! {
    Get<M, T> { consistent_read, read_as },
}
