//! One pass over the bytes of an item, which decodes nothing but the attributes that are asked for.
//!
//! It is most of what a copy does by itself, so no parser of serde's does it: that would decode every name
//! and check every string again.

use std::borrow::Cow;

use memchr::memchr2;
use serde_json::Value;

use super::attribute_value::DecodedValue;
use crate::codec::Item;

/// How deeply values may nest. DynamoDB allows 32 levels, and a deeper item must not overflow the stack.
const MAX_DEPTH: usize = 64;

/// Checks that all attributes have types that this program knows, and returns those with the given
/// names; `None` if the item has a flaw.
///
/// `item` is JSON that serde has read or written. Text that is not JSON may count as an item.
pub(super) fn inspect(item: &[u8], names: &[&str]) -> Option<Item> {
    let mut found = Item::new();
    let mut rest = Rest(item);
    rest.object(|rest, name| {
        let from = rest.0;
        rest.value(MAX_DEPTH)?;
        let mut names = names.iter();
        if let Some(name) = names.find(|wanted| wanted.as_bytes() == &*name) {
            let (value, _) = from.split_at_checked(from.len() - rest.0.len())?;
            let DecodedValue(value) = serde_json::from_slice(value).ok()?;
            found.insert((*name).to_owned(), value);
        }
        Some(())
    })?;
    // The bytes are sent as they are, so anything behind the item would be sent as well.
    rest.0.trim_ascii_start().is_empty().then_some(found)
}

/// The rest of an item's text. Each method takes what it is named after from its beginning, and returns
/// `None` if something else is there.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Takes a byte, and the white space before it.
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.trim_ascii_start().split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn byte_if(&mut self, wanted: u8) -> Option<()> {
        (self.byte()? == wanted).then_some(())
    }

    /// Takes the byte before a first element, or the end of a list without elements.
    fn ends_with(&mut self, end: u8) -> bool {
        let is_end = self.0.trim_ascii_start().first() == Some(&end);
        if is_end {
            self.byte();
        }
        is_end
    }

    /// Takes elements until `end`.
    fn elements(&mut self, end: u8, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.ends_with(end) {
            return Some(());
        }
        loop {
            each(self)?;
            match self.byte()? {
                b',' => {}
                other => return (other == end).then_some(()),
            }
        }
    }

    /// Takes an object; `member` takes what is behind a name.
    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, [u8]>) -> Option<()>,
    ) -> Option<()> {
        self.byte_if(b'{')?;
        self.elements(b'}', |rest| {
            let name = rest.string()?;
            rest.byte_if(b':')?;
            member(rest, name)
        })
    }

    /// Takes an attribute's value: an object with one member, from its type to its content.
    fn value(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let mut types = 0;
        self.object(|rest, name| {
            types += 1;
            match content_of(&name)? {
                // Only the type is checked: DynamoDB refuses a scalar with the wrong content when it is written.
                Content::Scalar => rest.anything(),
                Content::Map => rest.object(|rest, _| rest.value(depth)),
                Content::List => {
                    rest.byte_if(b'[')?;
                    rest.elements(b']', |rest| rest.value(depth))
                }
            }
        })?;
        // A value has one member, its type. Anything else is not DynamoDB's, and the copy must stop.
        (types == 1).then_some(())
    }

    /// Takes a value of JSON.
    fn anything(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.byte()? {
                b'"' => _ = self.behind_quote()?,
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.checked_sub(1)?,
                b',' | b':' => {}
                // A number, or one of three words.
                _ => {
                    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                    let end = self.0.iter().position(|byte| !in_word(byte));
                    self.0 = &self.0[end.unwrap_or(self.0.len())..];
                }
            }
            if open == 0 {
                return Some(());
            }
        }
    }

    /// Takes a string, and returns what it means.
    fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        self.byte_if(b'"')?;
        let (text, is_escaped) = self.behind_quote()?;
        if !is_escaped {
            return Some(text.into());
        }
        // DynamoDB escapes few names and no type: `i\u0064` is `id` nevertheless.
        let quoted = [b"\"", text, b"\""].concat();
        let unescaped: String = serde_json::from_slice(&quoted).ok()?;
        Some(unescaped.into_bytes().into())
    }

    /// Takes a string behind its first quote. Returns what is between the quotes, and whether it has an escape.
    fn behind_quote(&mut self) -> Option<(&'a [u8], bool)> {
        let text = self.0;
        let (mut at, mut is_escaped) = (0, false);
        loop {
            at += memchr2(b'"', b'\\', text.get(at..)?)?;
            if text[at] == b'"' {
                self.0 = &text[at + 1..];
                return Some((&text[..at], is_escaped));
            }
            // The escaped character can be a quote.
            at += 2;
            is_escaped = true;
        }
    }
}

/// What a value of a type contains.
enum Content {
    Scalar,
    Map,
    List,
}

fn content_of(name: &[u8]) -> Option<Content> {
    match name {
        // `Decoded` lists the same types. A type that only one of them knew would be copied without a filter and
        // refused with one, or the other way round.
        b"S" | b"N" | b"B" | b"SS" | b"NS" | b"BS" | b"NULL" | b"BOOL" => Some(Content::Scalar),
        b"M" => Some(Content::Map),
        b"L" => Some(Content::List),
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
    match content_of(name.as_bytes()) {
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
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::value::RawValue;

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
            (r#"{"a":{"\u0058":1}}"#, unknown("a")),
            (r#"{"\ud800":{"S":"1"}}"#, InvalidItem::Malformed),
            ("[]", InvalidItem::Malformed),
            ("1", InvalidItem::Malformed),
        ];
        for (text, flaw) in table {
            assert_eq!(wire(text).inspect(["id"]).unwrap_err(), flaw, "{text}");
            assert_eq!(wire(text).decode().unwrap_err(), flaw, "{text}");
        }
    }

    #[test]
    fn a_deep_item_does_not_overflow_the_stack() {
        let nested = |levels: usize| {
            let (open, close) = (r#"{"L":["#.repeat(levels), "]}".repeat(levels));
            format!(r#"{{"a":{open}{{"S":""}}{close}}}"#)
        };
        assert!(wire(&nested(31)).inspect([]).is_ok());
        let flaw = wire(&nested(100_000)).inspect([]).unwrap_err();
        assert_eq!(flaw, InvalidItem::Malformed);
    }

    /// Text with characters that JSON escapes, and those that a parser could stop at.
    fn text() -> impl Strategy<Value = String> {
        "[a\"\\\\{}\\[\\]:,\n\u{e9} ]{0,4}"
    }

    /// Something that has mostly the form of an attribute's value.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            text().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        let types = "S|N|SS|NULL|BOOL|M|M|L|L|X|";
        let typed = move |content: BoxedStrategy<Value>| {
            (types, content).prop_map(|(name, content)| serde_json::json!({ name: content }))
        };
        let scalar = typed(leaf.clone().boxed());
        prop_oneof![9 => scalar, 1 => leaf].prop_recursive(4, 24, 4, move |inner| {
            let list = vec(inner.clone(), 0..4).prop_map(Value::from).boxed();
            let map = btree_map(text(), inner, 0..3);
            let map = map.prop_map(|map| map.into_iter().collect()).boxed();
            prop_oneof![
                9 => typed(prop_oneof![list.clone(), map.clone()].boxed()),
                1 => list,
                1 => map,
            ]
        })
    }

    fn is_item(item: &Value) -> bool {
        let is_value = |value: &Value| {
            let members = value.as_object().filter(|members| members.len() == 1);
            let member = members.and_then(|members| members.iter().next());
            member.is_some_and(|(name, content)| match &**name {
                "M" => is_item(content),
                "L" => is_item_list(content),
                _ => content_of(name.as_bytes()).is_some(),
            })
        };
        let attributes = item.as_object();
        attributes.is_some_and(|attributes| attributes.values().all(is_value))
    }

    fn is_item_list(list: &Value) -> bool {
        let values = list.as_array();
        values.is_some_and(|values| {
            let each = |value: &Value| is_item(&serde_json::json!({ "a": value }));
            values.iter().all(each)
        })
    }

    proptest! {
        #[test]
        fn an_item_passes_if_its_form_is_that_of_items(
            item in btree_map(text(), value(), 0..3),
            has_white_space in any::<bool>(),
        ) {
            let names: Vec<_> = item.keys().cloned().collect();
            let item: Value = item.into_iter().collect();
            let text = match has_white_space {
                true => serde_json::to_string_pretty(&item).unwrap(),
                false => item.to_string(),
            };
            let wire = wire(&text);
            prop_assert_eq!(wire.inspect([]).is_ok(), is_item(&item), "{}", text);
            // A scalar whose content does not fit passes, and cannot be decoded.
            if let Ok(decoded) = wire.decode() {
                let names = names.iter().map(String::as_str);
                prop_assert_eq!(wire.inspect(names).unwrap(), decoded, "{}", text);
            }
        }

        #[test]
        fn damaged_text_is_no_panic(value in value(), at in any::<usize>(), byte in any::<u8>()) {
            let mut text = serde_json::json!({ "a": value }).to_string().into_bytes();
            let at = at % text.len();
            inspect(&text[..at], &["a"]);
            text[at] = byte;
            inspect(&text, &["a"]);
        }
    }
}
