//! What queries and scans have in common: pages, one after the other.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity, Select};
use futures_core::Stream;
use futures_util::{StreamExt as _, TryFutureExt as _, future, stream};

use crate::codec::Item;
use crate::connection::slot::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::{Comparator, DocumentPath, Node, Term, Writer};
use crate::model::Model;
use crate::model::index::Source;
use crate::operation::cursor::{Cursor, Location, Position};
use crate::operation::projection::Projection;
use crate::throttle::rate_limit::RateLimit;

/// A query or a scan with all its settings.
pub(crate) struct Read<M, T> {
    pub(crate) what: What,
    index: Option<&'static str>,
    hash_name: &'static str,
    /// The attributes that say where an item is: the key of the table, and that of the index.
    key_names: Vec<&'static str>,
    pub(crate) consistent_read: bool,
    pub(crate) page_size: Option<u32>,
    pub(crate) limit: Option<usize>,
    pub(crate) filter: Option<Node>,
    pub(crate) rate_limit: Option<u32>,
    pub(crate) resume: Option<Cursor>,
    pub(crate) projection: Projection<T>,
    model: PhantomData<fn() -> M>,
}

#[derive(Debug)]
pub(crate) enum What {
    Query {
        hash: Term,
        /// The conditions on the range key; DynamoDB takes one.
        range: Vec<Node>,
        descending: bool,
    },
    Scan {
        segments: u16,
        concurrency: usize,
    },
}

impl<M: Model> Read<M, M> {
    pub(crate) fn new<S: Source<M>>(what: What) -> Self {
        let mut key_names = vec![M::KEY.hash_name(), S::KEY.hash_name()];
        key_names.extend(M::KEY.range_name());
        key_names.extend(S::KEY.range_name());
        key_names.sort_unstable();
        key_names.dedup();
        Self {
            what,
            index: S::INDEX,
            hash_name: S::KEY.hash_name(),
            key_names,
            consistent_read: false,
            page_size: None,
            limit: None,
            filter: None,
            rate_limit: None,
            resume: None,
            projection: Projection::whole(crate::model::stored::decode),
            model: PhantomData,
        }
    }
}

impl<M: Model, T: Send + 'static> Read<M, T> {
    pub(crate) fn project<P>(self, projection: Projection<P>) -> Read<M, P> {
        Read {
            what: self.what,
            index: self.index,
            hash_name: self.hash_name,
            key_names: self.key_names,
            consistent_read: self.consistent_read,
            page_size: self.page_size,
            limit: self.limit,
            filter: self.filter,
            rate_limit: self.rate_limit,
            resume: self.resume,
            projection,
            model: PhantomData,
        }
    }

    pub(crate) fn operation(&self) -> &'static str {
        match self.what {
            What::Query { .. } => "Query",
            What::Scan { .. } => "Scan",
        }
    }

    /// The positions at which it begins, one for each segment.
    pub(crate) fn start(&self) -> Vec<Position> {
        match &self.resume {
            Some(cursor) => cursor.positions().to_vec(),
            None => vec![Position::Start; self.segments()],
        }
    }

    fn segments(&self) -> usize {
        match self.what {
            What::Query { .. } => 1,
            What::Scan { segments, .. } => segments.into(),
        }
    }

    fn concurrency(&self) -> usize {
        match self.what {
            What::Query { .. } => 1,
            What::Scan { concurrency, .. } => concurrency,
        }
    }

    /// Says what its cursors are for.
    pub(crate) async fn location(&self, call: &Call<M>) -> Result<Location, Error> {
        let region = call.client().await?.config().region();
        Ok(Location {
            account: call.account().await?,
            region: region.map(ToString::to_string).unwrap_or_default(),
            table: call.table(),
            index: self.index.map(str::to_owned),
            operation: self.operation().to_owned(),
        })
    }

    /// Refuses a cursor that is for something else.
    pub(crate) async fn check_cursor(&self, call: &Call<M>) -> Result<(), Error> {
        let Some(cursor) = &self.resume else {
            return Ok(());
        };
        let here = self.location(call).await?;
        match cursor.mismatch(&here, self.segments()) {
            Some(message) => Err(call.error(ErrorKind::InvalidCursor, message)),
            None => Ok(()),
        }
    }

    /// Reads the pages of all segments, until one cannot be read.
    pub(crate) fn pages(
        self: Arc<Self>,
        call: Arc<Call<M>>,
        select: Option<Select>,
    ) -> impl Stream<Item = Result<RawPage, Error>> + Send + 'static {
        let limit = self.rate_limit.map(|units| Arc::new(RateLimit::new(units)));
        let concurrency = self.concurrency();
        let pages = async move {
            self.check_cursor(&call).await?;
            let segments = stream::iter(self.start().into_iter().enumerate());
            let pages = segments.map(move |(segment, position)| {
                let reader = Reader {
                    read: self.clone(),
                    call: call.clone(),
                    select: select.clone(),
                    rate_limit: limit.clone(),
                    segment,
                };
                reader.pages(position).boxed()
            });
            Ok(pages.flatten_unordered(concurrency))
        };
        pages.try_flatten_stream().scan(false, |failed, page| {
            let ended = *failed;
            *failed |= page.is_err();
            future::ready((!ended).then_some(page))
        })
    }

    /// Builds the request for a page of a query.
    pub(crate) async fn query(
        &self,
        call: &Call<M>,
        page: PageRequest,
    ) -> Result<QueryFluentBuilder, Error> {
        let mut writer = Writer::for_codec::<M, M::Codec>();
        let condition = self.key_condition(call)?;
        let condition = writer.optional_condition(condition.as_ref());
        let condition = condition.map_err(|cause| call.not_expressed(cause))?;
        let filter = writer.optional_condition(self.filter.as_ref());
        let filter = filter.map_err(|cause| call.not_expressed(cause))?;
        let projection = self.projection_for(&page, &mut writer);
        let (names, values) = writer.finish();
        let request = call.client().await?.query();
        Ok(request
            .table_name(call.table())
            .set_index_name(self.index.map(str::to_owned))
            .set_key_condition_expression(condition)
            .set_filter_expression(filter)
            .set_projection_expression(projection)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .scan_index_forward(!matches!(
                self.what,
                What::Query {
                    descending: true,
                    ..
                }
            ))
            .consistent_read(self.consistent_read)
            .set_select(page.select)
            .set_limit(page.limit)
            .set_exclusive_start_key(page.start)
            .set_return_consumed_capacity(self.capacity_wanted()))
    }

    /// Builds the request for a page of a scan.
    pub(crate) async fn scan(
        &self,
        call: &Call<M>,
        page: PageRequest,
    ) -> Result<ScanFluentBuilder, Error> {
        let mut writer = Writer::for_codec::<M, M::Codec>();
        let filter = writer.optional_condition(self.filter.as_ref());
        let filter = filter.map_err(|cause| call.not_expressed(cause))?;
        let projection = self.projection_for(&page, &mut writer);
        let (names, values) = writer.finish();
        let segments = i32::try_from(self.segments()).ok();
        let segments = segments.filter(|&segments| segments > 1);
        let segment = segments.and(i32::try_from(page.segment).ok());
        let request = call.client().await?.scan();
        Ok(request
            .table_name(call.table())
            .set_index_name(self.index.map(str::to_owned))
            .set_filter_expression(filter)
            .set_projection_expression(projection)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .set_total_segments(segments)
            .set_segment(segment)
            .consistent_read(self.consistent_read)
            .set_select(page.select)
            .set_limit(page.limit)
            .set_exclusive_start_key(page.start)
            .set_return_consumed_capacity(self.capacity_wanted()))
    }

    /// The first page, at the cursor if there is one.
    pub(crate) async fn first_page(&self, call: &Call<M>) -> Result<PageRequest, Error> {
        self.check_cursor(call).await?;
        let start = self.start();
        Ok(PageRequest {
            segment: 0,
            select: None,
            limit: self.page_limit(self.limit.unwrap_or(usize::MAX)),
            start: start.first().and_then(Position::start_key),
        })
    }

    /// The `Limit` of a page after which so many more items are wanted.
    ///
    /// It counts what is read, not what the filter leaves, so it helps only without a filter.
    fn page_limit(&self, wanted: usize) -> Option<i32> {
        let wanted = match self.filter {
            None => i32::try_from(wanted.max(1)).ok(),
            Some(_) => None,
        };
        let page_size = self.page_size.and_then(|size| i32::try_from(size).ok());
        wanted.into_iter().chain(page_size).min()
    }

    fn projection_for(&self, page: &PageRequest, writer: &mut Writer) -> Option<String> {
        match page.select {
            Some(_) => None,
            None => self.projection.expression(writer, &self.key_names),
        }
    }

    fn key_condition(&self, call: &Call<M>) -> Result<Option<Node>, Error> {
        let What::Query { hash, range, .. } = &self.what else {
            return Ok(None);
        };
        let name = Term::Path(DocumentPath::attribute(self.hash_name));
        let hash = Node::Compare(name, Comparator::Eq, hash.clone());
        match range.as_slice() {
            [] => Ok(Some(hash)),
            [range] => Ok(Some(hash.and(range.clone()))),
            _ => {
                let message = "a query has one condition on the range key: for two ends, use \
                               range_between()";
                Err(call.error(ErrorKind::InvalidRequest, message))
            }
        }
    }

    fn capacity_wanted(&self) -> Option<ReturnConsumedCapacity> {
        self.rate_limit.map(|_| ReturnConsumedCapacity::Total)
    }

    pub(crate) fn key_names(&self) -> &[&'static str] {
        &self.key_names
    }
}

/// The settings of one page.
pub(crate) struct PageRequest {
    segment: usize,
    select: Option<Select>,
    limit: Option<i32>,
    start: Option<Item>,
}

/// A page as DynamoDB gave it.
pub(crate) struct RawPage {
    pub(crate) segment: usize,
    pub(crate) items: Vec<Item>,
    pub(crate) count: usize,
    pub(crate) scanned: usize,
    /// Where the segment goes on.
    pub(crate) next: Position,
}

/// Reads one segment.
struct Reader<M, T> {
    read: Arc<Read<M, T>>,
    call: Arc<Call<M>>,
    select: Option<Select>,
    rate_limit: Option<Arc<RateLimit>>,
    segment: usize,
}

impl<M: Model, T: Send + 'static> Reader<M, T> {
    fn pages(self, start: Position) -> impl Stream<Item = Result<RawPage, Error>> + Send + 'static {
        let wanted = self.read.limit.unwrap_or(usize::MAX);
        let reader = Arc::new(self);
        stream::try_unfold((start, wanted), move |(position, wanted)| {
            let reader = reader.clone();
            async move {
                if position == Position::End {
                    return Ok(None);
                }
                let page = reader.page(&position, wanted).await?;
                let next = (page.next.clone(), wanted.saturating_sub(page.count));
                Ok(Some((page, next)))
            }
        })
    }

    async fn page(&self, position: &Position, wanted: usize) -> Result<RawPage, Error> {
        if let Some(limit) = &self.rate_limit {
            limit.wait().await;
        }
        let request = PageRequest {
            segment: self.segment,
            select: self.select.clone(),
            limit: self.read.page_limit(wanted),
            start: position.start_key(),
        };
        let Self { read, call, .. } = self;
        macro_rules! send {
            ($request:expr) => {{
                let output = $request.send().await;
                let output = output.map_err(|error| call.failed(error))?;
                self.consumed(output.consumed_capacity.as_ref());
                RawPage {
                    segment: self.segment,
                    items: output.items.unwrap_or_default(),
                    count: usize::try_from(output.count).unwrap_or_default(),
                    scanned: usize::try_from(output.scanned_count).unwrap_or_default(),
                    next: Position::after_page(output.last_evaluated_key),
                }
            }};
        }
        Ok(match read.what {
            What::Query { .. } => send!(read.query(call, request).await?),
            What::Scan { .. } => send!(read.scan(call, request).await?),
        })
    }

    fn consumed(&self, capacity: Option<&ConsumedCapacity>) {
        let units = capacity.and_then(ConsumedCapacity::capacity_units);
        if let (Some(limit), Some(units)) = (&self.rate_limit, units) {
            limit.consumed(units);
        }
    }
}

impl<M, T> fmt::Debug for Read<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read")
            .field("what", &self.what)
            .field("index", &self.index)
            .field("consistent_read", &self.consistent_read)
            .field("page_size", &self.page_size)
            .field("limit", &self.limit)
            .field("filter", &self.filter)
            .field("rate_limit", &self.rate_limit)
            .field("projection", &self.projection)
            .finish_non_exhaustive()
    }
}

/// The settings and the ends that queries and scans share, except for `raw()`.
macro_rules! reads {
    ($operation:ident) => {
        impl<M: $crate::Model, S: $crate::model::index::Source<M>, T: Send + 'static>
            $operation<M, S, T>
        {
            /// Asks for reads that see every write that was acknowledged before, at twice the cost.
            ///
            /// A global index cannot be read like that, and asking for it does not compile.
            ///
            /// Source: [Read consistency](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html)
            /// in the Developer Guide.
            pub fn consistent_read(mut self, consistent: bool) -> Self
            where
                S: $crate::model::index::ConsistentRead,
            {
                self.read.consistent_read = consistent;
                self
            }

            /// Gives only the items for which this holds; filters add up.
            ///
            /// What is filtered out has been read, and is charged for.
            pub fn filter(mut self, condition: $crate::Condition<M>) -> Self {
                $crate::expression::and_condition(&mut self.read.filter, condition.into_node());
                self
            }

            /// Reads at most this many items per request, before the filter.
            ///
            /// A page ends at 1 MB in any case.
            pub fn page_size(mut self, items: u32) -> Self {
                self.read.page_size = Some(items.max(1));
                self
            }

            /// Ends after this many items in total, after the filter.
            ///
            /// An item that does not fit the model counts, too. [`pages`](Self::pages) does not look
            /// at the limit.
            pub fn limit(mut self, items: usize) -> Self {
                self.read.limit = Some(items);
                self
            }

            /// Reads no faster than so many capacity units per second, in the long run.
            ///
            /// A unit is a consistent read of 4 KB, or two others. What a page costs is known when
            /// it has been read, so the next one waits. A page of 1 MB is 128 or 256 units: with a
            /// small rate, ask for smaller [pages](Self::page_size), too.
            pub fn rate_limit(mut self, units_per_second: u32) -> Self {
                self.read.rate_limit = Some(units_per_second);
                self
            }

            /// Goes on where an earlier operation stood.
            ///
            /// To tell whether the cursor is of the same account, the manager asks STS for its
            /// identity, once.
            ///
            /// # Errors
            ///
            /// When it is run: [`ErrorKind::InvalidCursor`](crate::ErrorKind::InvalidCursor), before
            /// anything is read, if the cursor is of another table, index, account or region.
            pub fn resume(mut self, cursor: $crate::Cursor) -> Self {
                self.read.resume = Some(cursor);
                self
            }

            /// Reads a `P` from each item instead of the model: only the attributes that it has
            /// fields for, and the key.
            ///
            /// A type that does not tell serde its fields, because it is a map or has
            /// `#[serde(flatten)]`, is made of all attributes. The cost is that of whole items.
            pub fn project<P>(self) -> $operation<M, S, P>
            where
                P: serde::de::DeserializeOwned + Send + 'static,
            {
                $operation {
                    read: self
                        .read
                        .project($crate::operation::projection::Projection::fields()),
                    source: std::marker::PhantomData,
                }
            }

            /// Reads the items into a `Vec`.
            ///
            /// # Errors
            ///
            /// When it is awaited:
            /// [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there is no such
            /// table; [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if an item does not
            /// fit the model; [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if
            /// there is no such index, or DynamoDB does not take the filter.
            pub fn collect(self) -> $crate::Collect<M, T> {
                $crate::Collect::new(self.read)
            }

            /// Counts the items, up to the limit.
            ///
            /// They are read and charged for, but not sent.
            ///
            /// # Errors
            ///
            /// As [`collect`](Self::collect), except for items that do not fit.
            pub fn count(self) -> $crate::Count<M, T> {
                $crate::Count::new(self.read)
            }

            /// Streams the items; a page is read when the one before is used up.
            ///
            /// The stream is bound to the model's manager here, wherever it is read afterwards. It
            /// goes on after an item that does not fit the model, and ends after any other error.
            pub fn stream(self) -> $crate::Items<T> {
                $crate::Items::new(self.read, &crate::slot())
            }

            /// Streams the pages that DynamoDB answers with. A page may be empty and not be the
            /// last.
            ///
            /// The stream is bound to the model's manager here, wherever it is read afterwards.
            pub fn pages(self) -> $crate::Pages<T> {
                $crate::Pages::new(self.read, &crate::slot())
            }
        }
    };
}

pub(crate) use reads;
