//! What the expansions of the derive macros need besides the public API.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError, Item, read_back};
use crate::expression::ValueCheck;
use crate::model::key::{IntoKey, KeyValues, RangedKey};
use crate::types::{KeyElement, TtlAttribute};

pub use crate::model::entities::{decode_if, of_no_model};

/// Returns the name of the attribute by which DynamoDB expires items, whose type is one that it can.
pub const fn expires<T: TtlAttribute>(name: &'static str) -> &'static str {
    // `T` is only in the bound: the compiler checks it, and the name passes through.
    name
}

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

// Every key is accepted, so that `User::get(…)` adds no second error to that of the derive.
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

/// The type of a field. `(&ReadBack::<T>::NEW).check()` returns a check if serde reads and writes the type,
/// and `None` otherwise: the compiler tries the method of [`Checked`] first, and takes that of
/// [`NotReadBack`], which is one reference further away, if its bounds do not hold.
pub struct ReadBack<T>(PhantomData<fn() -> T>);

impl<T> ReadBack<T> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

impl<T> fmt::Debug for ReadBack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadBack")
    }
}

/// Types that serde reads and writes.
pub trait Checked {
    /// Returns the check.
    fn check(&self) -> Option<ValueCheck>;
}

impl<T: Serialize + DeserializeOwned> Checked for ReadBack<T> {
    fn check(&self) -> Option<ValueCheck> {
        Some(read_back::check_value::<T>)
    }
}

/// All other types.
pub trait NotReadBack {
    /// Returns no check.
    fn check(&self) -> Option<ValueCheck>;
}

impl<T> NotReadBack for &ReadBack<T> {
    fn check(&self) -> Option<ValueCheck> {
        None
    }
}
