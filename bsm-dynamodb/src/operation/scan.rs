//! Reading all items.

use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use serde::de::DeserializeOwned;

use crate::connection::call::Call;
use crate::error::Error;
use crate::expression::{Condition, Writer};
use crate::model::index::{ConsistentRead, Source, Table, source};
use crate::model::stored;
use crate::model::{Model, bind};
use crate::operation::collect::{Collect, Count};
use crate::operation::cursor::Cursor;
use crate::operation::paged_read::{PagedRead, ReadKind, ReadSettings, ScanSettings};
use crate::operation::pages::{Items, Pages};
use crate::operation::projection::ReadAs;
use crate::operation::raw::Raw;
use crate::operation::{Request, debug_settings};

/// Reads every item of a table or of an index; see [`Model::scan`] and
/// [`Index::scan`](crate::Index::scan).
///
/// `M` is the model, `S` the table or an index of it, and `T` the type that the items are read as. End
/// a scan with [`collect`](Self::collect), [`stream`](Self::stream), [`pages`](Self::pages) or
/// [`count`](Self::count).
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
    scan: ScanSettings,
    settings: ReadSettings<T>,
    source: PhantomData<fn() -> (M, S)>,
}

impl<M: Model, S: Source<M>> Scan<M, S> {
    /// 8: faster than one segment by far, and the pages in memory, one of up to 1 MB per segment,
    /// stay few.
    const DEFAULT_CONCURRENCY: usize = 8;

    pub(crate) fn new() -> Self {
        Self {
            scan: ScanSettings {
                segments: 1,
                concurrency: Self::DEFAULT_CONCURRENCY,
            },
            settings: ReadSettings::new(
                source::<M, S>(),
                Writer::for_codec::<M, M::Codec>,
                ReadAs::whole(stored::decode),
            ),
            source: PhantomData,
        }
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
        self.scan.segments = total;
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
        self.scan.concurrency = segments;
        self
    }

    /// Sets whether the reads are strongly consistent: they then see every write that was
    /// acknowledged before, at twice the cost. Default: `false`.
    ///
    /// A global index has no consistent reads, so this doesn't compile for one.
    ///
    /// Source: [Read consistency](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html)
    /// in the Developer Guide.
    pub fn consistent_read(mut self, consistent: bool) -> Self
    where
        S: ConsistentRead,
    {
        self.settings.consistent_read = consistent;
        self
    }

    /// Returns only the items for which this condition is true. Several filters must all be true.
    ///
    /// DynamoDB reads and charges for the other items as well.
    #[doc(alias = "FilterExpression")]
    pub fn filter(mut self, condition: Condition<M>) -> Self {
        self.settings.and_filter(condition);
        self
    }

    /// Sets how many items a request reads at most, before the filter. Default: as many as fit
    /// into 1 MB, which is DynamoDB's limit for a page.
    ///
    /// With 0 the scan fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    #[doc(alias = "Limit")]
    pub fn page_size(mut self, items: u32) -> Self {
        self.settings.page_size(items);
        self
    }

    /// Ends the scan after this many items in total, after the filter. Default: no limit.
    ///
    /// An item that does not fit the model counts as well. [`pages`](Self::pages) ignores the limit.
    pub fn limit(mut self, items: usize) -> Self {
        self.settings.limit = Some(items);
        self
    }

    /// Limits the consumed capacity to this many units per second on average. Default: no limit.
    ///
    /// A strongly consistent read of 4 KB consumes one unit, any other read half a unit. The
    /// consumption of a page is known only after it was read, so the page after it waits. A page of
    /// 1 MB consumes up to 256 units: combine a low rate with a small
    /// [`page_size`](Self::page_size).
    ///
    /// With 0 the scan fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    pub fn rate_limit(mut self, units_per_second: u32) -> Self {
        self.settings.rate_limit(units_per_second);
        self
    }

    /// Starts at the position of a cursor of an earlier scan.
    ///
    /// The manager asks STS for its identity, once, to check that the cursor belongs to its account.
    ///
    /// # Errors
    ///
    /// The scan fails with [`ErrorKind::InvalidCursor`](crate::ErrorKind::InvalidCursor), before it
    /// reads anything, if the cursor belongs to another table, index, account or region,
    /// or to a scan with another number of segments.
    pub fn resume(mut self, cursor: Cursor) -> Self {
        self.settings.resume = Some(cursor);
        self
    }

    /// Reads each item as a `P` instead of the model: only the attributes for which `P` has fields,
    /// and the key.
    ///
    /// A map, or a struct with `#[serde(flatten)]`, gets all attributes, because serde doesn't know
    /// its fields in advance. DynamoDB charges for the whole items in any case.
    #[doc(alias = "ProjectionExpression")]
    pub fn project<P>(self) -> Scan<M, S, P>
    where
        P: DeserializeOwned + Send + 'static,
    {
        Scan {
            scan: self.scan,
            settings: self.settings.read_as(ReadAs::fields()),
            source: PhantomData,
        }
    }

    /// Reads the items into a `Vec`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist;
    /// - [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if an item does not fit the model;
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the table has no such
    ///   index, DynamoDB rejects the filter, or a setting is invalid;
    /// - [`ErrorKind::InvalidCursor`](crate::ErrorKind::InvalidCursor), see [`resume`](Self::resume).
    pub fn collect(self) -> Collect<M, T> {
        Collect::new(self.into_read())
    }

    /// Counts the items, up to the limit.
    ///
    /// DynamoDB reads and charges for the items, but doesn't send them.
    ///
    /// # Errors
    ///
    /// The errors of [`collect`](Self::collect), except for items that do not fit the model.
    pub fn count(self) -> Count<M, T> {
        Count::new(self.into_read())
    }

    /// Streams the items. A page is read when the one before is used up.
    ///
    /// The stream is bound to the model's manager by this call, wherever it is polled. It continues
    /// after an item that does not fit the model, and ends after any other error.
    ///
    /// # Errors
    ///
    /// The stream returns the errors of [`collect`](Self::collect).
    pub fn stream(self) -> Items<T> {
        let read = self.into_read();
        let call = bind::<M>(read.operation());
        Items::new(read, call)
    }

    /// Streams the pages that DynamoDB returns. A page may be empty without being the last.
    ///
    /// The stream is bound to the model's manager by this call, wherever it is polled.
    ///
    /// # Errors
    ///
    /// The stream returns the errors of [`collect`](Self::collect).
    pub fn pages(self) -> Pages<T> {
        let read = self.into_read();
        let call = bind::<M>(read.operation());
        Pages::new(read, call)
    }

    /// Returns the SDK's request builder for the first page; see [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, ScanFluentBuilder> {
        Raw::new(self)
    }

    fn into_read(self) -> PagedRead<T> {
        PagedRead::new(ReadKind::Scan(self.scan), self.settings)
    }
}

impl<M: Model, S: Source<M>, T: Send + 'static> Request for Scan<M, S, T> {
    type Builder = ScanFluentBuilder;

    const NAME: &'static str = "Scan";

    async fn build(self, call: &Call) -> Result<ScanFluentBuilder, Error> {
        let scan = self.scan;
        let read = self.into_read();
        let page = read.first_page(call).await?;
        read.scan_request(scan, call, page).await
    }
}

debug_settings! {
    Scan<M, S, T> { scan, settings },
}
