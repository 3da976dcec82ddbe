//! How an operation meets its account.
//!
//! An operation such as [`Get`](crate::Get), or a whole [`BatchWrite`](crate::BatchWrite), is data until
//! it is awaited: it holds no connection, and may be kept, moved to another thread, or dropped.
//! `IntoFuture::into_future` is where it looks up the manager that its model follows, once, and before
//! there is a future that could be polled. So a request's account never depends on when, where or how
//! often it is polled.

pub(crate) mod cursor;
pub(crate) mod item;
pub(crate) mod paged_read;
pub(crate) mod pages;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod scan;
pub(crate) mod update;

use std::fmt;
use std::pin::Pin;

use crate::connection::slot::{Call, Slot};
use crate::error::Error;
use crate::model::Model;

/// The future of an operation that has been bound to its account.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Makes an operation awaitable: binds it to its model's slot, then runs it.
///
/// The operation has a method `async fn run(self, slot: Slot<M>) -> Result<$output, Error>`. Its
/// types are `<M>` unless they are named: the model, and what is made of the items.
macro_rules! bind_when_awaited {
    ($($operation:ident $(<$($parameter:ident),+>)? => $output:ty,)*) => {$(
        bind_when_awaited!(@one $operation [$($($parameter)+)?] $output);
    )*};
    (@one $operation:ident [] $output:ty) => {
        bind_when_awaited!(@impl [M: $crate::Model] $operation<M> => $output);
    };
    (@one $operation:ident [M T] $output:ty) => {
        bind_when_awaited!(@impl [M: $crate::Model, T: Send + 'static] $operation<M, T> => $output);
    };
    (@impl [$($bounds:tt)*] $operation:ty => $output:ty) => {
        impl<$($bounds)*> ::std::future::IntoFuture for $operation {
            type Output = ::std::result::Result<$output, $crate::Error>;
            type IntoFuture = $crate::Pending<$output>;

            fn into_future(self) -> Self::IntoFuture {
                ::std::boxed::Box::pin(self.run($crate::slot::<M>()))
            }
        }
    };
}

/// Shows the settings of an operation, and no keys or values, whether or not the model is `Debug`.
macro_rules! debug_settings {
    ($($operation:ident $(<$($parameter:ident),+>)? { $($setting:ident),* },)*) => {$(
        debug_settings!(@one $operation [$($($parameter),+)?] { $($setting),* });
    )*};
    (@one $operation:ident [] $settings:tt) => {
        debug_settings!(@one $operation [M] $settings);
    };
    (@one $operation:ident [$($parameter:ident),+] { $($setting:ident),* }) => {
        impl<$($parameter),+> ::std::fmt::Debug for $operation<$($parameter),+> {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($operation))
                    $(.field(stringify!($setting), &self.$setting))*
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use {bind_when_awaited, debug_settings};

/// An operation that is one request.
pub(crate) trait Request: Send + Sync + 'static {
    type Model: Model;
    /// The builder of the SDK.
    type Builder: Send + 'static;

    const NAME: &'static str;

    /// Builds the request, ready to be sent.
    fn build(
        self,
        call: &Call<Self::Model>,
    ) -> impl Future<Output = Result<Self::Builder, Error>> + Send;
}

/// Gives the request of an operation in the words of the SDK, instead of sending it; see
/// [`Get::raw`](crate::Get::raw).
///
/// Like any operation it is bound to its account when it is awaited: the builder has the client of
/// the manager that the model follows there.
#[must_use = "operations do nothing unless they are awaited"]
pub struct Raw<M, B> {
    build: Box<dyn FnOnce(Slot<M>) -> Pending<B> + Send + Sync>,
}

impl<M: Model, B> Raw<M, B> {
    pub(crate) fn new<O: Request<Model = M, Builder = B>>(operation: O) -> Self {
        let build = |slot: Slot<M>| -> Pending<B> {
            Box::pin(async move { operation.build(&slot.call(O::NAME)).await })
        };
        Self {
            build: Box::new(build),
        }
    }
}

impl<M: Model, B> IntoFuture for Raw<M, B> {
    type Output = Result<B, Error>;
    type IntoFuture = Pending<B>;

    fn into_future(self) -> Pending<B> {
        (self.build)(crate::slot())
    }
}

impl<M, B> fmt::Debug for Raw<M, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let builder = std::any::type_name::<B>();
        f.debug_struct("Raw").field("builder", &builder).finish()
    }
}
