//! Types of attributes that Rust and serde have no word for.

mod binary;
mod number;
mod set;

pub use binary::Binary;
pub use number::{Number, ParseNumberError};
pub use set::Set;
