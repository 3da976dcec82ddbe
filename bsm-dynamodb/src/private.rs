//! What the expansions of the derive macros need besides the public API.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError, Encode, Item, Serde, read_back};
use crate::expression::ValueCheck;
use crate::model::Model;
use crate::model::entity;
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

/// A flattened field. `(&Flattened(&self.rest)).entries()` returns the names of its entries if serde writes its
/// type, and none otherwise, in the way of [`ReadBack`].
pub struct Flattened<'a, T>(pub &'a T);

impl<T> fmt::Debug for Flattened<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flattened")
    }
}

/// Flattened fields whose entries are known.
pub trait Entries {
    /// Returns the names of the entries.
    fn entries(&self) -> Vec<String>;
}

impl<T: Serialize> Entries for Flattened<'_, T> {
    fn entries(&self) -> Vec<String> {
        match Serde::encode(self.0) {
            Ok(AttributeValue::M(entries)) => entries.into_keys().collect(),
            // An error is one of the whole item as well, which the codec reports.
            _ => Vec::new(),
        }
    }
}

/// All other flattened fields.
pub trait UnknownEntries {
    /// Returns no names.
    fn entries(&self) -> Vec<String>;
}

impl<T> UnknownEntries for &Flattened<'_, T> {
    fn entries(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Fails if an entry of a flattened field has the name of an attribute that the model `M` reads or adds itself.
///
/// Such an entry would be read as that attribute, also where the model has left the attribute out.
pub fn check_entries<M: Model>(
    declared: &[&str],
    flattened: &[(&str, Vec<String>)],
) -> Result<(), CodecError> {
    let is_taken = |name: &str| declared.contains(&name) || entity::adds::<M>(name);
    let mut entries = flattened
        .iter()
        .flat_map(|(field, entries)| entries.iter().map(move |entry| (field, entry)));
    match entries.find(|(_, entry)| is_taken(entry)) {
        None => Ok(()),
        Some((field, entry)) => Err(format!(
            "attribute `{entry}`: an entry of the flattened field `{field}` has the name of another attribute \
             of the model: rename the entry"
        )
        .into()),
    }
}
