//! Reading all items.

use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;

use crate::connection::slot::Call;
use crate::error::Error;
use crate::model::Model;
use crate::model::index::{Source, Table};
use crate::operation::paged_read::{Read, What, reads};
use crate::operation::{Raw, Request, debug_settings};

/// Reads every item of a table or of an index; see [`Model::scan`] and
/// [`Index::scan`](crate::Index::scan).
///
/// `M` is the model, `S` the table or an index of it, and `T` what is made of the items.
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String, age: u8 }
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// use futures_util::TryStreamExt as _;
///
/// let mut users = User::scan().filter(User::age().ge(18)).stream();
/// while let Some(user) = users.try_next().await? {
///     println!("{}", user.id);
/// }
///
/// let number = User::scan().segments(8).rate_limit(100).count().await?;
/// # Ok(())
/// # }
/// ```
///
/// Source: [Scan](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html)
/// in the API Reference.
#[must_use = "a scan does nothing unless it is collected or streamed"]
pub struct Scan<M, S = Table, T = M> {
    read: Read<M, T>,
    source: PhantomData<fn() -> S>,
}

impl<M: Model, S: Source<M>> Scan<M, S> {
    pub(crate) fn new() -> Self {
        let what = What::Scan {
            segments: 1,
            concurrency: DEFAULT_CONCURRENCY,
        };
        Self {
            read: Read::new::<S>(what),
            source: PhantomData,
        }
    }
}

/// How many segments are read at the same time, unless told otherwise.
const DEFAULT_CONCURRENCY: usize = 8;

reads!(Scan);

impl<M: Model, S: Source<M>, T: Send + 'static> Scan<M, S, T> {
    /// Divides the table into so many segments, and reads 8 of them at a time.
    ///
    /// The items of all segments come in one stream, in no particular order.
    ///
    /// Source: [Parallel scan](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan)
    /// in the Developer Guide.
    pub fn segments(mut self, total: u16) -> Self {
        if let What::Scan { segments, .. } = &mut self.read.what {
            *segments = total.max(1);
        }
        self
    }

    /// Reads at most so many segments at the same time. Default: 8.
    pub fn concurrency(mut self, at_most: usize) -> Self {
        if let What::Scan { concurrency, .. } = &mut self.read.what {
            *concurrency = at_most.max(1);
        }
        self
    }

    /// Gives the request for the first page in the words of the SDK; see
    /// [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, ScanFluentBuilder> {
        Raw::new(self)
    }
}

impl<M: Model, S: Source<M>, T: Send + 'static> Request for Scan<M, S, T> {
    type Model = M;
    type Builder = ScanFluentBuilder;

    const NAME: &'static str = "Scan";

    async fn build(self, call: &Call<M>) -> Result<ScanFluentBuilder, Error> {
        let page = self.read.first_page(call).await?;
        self.read.scan(call, page).await
    }
}

debug_settings! {
    Scan<M, S, T> { read },
}
