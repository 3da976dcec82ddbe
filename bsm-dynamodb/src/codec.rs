//! How a model becomes an item, and back.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1 as serde_dynamo_1;
use serde_path_to_error::Segment;

/// An item as DynamoDB has it: attribute names and values.
pub type Item = HashMap<String, AttributeValue>;

/// The error of a [`Codec`].
///
/// Its message ends up in error reports, so it should not repeat the values of an item.
pub type CodecError = Box<dyn StdError + Send + Sync>;

/// Turns models into items and back.
///
/// [`Serde`] is the codec of every model that does not name another one.
///
/// # Examples
///
/// ```
/// use std::borrow::Cow;
///
/// use aws_sdk_dynamodb::types::AttributeValue;
/// use bsm_dynamodb::{Codec, CodecError, Item, KeySchema, Model};
///
/// struct Note {
///     id: String,
/// }
///
/// impl Codec<Note> for Note {
///     fn to_item(note: &Note) -> Result<Item, CodecError> {
///         Ok(Item::from([("id".into(), AttributeValue::S(note.id.clone()))]))
///     }
///
///     fn from_item(mut item: Item) -> Result<Note, CodecError> {
///         match item.remove("id") {
///             Some(AttributeValue::S(id)) => Ok(Note { id }),
///             _ => Err("`id` is missing, or not a string".into()),
///         }
///     }
/// }
///
/// impl Model for Note {
///     type Key = String;
///     type Codec = Self;
///     const KEY: KeySchema<String> = KeySchema::hash("id");
///
///     fn table_name() -> Cow<'static, str> {
///         "notes".into()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot turn `{M}` into an item and back",
    note = "the codec `Serde` needs `#[derive(Serialize, Deserialize)]` on the model"
)]
pub trait Codec<M> {
    /// Turns a model into an item.
    ///
    /// # Errors
    ///
    /// If the model has a value that no attribute can hold.
    fn to_item(model: &M) -> Result<Item, CodecError>;

    /// Turns an item into a model.
    ///
    /// # Errors
    ///
    /// If an attribute is missing or has another type than the model expects.
    fn from_item(item: Item) -> Result<M, CodecError>;
}

/// The default codec: serde, by way of the `serde_dynamo` crate.
///
/// Its errors say what is wrong, but not with which value.
#[derive(Clone, Copy, Debug)]
pub enum Serde {}

impl<M: Serialize + DeserializeOwned> Codec<M> for Serde {
    fn to_item(model: &M) -> Result<Item, CodecError> {
        serde_dynamo_1::to_item(model).map_err(|error| Refused::without_value(None, &error).into())
    }

    fn from_item(item: Item) -> Result<M, CodecError> {
        decode_with_serde(item)
    }
}

/// Turns an item into any type that serde can deserialize.
pub(crate) fn decode_with_serde<T: DeserializeOwned>(item: Item) -> Result<T, CodecError> {
    let item = serde_dynamo::Item::from(item);
    let value = serde_dynamo::AttributeValue::M(item.into());
    let deserializer = serde_dynamo::Deserializer::from_attribute_value(value);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let attribute = match error.path().iter().next() {
            Some(Segment::Map { key }) => Some(key.as_str()),
            _ => None,
        };
        Refused::without_value(attribute, error.inner()).into()
    })
}

/// Turns one value into the value of an attribute, as [`Serde`] does in an item.
pub(crate) fn to_attribute_value(value: &impl Serialize) -> Result<AttributeValue, CodecError> {
    serde_dynamo_1::to_attribute_value(value)
        .map_err(|error| Refused::without_value(None, &error).into())
}

/// Why serde failed, and at which attribute, without the value that it failed on.
#[derive(Debug)]
struct Refused {
    attribute: Option<String>,
    reason: String,
}

impl Refused {
    fn without_value(attribute: Option<&str>, error: &serde_dynamo::Error) -> Self {
        Self {
            attribute: attribute.map(str::to_owned),
            reason: Self::reason(&error.to_string()),
        }
    }

    /// Keeps a message of serde or serde_dynamo as far as it is known not to show a value.
    fn reason(message: &str) -> String {
        const HARMLESS: [&str; 9] = [
            "missing field `",
            "duplicate field `",
            "data did not match any variant of untagged enum",
            "Not a ",
            "Expected ",
            "Key must be a string",
            "String set element",
            "Number set element",
            "Binary set element",
        ];
        if HARMLESS.iter().any(|start| message.starts_with(start)) {
            return message.to_owned();
        }
        // serde: "invalid type: string \"the value\", expected u64"
        let expected = message.rfind(", expected ").map(|at| &message[at..]);
        for start in ["invalid type: ", "invalid value: ", "unknown variant"] {
            if let (Some(rest), Some(expected)) = (message.strip_prefix(start), expected) {
                let found = rest.split(['"', '`', ',']).next().unwrap_or_default();
                return format!("{start}{}{expected}", found.trim_end());
            }
        }
        let number = message.strip_prefix("Failed to parse '");
        if let Some(at) = number.and_then(|_| message.rfind("' as ")) {
            return format!("the number cannot be read {}", &message[at + 2..]);
        }
        "the value is refused by its Serialize or Deserialize".to_owned()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(attribute) = &self.attribute {
            write!(f, "attribute `{attribute}`: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl StdError for Refused {}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct User {
        id: String,
        age: Option<u8>,
        level: Option<Level>,
        birthday: Option<Birthday>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum Level {
        Basic,
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(try_from = "String")]
    struct Birthday(String);

    impl TryFrom<String> for Birthday {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            Err(format!("not a date: {text}"))
        }
    }

    fn refusal(attribute: &str, value: AttributeValue) -> String {
        let item = Item::from([
            ("id".to_owned(), AttributeValue::S("secret".into())),
            (attribute.to_owned(), value),
        ]);
        let error = <Serde as Codec<User>>::from_item(item).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("secret") && !text.contains("4711"), "{text}");
        error.to_string()
    }

    #[test]
    fn an_error_says_what_is_wrong_but_not_with_which_value() {
        let text = || AttributeValue::S("secret, expected secret".into());
        let number = |number: &str| AttributeValue::N(number.into());
        for (attribute, value, wanted) in [
            ("age", text(), "attribute `age`: Expected num"),
            (
                "age",
                number("4711"),
                "attribute `age`: the number cannot be read as an integer: \
                 number too large to fit in target type",
            ),
            (
                "level",
                text(),
                "attribute `level`: unknown variant, expected `Basic`",
            ),
            (
                "birthday",
                text(),
                "attribute `birthday`: the value is refused by its Serialize or Deserialize",
            ),
        ] {
            assert_eq!(refusal(attribute, value), wanted);
        }
    }

    #[test]
    fn a_missing_attribute_is_named() {
        let error = <Serde as Codec<User>>::from_item(Item::new()).unwrap_err();
        assert_eq!(error.to_string(), "missing field `id`");
    }
}
