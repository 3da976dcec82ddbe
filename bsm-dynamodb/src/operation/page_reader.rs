//! Reading a query or a scan page after page.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity, Select};
use futures_core::Stream;
use futures_util::{StreamExt as _, TryFutureExt as _, future, stream};

use crate::codec::Item;
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::{Comparator, Condition, DocumentPath, Node, Term, Writer, and_condition};
use crate::model::Model;
use crate::model::entities::{self, Entities};
use crate::model::index::Source;
use crate::operation::cursor::{Cursor, Location, SegmentPosition};
use crate::operation::key_range;
use crate::operation::projection::ReadAs;
use crate::throttle::rate_limit::RateLimit;

/// The table or index that is read.
#[derive(Debug)]
pub(crate) struct ReadSource {
    /// The name of the index, unless it is the table.
    pub(crate) index: Option<&'static str>,
    pub(crate) hash_name: &'static str,
    /// The name of the range key and the text with which the model's begin.
    pub(crate) range_prefix: Option<(&'static str, &'static str)>,
    /// Returns the condition that leaves out the items of other models, of a query or of a scan.
    pub(crate) entity: fn(is_query: bool) -> Option<Node>,
    /// The attributes that identify a position: the key of the table, and that of the index.
    pub(crate) key_names: Vec<&'static str>,
}

/// The settings that queries and scans share.
pub(crate) struct ReadSettings<T> {
    source: ReadSource,
    /// Creates the writer of a request, which knows what the model's codec stores.
    writer: fn() -> Writer,
    pub(crate) consistent_read: bool,
    page_size: Option<u32>,
    pub(crate) limit: Option<usize>,
    filter: Option<Node>,
    rate_limit: Option<u32>,
    pub(crate) resume: Option<Cursor>,
    read_as: ReadAs<T>,
    /// Why the settings cannot be used; see [`reject`](Self::reject).
    rejected: Option<&'static str>,
}

impl<T> ReadSettings<T> {
    pub(crate) fn new(source: ReadSource, writer: fn() -> Writer, read_as: ReadAs<T>) -> Self {
        Self {
            source,
            writer,
            consistent_read: false,
            page_size: None,
            limit: None,
            filter: None,
            rate_limit: None,
            resume: None,
            read_as,
            rejected: None,
        }
    }

    pub(crate) fn read_as<P>(self, read_as: ReadAs<P>) -> ReadSettings<P> {
        ReadSettings {
            source: self.source,
            writer: self.writer,
            consistent_read: self.consistent_read,
            page_size: self.page_size,
            limit: self.limit,
            filter: self.filter,
            rate_limit: self.rate_limit,
            resume: self.resume,
            read_as,
            rejected: self.rejected,
        }
    }

    /// Reads the items of all models of an enum.
    pub(crate) fn entities<M: Model, S: Source<M>, E: Entities>(self) -> ReadSettings<E> {
        let mut settings = self.read_as(ReadAs::whole(E::from_item));
        // The prefix of `M` would leave out the items of the other models.
        settings.source.range_prefix = None;
        settings.source.entity = entities::filter::<E>;
        if !entities::projects_discriminators::<M, S, E>() {
            settings.reject(
                "entities() needs the attribute that tells the models apart, which the index does not \
                 have: include it in the index's projection",
            );
        }
        settings
    }

    pub(crate) fn and_filter<M>(&mut self, condition: Condition<M>) {
        and_condition(&mut self.filter, condition.into_node());
    }

    pub(crate) fn page_size(&mut self, items: u32) {
        if items == 0 {
            self.reject("page_size(0) is invalid: a page has at least one item");
        }
        self.page_size = Some(items);
    }

    pub(crate) fn rate_limit(&mut self, units_per_second: u32) {
        if units_per_second == 0 {
            self.reject("rate_limit(0) is invalid: reading consumes at least one unit");
        }
        self.rate_limit = Some(units_per_second);
    }

    /// Makes the read fail with this message: a setting has a value that cannot be used.
    ///
    /// Setters return `Self`, so the error appears when the read starts. The first one is reported.
    pub(crate) fn reject(&mut self, message: &'static str) {
        self.rejected.get_or_insert(message);
    }
}

/// The kind of a [`PagedRead`](crate::PagedRead): [`KeyCondition`] for a query, [`ScanSegments`] for a
/// scan.
///
/// This trait is sealed.
pub trait ReadKind: Clone + fmt::Debug + Into<QueryOrScan> + Send + Sync + 'static {
    /// The operation of the DynamoDB API.
    #[doc(hidden)]
    const OPERATION: &'static str;
}

impl ReadKind for KeyCondition {
    const OPERATION: &'static str = "Query";
}

impl ReadKind for ScanSegments {
    const OPERATION: &'static str = "Scan";
}

/// What makes a [`PagedRead`](crate::PagedRead) a [`Query`](crate::Query): the keys that it reads, and
/// their order.
#[derive(Clone, Debug)]
pub struct KeyCondition {
    pub(crate) hash: Term,
    pub(crate) range: Option<Node>,
    /// The conditions on the other attributes of the index's key.
    pub(crate) more: Vec<Node>,
    pub(crate) descending: bool,
}

/// What makes a [`PagedRead`](crate::PagedRead) a [`Scan`](crate::Scan): the segments of the table.
#[derive(Clone, Copy, Debug)]
pub struct ScanSegments {
    pub(crate) total: u16,
    /// How many segments are read at a time.
    pub(crate) concurrency: usize,
}

/// The kind of a read, and the settings that only this kind has.
#[derive(Debug)]
pub enum QueryOrScan {
    // Boxed, because it is much larger than the other variant.
    #[doc(hidden)]
    Query(Box<KeyCondition>),
    #[doc(hidden)]
    Scan(ScanSegments),
}

impl From<KeyCondition> for QueryOrScan {
    fn from(condition: KeyCondition) -> Self {
        Self::Query(Box::new(condition))
    }
}

impl From<ScanSegments> for QueryOrScan {
    fn from(segments: ScanSegments) -> Self {
        Self::Scan(segments)
    }
}

impl QueryOrScan {
    fn operation(&self) -> &'static str {
        match self {
            Self::Query(_) => KeyCondition::OPERATION,
            Self::Scan(_) => ScanSegments::OPERATION,
        }
    }

    fn segments(&self) -> usize {
        match self {
            Self::Query(_) => 1,
            Self::Scan(scan) => scan.total.into(),
        }
    }

    fn concurrency(&self) -> usize {
        match self {
            Self::Query(_) => 1,
            Self::Scan(scan) => scan.concurrency,
        }
    }
}

/// A query or a scan that is read page by page.
pub(crate) struct PageReader<T> {
    kind: QueryOrScan,
    settings: ReadSettings<T>,
}

impl<T: Send + 'static> PageReader<T> {
    pub(crate) fn new(kind: impl Into<QueryOrScan>, mut settings: ReadSettings<T>) -> Self {
        let kind = kind.into();
        // The filter is added last, when the kind of the read and the type of its items are final.
        let is_query = matches!(kind, QueryOrScan::Query(_));
        if let Some(entity) = (settings.source.entity)(is_query) {
            and_condition(&mut settings.filter, entity);
        }
        Self { kind, settings }
    }

    pub(crate) fn operation(&self) -> &'static str {
        self.kind.operation()
    }

    /// Returns the number of items after which the read ends.
    pub(crate) fn limit(&self) -> usize {
        self.settings.limit.unwrap_or(usize::MAX)
    }

    pub(crate) fn without_limit(mut self) -> Self {
        self.settings.limit = None;
        self
    }

    pub(crate) fn key_names(&self) -> &[&'static str] {
        &self.settings.source.key_names
    }

    /// Converts an item that was read.
    pub(crate) fn decode(&self, call: &Call, item: Item) -> Result<T, Error> {
        let key_names = self.key_names().iter().copied();
        call.decode(self.settings.read_as.decode, item, key_names)
    }

    /// Returns the positions at which the read starts, one per segment.
    pub(crate) fn start(&self) -> Vec<SegmentPosition> {
        match &self.settings.resume {
            Some(cursor) => cursor.positions().to_vec(),
            None => vec![SegmentPosition::Start; self.kind.segments()],
        }
    }

    /// Returns what the cursors of this read belong to.
    pub(crate) async fn location(&self, call: &Call) -> Result<Location, Error> {
        // A manager provides no client without a region, so the default below is not used.
        let region = call.client().await?.config().region();
        Ok(Location {
            account: account(call).await?,
            region: region.map(ToString::to_string).unwrap_or_default(),
            table: call.table().to_owned(),
            index: self.settings.source.index.map(str::to_owned),
            operation: self.operation().to_owned(),
        })
    }

    /// Fails if a setting is invalid, or if the cursor belongs to another read.
    async fn check(&self, call: &Call) -> Result<(), Error> {
        // Settings first: they need no request, and the location of a cursor may need one.
        if let Some(message) = self.settings.rejected {
            return Err(call.error(ErrorKind::InvalidRequest, message));
        }
        let Some(cursor) = &self.settings.resume else {
            return Ok(());
        };
        let here = self.location(call).await?;
        match cursor.mismatch(&here, self.kind.segments()) {
            Some(message) => Err(call.error(ErrorKind::InvalidCursor, message)),
            None => Ok(()),
        }
    }

    /// Reads the pages of all segments. The stream ends after the first error.
    pub(crate) fn pages(
        self: Arc<Self>,
        call: Arc<Call>,
        select: Option<Select>,
    ) -> impl Stream<Item = Result<RawPage, Error>> + Send + 'static {
        let rate_limit = self.settings.rate_limit;
        let rate_limit = rate_limit.map(|units| Arc::new(RateLimit::new(units)));
        let concurrency = self.kind.concurrency();
        let pages = async move {
            // Part of the stream, so that creating the stream stays synchronous.
            self.check(&call).await?;
            let mut start = self.start();
            if self.limit() == 0 {
                // Nothing is read, but what is wrong with any other limit is wrong with this one as well.
                self.check_request(&call).await?;
                start.clear();
            }
            let segments = stream::iter(start.into_iter().enumerate());
            let pages = segments.map(move |(segment, position)| {
                let reader = SegmentReader {
                    read: self.clone(),
                    call: call.clone(),
                    select: select.clone(),
                    rate_limit: rate_limit.clone(),
                    segment,
                };
                // `flatten_unordered` polls streams that are `Unpin`.
                reader.pages(position).boxed()
            });
            Ok(pages.flatten_unordered(concurrency))
        };
        // After an error in one segment the others may still return pages, so the end is set here.
        pages.try_flatten_stream().scan(false, |failed, page| {
            let ended = *failed;
            *failed |= page.is_err();
            future::ready((!ended).then_some(page))
        })
    }

    /// Checks the settings, and returns the first page: at the cursor, if there is one. Of a scan it is that
    /// of the first segment.
    pub(crate) async fn first_page(&self, call: &Call) -> Result<PageRequest, Error> {
        self.check(call).await?;
        let start = self.start();
        // Without a start key, the request would read from the beginning again.
        if start.first() == Some(&SegmentPosition::End) {
            let message = "the cursor is at the end of what raw() reads, so there is no next page: check \
                           is_finished() of the cursor";
            return Err(call.error(ErrorKind::InvalidCursor, message));
        }
        Ok(PageRequest {
            segment: 0,
            select: None,
            limit: self.page_limit(self.limit()),
            start: start.first().and_then(SegmentPosition::start_key),
        })
    }

    /// Fails if the request cannot be built, such as for a filter that cannot be written.
    async fn check_request(&self, call: &Call) -> Result<(), Error> {
        let page = PageRequest {
            segment: 0,
            select: None,
            limit: None,
            start: None,
        };
        match &self.kind {
            QueryOrScan::Query(query) => self.query_request(query, call, page).await.map(drop),
            QueryOrScan::Scan(scan) => self.scan_request(*scan, call, page).await.map(drop),
        }
    }

    /// Returns the `Limit` of a page if this many more items are wanted.
    fn page_limit(&self, wanted: usize) -> Option<i32> {
        let wanted = match self.settings.filter {
            // DynamoDB refuses a `Limit` of 0.
            None => i32::try_from(wanted.max(1)).ok(),
            // `Limit` counts the items before the filter, so it says nothing about those after it.
            Some(_) => None,
        };
        // No page has more items than an `i32` can count, so a larger size is no limit.
        let page_size = self.settings.page_size;
        let page_size = page_size.and_then(|size| i32::try_from(size).ok());
        wanted.into_iter().chain(page_size).min()
    }

    fn projection(&self, page: &PageRequest, writer: &mut Writer) -> Option<String> {
        match page.select {
            // DynamoDB accepts a `Select` or a projection, and a count needs no attributes.
            Some(_) => None,
            None => self
                .settings
                .read_as
                .projection_expression(writer, self.key_names().iter().copied()),
        }
    }

    fn return_capacity(&self) -> Option<ReturnConsumedCapacity> {
        // DynamoDB reports the capacity only on request, and only the rate limit uses it.
        let rate_limit = self.settings.rate_limit;
        rate_limit.map(|_| ReturnConsumedCapacity::Total)
    }

    /// Builds the request for a page of a query.
    pub(crate) async fn query_request(
        &self,
        query: &KeyCondition,
        call: &Call,
        page: PageRequest,
    ) -> Result<QueryFluentBuilder, Error> {
        let settings = &self.settings;
        let mut writer = (settings.writer)();
        let condition = writer
            .condition(&query.key_condition(&settings.source))
            .map_err(|cause| call.expression_error(cause))?;
        let filter = writer
            .optional_condition(settings.filter.as_ref())
            .map_err(|cause| call.expression_error(cause))?;
        let projection = self.projection(&page, &mut writer);
        let (names, values) = writer.finish();
        let request = call.client().await?.query();
        Ok(request
            .table_name(call.table())
            .set_index_name(settings.source.index.map(str::to_owned))
            .key_condition_expression(condition)
            .set_filter_expression(filter)
            .set_projection_expression(projection)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .scan_index_forward(!query.descending)
            .consistent_read(settings.consistent_read)
            .set_select(page.select)
            .set_limit(page.limit)
            .set_exclusive_start_key(page.start)
            .set_return_consumed_capacity(self.return_capacity()))
    }

    /// Builds the request for a page of a scan.
    pub(crate) async fn scan_request(
        &self,
        segments: ScanSegments,
        call: &Call,
        page: PageRequest,
    ) -> Result<ScanFluentBuilder, Error> {
        let settings = &self.settings;
        let mut writer = (settings.writer)();
        let filter = writer
            .optional_condition(settings.filter.as_ref())
            .map_err(|cause| call.expression_error(cause))?;
        let projection = self.projection(&page, &mut writer);
        let (names, values) = writer.finish();
        // A scan of one segment is sequential, and DynamoDB then expects neither field.
        let total = (segments.total > 1).then(|| i32::from(segments.total));
        let segment = total.and(i32::try_from(page.segment).ok());
        let request = call.client().await?.scan();
        Ok(request
            .table_name(call.table())
            .set_index_name(settings.source.index.map(str::to_owned))
            .set_filter_expression(filter)
            .set_projection_expression(projection)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .set_total_segments(total)
            .set_segment(segment)
            .consistent_read(settings.consistent_read)
            .set_select(page.select)
            .set_limit(page.limit)
            .set_exclusive_start_key(page.start)
            .set_return_consumed_capacity(self.return_capacity()))
    }
}

/// Returns the account that the cursor belongs to: that of the identity, or, where there is no STS, as with a
/// local DynamoDB, that in the ARN of the table.
async fn account(call: &Call) -> Result<String, Error> {
    let error = match call.account().await {
        Ok(account) => return Ok(account),
        Err(error) => error,
    };
    let request = call.client().await?.describe_table();
    // If this fails as well, the caller gets the first error, which says why STS has no answer.
    let output = request.table_name(call.table()).send().await;
    let table = output.ok().and_then(|output| output.table);
    // arn:aws:dynamodb:us-east-1:111122223333:table/users
    let arn = table.and_then(|table| table.table_arn);
    let account = arn.and_then(|arn| arn.split(':').nth(4).map(str::to_owned));
    // Without an account, cursors of different accounts would look the same.
    account.filter(|account| !account.is_empty()).ok_or(error)
}

impl KeyCondition {
    fn key_condition(&self, source: &ReadSource) -> Node {
        let name = Term::Path(DocumentPath::attribute(source.hash_name));
        let hash = Node::Compare(name, Comparator::Eq, self.hash.clone());
        // Items of other models have other prefixes, so DynamoDB doesn't read them.
        let prefix = source.range_prefix.filter(|(_, prefix)| !prefix.is_empty());
        let key = match (self.range.clone(), prefix) {
            (Some(range), Some((_, prefix))) => hash.and(key_range::within(prefix, range)),
            (None, Some((name, prefix))) => {
                let prefix = Term::literal(&prefix);
                let name = DocumentPath::attribute(name);
                hash.and(Node::Function("begins_with", name, Some(prefix)))
            }
            (Some(range), None) => hash.and(range),
            (None, None) => hash,
        };
        self.more.iter().cloned().fold(key, Node::and)
    }
}

/// What differs from page to page.
pub(crate) struct PageRequest {
    segment: usize,
    select: Option<Select>,
    limit: Option<i32>,
    start: Option<Item>,
}

/// A page as DynamoDB returned it.
pub(crate) struct RawPage {
    pub(crate) segment: usize,
    pub(crate) items: Vec<Item>,
    pub(crate) count: usize,
    pub(crate) scanned: usize,
    /// The position of the segment after this page.
    pub(crate) next: SegmentPosition,
}

/// Reads the pages of one segment.
struct SegmentReader<T> {
    read: Arc<PageReader<T>>,
    call: Arc<Call>,
    select: Option<Select>,
    rate_limit: Option<Arc<RateLimit>>,
    segment: usize,
}

impl<T: Send + 'static> SegmentReader<T> {
    fn pages(
        self,
        start: SegmentPosition,
    ) -> impl Stream<Item = Result<RawPage, Error>> + Send + 'static {
        // This sizes the pages. The consumer ends the read, because it sees all segments.
        let wanted = self.read.limit();
        let reader = Arc::new(self);
        stream::try_unfold((start, wanted), move |(position, wanted)| {
            let reader = reader.clone();
            async move {
                if position == SegmentPosition::End {
                    return Ok(None);
                }
                let page = reader.page(&position, wanted).await?;
                if page.next == position {
                    return Err(reader.call.error(
                        ErrorKind::Service,
                        "DynamoDB returned the same LastEvaluatedKey twice, so the read would never end: \
                         check the endpoint",
                    ));
                }
                // A page can't be cut, so it may have more items than are wanted.
                let next = (page.next.clone(), wanted.saturating_sub(page.count));
                Ok(Some((page, next)))
            }
        })
    }

    async fn page(&self, position: &SegmentPosition, wanted: usize) -> Result<RawPage, Error> {
        if let Some(rate_limit) = &self.rate_limit {
            rate_limit.wait().await;
        }
        let request = PageRequest {
            segment: self.segment,
            select: self.select.clone(),
            limit: self.read.page_limit(wanted),
            start: position.start_key(),
        };
        let Self { read, call, .. } = self;
        // The outputs of queries and scans have the same fields, but different types.
        macro_rules! send {
            ($request:expr) => {{
                let output = $request.send().await;
                let output = output.map_err(|error| call.sdk_error(error))?;
                self.consumed(output.consumed_capacity.as_ref());
                RawPage {
                    segment: self.segment,
                    items: output.items.unwrap_or_default(),
                    // The SDK's counts are signed, and DynamoDB's are never negative.
                    count: usize::try_from(output.count).unwrap_or_default(),
                    scanned: usize::try_from(output.scanned_count).unwrap_or_default(),
                    next: SegmentPosition::after_page(output.last_evaluated_key),
                }
            }};
        }
        Ok(match &read.kind {
            QueryOrScan::Query(query) => send!(read.query_request(query, call, request).await?),
            QueryOrScan::Scan(scan) => send!(read.scan_request(*scan, call, request).await?),
        })
    }

    fn consumed(&self, capacity: Option<&ConsumedCapacity>) {
        let units = capacity.and_then(ConsumedCapacity::capacity_units);
        if let (Some(rate_limit), Some(units)) = (&self.rate_limit, units) {
            rate_limit.consumed(units);
        }
    }
}

impl<T> fmt::Debug for PageReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageReader")
            .field("kind", &self.kind)
            .field("settings", &self.settings)
            .finish()
    }
}

impl<T> fmt::Debug for ReadSettings<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadSettings")
            .field("source", &self.source)
            .field("consistent_read", &self.consistent_read)
            .field("page_size", &self.page_size)
            .field("limit", &self.limit)
            .field("filter", &self.filter)
            .field("rate_limit", &self.rate_limit)
            .field("read_as", &self.read_as)
            .finish_non_exhaustive()
    }
}
