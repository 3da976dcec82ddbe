//! Reads that return `None` for an item that does not exist.

use std::fmt;

/// A read that returns `None` if the item does not exist.
///
/// See [`Get::optional`](crate::Get::optional).
///
/// # Errors
///
/// The errors of the read, except for [`ErrorKind::ItemNotFound`](crate::ErrorKind::ItemNotFound).
#[must_use = "operations do nothing unless they are awaited"]
pub struct Optional<O>(pub(super) O);

impl<O: fmt::Debug> fmt::Debug for Optional<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Optional").field(&self.0).finish()
    }
}
