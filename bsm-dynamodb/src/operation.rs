//! How an operation meets its account.
//!
//! An operation such as [`Get`](crate::Get), or a whole [`BatchWrite`](crate::BatchWrite), is data until
//! it is awaited: it holds no connection, and may be kept, moved to another thread, or dropped.
//! `IntoFuture::into_future` is where it looks up the manager that its model follows, once, and before
//! there is a future that could be polled. So a request's account never depends on when, where or how
//! often it is polled.

use std::pin::Pin;

use crate::error::Error;

/// The future of an operation that has been bound to its account.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Makes an operation awaitable: binds it to its model's slot, then runs it.
///
/// The operation has a method `async fn run(self, slot: Slot<M>) -> Result<$output, Error>`.
macro_rules! bind_when_awaited {
    ($($operation:ident => $output:ty,)*) => {$(
        impl<M: $crate::Model> ::std::future::IntoFuture for $operation<M> {
            type Output = ::std::result::Result<$output, $crate::Error>;
            type IntoFuture = $crate::Pending<$output>;

            fn into_future(self) -> Self::IntoFuture {
                ::std::boxed::Box::pin(self.run($crate::slot::<M>()))
            }
        }
    )*};
}

/// Shows the settings of an operation, and no keys or values, whether or not the model is `Debug`.
macro_rules! debug_settings {
    ($($operation:ident { $($setting:ident),* },)*) => {$(
        impl<M> ::std::fmt::Debug for $operation<M> {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($operation))
                    $(.field(stringify!($setting), &self.$setting))*
                    .finish_non_exhaustive()
            }
        }
    )*};
}

pub(crate) use {bind_when_awaited, debug_settings};
