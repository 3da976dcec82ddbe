//! The error of serde, without the value on which it failed.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::de::{self, Expected, Unexpected};
use serde::ser;

/// The reason why serde failed, and the attribute, without the value.
#[derive(Debug)]
pub(crate) struct SerdeError {
    /// The path to the value, innermost attribute first.
    path: Vec<String>,
    reason: Cow<'static, str>,
}

impl SerdeError {
    pub(super) fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: Vec::new(),
            reason: reason.into(),
        }
    }

    /// Adds the attribute that the value with the error is in.
    pub(crate) fn inside_of(mut self, attribute: &str) -> Self {
        self.path.push(attribute.to_owned());
        self
    }

    /// Puts a fact in front of the reason.
    pub(super) fn because_of(mut self, fact: &str) -> Self {
        self.reason = format!("{fact}: {}", self.reason).into();
        self
    }

    pub(super) fn has_path(&self) -> bool {
        !self.path.is_empty()
    }

    /// Keeps a message only if it is known not to repeat a value of the item.
    fn custom(message: &dyn fmt::Display) -> Self {
        /// What serde's own derive writes, which names the type and no value.
        const OF_SERDE: &str = "data did not match any variant of untagged enum";
        // A `ValueFree` error answers the alternate form with its mark.
        let message = format!("{message:#}");
        if let Some(message) = message.strip_prefix(VALUE_FREE) {
            return Self::new(message.to_owned());
        }
        if message.starts_with(OF_SERDE) {
            return Self::new(message);
        }
        // Any other message may repeat the value, as those of parsers often do.
        Self::new("the value's Serialize or Deserialize refused it")
    }
}

/// A message for `serde::{ser, de}::Error::custom` that repeats no value of the item.
///
/// serde passes messages on as text only, so the mark is part of the text; other formats, which use the
/// plain form, do not see it.
pub(crate) struct ValueFree<T>(pub(crate) T);

// U+037E, the Greek question mark, is unlikely in other messages. serde_dynamo marks its sets with it as well.
const VALUE_FREE: &str = "\u{037E}bsm_dynamodb::ValueFree: ";

impl<T: fmt::Display> fmt::Display for ValueFree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            f.write_str(VALUE_FREE)?;
        }
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_path() {
            let path: Vec<_> = self.path.iter().rev().map(String::as_str).collect();
            write!(f, "attribute `{}`: ", path.join("."))?;
        }
        f.write_str(&self.reason)
    }
}

impl StdError for SerdeError {}

impl ser::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::custom(&message)
    }
}

impl de::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::custom(&message)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", kind(found)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        // The value that was found is left out, here and for unknown variants and fields.
        Self::new(format!("expected {expected}, found another value"))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.join("`, `");
        Self::new(format!("unknown variant, expected one of `{expected}`"))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.join("`, `");
        Self::new(format!("unknown field, expected one of `{expected}`"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("missing field `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("duplicate field `{field}`"))
    }
}

/// What was found, without its value.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a float",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "binary",
        Unexpected::Unit | Unexpected::Option => "NULL",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        _ => "something else",
    }
}
