//! The check that an item is read back as it is written.
//!
//! Where serde buffers what it reads, in flattened fields and in enums that are not externally tagged,
//! it cannot read everything that it writes. Such an item is refused before it is stored: later it
//! could not be read, or a value in it would have been rounded.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::decode::Decoder;
use super::encode::{Encoder, Notes, encode_marked};
use super::error::SerdeError;
use super::item::{CodecError, Item, is_marked};
use super::number::normalized;

/// Reads an item and writes it again, and compares the values that serde can change.
///
/// The item has `null_in_some` values that are `Some` and stored as NULL.
pub(super) fn check<M: Serialize + DeserializeOwned>(
    item: &Item,
    null_in_some: usize,
) -> Result<(), CodecError> {
    let read = M::deserialize(Decoder(AttributeValue::M(item.clone())));
    let model = read.map_err(|error| could_not_be_read(item, error))?;
    let notes = Notes::default();
    let AttributeValue::M(again) = model.serialize(Encoder::new(&notes))? else {
        // It was a map when it was written, so this is a `Serialize` that depends on something else than
        // the value: there is nothing to compare with.
        return Ok(());
    };
    if notes.null_in_some() < null_in_some {
        let names = names(item, has_null);
        return Err(SerdeError::new(READ_AS_NONE).inside_of(&names).into());
    }
    let changed = item.iter().find(|(name, value)| {
        let other = again.get(*name);
        other.is_some_and(|other| !keeps_numbers_and_binary(value, other))
    });
    match changed {
        None => Ok(()),
        Some((name, _)) => Err(SerdeError::new(READ_AS_ANOTHER).inside_of(name).into()),
    }
}

const READ_AS_ANOTHER: &str = "a number or binary would be read back as another value, because serde \
    buffers it or reads it as an `f64`: use `Number` and `Binary`, and take them out of flattened fields \
    and enums without an external tag";

const READ_AS_NONE: &str = "a `Some` that is stored as NULL would be read back as `None`, because DynamoDB has no \
    nested options: use one `Option`, or an enum";

/// Checks that every field that is marked as `None` is read as `None` if it is left out.
///
/// It also reads an item in which a flattened field is a map: serde writes the entries of that map as it
/// writes the fields of a struct, and would lose those that are left out.
pub(super) fn check_left_out<M: Serialize + DeserializeOwned>(
    marked: &Item,
    sparse: &Item,
) -> Result<(), CodecError> {
    let read = M::deserialize(Decoder(AttributeValue::M(sparse.clone())));
    let model = read.map_err(|error| could_not_be_read(sparse, error))?;
    let AttributeValue::M(again) = model.serialize(Encoder::new(&Notes::default()))? else {
        return Ok(());
    };
    match marked
        .iter()
        .find(|(name, value)| !has_marked(value, again.get(*name)))
    {
        None => Ok(()),
        Some((name, _)) => Err(SerdeError::new(LOST_ENTRY).inside_of(name).into()),
    }
}

const LOST_ENTRY: &str = "the codec Sparse leaves out what is `None`, and in the map of a flattened field the \
    entry would be lost: use the codec Serde, or a map whose values are no `Option`";

/// Returns `true` if all that is marked in `one` is NULL in `other`.
fn has_marked(one: &AttributeValue, other: Option<&AttributeValue>) -> bool {
    match (one, other) {
        (one, other) if is_marked(one) => other.is_some_and(AttributeValue::is_null),
        (AttributeValue::M(one), Some(AttributeValue::M(other))) => one
            .iter()
            .all(|(name, value)| has_marked(value, other.get(name))),
        (AttributeValue::L(one), Some(AttributeValue::L(other))) => {
            let mut pairs = one.iter().zip(other);
            pairs.all(|(one, other)| has_marked(one, Some(other)))
        }
        // A model may read less than it writes on purpose.
        _ => true,
    }
}

/// Checks that the value of one attribute is read back as it is written.
pub(crate) fn check_value<T: Serialize + DeserializeOwned>(
    value: &AttributeValue,
) -> Result<(), CodecError> {
    // Text and booleans pass through serde's buffer unchanged.
    if !is_fragile(value) && !has_null(value) {
        return Ok(());
    }
    let read = T::deserialize(Decoder(value.clone()));
    let read = read.map_err(|error| error.because_of("the value could not be read back"))?;
    let again = encode_marked(|encoder| read.serialize(encoder))?;
    match (
        keeps_numbers_and_binary(value, &again),
        keeps_some(value, &again),
    ) {
        (true, true) => Ok(()),
        (false, _) => Err(SerdeError::new(READ_AS_ANOTHER).into()),
        (_, false) => Err(SerdeError::new(READ_AS_NONE).into()),
    }
}

/// Returns `true` if no NULL of `one` is that of a `Some`, and that of a `None` in `other`. Both are marked.
fn keeps_some(one: &AttributeValue, other: &AttributeValue) -> bool {
    use AttributeValue::{L, M};

    match (one, other) {
        (one, other) if one.is_null() => is_marked(one) || !is_marked(other),
        (L(one), L(other)) => one
            .iter()
            .zip(other)
            .all(|(one, other)| keeps_some(one, other)),
        (M(one), M(other)) => one.iter().all(|(name, value)| {
            let other = other.get(name);
            other.is_none_or(|other| keeps_some(value, other))
        }),
        _ => true,
    }
}

/// serde names no attribute where it buffers, so this finds the one without which the error is gone.
fn could_not_be_read(item: &Item, error: SerdeError) -> SerdeError {
    let reason = format!("the item could not be read back: {error}");
    // The text of the error already names the attribute.
    if error.has_path() {
        return SerdeError::new(reason);
    }
    SerdeError::new(reason).inside_of(&names(item, is_fragile))
}

/// Returns the names of the attributes that may be the one an error is about.
fn names(item: &Item, may_be: impl Fn(&AttributeValue) -> bool) -> String {
    let mut names: Vec<_> = item
        .iter()
        .filter(|(_, value)| may_be(value))
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    names.join("` or `")
}

/// Returns `true` if the value is NULL or has one in it.
fn has_null(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::Null(_) => true,
        AttributeValue::M(map) => map.values().any(has_null),
        AttributeValue::L(values) => values.iter().any(has_null),
        _ => false,
    }
}

/// Returns `true` if the value has a number, binary or a map in it.
fn is_fragile(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::N(_) | AttributeValue::Ns(_) => true,
        AttributeValue::B(_) | AttributeValue::Bs(_) | AttributeValue::M(_) => true,
        AttributeValue::L(values) => values.iter().any(is_fragile),
        _ => false,
    }
}

/// Returns `true` unless `other` has a rounded number or another type where `one` has a long number or
/// binary.
///
/// Anything else may differ: a model may deserialize less than it serializes on purpose.
fn keeps_numbers_and_binary(one: &AttributeValue, other: &AttributeValue) -> bool {
    use AttributeValue::{B, Bs, L, M, N, Ns, Null};

    match (one, other) {
        // An `Option` that is read as `None` on purpose, such as with `skip_deserializing`.
        (_, Null(_)) => true,
        (N(one), N(other)) => !is_long(one) || normalized(one) == normalized(other),
        (N(one), _) => !is_long(one),
        // A set has no order, so a long number may be anywhere in the other one.
        (Ns(one), Ns(other)) => one.iter().filter(|one| is_long(one)).all(|one| {
            let one = normalized(one);
            other.iter().any(|other| normalized(other) == one)
        }),
        (B(_), _) => other.is_b(),
        (Bs(_), _) => other.is_bs(),
        (L(one), L(other)) => {
            let mut pairs = one.iter().zip(other);
            pairs.all(|(one, other)| keeps_numbers_and_binary(one, other))
        }
        (M(one), M(other)) => one.iter().all(|(name, value)| {
            let other = other.get(name);
            other.is_none_or(|other| keeps_numbers_and_binary(value, other))
        }),
        _ => true,
    }
}

/// Returns `true` if the number is none that serde can buffer: an integer of 64 bits or an `f64`.
fn is_long(number: &str) -> bool {
    let is_integer = number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    // A float that is written as the same number has lost nothing.
    let is_float = || {
        let float = number.parse::<f64>();
        float.is_ok_and(|float| normalized(&float.to_string()) == normalized(number))
    };
    !is_integer && !is_float()
}
