//! An item as bytes.

use std::fmt;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::attribute_value::{DecodedItem, EncodedItem};
use super::inspect;
use crate::codec::{CodecError, Item};

/// An item as the JSON that DynamoDB sent or would send: `{"id": {"S": "1"}}`.
///
/// It shares the memory of the response that it arrived in.
#[derive(Clone)]
pub(crate) struct WireItem(Bytes);

/// What is wrong with an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InvalidItem {
    /// The attribute at this path has a type that this program does not know.
    UnknownType(String),
    /// It is not an item.
    Malformed,
}

impl WireItem {
    /// Returns the part of a body that serde has found to be an item.
    pub(crate) fn in_body(body: &Bytes, item: &RawValue) -> Self {
        // `slice_ref` panics for memory outside the body; a `RawValue` that was read from it is inside.
        Self(body.slice_ref(item.get().as_bytes()))
    }

    /// Encodes an item.
    ///
    /// # Errors
    ///
    /// For a value of a type that the SDK does not know.
    pub(crate) fn encode(item: &Item) -> Result<Self, CodecError> {
        let text = serde_json::to_vec(&EncodedItem(item))?;
        Ok(Self(text.into()))
    }

    /// Decodes the item.
    pub(crate) fn decode(&self) -> Result<Item, InvalidItem> {
        let decoded = serde_json::from_slice(&self.0);
        let DecodedItem(item) = decoded.map_err(|_| self.flaw())?;
        Ok(item)
    }

    /// Checks the types of all attributes, and decodes those of the given names that the item has.
    pub(crate) fn inspect<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Item, InvalidItem> {
        let names: Vec<_> = names.into_iter().collect();
        inspect::inspect(&self.0, &names).ok_or_else(|| self.flaw())
    }

    /// Returns the bytes that the item takes in a request.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    // Only after a failure, so it may decode the item again.
    fn flaw(&self) -> InvalidItem {
        let path = serde_json::from_slice(&self.0).ok();
        let path = path.and_then(|item| inspect::path_of_unknown_type(&item));
        path.map_or(InvalidItem::Malformed, InvalidItem::UnknownType)
    }
}

/// Shows the length, and no values.
impl fmt::Debug for WireItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireItem({} bytes)", self.0.len())
    }
}
