//! Reading and writing many items with few requests.

mod get;
mod size;
mod write;

pub use get::GetMany;
pub(crate) use get::MAX_KEYS;
pub(crate) use size::least_stored_bytes;
pub use write::BatchWrite;
#[cfg(feature = "migrate")]
pub(crate) use write::{MAX_WRITES, next_chunk};
pub(crate) use write::{Writes, next_chunk_by};

#[cfg(feature = "migrate")]
pub(crate) use crate::error::unprocessed::Write;
