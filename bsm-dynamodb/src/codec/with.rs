//! Helpers for `#[serde(with)]`.

pub mod epoch_seconds;
pub mod rfc3339;
pub mod set;
mod time;
