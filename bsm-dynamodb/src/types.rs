//! Attribute types that Rust and serde have no counterpart for, and the types of keys.

mod binary;
mod key_attribute;
mod key_value;
mod number;
mod set;
mod ttl;

pub use binary::Binary;
pub use key_attribute::{
    EncodeKey, Encoded, KeyAttribute, KeyElement, KeyField, KeyPrefix, KeyScalar, KeyText, KeyType,
};
pub use key_value::KeyValue;
pub use number::{Number, ParseNumberError};
pub use set::Set;
pub use ttl::TtlAttribute;
