//! Reading the items with one hash key.

use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::de::DeserializeOwned;

use crate::connection::call::Call;
use crate::error::Error;
use crate::expression::{Comparator, Condition, DocumentPath, Node, Term, Writer};
use crate::model::index::{ConsistentRead, Source, Table, source};
use crate::model::key::{IntoKey, Key, RangedKey};
use crate::model::stored;
use crate::model::{Model, bind};
use crate::operation::collect::{Collect, Count};
use crate::operation::cursor::Cursor;
use crate::operation::paged_read::{PagedRead, QuerySettings, ReadKind, ReadSettings};
use crate::operation::pages::{Items, Pages};
use crate::operation::projection::ReadAs;
use crate::operation::raw::Raw;
use crate::operation::{Request, debug_settings};
use crate::types::{KeyElement, KeyPrefix};

/// Reads the items with one hash key, ordered by range key; see [`Model::query`] and
/// [`Index::query`](crate::Index::query).
///
/// `M` is the model, `S` the table or an index of it, and `T` the type that the items are read as. End
/// a query with [`collect`](Self::collect), [`stream`](Self::stream), [`pages`](Self::pages) or
/// [`count`](Self::count).
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "orders")]
/// # struct Order { #[model(hash_key)] customer: String, #[model(range_key)] number: u64, paid: bool }
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// let unpaid: Vec<Order> = Order::query("customer")
///     .range_between(100, 200)
///     .filter(Order::paid().eq(false))
///     .descending()
///     .limit(10)
///     .collect()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// A table without a range key accepts no condition on it:
///
/// ```compile_fail
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// let query = User::query("123").range_ge(7);
/// ```
///
/// Source: [Query](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html)
/// in the API Reference.
#[doc(alias = "KeyConditionExpression")]
#[must_use = "a query does nothing unless it is collected or streamed"]
pub struct Query<M, S = Table, T = M> {
    query: QuerySettings,
    settings: ReadSettings<T>,
    source: PhantomData<fn() -> (M, S)>,
}

impl<M: Model, S: Source<M>> Query<M, S> {
    pub(crate) fn new(hash: impl IntoKey<<S::Key as Key>::Hash>) -> Self {
        Self {
            query: QuerySettings {
                hash: Term::key(S::KEY.encode_hash::<M, M::Codec>(hash)),
                range: None,
                descending: false,
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

/// # The range key
///
/// DynamoDB accepts one condition on the range key. With two, the query fails with
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
impl<M: Model, S: Source<M, Key: RangedKey>, T> Query<M, S, T> {
    /// Reads the item whose range key equals `value`.
    pub fn range_eq(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Eq, value)
    }

    /// Reads the items whose range key is less than `value`.
    pub fn range_lt(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Lt, value)
    }

    /// Reads the items whose range key is less than or equal to `value`.
    pub fn range_le(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Le, value)
    }

    /// Reads the items whose range key is greater than `value`.
    pub fn range_gt(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Gt, value)
    }

    /// Reads the items whose range key is greater than or equal to `value`.
    pub fn range_ge(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Ge, value)
    }

    /// Reads the items whose range key is between `low` and `high`, both included.
    ///
    /// DynamoDB rejects the request if `low` is greater than `high`.
    pub fn range_between(
        self,
        low: impl IntoKey<Range<M, S>>,
        high: impl IntoKey<Range<M, S>>,
    ) -> Self {
        let node = Node::Between(range_name::<M, S>(), term::<M, S>(low), term::<M, S>(high));
        self.range(node)
    }

    /// Reads the items whose range key, a string or binary, begins with `prefix`.
    ///
    /// The prefix is compared with the key as it is stored: for a field that `#[serde(with)]` encodes,
    /// with the encoded form.
    ///
    /// This doesn't compile for a range key that is a number:
    ///
    /// ```compile_fail
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "orders")]
    /// # struct Order { #[model(hash_key)] customer: String, #[model(range_key)] number: u64 }
    /// let query = Order::query("customer").range_begins_with("7");
    /// ```
    pub fn range_begins_with(self, prefix: impl Into<StoredRange<M, S>>) -> Self
    where
        StoredRange<M, S>: KeyPrefix,
    {
        let prefix = Term::literal(&prefix.into());
        let name = DocumentPath::attribute(S::KEY.range_name().unwrap_or_default());
        self.range(Node::Function("begins_with", name, Some(prefix)))
    }

    fn compare(self, comparator: Comparator, value: impl IntoKey<Range<M, S>>) -> Self {
        let node = Node::Compare(range_name::<M, S>(), comparator, term::<M, S>(value));
        self.range(node)
    }

    fn range(mut self, node: Node) -> Self {
        if self.query.range.is_some() {
            self.settings.reject(
                "the query has two conditions on the range key, but DynamoDB accepts one: use \
                 range_between() for two bounds, and filter() for other attributes",
            );
        }
        self.query.range = Some(node);
        self
    }
}

impl<M: Model, S: Source<M>, T: Send + 'static> Query<M, S, T> {
    /// Reads from the greatest range key to the least. Default: from the least to the greatest.
    #[doc(alias = "ScanIndexForward")]
    pub fn descending(mut self) -> Self {
        self.query.descending = true;
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
    /// With 0 the query fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    #[doc(alias = "Limit")]
    pub fn page_size(mut self, items: u32) -> Self {
        self.settings.page_size(items);
        self
    }

    /// Ends the query after this many items in total, after the filter. Default: no limit.
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
    /// With 0 the query fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    pub fn rate_limit(mut self, units_per_second: u32) -> Self {
        self.settings.rate_limit(units_per_second);
        self
    }

    /// Starts at the position of a cursor of an earlier query.
    ///
    /// The manager asks STS for its identity, once, to check that the cursor belongs to its account.
    ///
    /// # Errors
    ///
    /// The query fails with [`ErrorKind::InvalidCursor`](crate::ErrorKind::InvalidCursor), before it
    /// reads anything, if the cursor belongs to another table, index, account or region.
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
    pub fn project<P>(self) -> Query<M, S, P>
    where
        P: DeserializeOwned + Send + 'static,
    {
        Query {
            query: self.query,
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
    pub fn raw(self) -> Raw<M, QueryFluentBuilder> {
        Raw::new(self)
    }

    fn into_read(self) -> PagedRead<T> {
        PagedRead::new(ReadKind::Query(Box::new(self.query)), self.settings)
    }
}

type Range<M, S> = <<S as Source<M>>::Key as RangedKey>::Range;

/// The type as which the range key is stored.
type StoredRange<M, S> = <Range<M, S> as KeyElement>::Stored;

fn range_name<M, S: Source<M>>() -> Term {
    // A key schema of a pair has both names.
    let name = S::KEY.range_name().unwrap_or_default();
    Term::Path(DocumentPath::attribute(name))
}

fn term<M: Model, S: Source<M, Key: RangedKey>>(value: impl IntoKey<Range<M, S>>) -> Term {
    Term::key(S::KEY.encode_range::<M, M::Codec>(value))
}

impl<M: Model, S: Source<M>, T: Send + 'static> Request for Query<M, S, T> {
    type Builder = QueryFluentBuilder;

    const NAME: &'static str = "Query";

    async fn build(self, call: &Call) -> Result<QueryFluentBuilder, Error> {
        let query = self.query.clone();
        let read = self.into_read();
        let page = read.first_page(call).await?;
        read.query_request(&query, call, page).await
    }
}

debug_settings! {
    Query<M, S, T> { query, settings },
}
