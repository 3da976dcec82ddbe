//! What the expansions of the derive macros need besides the public API.

use crate::codec::{Codec, CodecError, Item};
use crate::model::key::{IntoKey, KeyValues, RangedKey};
use crate::types::KeyElement;

/// What `Model::__key` returns.
pub type OwnKey = Option<Result<KeyValues, CodecError>>;

/// The key of a model that has an error: it accepts every value.
#[derive(Clone, Copy, Debug)]
pub enum AnyKey {}

impl KeyElement for AnyKey {
    type Stored = String;
}

impl RangedKey for AnyKey {
    type Range = Self;
}

impl<T> IntoKey<AnyKey> for T {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        Err(NOT_COMPILED.into())
    }
}

/// The codec of a model that has an error: it accepts every type.
#[derive(Clone, Copy, Debug)]
pub enum AnyCodec {}

impl<M> Codec<M> for AnyCodec {
    fn to_item(_: &M) -> Result<Item, CodecError> {
        Err(NOT_COMPILED.into())
    }

    fn from_item(_: Item) -> Result<M, CodecError> {
        Err(NOT_COMPILED.into())
    }
}

const NOT_COMPILED: &str = "a model with an error is not compiled";
