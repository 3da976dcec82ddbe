//! The keys of models whose key attributes are composed of fields.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::codec::CodecError;
use crate::model::key::{IntoKey, Key, KeyValues, Part, PartError, RangedKey};
use crate::model::template::KeyTemplate;
use crate::types::{KeyElement, KeyText, KeyType, KeyValue};

/// The templates of a key, of the table or of an index.
///
/// `#[derive(Model)]` implements it for a model, and for an index, whose key has templates.
pub trait KeyTemplates: 'static {
    /// The types of the fields of the hash key, as a tuple.
    type Hash: 'static;

    /// The attributes of the fields of the whole key, each once: those of the hash key first.
    const FIELDS: &'static [&'static str];

    /// The template of the hash key.
    const HASH: KeyTemplate;

    /// The template of the range key, if there is one.
    const RANGE: Option<KeyTemplate> = None;

    /// Returns what the codec of the model stores for a field; see [`Codec::stored`](crate::Codec::stored).
    ///
    /// Keys are composed of what the attributes of the fields are stored as. The default implementation is
    /// that of a codec which stores what serde writes.
    ///
    /// # Errors
    ///
    /// If no attribute can hold the value.
    fn stored(
        attribute: &str,
        value: AttributeValue,
    ) -> Result<Option<AttributeValue>, CodecError> {
        let _ = attribute;
        Ok(Some(value))
    }
}

/// The templates of a key that has a range key.
pub trait RangedTemplates: KeyTemplates {
    /// The types of the fields of the range key, as a tuple.
    type Range: 'static;
}

/// A key whose attributes are composed of fields of the types `C`, a tuple, by the templates of `E`.
///
/// A tuple of their values is given for it, as in `Order::get(("ada", 7))`, or the value itself if there
/// is only one.
pub struct Composite<C, E>(PhantomData<fn() -> (C, E)>);

impl<C: 'static, E: KeyTemplates> Key for Composite<C, E> {
    type Hash = CompositePart<E::Hash, OfHash<E>>;

    const TYPES: (KeyType, Option<KeyType>) = (
        // A composed key is text, whatever the types of its fields.
        KeyType::String,
        match E::RANGE {
            Some(_) => Some(KeyType::String),
            None => None,
        },
    );

    const RANGE_PREFIX: &'static str = match E::RANGE {
        Some(template) => template.prefix(),
        None => "",
    };
}

impl<C: 'static, E: RangedTemplates> RangedKey for Composite<C, E> {
    type Range = CompositePart<E::Range, OfRange<E>>;
}

/// One attribute of a [`Composite`] key: its hash key or its range key.
pub struct CompositePart<C, T>(PhantomData<fn() -> (C, T)>);

impl<C: 'static, T: PartTemplate> KeyElement for CompositePart<C, T> {
    type Stored = String;
}

/// The template of a [`CompositePart`].
pub trait PartTemplate: 'static {
    /// The templates of the whole key.
    type Templates: KeyTemplates;

    /// The template.
    const TEMPLATE: KeyTemplate;
}

/// The hash key of the templates `E`.
#[derive(Clone, Copy, Debug)]
pub struct OfHash<E>(PhantomData<fn() -> E>);

impl<E: KeyTemplates> PartTemplate for OfHash<E> {
    type Templates = E;

    const TEMPLATE: KeyTemplate = E::HASH;
}

/// The range key of the templates `E`.
#[derive(Clone, Copy, Debug)]
pub struct OfRange<E>(PhantomData<fn() -> E>);

impl<E: RangedTemplates> PartTemplate for OfRange<E> {
    type Templates = E;

    const TEMPLATE: KeyTemplate = match E::RANGE {
        Some(template) => template,
        // Not used: `RangedTemplates` is implemented only where `RANGE` is `Some`, but a constant needs a value.
        None => E::HASH,
    };
}

/// A type of fields that can stand in a template: text or a number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in the template of a key",
    note = "strings and numbers can, and types that serde writes as one"
)]
pub trait Component: KeyElement {}

impl<K: KeyElement<Stored: KeyText>> Component for K {}

macro_rules! components {
    ($($component:ident $value:ident),*; $given:ty) => {
        impl<E: KeyTemplates, $($component: Component, $value: IntoKey<$component>),*>
            IntoKey<Composite<($($component,)*), E>> for $given
        {
            #[expect(non_snake_case, reason = "each value has the name of its type")]
            fn into_key(self) -> Result<KeyValues, CodecError> {
                components!(@destructure self $($value)*);
                whole_key::<E>([$($value.into_key()),*])
            }
        }

        impl<T: PartTemplate, $($component: Component, $value: IntoKey<$component>),*>
            IntoKey<CompositePart<($($component,)*), T>> for $given
        {
            #[expect(non_snake_case, reason = "each value has the name of its type")]
            fn into_key(self) -> Result<KeyValues, CodecError> {
                components!(@destructure self $($value)*);
                part_of_key::<T>([$($value.into_key()),*])
            }
        }
    };
    // A single value is given without a tuple, as in `Customer::get("ada")`.
    (@destructure $self:ident $only:ident) => { let $only = $self; };
    (@destructure $self:ident $($value:ident)+) => { let ($($value,)+) = $self; };
}

// The letter E is left out: in the implementations it stands for the templates.
components!(A VA; VA);
components!(A VA, B VB; (VA, VB));
components!(A VA, B VB, C VC; (VA, VB, VC));
components!(A VA, B VB, C VC, D VD; (VA, VB, VC, VD));
components!(A VA, B VB, C VC, D VD, F VF; (VA, VB, VC, VD, VF));
// Six fields, which is also the limit in the derive.
components!(A VA, B VB, C VC, D VD, F VF, G VG; (VA, VB, VC, VD, VF, VG));

/// A key without fields, such as that of the only item of its kind.
impl<E: KeyTemplates> IntoKey<Composite<(), E>> for () {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        whole_key::<E>([])
    }
}

impl<T: PartTemplate> IntoKey<CompositePart<(), T>> for () {
    fn into_key(self) -> Result<KeyValues, CodecError> {
        part_of_key::<T>([])
    }
}

fn whole_key<E: KeyTemplates>(
    encoded: impl IntoIterator<Item = Result<KeyValues, CodecError>>,
) -> Result<KeyValues, CodecError> {
    // The values are in the order of `FIELDS`, which has a field once even if both templates name it.
    let values = values::<E>(E::FIELDS, encoded)?;
    let composed = |template: KeyTemplate| composed(template, E::FIELDS, &values);
    Ok(KeyValues::new(
        composed(E::HASH)?,
        E::RANGE.map(composed).transpose()?,
    ))
}

fn part_of_key<T: PartTemplate>(
    encoded: impl IntoIterator<Item = Result<KeyValues, CodecError>>,
) -> Result<KeyValues, CodecError> {
    // One attribute alone takes its own fields only, in the order in which its template names them.
    let fields = T::TEMPLATE.fields();
    let values = values::<T::Templates>(&fields, encoded)?;
    let key = composed(T::TEMPLATE, &fields, &values)?;
    Ok(KeyValues::new(key, None))
}

/// Returns the values of the fields, or the first error, which names its field.
fn values<E: KeyTemplates>(
    fields: &[&'static str],
    encoded: impl IntoIterator<Item = Result<KeyValues, CodecError>>,
) -> Result<Vec<KeyValue>, CodecError> {
    let encoded = fields.iter().zip(encoded);
    encoded
        .map(|(field, key)| {
            let stored = key.and_then(|key| stored::<E>(field, key.into_hash()));
            stored.map_err(|error| PartError::boxed(Part::Field(field), error))
        })
        .collect()
}

fn stored<E: KeyTemplates>(field: &str, value: KeyValue) -> Result<KeyValue, CodecError> {
    let value = E::stored(field, value.into())?;
    let value = value.as_ref().and_then(KeyValue::from_attribute);
    value.ok_or_else(|| {
        let message =
            format!("the codec does not store the field `{field}` as a string or a number");
        message.into()
    })
}

fn composed(
    template: KeyTemplate,
    fields: &[&str],
    values: &[KeyValue],
) -> Result<KeyValue, CodecError> {
    let value_of = |name: &str| {
        let position = fields.iter().position(|field| *field == name)?;
        values.get(position).cloned()
    };
    let key = template.compose(value_of)?;
    // The derive lists every field. Templates that are written by hand may name one that `FIELDS` lacks.
    key.map(KeyValue::S).ok_or_else(|| {
        let attribute = template.attribute();
        format!("the templates of the key lack a field of `{attribute}`").into()
    })
}

impl<C, E> fmt::Debug for Composite<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Composite<{}>", std::any::type_name::<C>())
    }
}

impl<C, T> fmt::Debug for CompositePart<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompositePart<{}>", std::any::type_name::<C>())
    }
}
