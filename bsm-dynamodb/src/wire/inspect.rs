//! One pass over the bytes of an item, which decodes nothing but the attributes that are asked for.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::attribute_value::DecodedValue;
use crate::codec::Item;

/// Checks that all attributes have types that this program knows, and returns those with the given
/// names.
pub(super) fn inspect(item: &[u8], names: &[&str]) -> serde_json::Result<Item> {
    let mut found = Item::new();
    let mut json = serde_json::Deserializer::from_slice(item);
    Attributes {
        names,
        found: &mut found,
    }
    .deserialize(&mut json)?;
    // The bytes are sent as they are, so anything behind the item would be sent as well.
    json.end()?;
    Ok(found)
}

/// The attributes of an item or a map.
struct Attributes<'a> {
    names: &'a [&'a str],
    found: &'a mut Item,
}

impl<'de> DeserializeSeed<'de> for Attributes<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Attributes<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(NameIn(self.names))? {
            match name {
                None => map.next_value_seed(AnyValue)?,
                Some(name) => {
                    // Only the named attributes are decoded. The others are checked and passed over as text.
                    let text: &RawValue = map.next_value()?;
                    let value = serde_json::from_str(text.get());
                    // Decoding refuses unknown types inside the value, as `AnyValue` does for the others.
                    let DecodedValue(value) = value.map_err(A::Error::custom)?;
                    self.found.insert(name.to_owned(), value);
                }
            }
        }
        Ok(())
    }
}

/// An attribute's name, compared with those that are asked for.
struct NameIn<'a>(&'a [&'a str]);

impl<'de, 'a> DeserializeSeed<'de> for NameIn<'a> {
    type Value = Option<&'a str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for NameIn<'a> {
    type Value = Option<&'a str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        // serde_json has unescaped the name, so `i\u0064` is found as `id`.
        Ok(self.0.iter().copied().find(|wanted| *wanted == name))
    }
}

/// An attribute's value: a map with one entry, from its type to its content.
struct AnyValue;

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match map.next_key_seed(Type)? {
            // Only the type is checked: DynamoDB refuses a scalar with the wrong content when it is written.
            Some(Content::Scalar) => drop(map.next_value::<IgnoredAny>()?),
            Some(Content::Map) => map.next_value_seed(Attributes {
                // Nothing inside a map is asked for: the keys of tables and indexes are attributes of the item itself.
                names: &[],
                found: &mut Item::new(),
            })?,
            Some(Content::List) => map.next_value_seed(Values)?,
            None => return Err(A::Error::custom("a value without a type")),
        }
        // A value has one member, its type. Anything else is not DynamoDB's, and the copy must stop.
        match map.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("a value with two types")),
        }
    }
}

/// The values of a list.
struct Values;

impl<'de> DeserializeSeed<'de> for Values {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Values {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element_seed(AnyValue)?.is_some() {}
        Ok(())
    }
}

/// What a value of a type contains.
enum Content {
    Scalar,
    Map,
    List,
}

struct Type;

impl<'de> DeserializeSeed<'de> for Type {
    type Value = Content;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Type {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Content, E> {
        match content_of(name) {
            Some(content) => Ok(content),
            None => Err(E::custom("an unknown type")),
        }
    }
}

fn content_of(name: &str) -> Option<Content> {
    match name {
        // `Decoded` lists the same types. A type that only one of them knew would be copied without a filter and
        // refused with one, or the other way round.
        "S" | "N" | "B" | "SS" | "NS" | "BS" | "NULL" | "BOOL" => Some(Content::Scalar),
        "M" => Some(Content::Map),
        "L" => Some(Content::List),
        _ => None,
    }
}

/// Returns the path of the first attribute whose type is unknown.
pub(super) fn path_of_unknown_type(item: &Value) -> Option<String> {
    let mut attributes = item.as_object()?.iter();
    attributes.find_map(|(name, value)| Some(format!("{name}{}", path_in_value(value)?)))
}

fn path_in_value(value: &Value) -> Option<String> {
    // A value without a type has no path: the item is reported as malformed.
    let (name, content) = value.as_object()?.iter().next()?;
    match content_of(name) {
        None => Some(String::new()),
        Some(Content::Scalar) => None,
        Some(Content::Map) => path_of_unknown_type(content).map(|path| format!(".{path}")),
        Some(Content::List) => {
            let mut values = content.as_array()?.iter().enumerate();
            values.find_map(|(index, value)| Some(format!("[{index}]{}", path_in_value(value)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::super::item::{InvalidItem, WireItem};
    use super::*;

    fn wire(text: &str) -> WireItem {
        let body = bytes::Bytes::copy_from_slice(text.as_bytes());
        let item: &RawValue = serde_json::from_slice(&body).unwrap();
        WireItem::in_body(&body, item)
    }

    #[test]
    fn only_the_named_attributes_are_decoded() {
        let item = wire(
            r#"{"i\u0064":{"S":"\u0031"},"n":{"N":"1.0"},"m":{"M":{"id":{"L":[{"BOOL":true}]}}}}"#,
        );
        let found = item.inspect(["id", "n", "absent"]).unwrap();
        let expected = Item::from([
            ("id".to_owned(), AttributeValue::S("1".to_owned())),
            ("n".to_owned(), AttributeValue::N("1.0".to_owned())),
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_flaw_is_found_wherever_it_is_and_the_path_of_an_unknown_type_is_named() {
        let unknown = |path: &str| InvalidItem::UnknownType(path.to_owned());
        let table = [
            (r#"{"a":{"X":1}}"#, unknown("a")),
            (r#"{"id":{"X":1}}"#, unknown("id")),
            (
                r#"{"a":{"M":{"b":{"L":[{"S":""},{"X":{}}]}}}}"#,
                unknown("a.b[1]"),
            ),
            (r#"{"a":{"L":[{"M":{"b":{"X":null}}}]}}"#, unknown("a[0].b")),
            (r#"{"a":{}}"#, InvalidItem::Malformed),
            (r#"{"a":{"S":"1","N":"1"}}"#, InvalidItem::Malformed),
            (r#"{"a":"1"}"#, InvalidItem::Malformed),
            (r#"{"a":{"M":[]}}"#, InvalidItem::Malformed),
            (r#"{"a":{"L":{}}}"#, InvalidItem::Malformed),
            ("[]", InvalidItem::Malformed),
            ("1", InvalidItem::Malformed),
        ];
        for (text, flaw) in table {
            assert_eq!(wire(text).inspect(["id"]).unwrap_err(), flaw, "{text}");
            assert_eq!(wire(text).decode().unwrap_err(), flaw, "{text}");
        }
    }
}
