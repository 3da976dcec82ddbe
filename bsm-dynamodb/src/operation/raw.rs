//! The SDK's request builder of an operation.

use std::fmt;
use std::marker::PhantomData;

use crate::connection::call::Call;
use crate::error::Error;
use crate::model::{Model, bind};
use crate::operation::{Pending, Request};

/// Returns the SDK's request builder of an operation, instead of sending the request; see
/// [`Get::raw`](crate::Get::raw).
///
/// Like any operation, it is bound to its account when it is awaited: the builder has the client of
/// the manager that the model follows there.
#[must_use = "operations do nothing unless they are awaited"]
pub struct Raw<M, B> {
    name: &'static str,
    build: Box<dyn FnOnce(Call) -> Pending<B> + Send + Sync>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model, B> Raw<M, B> {
    pub(crate) fn new<O: Request<Builder = B>>(operation: O) -> Self {
        // Boxed, so that the type names the builder only, and not the operation.
        let build =
            |call: Call| -> Pending<B> { Box::pin(async move { operation.build(&call).await }) };
        Self {
            name: O::NAME,
            build: Box::new(build),
            model: PhantomData,
        }
    }
}

impl<M: Model, B> IntoFuture for Raw<M, B> {
    type Output = Result<B, Error>;
    type IntoFuture = Pending<B>;

    fn into_future(self) -> Pending<B> {
        (self.build)(bind::<M>(self.name))
    }
}

impl<M, B> fmt::Debug for Raw<M, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let builder = std::any::type_name::<B>();
        f.debug_struct("Raw").field("builder", &builder).finish()
    }
}
