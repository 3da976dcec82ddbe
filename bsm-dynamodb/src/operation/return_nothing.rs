//! Writes that return nothing.

use std::fmt;

/// A write that returns no item.
///
/// See [`Update::return_nothing`](crate::Update::return_nothing).
///
/// # Errors
///
/// The errors of the write. There is no item that could not fit the model.
#[must_use = "operations do nothing unless they are awaited"]
pub struct ReturnNothing<O>(pub(super) O);

impl<O: fmt::Debug> fmt::Debug for ReturnNothing<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReturnNothing").field(&self.0).finish()
    }
}
