//! A model as the item that its codec stores, and the check that both have the same key.
//!
//! A codec may encode a key differently in an item than `get` does: an implementation of `Serialize`
//! that is written by hand can, and so can an attribute of serde that has one direction only. A save
//! would then write another item than the one that was read. The check refuses that, in either
//! direction.

use crate::codec::{Codec, CodecError, Item};
use crate::model::key::KeyValues;
use crate::model::rest::Rest;
use crate::model::{Model, entity};

/// Turns a model into an item.
pub(crate) fn encode<M: Model>(model: &M) -> Result<Item, CodecError> {
    // The item does not show which of its attributes are entries of a flattened field.
    model.__check_flattened()?;
    let mut item = M::Codec::to_item(model)?;
    // Before `complete`, whose attributes replace those of the rest.
    if let Some(rest) = model.__rest() {
        rest.add_to::<M>(&mut item);
    }
    entity::complete::<M>(&mut item)?;
    let stored = key_of::<M>(&item)?;
    // DynamoDB would refuse a key of another type as well, but not say how to declare it.
    M::KEY.check_types(&stored)?;
    match own_key(model)? {
        Some(own) if own != stored => Err("the item's key differs from the key that get() looks \
                                           up: the codec must write the field with the same \
                                           Serialize as the key"
            .into()),
        _ => Ok(item),
    }
}

/// Turns an item into a model.
pub(crate) fn decode<M: Model>(mut item: Item) -> Result<M, CodecError> {
    // An item of an index or of a projection may lack what the codec does not need.
    let stored = key_of::<M>(&item).ok();
    // After the key was read, because this takes composed key attributes out of the item.
    entity::reduce::<M>(&mut item)?;
    // A model without a rest may have a codec that reads attributes which it does not declare.
    let rest = M::DECLARED.map(|declared| Rest::take(&mut item, declared));
    let mut model = M::Codec::from_item(item)?;
    if let (Some(field), Some(rest)) = (model.__rest_mut(), rest) {
        *field = rest;
    }
    match (stored, own_key(&model)?) {
        (Some(stored), Some(own)) if own != stored => Err(
            "the model's key differs from the key of its item, so a save would write another item: \
             the field's Deserialize must read what its Serialize writes"
                .into(),
        ),
        _ => Ok(model),
    }
}

/// Returns the key of an item that the model's codec wrote.
pub(crate) fn key_of<M: Model>(item: &Item) -> Result<KeyValues, CodecError> {
    M::KEY.values_in(item).map_err(|name| {
        format!("the key attribute `{name}` is missing, or is not a string, a number or binary")
            .into()
    })
}

fn own_key<M: Model>(model: &M) -> Result<Option<KeyValues>, CodecError> {
    // The other side of the comparison comes from the codec, so this key passes through it as well.
    let key = model.__key();
    key.map(|key| M::KEY.stored::<M, M::Codec>(key)).transpose()
}
