//! Why serde failed.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::de::{self, Expected, Unexpected};
use serde::ser;

/// Why serde failed, and at which attribute, without the value that it failed on.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The way to the value, innermost attribute first.
    path: Vec<String>,
    reason: Cow<'static, str>,
}

impl Refused {
    pub(super) fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: Vec::new(),
            reason: reason.into(),
        }
    }

    pub(super) fn inside_of(mut self, attribute: &str) -> Self {
        self.path.push(attribute.to_owned());
        self
    }

    /// Keeps a message of somebody else only if it is known not to show a value.
    fn message(message: &dyn fmt::Display) -> Self {
        const HARMLESS: [&str; 5] = [
            "data did not match any variant of untagged enum",
            "a time before 1970 cannot be stored",
            "no time can be so late",
            "a number has at most 38 digits",
            "not a number",
        ];
        let message = message.to_string();
        if HARMLESS.iter().any(|start| message.starts_with(start)) {
            return Self::because(message);
        }
        Self::because("the value is refused by its Serialize or Deserialize")
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            let path: Vec<_> = self.path.iter().rev().map(String::as_str).collect();
            write!(f, "attribute `{}`: ", path.join("."))?;
        }
        f.write_str(&self.reason)
    }
}

impl StdError for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::message(&message)
    }
}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::message(&message)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::because(format!("expected {expected}, found {}", kind(found)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::because(format!("expected {expected}, found another value"))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::because(format!("expected {expected}, found {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.join("`, `");
        Self::because(format!("unknown variant, expected one of `{expected}`"))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.join("`, `");
        Self::because(format!("unknown field, expected one of `{expected}`"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::because(format!("missing field `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::because(format!("duplicate field `{field}`"))
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
