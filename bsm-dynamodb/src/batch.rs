//! Reading and writing many items at a time.

mod get;
mod size;
mod write;

pub use get::GetMany;
pub(crate) use size::least_stored_bytes;
pub use write::{BatchWrite, Unprocessed};
pub(crate) use write::{Write, Writes, next_chunk};
