//! Helpers for `#[serde(with)]`.

pub mod epoch_seconds;
pub mod set;
