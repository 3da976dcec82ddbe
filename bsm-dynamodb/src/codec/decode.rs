//! From attribute values to serde.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::value::{SeqDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::SerdeError;
use super::item::Item;
use super::markers::NUMBER;
use super::number::Decimal;

/// Reads a value as `serde_dynamo` does, and what it has no way to read.
pub(super) struct Decoder(pub(super) AttributeValue);

impl Decoder {
    fn expected(&self, what: &str) -> SerdeError {
        let found = match &self.0 {
            AttributeValue::S(_) => "a string",
            AttributeValue::N(_) => "a number",
            AttributeValue::B(_) => "binary",
            AttributeValue::Bool(_) => "a boolean",
            AttributeValue::Null(_) => "NULL",
            AttributeValue::M(_) => "a map",
            AttributeValue::L(_) => "a list",
            AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => "a set",
            _ => "a type that this version does not know",
        };
        SerdeError::new(format!("expected {what}, found {found}"))
    }
}

macro_rules! numbers {
    ($what:literal, $read:expr; $($method:ident => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
            let AttributeValue::N(number) = &self.0 else {
                return Err(self.expected("a number"));
            };
            match $read(number) {
                Some(number) => visitor.$visit(number),
                None => Err(SerdeError::new(concat!("the number does not fit ", $what))),
            }
        }
    )*};
}

macro_rules! values {
    ($($method:ident, $what:literal: $pattern:pat => $visit:expr,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
            match self.0 {
                $pattern => $visit(visitor),
                other => Err(Self(other).expected($what)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            AttributeValue::S(text) => visitor.visit_string(text),
            AttributeValue::N(number) => any_number(&number, visitor),
            AttributeValue::B(bytes) => visitor.visit_byte_buf(bytes.into_inner()),
            AttributeValue::Bool(value) => visitor.visit_bool(value),
            AttributeValue::Null(_) => visitor.visit_unit(),
            AttributeValue::M(_) => self.deserialize_map(visitor),
            // Lists and sets. An attribute type that is new to the SDK is an error there.
            _ => self.deserialize_seq(visitor),
        }
    }

    numbers! { "an integer of this size", integer;
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
    }

    // A decimal that no float equals is rounded to the nearest float. One beyond the floats would be read as
    // infinity, which could not be saved.
    numbers! { "a float of 32 bits", |number: &str| number.parse().ok().filter(|it: &f32| it.is_finite());
        deserialize_f32 => visit_f32,
    }

    numbers! { "a float", |number: &str| number.parse().ok().filter(|it: &f64| it.is_finite());
        deserialize_f64 => visit_f64,
    }

    values! {
        deserialize_bool, "a boolean":
            AttributeValue::Bool(value) => |visitor: V| visitor.visit_bool(value),
        deserialize_string, "a string":
            AttributeValue::S(text) => |visitor: V| visitor.visit_string(text),
        deserialize_byte_buf, "binary":
            AttributeValue::B(bytes) => |visitor: V| visitor.visit_byte_buf(bytes.into_inner()),
        deserialize_unit, "NULL":
            AttributeValue::Null(_) => |visitor: V| visitor.visit_unit(),
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        // serde's visitor of a `char` takes text of one character.
        self.deserialize_string(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            AttributeValue::Null(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        match self.0 {
            // As text, because `any_number` would round more digits than an `f64` has.
            AttributeValue::N(number) if name == NUMBER => visitor.visit_string(number),
            _ if name == NUMBER => Err(self.expected("a number")),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let values: Vec<AttributeValue> = match self.0 {
            AttributeValue::L(values) => values,
            AttributeValue::Ss(all) => all.into_iter().map(AttributeValue::S).collect(),
            AttributeValue::Ns(all) => all.into_iter().map(AttributeValue::N).collect(),
            AttributeValue::Bs(all) => all.into_iter().map(AttributeValue::B).collect(),
            other => return Err(Self(other).expected("a list or a set")),
        };
        let mut elements = SeqDeserializer::new(values.into_iter().map(Element));
        let value = visitor.visit_seq(&mut elements)?;
        // A tuple or an array that is too short for the list would lose its other elements.
        elements.end()?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        // `deserialize_seq` fails if elements are left over, so the length isn't needed.
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            AttributeValue::M(item) => visitor.visit_map(Entries::new(item)),
            other => Err(Self(other).expected("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        match self.0 {
            // serde's derive also reads a struct from a sequence of its fields.
            AttributeValue::L(_) => self.deserialize_seq(visitor),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        match self.0 {
            AttributeValue::S(variant) => visitor.visit_enum(variant.into_deserializer()),
            // A map with more entries is no externally tagged variant.
            AttributeValue::M(item) if item.len() == 1 => visitor.visit_enum(Variant(item)),
            other => Err(Self(other).expected("a variant: a string, or a map with one entry")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        // The value is in memory already, so there is nothing to skip.
        visitor.visit_unit()
    }
}

/// Reads an integer, in whatever notation: `1`, `1.0` and `1E0`.
fn integer<T: std::str::FromStr>(number: &str) -> Option<T> {
    // The plain notation, which DynamoDB answers with for most numbers, needs no grammar.
    let plain = number.parse().ok();
    plain.or_else(|| number.parse::<Decimal>().ok()?.to_integer())
}

fn any_number<'de, V: Visitor<'de>>(number: &str, visitor: V) -> Result<V::Value, SerdeError> {
    // Integers first: an `f64` has only 53 bits, and serde can turn an integer into a float, but not back.
    if let Ok(number) = number.parse() {
        visitor.visit_i64(number)
    } else if let Ok(number) = number.parse() {
        visitor.visit_u64(number)
    } else if let Ok(number) = number.parse() {
        // Fractions, and integers of more than 64 bits, which are rounded here.
        visitor.visit_f64(number)
    } else {
        Err(SerdeError::new("the number cannot be read"))
    }
}

/// An element of a list.
struct Element(AttributeValue);

impl IntoDeserializer<'_, SerdeError> for Element {
    type Deserializer = Decoder;

    fn into_deserializer(self) -> Decoder {
        Decoder(self.0)
    }
}

/// The entries of a map; an error in one of them names it.
struct Entries {
    entries: std::collections::hash_map::IntoIter<String, AttributeValue>,
    value: Option<(String, AttributeValue)>,
}

impl Entries {
    fn new(item: Item) -> Self {
        Self {
            entries: item.into_iter(),
            value: None,
        }
    }
}

impl<'de> de::MapAccess<'de> for Entries {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, SerdeError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        // The key is kept, because an error in the value names it.
        let read = seed.deserialize(MapKey(key.clone())).map(Some);
        self.value = Some((key, value));
        read
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, SerdeError> {
        let Some((key, value)) = self.value.take() else {
            return Err(SerdeError::new("a value of a map was read twice"));
        };
        seed.deserialize(Decoder(value))
            .map_err(|error| error.inside_of(&key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// The key of a map: a string, which may be read as another type.
struct MapKey(String);

macro_rules! parsed_keys {
    ($($method:ident => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                // A key of a map is a value of the item, so the message doesn't repeat it.
                Err(_) => Err(SerdeError::new("a key of the map does not fit its type")),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for MapKey {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        // Where serde buffers a map, its keys remain text. Writing other keys therefore notes a need to read back.
        visitor.visit_string(self.0)
    }

    parsed_keys! {
        deserialize_bool => visit_bool,
        deserialize_char => visit_char,
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        // A key of a map is never NULL.
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        StringDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        f32 f64 str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// A variant with content: a map of its name to the content.
struct Variant(Item);

impl<'de> EnumAccess<'de> for Variant {
    type Error = SerdeError;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content), SerdeError> {
        // `deserialize_enum` has checked that there is one entry.
        let Some((name, value)) = self.0.into_iter().next() else {
            return Err(SerdeError::new("expected a variant, found an empty map"));
        };
        let variant = seed.deserialize(StringDeserializer::<SerdeError>::new(name))?;
        Ok((variant, Content(value)))
    }
}

struct Content(AttributeValue);

impl<'de> VariantAccess<'de> for Content {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        // The content of a unit variant is NULL, which is read as `()`.
        de::Deserialize::deserialize(Decoder(self.0))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, SerdeError> {
        seed.deserialize(Decoder(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, SerdeError> {
        Decoder(self.0).deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        Decoder(self.0).deserialize_map(visitor)
    }
}
