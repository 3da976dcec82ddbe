//! From serde to attribute values.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::ser::{self, Serialize, Serializer};

use super::error::SerdeError;
use super::item::{Item, MARKED_NONE, is_empty_set};
use super::markers::{JSON_NUMBER, NUMBER, is_set};
use super::number::{Decimal, NotANumber};

/// Writes values as `serde_dynamo` does, and what it has no way to write.
#[derive(Clone, Copy)]
pub(super) struct Encoder<'a> {
    notes: &'a Notes,
    marks_none: bool,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(notes: &'a Notes) -> Self {
        Self {
            notes,
            marks_none: false,
        }
    }

    /// Marks each field of a struct that is `None`, as [`MARKED_NONE`].
    pub(super) fn marking_none(notes: &'a Notes) -> Self {
        Self {
            notes,
            marks_none: true,
        }
    }
}

/// What is noted about the values while they are written.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) fragile: NeedsReadBack,
    /// Whether the value that was written last is `None`, which is stored like a unit.
    last_is_none: Cell<bool>,
    /// Whether an entry was marked that may be one of a map, and not a field of a struct.
    has_marked_entry: Cell<bool>,
    /// How many values are `Some` and stored as NULL, which is read as `None` unless a function of the field's
    /// own reads it.
    null_in_some: Cell<usize>,
}

impl Notes {
    pub(super) fn has_marked_entry(&self) -> bool {
        self.has_marked_entry.get()
    }

    pub(super) fn null_in_some(&self) -> usize {
        self.null_in_some.get()
    }

    /// Returns `true` if the value, which was written last, is `None`.
    fn is_none(&self, value: &AttributeValue) -> bool {
        value.is_null() && self.last_is_none.get()
    }
}

/// Encodes the value of a field with marks, also if the value itself is `None`.
pub(super) fn encode_marked(serialize: impl FnOnce(Encoder<'_>) -> Encoded) -> Encoded {
    let notes = Notes::default();
    let value = serialize(Encoder::marking_none(&notes))?;
    Ok(match notes.is_none(&value) {
        true => MARKED_NONE,
        false => value,
    })
}

/// Whether a value was written that serde cannot read in every place.
///
/// Where serde buffers what it reads, in flattened fields and in enums that are not externally tagged,
/// it knows no integers of 128 bits, no numbers with more digits than an `f64`, and no difference
/// between binary and text, and keys of maps are strings.
#[derive(Debug, Default)]
pub(super) struct NeedsReadBack(Cell<bool>);

impl NeedsReadBack {
    fn note(&self) {
        self.0.set(true);
    }

    pub(super) fn is_noted(&self) -> bool {
        self.0.get()
    }
}

pub(super) type Encoded = Result<AttributeValue, SerdeError>;

macro_rules! numbers {
    ($($method:ident: $number:ty,)*) => {$(
        fn $method(self, number: $number) -> Encoded {
            Ok(AttributeValue::N(number.to_string()))
        }
    )*};
}

macro_rules! wide_numbers {
    ($($method:ident: $number:ty,)*) => {$(
        fn $method(self, number: $number) -> Encoded {
            self.notes.fragile.note();
            // An integer of 128 bits may have 39 digits, one more than DynamoDB stores.
            let text = number.to_string();
            exact_number(text)
        }
    )*};
}

macro_rules! floats {
    ($($method:ident: $number:ty,)*) => {$(
        fn $method(self, number: $number) -> Encoded {
            if number.is_finite() {
                // The shortest decimal that is read as the same float.
                return Ok(AttributeValue::N(number.to_string()));
            }
            Err(SerdeError::new("DynamoDB has no numbers such as NaN and infinity"))
        }
    )*};
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = AttributeValue;
    type Error = SerdeError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeStructVariant = Map<'a>;

    numbers! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
    }

    wide_numbers! {
        serialize_i128: i128,
        serialize_u128: u128,
    }

    floats! {
        serialize_f32: f32,
        serialize_f64: f64,
    }

    fn serialize_bool(self, value: bool) -> Encoded {
        Ok(AttributeValue::Bool(value))
    }

    fn serialize_char(self, value: char) -> Encoded {
        Ok(AttributeValue::S(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Encoded {
        Ok(AttributeValue::S(value.to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Encoded {
        self.notes.fragile.note();
        Ok(AttributeValue::B(Blob::new(value)))
    }

    fn serialize_none(self) -> Encoded {
        // As serde_dynamo. The codec `Sparse` takes the attribute out of the item afterwards.
        self.notes.last_is_none.set(true);
        Ok(AttributeValue::Null(true))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Encoded {
        // DynamoDB has no options, so `Some` leaves no trace.
        let value = value.serialize(self)?;
        if value.is_null() {
            // `Some(None)` is no `None`, so `Sparse` keeps its NULL, and the check finds out how it is read.
            self.notes.last_is_none.set(false);
            self.notes.null_in_some.set(self.notes.null_in_some() + 1);
            self.notes.fragile.note();
        }
        Ok(value)
    }

    fn serialize_unit(self) -> Encoded {
        Ok(AttributeValue::Null(true))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Encoded {
        Ok(AttributeValue::Null(true))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Encoded {
        Ok(AttributeValue::S(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Encoded {
        let value = value.serialize(self)?;
        // serde reads a missing field as `None` if its type is an `Option`, but not if it is a newtype of one.
        if !is_set(name) {
            self.notes.last_is_none.set(false);
        }
        match value {
            AttributeValue::S(digits) if name == NUMBER => {
                self.notes.fragile.note();
                Ok(AttributeValue::N(digits))
            }
            // A set in an `Option` may be `None`, which stays NULL.
            AttributeValue::L(values) if is_set(name) => to_set(values),
            value => Ok(value),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Encoded {
        let value = value.serialize(self)?;
        // A variant needs its content, so the set cannot be left out.
        if is_empty_set(&value) {
            return Err(SerdeError::new(
                "an empty set is left out, which a variant cannot do with its content",
            ));
        }
        Ok(in_variant(Some(variant), value))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List<'a>, SerdeError> {
        Ok(List::new(self, None, length.unwrap_or_default()))
    }

    fn serialize_tuple(self, length: usize) -> Result<List<'a>, SerdeError> {
        Ok(List::new(self, None, length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<List<'a>, SerdeError> {
        Ok(List::new(self, None, length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<List<'a>, SerdeError> {
        Ok(List::new(self, Some(variant), length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Map<'a>, SerdeError> {
        let mut map = Map::new(self, None);
        // serde's derive writes a struct that has a flattened field as a map without a length.
        map.kind = match length {
            Some(_) => MapKind::Map,
            None => MapKind::Flattened,
        };
        Ok(map)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Map<'a>, SerdeError> {
        let mut map = Map::new(self, None);
        map.is_json_number = name == JSON_NUMBER;
        Ok(map)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Map<'a>, SerdeError> {
        Ok(Map::new(self, Some(variant)))
    }
}

/// A list under way; of a variant, if it is named.
pub(super) struct List<'a> {
    encoder: Encoder<'a>,
    variant: Option<&'static str>,
    values: Vec<AttributeValue>,
}

impl<'a> List<'a> {
    fn new(encoder: Encoder<'a>, variant: Option<&'static str>, length: usize) -> Self {
        Self {
            encoder,
            variant,
            // A length is a hint, and may be anything: 1,024 values are 64 KB, and an item of 400 KB has
            // few longer lists.
            values: Vec::with_capacity(length.min(1024)),
        }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let value = value.serialize(self.encoder)?;
        if is_empty_set(&value) {
            return Err(SerdeError::new(
                "a list contains an empty set, which DynamoDB cannot store: remove it",
            ));
        }
        self.values.push(value);
        Ok(())
    }

    fn finish(self) -> Encoded {
        Ok(in_variant(self.variant, AttributeValue::L(self.values)))
    }
}

macro_rules! lists {
    ($($kind:ident { $method:ident },)*) => {$(
        impl ser::$kind for List<'_> {
            type Ok = AttributeValue;
            type Error = SerdeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
                self.push(value)
            }

            fn end(self) -> Encoded {
                self.finish()
            }
        }
    )*};
}

lists! {
    SerializeSeq { serialize_element },
    SerializeTuple { serialize_element },
    SerializeTupleStruct { serialize_field },
    SerializeTupleVariant { serialize_field },
}

/// What a [`Map`] is in Rust, which decides whether an entry that is `None` may be left out.
#[derive(Clone, Copy, PartialEq)]
enum MapKind {
    /// Each entry is a field.
    Struct,
    /// `None` is the value of an entry, and not that of a field.
    Map,
    /// Fields of structs, and perhaps entries of maps.
    Flattened,
}

/// A map under way; of a variant, if it is named.
pub(super) struct Map<'a> {
    encoder: Encoder<'a>,
    kind: MapKind,
    variant: Option<&'static str>,
    item: Item,
    key: Option<String>,
    is_json_number: bool,
}

impl<'a> Map<'a> {
    fn new(encoder: Encoder<'a>, variant: Option<&'static str>) -> Self {
        Self {
            encoder,
            kind: MapKind::Struct,
            variant,
            item: Item::new(),
            key: None,
            is_json_number: false,
        }
    }

    /// Adds an entry, unless it is an empty set, which DynamoDB does not have.
    fn add<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), SerdeError> {
        let Encoder { notes, marks_none } = self.encoder;
        // The field before may be `None`, and this value a unit, which is stored as NULL as well.
        notes.last_is_none.set(false);
        let mut value = value
            .serialize(self.encoder)
            .map_err(|error| error.inside_of(&key))?;
        if marks_none && notes.is_none(&value) && self.kind != MapKind::Map {
            value = MARKED_NONE;
            if self.kind == MapKind::Flattened {
                notes.has_marked_entry.set(true);
            }
        }
        if is_empty_set(&value) {
            return Ok(());
        }
        match self.item.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(value);
                Ok(())
            }
            // serde writes the fields of a struct and the entries of its flattened fields alike.
            Entry::Occupied(entry) => Err(SerdeError::new(
                "two values have this name, such as a field and an entry of a flattened field: rename one \
                 of them",
            )
            .inside_of(entry.key())),
        }
    }

    fn finish(mut self) -> Encoded {
        // The struct has one field, whose text is the number.
        if self.is_json_number
            && let Some(AttributeValue::S(digits)) = self.item.remove(JSON_NUMBER)
        {
            self.encoder.notes.fragile.note();
            return exact_number(digits);
        }
        Ok(in_variant(self.variant, AttributeValue::M(self.item)))
    }
}

impl ser::SerializeMap for Map<'_> {
    type Ok = AttributeValue;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeError> {
        self.key = match key.serialize(self.encoder)? {
            AttributeValue::S(text) => Some(text),
            // serde reads the key of a map that it buffers as a string only.
            AttributeValue::N(text) => {
                self.encoder.notes.fragile.note();
                Some(text)
            }
            AttributeValue::Bool(value) => {
                self.encoder.notes.fragile.note();
                Some(value.to_string())
            }
            _ => return Err(SerdeError::new("the keys of a map are strings")),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        match self.key.take() {
            Some(key) => self.add(key, value),
            None => Err(SerdeError::new("a map has a value without a key")),
        }
    }

    fn end(self) -> Encoded {
        self.finish()
    }
}

macro_rules! structs {
    ($($kind:ident),*) => {$(
        impl ser::$kind for Map<'_> {
            type Ok = AttributeValue;
            type Error = SerdeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), SerdeError> {
                self.add(name.to_owned(), value)
            }

            fn end(self) -> Encoded {
                self.finish()
            }
        }
    )*};
}

structs!(SerializeStruct, SerializeStructVariant);

/// Makes a number of text that DynamoDB stores without rounding it.
fn exact_number(text: String) -> Encoded {
    match text.parse::<Decimal>() {
        // Zeros at either end are no digits of a `Decimal`, and DynamoDB also trims them.
        Ok(decimal) if decimal.digits.len() <= 38 => Ok(AttributeValue::N(text)),
        Ok(_) => Err(SerdeError::new("a number has at most 38 digits")),
        Err(NotANumber) => Err(SerdeError::new("the digits are not a number")),
    }
}

fn in_variant(variant: Option<&str>, value: AttributeValue) -> AttributeValue {
    match variant {
        Some(variant) => AttributeValue::M(HashMap::from([(variant.to_owned(), value)])),
        None => value,
    }
}

/// Makes a set of a list of strings, of numbers or of binary values.
fn to_set(values: Vec<AttributeValue>) -> Encoded {
    fn all<T>(
        values: Vec<AttributeValue>,
        inner: impl Fn(AttributeValue) -> Option<T>,
    ) -> Option<Vec<T>> {
        values.into_iter().map(inner).collect()
    }
    // The first element decides the type of the set, and any other type is an error.
    let set = match values.first() {
        // The type of an empty set is unknown, and doesn't matter: it is left out of the item.
        None => Some(AttributeValue::Ss(Vec::new())),
        Some(AttributeValue::S(_)) => all(values, |value| match value {
            AttributeValue::S(text) => Some(text),
            _ => None,
        })
        .map(AttributeValue::Ss),
        Some(AttributeValue::N(_)) => all(values, |value| match value {
            AttributeValue::N(number) => Some(number),
            _ => None,
        })
        .map(AttributeValue::Ns),
        // Anything that is not binary becomes an error here.
        Some(_) => all(values, |value| match value {
            AttributeValue::B(bytes) => Some(bytes),
            _ => None,
        })
        .map(AttributeValue::Bs),
    };
    set.ok_or_else(|| SerdeError::new("a set has strings, numbers or binary values, of one kind"))
}
