//! Operations on one item.

use std::marker::PhantomData;

use crate::codec::{Codec, CodecError, Item};
use crate::error::{Error, ErrorKind};
use crate::key::KeyValues;
use crate::model::Model;
use crate::operation::{bind_when_awaited, debug_settings};
use crate::slot::{Call, Slot};

/// Reads one item; see [`Model::get`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Get<M> {
    key: KeyValues,
    consistent_read: bool,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Get<M> {
    pub(crate) fn new(key: KeyValues) -> Self {
        Self {
            key,
            consistent_read: false,
            model: PhantomData,
        }
    }

    /// Asks for a read that sees every write that was acknowledged before, at twice the cost.
    ///
    /// Source: [Read consistency](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html)
    /// in the Developer Guide.
    pub fn consistent_read(mut self, consistent: bool) -> Self {
        self.consistent_read = consistent;
        self
    }

    async fn run(self, slot: Slot<M>) -> Result<M, Error> {
        let call = slot.call("GetItem");
        let request = call.client().await?.get_item();
        let output = request
            .table_name(call.table())
            .set_key(Some(M::KEY.name_values(self.key)))
            .consistent_read(self.consistent_read)
            .send()
            .await
            .map_err(|error| call.failed(error))?;
        match output.item {
            Some(item) => call.decode(item),
            None => Err(call.error(ErrorKind::ItemNotFound, "no item has this key")),
        }
    }
}

/// Writes one item; see [`Model::save`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Save<M> {
    item: Result<Item, CodecError>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Save<M> {
    pub(crate) fn new(model: &M) -> Self {
        Self {
            item: M::Codec::to_item(model),
            model: PhantomData,
        }
    }

    async fn run(self, slot: Slot<M>) -> Result<(), Error> {
        let call = slot.call("PutItem");
        let item = self.item.map_err(|cause| call.not_encoded(cause))?;
        let request = call.client().await?.put_item();
        request
            .table_name(call.table())
            .set_item(Some(item))
            .send()
            .await
            .map_err(|error| call.failed(error))?;
        Ok(())
    }
}

/// Deletes one item; see [`Model::delete`] and [`Model::delete_key`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Delete<M> {
    key: Result<KeyValues, CodecError>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Delete<M> {
    pub(crate) fn of(model: &M) -> Self {
        let key = M::Codec::to_item(model).and_then(|item| key_of::<M>(&item));
        Self {
            key,
            model: PhantomData,
        }
    }

    pub(crate) fn of_key(key: KeyValues) -> Self {
        Self {
            key: Ok(key),
            model: PhantomData,
        }
    }

    async fn run(self, slot: Slot<M>) -> Result<(), Error> {
        let call: Call<M> = slot.call("DeleteItem");
        let key = self.key.map_err(|cause| call.not_encoded(cause))?;
        let request = call.client().await?.delete_item();
        request
            .table_name(call.table())
            .set_key(Some(M::KEY.name_values(key)))
            .send()
            .await
            .map_err(|error| call.failed(error))?;
        Ok(())
    }
}

/// Reads the key out of an item that the model's codec has written.
pub(crate) fn key_of<M: Model>(item: &Item) -> Result<KeyValues, CodecError> {
    M::KEY.values_in(item).map_err(|name| {
        format!("the key attribute `{name}` is missing, or not a string, a number or binary").into()
    })
}

bind_when_awaited! {
    Get => M,
    Save => (),
    Delete => (),
}

debug_settings! {
    Get { consistent_read },
    Save {},
    Delete {},
}
