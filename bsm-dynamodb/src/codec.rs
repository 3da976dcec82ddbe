//! How a model becomes an item, and back.

mod decode;
mod encode;
mod encoding;
mod error;
mod item;
mod markers;
mod number;
pub(crate) mod read_back;
pub(crate) mod with;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::decode::Decoder;
use self::encode::{Encoder, Notes, encode_marked};
pub use self::encoding::{Encode, FieldOf, SerializeField};
pub(crate) use self::error::{SerdeError, ValueFree};
use self::item::is_marked;
pub use self::item::{CodecError, Item};
pub(crate) use self::item::{Decode, is_empty_set, unmark};
pub(crate) use self::markers::{NUMBER, SET};
pub(crate) use self::number::{Decimal, NotANumber, normalized};

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

    /// Returns what [`to_item`](Self::to_item) stores for an attribute whose value serde encodes as
    /// `value`, or `None` if it leaves the attribute out.
    ///
    /// Keys, conditions and updates, which have one value and not a whole model, encode it with serde
    /// and then with this function. A codec whose `to_item` stores an attribute in another form does
    /// the same here; otherwise they miss the items that `save` writes. The default implementation
    /// leaves out empty sets, which DynamoDB does not have.
    ///
    /// `path` is the name of the attribute, or a document path such as `address.city` for a value
    /// that is nested in one.
    ///
    /// # Errors
    ///
    /// If no attribute can hold the value.
    fn stored(path: &str, value: AttributeValue) -> Result<Option<AttributeValue>, CodecError> {
        // The default needs no path; the parameter has a name for the documentation.
        let _ = path;
        Ok((!is_empty_set(&value)).then_some(value))
    }
}

/// The default codec: serde.
///
/// It writes what the `serde_dynamo` crate writes, so items can be shared with programs that use
/// that, and reads the same. Besides, it takes what that crate has no way to carry: [`Number`],
/// `u128` and `i128`, integers that another program wrote as `1.0` or `1E2`; and it leaves out sets
/// that are empty, which DynamoDB would refuse.
///
/// `None` is written as NULL; a field with `#[serde(skip_serializing_if = "Option::is_none")]` is left
/// out instead, and with the codec [`Sparse`] every `None` is. Both are read as `None`.
///
/// An item that could not be read back is refused when it is saved: serde itself has no way to read a
/// `u128`, a [`Number`] of more than 17 digits or a map with numbers as keys inside a
/// `#[serde(flatten)]` field or an enum with `#[serde(tag)]` or `#[serde(untagged)]`. Nor can it read
/// `Some(None)`, which DynamoDB stores as NULL, unless the field has a `#[serde(deserialize_with)]` that does.
///
/// The entries of a `#[serde(flatten)]` field are attributes of the item. One that has the name of another
/// attribute of the model is refused when it is saved.
///
/// Its errors say what is wrong, but not with which value.
///
/// [`Number`]: crate::Number
#[derive(Clone, Copy, Debug)]
pub enum Serde {}

impl<M: Serialize + DeserializeOwned> Codec<M> for Serde {
    fn to_item(model: &M) -> Result<Item, CodecError> {
        let notes = Notes::default();
        let item = encode_item(model, Encoder::new(&notes))?;
        check_if_fragile::<M>(&item, &notes)?;
        Ok(item)
    }

    fn from_item(item: Item) -> Result<M, CodecError> {
        decode_with_serde(item)
    }
}

/// A codec like [`Serde`] that leaves out fields that are `None`, instead of writing NULL.
///
/// An attribute that is missing costs nothing and can be asked for with `attribute_not_exists`; an
/// index leaves out an item that lacks its key, and refuses one that has NULL there.
///
/// serde reads a missing field of type `Option` as `None`, unless it has `#[serde(with)]`: add
/// `#[serde(default)]` to those.
///
/// `None` stays NULL where it is not a field of a struct: in a list, as the value of an entry of a map, as the
/// content of a variant, and inside a newtype. So does everything else that serde writes as NULL, such as `()`.
/// A map in a `#[serde(flatten)]` field cannot be distinguished from the fields of the struct, so an item in which it has
/// an entry that is `None` is refused when it is saved.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{Codec, Model, Sparse};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "users", codec = Sparse)]
/// struct User {
///     #[model(hash_key)]
///     id: String,
///     name: Option<String>,
/// }
///
/// # fn main() -> Result<(), bsm_dynamodb::CodecError> {
/// let nameless = User { id: "1".into(), name: None };
/// assert!(!Sparse::to_item(&nameless)?.contains_key("name"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Sparse {}

impl<M: Serialize + DeserializeOwned> Codec<M> for Sparse {
    fn to_item(model: &M) -> Result<Item, CodecError> {
        let notes = Notes::default();
        let mut item = encode_item(model, Encoder::marking_none(&notes))?;
        if notes.has_marked_entry() {
            let marked = item.clone();
            remove_marked(&mut item);
            read_back::check_left_out::<M>(&marked, &item)?;
        } else {
            remove_marked(&mut item);
        }
        check_if_fragile::<M>(&item, &notes)?;
        Ok(item)
    }

    fn from_item(item: Item) -> Result<M, CodecError> {
        Serde::from_item(item)
    }

    fn stored(_: &str, mut value: AttributeValue) -> Result<Option<AttributeValue>, CodecError> {
        remove_marked_inside(&mut value);
        Ok((!is_marked(&value) && !is_empty_set(&value)).then_some(value))
    }
}

fn remove_marked(item: &mut Item) {
    item.retain(|_, value| !is_marked(value));
    item.values_mut().for_each(remove_marked_inside);
}

fn remove_marked_inside(value: &mut AttributeValue) {
    match value {
        AttributeValue::M(map) => remove_marked(map),
        // An element of a list is never marked itself, but may be a struct.
        AttributeValue::L(values) => values.iter_mut().for_each(remove_marked_inside),
        _ => {}
    }
}

fn encode_item(model: &impl Serialize, encoder: Encoder<'_>) -> Result<Item, CodecError> {
    match model.serialize(encoder)? {
        AttributeValue::M(item) => Ok(item),
        _ => Err("the model does not serialize as a struct or a map".into()),
    }
}

fn check_if_fragile<M: Serialize + DeserializeOwned>(
    item: &Item,
    notes: &Notes,
) -> Result<(), CodecError> {
    // The check decodes and encodes the item once more, so it runs only for values that serde may lose.
    match notes.fragile.is_noted() {
        true => read_back::check::<M>(item, notes.null_in_some()),
        false => Ok(()),
    }
}

/// Turns an item into any type that serde can deserialize.
pub(crate) fn decode_with_serde<T: DeserializeOwned>(item: Item) -> Result<T, CodecError> {
    Ok(T::deserialize(Decoder(AttributeValue::M(item)))?)
}

impl<T: Serialize> Encode<T> for Serde {
    fn encode(value: &T) -> Result<AttributeValue, CodecError> {
        // Nothing is read back here. The paths of fields check the values that an update stores.
        Ok(value.serialize(Encoder::new(&Notes::default()))?)
    }

    fn __encode_marked(value: &T) -> Result<AttributeValue, CodecError> {
        Ok(encode_marked(|encoder| value.serialize(encoder))?)
    }
}

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
            (
                "age",
                text(),
                "attribute `age`: expected a number, found a string",
            ),
            (
                "age",
                number("4711"),
                "attribute `age`: the number does not fit an integer of this size",
            ),
            (
                "level",
                text(),
                "attribute `level`: unknown variant, expected one of `Basic`",
            ),
            (
                "birthday",
                text(),
                "attribute `birthday`: the value's Serialize or Deserialize refused it",
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
