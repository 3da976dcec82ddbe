//! Key attributes that are composed of fields.

use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::codec::{CodecError, Decimal, normalized};
use crate::types::{KeyType, KeyValue};

/// How a key attribute is composed of fields, such as `CUSTOMER#{customer}`.
///
/// `#[derive(Model)]` creates one from `#[model(hash_key = "CUSTOMER#{customer}")]`. The attribute is a
/// string. The fields are also stored as attributes of their own, and are parsed from the key where an
/// item lacks those, as in an index that has keys only.
///
/// A value that would make the key ambiguous is refused before anything is sent: a field that is followed
/// by `#` has no `#` in it.
#[derive(Clone, Copy, Debug)]
pub struct KeyTemplate {
    attribute: &'static str,
    parts: &'static [TemplatePart],
}

/// A part of a [`KeyTemplate`].
#[derive(Clone, Copy, Debug)]
pub enum TemplatePart {
    /// Text that is in every key.
    Text(&'static str),
    /// The value of a field.
    Field {
        /// The name of the field's attribute.
        attribute: &'static str,
        /// The type of the field's attribute.
        key_type: KeyType,
        /// The least number of digits of a number, which has zeros in front so that keys sort by it; 0
        /// for text.
        width: usize,
    },
}

impl KeyTemplate {
    /// Creates the template of a key attribute.
    ///
    /// # Panics
    ///
    /// If a field that is not a number has a width. In a constant, that is an error of the compiler.
    pub const fn new(attribute: &'static str, parts: &'static [TemplatePart]) -> Self {
        let mut index = 0;
        // A `for` loop is not allowed in a const function.
        while index < parts.len() {
            if let TemplatePart::Field {
                key_type, width, ..
            } = parts[index]
            {
                assert!(
                    width == 0 || matches!(key_type, KeyType::Number),
                    "only a number has a width in a template"
                );
            }
            index += 1;
        }
        Self { attribute, parts }
    }

    /// Returns the name of the key attribute.
    pub const fn attribute(&self) -> &'static str {
        self.attribute
    }

    /// Returns the text with which every key begins.
    pub const fn prefix(&self) -> &'static str {
        match self.parts {
            [TemplatePart::Text(text), ..] => text,
            _ => "",
        }
    }

    /// Returns the attributes of the fields, each once.
    pub(crate) fn fields(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for part in self.parts {
            if let TemplatePart::Field { attribute, .. } = part
                && !names.contains(attribute)
            {
                names.push(*attribute);
            }
        }
        names
    }

    /// Composes the key of the values of the fields, or returns `None` if a field has no value.
    pub(crate) fn compose(
        &self,
        value_of: impl Fn(&str) -> Option<KeyValue>,
    ) -> Result<Option<String>, CodecError> {
        let mut key = String::new();
        let mut pieces = Vec::new();
        for part in self.parts {
            match *part {
                TemplatePart::Text(text) => key.push_str(text),
                TemplatePart::Field {
                    attribute, width, ..
                } => {
                    let Some(value) = value_of(attribute) else {
                        return Ok(None);
                    };
                    let piece = piece(&value, width)
                        .map_err(|reason| format!("the field `{attribute}` {reason}"))?;
                    key.push_str(&piece);
                    pieces.push(piece);
                }
            }
        }
        // Otherwise two items with different fields could have the same key.
        if self.split(&key) != Some(pieces.iter().map(String::as_str).collect()) {
            return Err(format!(
                "the key attribute `{}` is {self}, and a field contains the text that separates it \
                 from the next one: choose a value without it",
                self.attribute
            )
            .into());
        }
        Ok(Some(key))
    }

    /// Parses a key into the attributes of the fields, or returns `None` if it has another form.
    pub(crate) fn parse(&self, key: &str) -> Option<Vec<(&'static str, AttributeValue)>> {
        let pieces = self.split(key)?.into_iter();
        let fields = self.parts.iter().filter_map(|part| match *part {
            TemplatePart::Text(_) => None,
            TemplatePart::Field {
                attribute,
                key_type,
                ..
            } => Some((attribute, key_type)),
        });
        fields
            .zip(pieces)
            .map(|((attribute, key_type), piece)| {
                let value = match key_type {
                    // Without the zeros in front, as the field's own attribute has it.
                    KeyType::Number => AttributeValue::N(number(piece)?),
                    // No key has binary in it, so everything else is text.
                    _ => AttributeValue::S(piece.to_owned()),
                };
                Some((attribute, value))
            })
            .collect()
    }

    /// Splits a key into the pieces of the fields. Each ends where the text after it first occurs.
    fn split<'k>(&self, key: &'k str) -> Option<Vec<&'k str>> {
        let mut rest = key;
        let mut pieces = Vec::new();
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match (part, parts.peek()) {
                (TemplatePart::Text(text), _) => rest = rest.strip_prefix(text)?,
                (TemplatePart::Field { .. }, Some(TemplatePart::Text(next))) => {
                    let (piece, _) = rest.split_once(next)?;
                    pieces.push(piece);
                    // The separating text stays: it is the next part, which strips it.
                    rest = &rest[piece.len()..];
                }
                // The derive refuses two fields without text between them.
                (TemplatePart::Field { .. }, _) => {
                    pieces.push(rest);
                    rest = "";
                }
            }
        }
        // Text behind the last part means that the key has another form.
        rest.is_empty().then_some(pieces)
    }
}

/// Writes the form of the keys, as the attribute of the derive does.
impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.parts {
            match part {
                TemplatePart::Text(text) => f.write_str(text)?,
                TemplatePart::Field {
                    attribute, width, ..
                } => match width {
                    0 => write!(f, "{{{attribute}}}")?,
                    width => write!(f, "{{{attribute}:0{width}}}")?,
                },
            }
        }
        Ok(())
    }
}

/// Writes a value as it stands in a key, or says why it has no place in one.
fn piece(value: &KeyValue, width: usize) -> Result<String, &'static str> {
    let text = match value {
        KeyValue::S(text) => return Ok(text.clone()),
        KeyValue::B(_) => {
            return Err("is binary, which a template cannot contain: use a string or a number");
        }
        KeyValue::N(number) => plain(number),
    };
    if width == 0 {
        return Ok(text);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("has a width, which only whole numbers from 0 can have");
    }
    if text.len() > width {
        return Err("has more digits than its width, so that keys would not sort by it");
    }
    Ok(format!("{text:0>width$}"))
}

/// Writes a number such that equal numbers are equal text, and integers are plain digits.
fn plain(number: &str) -> String {
    // An `i128` holds every integer of 38 digits. Larger ones, such as 1E100, keep their exponent.
    let decimal = number.parse::<Decimal>().ok();
    match decimal.and_then(|decimal| decimal.to_integer::<i128>()) {
        Some(integer) => integer.to_string(),
        None => normalized(number),
    }
}

/// Reads a number that [`piece`] has written.
fn number(piece: &str) -> Option<String> {
    // `plain` passes text through that is no number, so this rules it out first.
    piece.parse::<Decimal>().ok()?;
    Some(plain(piece))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn field(attribute: &'static str, key_type: KeyType, width: usize) -> TemplatePart {
        TemplatePart::Field {
            attribute,
            key_type,
            width,
        }
    }

    const ORDER: KeyTemplate = KeyTemplate::new(
        "sk",
        &[
            TemplatePart::Text("SHOP#"),
            field("shop", KeyType::String, 0),
            TemplatePart::Text("#ORDER#"),
            field("number", KeyType::Number, 8),
        ],
    );

    fn compose(shop: &str, number: &str) -> Result<String, String> {
        let composed = ORDER.compose(|name| {
            Some(match name {
                "shop" => KeyValue::S(shop.to_owned()),
                _ => KeyValue::N(number.to_owned()),
            })
        });
        composed
            .map(Option::unwrap)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_composed_of_its_fields_and_parsed_back() {
        let key = compose("berlin", "42").unwrap();
        assert_eq!(key, "SHOP#berlin#ORDER#00000042");
        let fields = ORDER.parse(&key).unwrap();
        assert_eq!(fields[0], ("shop", AttributeValue::S("berlin".into())));
        assert_eq!(fields[1], ("number", AttributeValue::N("42".into())));
        assert_eq!(ORDER.fields(), ["shop", "number"]);
        assert_eq!(ORDER.prefix(), "SHOP#");
        assert_eq!(ORDER.to_string(), "SHOP#{shop}#ORDER#{number:08}");
        // Equal numbers are equal keys.
        assert_eq!(compose("berlin", "4.2e1").unwrap(), key);
    }

    #[test]
    fn a_key_of_another_form_is_not_parsed() {
        for key in [
            "",
            "SHOP#berlin",
            "SHOP#berlin#ORDER#",
            "SHOP#berlin#ORDER#x",
            "shop#berlin#ORDER#1",
            "SHOP#berlin#INVOICE#1",
        ] {
            assert!(ORDER.parse(key).is_none(), "{key}");
        }
    }

    #[test]
    fn a_value_that_would_make_a_key_ambiguous_or_unsorted_is_refused() {
        for (shop, number, reason) in [
            ("a#ORDER#1", "1", "separates"),
            ("a", "-1", "whole numbers from 0"),
            ("a", "1.5", "whole numbers from 0"),
            ("a", "123456789", "more digits than its width"),
        ] {
            let error = compose(shop, number).unwrap_err();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("123456789"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn different_fields_have_different_keys(
            one in "[a#OR]{0,6}", two in "[a#OR]{0,6}", first in 0u32..99, second in 0u32..99,
        ) {
            let one = compose(&one, &first.to_string()).map(|key| (key, (one, first)));
            let two = compose(&two, &second.to_string()).map(|key| (key, (two, second)));
            if let (Ok((key, fields)), Ok((other_key, other_fields))) = (one, two) {
                prop_assert_eq!(key == other_key, fields == other_fields);
            }
        }

        #[test]
        fn keys_sort_by_a_number_that_has_a_width(first: u16, second: u16) {
            let key = |number: u16| compose("a", &number.to_string()).unwrap();
            prop_assert_eq!(key(first).cmp(&key(second)), first.cmp(&second));
        }
    }
}
