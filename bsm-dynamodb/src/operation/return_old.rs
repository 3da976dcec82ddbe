//! Writes that return the item as it was before.

use std::fmt;

/// A write that returns the item as it was before, or `None` if there was none.
///
/// See [`Save::return_old`](crate::Save::return_old), [`Update::return_old`](crate::Update::return_old) and
/// [`Delete::return_old`](crate::Delete::return_old).
///
/// # Errors
///
/// The errors of the write, and [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if the old
/// item does not fit the model. In that case DynamoDB has done the write.
#[must_use = "operations do nothing unless they are awaited"]
pub struct ReturnOld<O>(pub(super) O);

impl<O: fmt::Debug> fmt::Debug for ReturnOld<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReturnOld").field(&self.0).finish()
    }
}
