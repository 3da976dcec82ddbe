//! The types of time to live.

use super::number::Number;

/// A type that can be the attribute by which DynamoDB expires items: `#[model(ttl)]`.
///
/// DynamoDB expires an item by a number of whole seconds since 1970 and ignores attributes of other
/// types, so a time that is stored as text would never expire. Integers, [`Number`] and `Option`s of
/// them are such types. A `SystemTime` is one with
/// `#[serde(with = "bsm_dynamodb::epoch_seconds")]`; a newtype implements this trait.
///
/// Source: [Using time to live](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html)
/// in the DynamoDB Developer Guide.
#[diagnostic::on_unimplemented(
    message = "DynamoDB does not expire items by a `{Self}`",
    label = "expected an integer: seconds since 1970",
    note = "a `SystemTime` is stored as one with `#[serde(with = \"bsm_dynamodb::epoch_seconds\")]`"
)]
pub trait TtlAttribute {}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl TtlAttribute for $integer {}
    )*};
}

// 8 and 16 bits are missing: 65,535 seconds end on the first day of 1970.
integers!(i32, i64, i128, isize, u32, u64, u128, usize);

impl TtlAttribute for Number {}

impl<T: TtlAttribute> TtlAttribute for Option<T> {}
