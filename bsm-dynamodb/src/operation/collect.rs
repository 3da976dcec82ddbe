//! Reading a query or scan to its end: into a `Vec`, or into a count.

use std::marker::PhantomData;
use std::sync::Arc;

use aws_sdk_dynamodb::types::Select;
use futures_util::TryStreamExt as _;

use crate::connection::call::Call;
use crate::error::Error;
use crate::model::{Model, bind};
use crate::operation::page_reader::PageReader;
use crate::operation::pages::Items;
use crate::operation::{Pending, debug_settings};

/// Reads all items into a `Vec`; see [`Query::collect`](crate::Query::collect) and
/// [`Scan::collect`](crate::Scan::collect).
#[must_use = "operations do nothing unless they are awaited"]
pub struct Collect<M, T = M> {
    read: PageReader<T>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model, T: Send + 'static> Collect<M, T> {
    pub(crate) fn new(read: PageReader<T>) -> Self {
        Self {
            read,
            model: PhantomData,
        }
    }

    async fn run(self, call: Call) -> Result<Vec<T>, Error> {
        Items::new(self.read, call).try_collect().await
    }
}

/// Counts items; see [`Query::count`](crate::Query::count) and [`Scan::count`](crate::Scan::count).
#[must_use = "operations do nothing unless they are awaited"]
pub struct Count<M, T = M> {
    read: PageReader<T>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model, T: Send + 'static> Count<M, T> {
    pub(crate) fn new(read: PageReader<T>) -> Self {
        Self {
            read,
            model: PhantomData,
        }
    }

    async fn run(self, call: Call) -> Result<usize, Error> {
        let limit = self.read.limit();
        let pages = Arc::new(self.read).pages(Arc::new(call), Some(Select::Count));
        let mut pages = Box::pin(pages);
        let mut count = 0;
        // Each segment of a scan counts for itself; only here the sum is compared with the limit.
        while let Some(page) = pages.try_next().await? {
            count += page.count;
            // After the first poll, which checks the settings, and without a request if the limit is 0.
            if count >= limit {
                break;
            }
        }
        // The last page may have more items than are missing.
        Ok(count.min(limit))
    }
}

impl<M: Model, T: Send + 'static> IntoFuture for Collect<M, T> {
    type Output = Result<Vec<T>, Error>;
    type IntoFuture = Pending<Vec<T>>;

    fn into_future(self) -> Self::IntoFuture {
        // Without `bind_when_awaited!`, because the name of the operation depends on the read.
        let call = bind::<M>(self.read.operation());
        Box::pin(self.run(call))
    }
}

impl<M: Model, T: Send + 'static> IntoFuture for Count<M, T> {
    type Output = Result<usize, Error>;
    type IntoFuture = Pending<usize>;

    fn into_future(self) -> Self::IntoFuture {
        let call = bind::<M>(self.read.operation());
        Box::pin(self.run(call))
    }
}

debug_settings! {
    Collect<M, T> { read },
    Count<M, T> { read },
}
