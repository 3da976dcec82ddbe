//! Panics as errors.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::error::{Error, ErrorKind};

/// Turns a panic of the work into an error.
///
/// The state of the work is dropped, so that no later start can see it.
pub(crate) async fn catch_panic<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll,
            // Drop the payload: a panic message can contain anything, secrets included.
            Err(_) => Poll::Ready(Err(panicked())),
        }
    })
    .await
}

pub(super) fn panicked() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "the work panicked: look for the panic's own message in the output of the process",
    )
}
