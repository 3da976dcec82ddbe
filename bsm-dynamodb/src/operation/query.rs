//! Reading the items of one hash key.

use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use crate::connection::slot::Call;
use crate::error::Error;
use crate::expression::{Comparator, DocumentPath, Node, Term};
use crate::model::Model;
use crate::model::index::{Source, Table};
use crate::model::key::{IntoKey, Key, RangedKey};
use crate::operation::paged_read::{Read, What, reads};
use crate::operation::{Raw, Request, debug_settings};
use crate::types::{KeyElement, KeyPrefix};

/// Reads the items that have one hash key, in the order of their range keys; see [`Model::query`]
/// and [`Index::query`](crate::Index::query).
///
/// `M` is the model, `S` the table or an index of it, and `T` what is made of the items.
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
/// A table without a range key has no condition on it:
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
#[must_use = "a query does nothing unless it is collected or streamed"]
pub struct Query<M, S = Table, T = M> {
    read: Read<M, T>,
    source: PhantomData<fn() -> S>,
}

impl<M: Model, S: Source<M>> Query<M, S> {
    pub(crate) fn new(hash: impl IntoKey<<S::Key as Key>::Hash>) -> Self {
        let what = What::Query {
            hash: Term::key(S::KEY.encode_hash::<M, M::Codec>(hash)),
            range: Vec::new(),
            descending: false,
        };
        Self {
            read: Read::new::<S>(what),
            source: PhantomData,
        }
    }
}

reads!(Query);

impl<M: Model, S: Source<M>, T: Send + 'static> Query<M, S, T> {
    /// Reads from the greatest range key to the least.
    pub fn descending(mut self) -> Self {
        if let What::Query { descending, .. } = &mut self.read.what {
            *descending = true;
        }
        self
    }

    /// Gives the request for the first page in the words of the SDK; see
    /// [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, QueryFluentBuilder> {
        Raw::new(self)
    }
}

/// # The range key
///
/// DynamoDB takes one condition on the range key. A query with several fails with
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) before it is sent;
/// [`range_between`](Self::range_between) has two ends.
impl<M: Model, S: Source<M, Key: RangedKey>, T> Query<M, S, T> {
    /// Reads the item whose range key is equal.
    pub fn range_eq(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Eq, value)
    }

    /// Reads the items whose range key is less.
    pub fn range_lt(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Lt, value)
    }

    /// Reads the items whose range key is less or equal.
    pub fn range_le(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Le, value)
    }

    /// Reads the items whose range key is greater.
    pub fn range_gt(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Gt, value)
    }

    /// Reads the items whose range key is greater or equal.
    pub fn range_ge(self, value: impl IntoKey<Range<M, S>>) -> Self {
        self.compare(Comparator::Ge, value)
    }

    /// Reads the items whose range key is not less than `low` and not greater than `high`.
    ///
    /// DynamoDB refuses the request if `low` is greater than `high`.
    pub fn range_between(
        self,
        low: impl IntoKey<Range<M, S>>,
        high: impl IntoKey<Range<M, S>>,
    ) -> Self {
        let node = Node::Between(range_name::<M, S>(), term::<M, S>(low), term::<M, S>(high));
        self.range(node)
    }

    /// Reads the items whose range key, a string or binary, begins with this.
    ///
    /// The prefix is compared with the key as it is stored: of a field that is encoded by
    /// `#[serde(with)]`, that is the encoded form.
    ///
    /// With a range key that is a number it does not compile:
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
        if let What::Query { range, .. } = &mut self.read.what {
            range.push(node);
        }
        self
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
    type Model = M;
    type Builder = QueryFluentBuilder;

    const NAME: &'static str = "Query";

    async fn build(self, call: &Call<M>) -> Result<QueryFluentBuilder, Error> {
        let page = self.read.first_page(call).await?;
        self.read.query(call, page).await
    }
}

debug_settings! {
    Query<M, S, T> { read },
}
