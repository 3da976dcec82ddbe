//! Which attributes of an item are read, and what they are converted to.

use std::fmt;

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::codec::{CodecError, Decode, Item, decode_with_serde};
use crate::expression::Writer;

/// The type that items are read as, with the attributes that it needs.
pub(crate) struct ReadAs<T> {
    pub(crate) decode: Decode<T>,
    /// The attributes to read, or none to read all of them.
    attributes: &'static [&'static str],
}

impl<T> ReadAs<T> {
    /// Reads whole items.
    pub(crate) fn whole(decode: Decode<T>) -> Self {
        Self {
            decode,
            attributes: &[],
        }
    }

    /// Reads the fields of `T`.
    pub(crate) fn fields() -> Self
    where
        T: DeserializeOwned,
    {
        Self {
            decode: decode_fields::<T>,
            attributes: fields_of::<T>(),
        }
    }

    fn is_whole(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Writes the `ProjectionExpression`, which also reads the attributes `additional`.
    pub(crate) fn projection_expression<'a>(
        &self,
        writer: &mut Writer,
        additional: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        if self.is_whole() {
            return None;
        }
        // DynamoDB refuses a projection that has the same attribute twice.
        let additional = additional
            .into_iter()
            .filter(|name| !self.attributes.contains(name));
        let names = self.attributes.iter().copied().chain(additional);
        let names: Vec<_> = names.map(|name| writer.name(name)).collect();
        Some(names.join(", "))
    }
}

impl<T> Clone for ReadAs<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ReadAs<T> {}

impl<T> fmt::Debug for ReadAs<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.attributes).finish()
    }
}

/// Decodes the fields of `T`. The additional attributes are dropped first, because `T` may refuse
/// unknown fields.
fn decode_fields<T: DeserializeOwned>(mut item: Item) -> Result<T, CodecError> {
    let fields = fields_of::<T>();
    if !fields.is_empty() {
        item.retain(|name, _| fields.contains(&name.as_str()));
    }
    decode_with_serde(item)
}

/// Returns the fields that `T` requests from serde, or none if it doesn't request fields.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It always fails: the deserializer records the fields and has no data.
    let _ = T::deserialize(FieldsOnly(&mut fields));
    fields
}

/// A deserializer that records the names of the fields that a struct requests.
struct FieldsOnly<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldsOnly<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("the fields are not known"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("the fields are known"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        // A newtype has the fields of the struct inside.
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "the test reads only its fields' names")]
    struct Summary {
        user_id: String,
        #[serde(rename = "n", default)]
        name: Option<String>,
        #[serde(skip)]
        cached: bool,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "the test reads only its fields' names")]
    struct Wrapped(Summary);

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "the test reads only its fields' names")]
    struct Flat {
        id: String,
        #[serde(flatten)]
        rest: HashMap<String, String>,
    }

    #[test]
    fn the_fields_of_a_struct_are_known_by_the_names_that_serde_reads() {
        assert_eq!(fields_of::<Summary>(), ["userId", "n"]);
        assert_eq!(fields_of::<Wrapped>(), ["userId", "n"]);
    }

    #[test]
    fn a_type_that_takes_any_attribute_reads_whole_items() {
        assert!(fields_of::<Flat>().is_empty());
        assert!(fields_of::<HashMap<String, u8>>().is_empty());
    }
}
