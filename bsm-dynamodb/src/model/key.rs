//! The key of a table or of an index: its type, the names of its attributes, and its values.
//!
//! DynamoDB has a hash key ("partition key") and, in some tables, a range key ("sort key"), each
//! a string, a number or binary. A model says both in types, so that a lookup with the wrong kind
//! of key does not compile.

use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::codec::{Codec, CodecError, Encode as _, Item, Serde, SerdeError};
use crate::model::Model;
use crate::model::composite::{Composite, KeyTemplates};
use crate::types::{
    EncodeKey, Encoded, KeyAttribute, KeyElement, KeyScalar as _, KeyType, KeyValue,
};

/// The key of a model: a [`KeyAttribute`], or a pair of them for a table with a range key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a model",
    note = "a key is one `KeyAttribute`, or a pair of them: (hash key, range key)"
)]
pub trait Key: Send + 'static {
    /// The type of the hash key.
    type Hash: KeyElement;

    /// The types of the hash key and of the range key in the table.
    const TYPES: (KeyType, Option<KeyType>);

    /// The text with which every range key of the model begins.
    #[doc(hidden)]
    const RANGE_PREFIX: &'static str = "";
}

impl<H: KeyElement> Key for H {
    type Hash = H;

    const TYPES: (KeyType, Option<KeyType>) = (H::Stored::TYPE, None);
}

impl<H: KeyElement, R: KeyElement> Key for (H, R) {
    type Hash = H;

    const TYPES: (KeyType, Option<KeyType>) = (H::Stored::TYPE, Some(R::Stored::TYPE));
}

/// A key that has a range key: a pair.
#[diagnostic::on_unimplemented(
    message = "the key `{Self}` has no range key",
    note = "only a key that is a pair, (hash key, range key), has one"
)]
pub trait RangedKey: Key {
    /// The type of the range key.
    type Range: KeyElement;
}

impl<H: KeyElement, R: KeyElement> RangedKey for (H, R) {
    type Range = R;
}

/// A value that can be given for a key of type `K`, as in `User::get("123")`.
///
/// A `String` key also takes a `&str`; any key takes a reference to it; a pair takes a pair.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of this model",
    label = "expected a key of type `{K}`"
)]
pub trait IntoKey<K: Key> {
    /// Encodes the values of the key's attributes.
    ///
    /// # Errors
    ///
    /// If serde cannot write a value, or writes it as something that is no key.
    fn into_key(self) -> Result<KeyValues, CodecError>;
}

impl<K: KeyAttribute> IntoKey<K> for K {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        KeyValues::hash(Serde::encode(&self))
    }
}

impl<K: KeyAttribute> IntoKey<K> for &K {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        KeyValues::hash(Serde::encode(self))
    }
}

impl IntoKey<String> for &str {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        KeyValues::hash(Serde::encode(&self))
    }
}

impl<T: 'static, E: EncodeKey<T>> IntoKey<Encoded<T, E>> for T {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        KeyValues::hash(E::encode(&self))
    }
}

impl<T: 'static, E: EncodeKey<T>> IntoKey<Encoded<T, E>> for &T {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        KeyValues::hash(E::encode(self))
    }
}

impl<E: EncodeKey<String>> IntoKey<Encoded<String, E>> for &str {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        // The encoding takes the type of the field, which is `String` and not `&str`.
        KeyValues::hash(E::encode(&self.to_owned()))
    }
}

impl<H, R, A, B> IntoKey<(H, R)> for (A, B)
where
    H: KeyElement,
    R: KeyElement,
    A: IntoKey<H>,
    B: IntoKey<R>,
{
    fn into_key(self) -> Result<KeyValues, CodecError> {
        // Each side encodes one attribute, and one attribute alone is a `hash`.
        let range = |error| PartError::boxed(Part::Range, error);
        Ok(KeyValues {
            hash: self.0.into_key()?.hash,
            range: Some(self.1.into_key().map_err(range)?.hash),
        })
    }
}

/// The error of a part of a key. The schema, which has the names of the attributes, turns it into its cause.
#[derive(Debug)]
pub(super) struct PartError {
    part: Part,
    cause: CodecError,
}

/// A part of a key that is not the hash key.
#[derive(Debug)]
pub(super) enum Part {
    Range,
    /// The field of a composed key that has this attribute.
    Field(&'static str),
}

impl PartError {
    pub(super) fn boxed(part: Part, cause: CodecError) -> CodecError {
        Box::new(Self { part, cause })
    }
}

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl StdError for PartError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message is that of the cause, so the chain continues behind it.
        self.cause.source()
    }
}

/// The values of the key attributes of one item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyValues {
    hash: KeyValue,
    range: Option<KeyValue>,
}

impl KeyValues {
    pub(super) fn new(hash: KeyValue, range: Option<KeyValue>) -> Self {
        Self { hash, range }
    }

    pub(super) fn into_hash(self) -> KeyValue {
        self.hash
    }

    fn hash(encoded: Result<AttributeValue, CodecError>) -> Result<Self, CodecError> {
        let value = encoded?;
        match KeyValue::from_attribute(&value) {
            Some(hash) => Ok(Self { hash, range: None }),
            None => Err(
                "serde does not write the key as a string, a number or binary: add a \
                 `#[serde(with)]` that does"
                    .into(),
            ),
        }
    }

    /// Reads the key of an item, or returns the name of the attribute that is not a key.
    pub(crate) fn in_item<'a>(
        item: &Item,
        hash: &'a str,
        range: Option<&'a str>,
    ) -> Result<Self, &'a str> {
        let value = |name| {
            item.get(name)
                .and_then(KeyValue::from_attribute)
                .ok_or(name)
        };
        Ok(Self {
            hash: value(hash)?,
            range: range.map(value).transpose()?,
        })
    }
}

/// The names of the key attributes of a table whose key has the type `K`.
pub struct KeySchema<K> {
    hash: &'static str,
    range: Option<&'static str>,
    // A function type, so that the schema is `Send` and `Sync` whatever `K` is.
    key: PhantomData<fn() -> K>,
}

impl<H: KeyElement> KeySchema<H> {
    /// Describes a table that has a hash key only.
    pub const fn hash(name: &'static str) -> Self {
        Self {
            hash: name,
            range: None,
            key: PhantomData,
        }
    }
}

impl<H: KeyElement, R: KeyElement> KeySchema<(H, R)> {
    /// Describes a table that has a hash key and a range key.
    pub const fn hash_and_range(hash: &'static str, range: &'static str) -> Self {
        Self {
            hash,
            range: Some(range),
            key: PhantomData,
        }
    }
}

impl<C: 'static, E: KeyTemplates> KeySchema<Composite<C, E>> {
    /// Describes a table whose key attributes have templates.
    pub const fn composite() -> Self {
        Self {
            hash: E::HASH.attribute(),
            range: match E::RANGE {
                Some(range) => Some(range.attribute()),
                None => None,
            },
            key: PhantomData,
        }
    }
}

impl<K> KeySchema<K> {
    /// Returns the name of the hash key.
    pub const fn hash_name(&self) -> &'static str {
        self.hash
    }

    /// Returns the name of the range key, if there is one.
    pub const fn range_name(&self) -> Option<&'static str> {
        self.range
    }

    /// Returns the names of the key attributes.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<K> {
        // The return type captures no lifetime, so the iterator outlives the temporary of a constant schema.
        std::iter::once(self.hash).chain(self.range)
    }

    /// Builds the `Key` of a request.
    pub(crate) fn name_values(&self, key: KeyValues) -> Item {
        let hash = (self.hash, key.hash);
        let range = self.range.zip(key.range);
        std::iter::once(hash)
            .chain(range)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    }

    /// Reads the key of an item, or returns the name of the attribute that is not a key.
    pub(crate) fn values_in(&self, item: &Item) -> Result<KeyValues, &'static str> {
        KeyValues::in_item(item, self.hash, self.range)
    }
}

/// Every operation encodes keys with these functions, so that they all find what one of them writes.
impl<K: Key> KeySchema<K> {
    /// Encodes a key as the codec `C` stores it in the items of `M`.
    pub(crate) fn encode<M: Model, C: Codec<M>>(
        &self,
        key: impl IntoKey<K>,
    ) -> Result<KeyValues, CodecError> {
        self.stored::<M, C>(key.into_key())
    }

    /// Turns a key that serde has written into what the codec `C` stores in the items of `M`.
    pub(crate) fn stored<M: Model, C: Codec<M>>(
        &self,
        key: Result<KeyValues, CodecError>,
    ) -> Result<KeyValues, CodecError> {
        let KeyValues { hash, range } = key.map_err(|error| self.named(error, self.hash))?;
        let (hash_type, range_type) = K::TYPES;
        let range = self.range.zip(range_type).zip(range);
        Ok(KeyValues {
            hash: stored::<M, C>(self.hash, hash_type, hash)?,
            range: range
                .map(|((name, key_type), value)| stored::<M, C>(name, key_type, value))
                .transpose()?,
        })
    }

    /// Encodes a hash key as the codec `C` stores it in the items of `M`.
    pub(crate) fn encode_hash<M: Model, C: Codec<M>>(
        &self,
        hash: impl IntoKey<K::Hash>,
    ) -> Result<KeyValue, CodecError> {
        let value = hash
            .into_key()
            .map_err(|error| self.named(error, self.hash))?
            .hash;
        stored::<M, C>(self.hash, K::TYPES.0, value)
    }

    /// Encodes a range key as the codec `C` stores it in the items of `M`.
    pub(crate) fn encode_range<M: Model, C: Codec<M>>(
        &self,
        range: impl IntoKey<K::Range>,
    ) -> Result<KeyValue, CodecError>
    where
        K: RangedKey,
    {
        // The schema of a pair has both names, and the type of a pair both types.
        let name = self.range.unwrap_or_default();
        let key_type = K::TYPES.1.unwrap_or(K::TYPES.0);
        let value = range
            .into_key()
            .map_err(|error| self.named(error, name))?
            .hash;
        stored::<M, C>(name, key_type, value)
    }

    /// Names the attribute in an error of serde: that of the part that failed, or else `attribute`.
    fn named(&self, error: CodecError, attribute: &str) -> CodecError {
        match error.downcast::<PartError>().map(|error| *error) {
            Ok(PartError { part, cause }) => match part {
                Part::Range => inside(cause, self.range.unwrap_or(attribute)),
                Part::Field(field) => inside(cause, field),
            },
            Err(error) => inside(error, attribute),
        }
    }

    /// Checks that the key attributes of an item have the types of the table's key.
    pub(crate) fn check_types(&self, key: &KeyValues) -> Result<(), CodecError> {
        let (hash_type, range_type) = K::TYPES;
        check_type(self.hash, hash_type, &key.hash)?;
        match (self.range, range_type, &key.range) {
            (Some(name), Some(key_type), Some(value)) => check_type(name, key_type, value),
            _ => Ok(()),
        }
    }
}

/// Turns a key that serde has written into what the codec stores.
fn stored<M: Model, C: Codec<M>>(
    name: &str,
    key_type: KeyType,
    value: KeyValue,
) -> Result<KeyValue, CodecError> {
    // A composed key is not the codec's: it is composed of what the codec stores for the fields.
    let mut templates = M::TEMPLATES.iter();
    if templates.any(|template| template.attribute() == name) {
        return Ok(value);
    }
    // A codec may store the key in another form, so the result is checked again.
    let value = C::stored(name, value.into()).map_err(|error| inside(error, name))?;
    let value = value.as_ref().and_then(KeyValue::from_attribute);
    let value = value.ok_or_else(|| {
        format!(
            "the codec does not store the key attribute `{name}` as a string, a number or binary"
        )
    })?;
    check_type(name, key_type, &value)?;
    Ok(value)
}

fn check_type(name: &str, declared: KeyType, value: &KeyValue) -> Result<(), CodecError> {
    let found = value.key_type();
    if found == declared {
        return Ok(());
    }
    Err(format!(
        "the key attribute `{name}` is {declared} by its type, and stored as {found}: declare it as \
         `#[model(key_type = {found:?})]`"
    )
    .into())
}

/// Names the attribute in an error of serde.
fn inside(error: CodecError, attribute: &str) -> CodecError {
    match error.downcast::<SerdeError>() {
        Ok(error) => error.inside_of(attribute).into(),
        // Only our own error has a path that can be extended.
        Err(error) => error,
    }
}

// By hand, because a derive would require `K: Clone`.
impl<K> Clone for KeySchema<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for KeySchema<K> {}

impl<K> fmt::Debug for KeySchema<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySchema")
            .field("hash", &self.hash)
            .field("range", &self.range)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<K: Key>(key: impl IntoKey<K>) -> KeyValues {
        key.into_key().unwrap()
    }

    #[test]
    fn keys_are_written_the_natural_way() {
        let seven = KeyValues {
            hash: KeyValue::S("customer".into()),
            range: Some(KeyValue::N("7".into())),
        };
        assert_eq!(key::<(String, u64)>(("customer", 7)), seven);
        assert_eq!(key::<(String, u64)>((String::from("customer"), &7)), seven);
        let number = KeyValues {
            hash: KeyValue::N("7".into()),
            range: None,
        };
        assert_eq!(key::<u32>(7), number);
        assert_eq!(key::<String>("7"), key::<String>(&String::from("7")));
    }

    #[test]
    fn debug_hides_the_value() {
        let text = format!("{:?}", key::<String>("someone@example.com"));
        assert!(!text.contains("someone"), "{text}");
    }

    #[test]
    fn a_key_is_found_in_an_item() {
        let schema: KeySchema<(String, u64)> = KeySchema::hash_and_range("customer", "number");
        let values = key::<(String, u64)>(("c", 7));
        let item = schema.name_values(values.clone());
        assert_eq!(schema.values_in(&item), Ok(values));
        assert_eq!(schema.values_in(&Item::new()), Err("customer"));
    }
}
