//! Reading the items with one hash key.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use crate::connection::call::Call;
use crate::error::Error;
use crate::expression::{Comparator, Condition, DocumentPath, Node, Term};
use crate::model::Model;
use crate::model::index::{GlobalIndex, Index, Source, Table};
use crate::model::key::{IntoKey, Key, RangedKey};
use crate::operation::Request;
use crate::operation::page_reader::{KeyCondition, ReadKind};
use crate::operation::paged_read::PagedRead;
use crate::operation::raw::Raw;
use crate::types::{KeyElement, KeyPrefix};

/// Reads the items with one hash key, ordered by range key; see [`Model::query`] and
/// [`Index::query`].
///
/// `M` is the model, `S` the table or an index of it, and `T` the type that the items are read as. What
/// a query has in common with a [`Scan`](crate::Scan), such as filters and streams, is on the page of
/// [`PagedRead`].
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
pub type Query<M, S = Table, T = M> = PagedRead<KeyCondition, M, S, T>;

impl<M: Model, S: Source<M>> Query<M, S> {
    pub(crate) fn new(hash: impl IntoKey<<S::Key as Key>::Hash>) -> Self {
        Self::of_kind(KeyCondition {
            // A key that can't be encoded stays in the term as an error until the request is built.
            hash: Term::key(S::KEY.encode_hash::<M, M::Codec>(hash)),
            range: None,
            more: Vec::new(),
            descending: false,
        })
    }
}

/// # The range key
///
/// DynamoDB accepts one condition on the range key. With two, the query fails with
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
///
/// A range key with a template such as `ORDER#{number:08}` begins with the same text in every item of the
/// model. A condition on it, in either direction, ends where other keys begin: `range_ge(8)` reads no item
/// whose range key is `PROFILE`.
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
        // A literal: the beginning of a stored key has no encoding of its own.
        let prefix = Term::literal(&prefix.into());
        let name = DocumentPath::attribute(S::KEY.range_name().unwrap_or_default());
        self.range(Node::Function("begins_with", name, Some(prefix)))
    }

    fn compare(self, comparator: Comparator, value: impl IntoKey<Range<M, S>>) -> Self {
        let node = Node::Compare(range_name::<M, S>(), comparator, term::<M, S>(value));
        self.range(node)
    }

    fn range(mut self, node: Node) -> Self {
        if self.kind.range.is_some() {
            self.settings.reject(
                "the query has two conditions on the range key, but DynamoDB accepts one: use \
                 range_between() for two bounds, and filter() for other attributes",
            );
        }
        self.kind.range = Some(node);
        self
    }
}

/// # Indexes with several hash or range keys
impl<M: Model, I: Index<Model = M, Kind = GlobalIndex>, T> Query<M, I, T> {
    /// Adds a condition on another hash or range key of the index, made with the path of its attribute.
    ///
    /// Each hash key needs an `eq`. Range keys are used from the first one on: `eq` for all but the last one that
    /// is used, which can have any condition of a range key. DynamoDB refuses other conditions, with
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use bsm_dynamodb::{Index, Model};
    /// #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// #[model(table = "matches")]
    /// struct Match {
    ///     #[model(hash_key)]
    ///     id: String,
    ///     #[model(index(ByTournament, hash_key))]
    ///     tournament: String,
    ///     #[model(index(ByTournament, hash_key))]
    ///     region: String,
    ///     #[model(index(ByTournament, range_key))]
    ///     round: String,
    ///     #[model(index(ByTournament, range_key))]
    ///     bracket: String,
    /// }
    ///
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// let finals: Vec<Match> = ByTournament::query("WINTER2024")
    ///     .and_key(Match::region().eq("NA-EAST"))
    ///     .range_eq("FINAL")
    ///     .and_key(Match::bracket().begins_with("U"))
    ///     .collect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn and_key(mut self, condition: Condition<M>) -> Self {
        self.kind.more.push(condition.into_node());
        self
    }
}

impl<M: Model, S: Source<M>, T: Send + 'static> Query<M, S, T> {
    /// Reads from the greatest range key to the least. Default: from the least to the greatest.
    #[doc(alias = "ScanIndexForward")]
    pub fn descending(mut self) -> Self {
        self.kind.descending = true;
        self
    }

    /// Returns the SDK's request builder for the first page; see [`Get::raw`](crate::Get::raw).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidCursor`](crate::ErrorKind::InvalidCursor) if it resumes a cursor that
    /// [is finished](crate::Cursor::is_finished).
    pub fn raw(self) -> Raw<M, QueryFluentBuilder> {
        Raw::new(self)
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

    const NAME: &'static str = KeyCondition::OPERATION;

    async fn build(self, call: &Call) -> Result<QueryFluentBuilder, Error> {
        // Cloned, because `into_reader` consumes the query.
        let condition = self.kind.clone();
        let reader = self.into_reader();
        let page = reader.first_page(call).await?;
        reader.query_request(&condition, call, page).await
    }
}
