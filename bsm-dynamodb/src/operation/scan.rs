//! Reading all items.

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;

use crate::connection::call::Call;
use crate::error::Error;
use crate::model::Model;
use crate::model::index::{Source, Table};
use crate::operation::Request;
use crate::operation::page_reader::{ReadKind, ScanSegments};
use crate::operation::paged_read::PagedRead;
use crate::operation::raw::Raw;

/// Reads every item of a table or of an index; see [`Model::scan`] and
/// [`Index::scan`](crate::Index::scan).
///
/// `M` is the model, `S` the table or an index of it, and `T` the type that the items are read as. What
/// a scan has in common with a [`Query`](crate::Query), such as filters and streams, is on the page of
/// [`PagedRead`].
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
pub type Scan<M, S = Table, T = M> = PagedRead<ScanSegments, M, S, T>;

/// 8: faster than one segment by far, and the pages in memory, one of up to 1 MB per segment, stay few.
const DEFAULT_CONCURRENCY: usize = 8;

impl<M: Model, S: Source<M>> Scan<M, S> {
    pub(crate) fn new() -> Self {
        Self::of_kind(ScanSegments {
            total: 1,
            concurrency: DEFAULT_CONCURRENCY,
        })
    }
}

impl<M: Model, S: Source<M>, T: Send + 'static> Scan<M, S, T> {
    /// Divides the table into this many segments, which are scanned in parallel. Default: 1.
    ///
    /// The items of all segments are in one stream, in no particular order. At most
    /// [`concurrency`](Self::concurrency) segments are read at a time.
    ///
    /// With 0 the scan fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    ///
    /// Source: [Parallel scan](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan)
    /// in the Developer Guide.
    #[doc(alias = "TotalSegments")]
    pub fn segments(mut self, total: u16) -> Self {
        if total == 0 {
            self.settings
                .reject("segments(0) is invalid: a scan has at least one segment");
        }
        self.kind.total = total;
        self
    }

    /// Sets how many segments are read at a time. Default: 8.
    ///
    /// With 0 the scan fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    pub fn concurrency(mut self, segments: usize) -> Self {
        if segments == 0 {
            self.settings
                .reject("concurrency(0) is invalid: at least one segment is read at a time");
        }
        self.kind.concurrency = segments;
        self
    }

    /// Returns the SDK's request builder for the first page, of the first segment; see
    /// [`Get::raw`](crate::Get::raw).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidCursor`](crate::ErrorKind::InvalidCursor) if it resumes a cursor that has read that
    /// segment, such as one that [is finished](crate::Cursor::is_finished).
    pub fn raw(self) -> Raw<M, ScanFluentBuilder> {
        Raw::new(self)
    }
}

impl<M: Model, S: Source<M>, T: Send + 'static> Request for Scan<M, S, T> {
    type Builder = ScanFluentBuilder;

    const NAME: &'static str = ScanSegments::OPERATION;

    async fn build(self, call: &Call) -> Result<ScanFluentBuilder, Error> {
        // The request has the segments of the scan, and is for the first one.
        let segments = self.kind;
        let reader = self.into_reader();
        let page = reader.first_page(call).await?;
        reader.scan_request(segments, call, page).await
    }
}
