//! Operations on items: inert data until they are awaited.
//!
//! An operation such as [`Get`](crate::Get) or [`BatchWrite`](crate::BatchWrite) holds no connection,
//! and can be stored, moved to another thread, or dropped. `IntoFuture::into_future` looks up the
//! manager that the model follows, once, before there is a future to poll. So the account of a request
//! never depends on when, where or how often its future is polled.

pub(crate) mod collect;
pub(crate) mod cursor;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod item_write;
mod key_range;
pub(crate) mod optional;
pub(crate) mod page_reader;
pub(crate) mod paged_read;
pub(crate) mod pages;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod raw;
pub(crate) mod return_nothing;
pub(crate) mod return_old;
pub(crate) mod save;
pub(crate) mod scan;
pub(crate) mod update;

use std::pin::Pin;

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use crate::connection::call::Call;
use crate::error::Error;

/// The future of an operation that is bound to its account.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Implements `IntoFuture` for an operation: binds it, then runs it.
///
/// `IntoFuture` can't be implemented for all types that implement a trait of this crate, so each
/// operation has an implementation of its own. The operation has a constant `NAME`, the operation of
/// the DynamoDB API, and a method `async fn run(self, call: Call) -> Result<$output, Error>`. Its type
/// parameters are `<M>`, the model, unless they are given.
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
                ::std::boxed::Box::pin(self.run($crate::model::bind::<M>(Self::NAME)))
            }
        }
    };
}

/// Implements `Debug` for operations, whether or not the model is `Debug`: it shows the settings, and
/// no keys or values.
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
                    // The dots stand for keys and values, which `Debug` doesn't show.
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use {bind_when_awaited, debug_settings};

/// An operation that is a single request.
pub(crate) trait Request: Send + Sync + 'static {
    /// The request builder of the SDK.
    type Builder: Send + 'static;

    const NAME: &'static str;

    /// Builds the request, ready to be sent.
    fn build(self, call: &Call) -> impl Future<Output = Result<Self::Builder, Error>> + Send;
}

/// Requests the item that makes the condition of a write false. It consumes no capacity.
///
/// Source: [PutItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html)
/// in the API Reference.
pub(crate) fn existing_item_if(has_condition: bool) -> Option<ReturnValuesOnConditionCheckFailure> {
    has_condition.then_some(ReturnValuesOnConditionCheckFailure::AllOld)
}
