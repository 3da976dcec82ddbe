//! Reading and writing many items with few requests.

mod get;
mod size;
mod write;

pub use get::GetMany;
pub(crate) use size::least_stored_bytes;
pub use write::BatchWrite;
#[cfg(feature = "migrate")]
pub(crate) use write::next_chunk;
pub(crate) use write::{MAX_BYTES, MAX_WRITES, Writes};

#[cfg(feature = "migrate")]
pub(crate) use crate::error::unprocessed::Write;
