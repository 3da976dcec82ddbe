//! What queries and scans have in common, for their callers.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::expression::{Condition, Writer};
use crate::model::entities::Entities;
use crate::model::index::{ConsistentRead, Source, Table, source};
use crate::model::stored;
use crate::model::{Model, bind};
use crate::operation::collect::{Collect, Count};
use crate::operation::cursor::Cursor;
use crate::operation::page_reader::{PageReader, ReadKind, ReadSettings};
use crate::operation::pages::{Items, Pages};
use crate::operation::projection::ReadAs;

/// A read of many items, page by page: a [`Query`](crate::Query) or a [`Scan`](crate::Scan).
///
/// `K` says which of the two it is, `M` is the model, `S` the table or an index of it, and `T` the type
/// that the items are read as. End a read with [`collect`](Self::collect), [`stream`](Self::stream),
/// [`pages`](Self::pages) or [`count`](Self::count).
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String, age: u8 }
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// let adults: Vec<User> = User::scan().filter(User::age().ge(18)).limit(100).collect().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "queries and scans do nothing unless they are collected or streamed"]
pub struct PagedRead<K, M, S = Table, T = M> {
    pub(super) kind: K,
    pub(super) settings: ReadSettings<T>,
    source: PhantomData<fn() -> (M, S)>,
}

impl<K: ReadKind, M: Model, S: Source<M>> PagedRead<K, M, S> {
    pub(super) fn of_kind(kind: K) -> Self {
        Self {
            kind,
            settings: ReadSettings::new(
                source::<M, S>(),
                Writer::for_codec::<M, M::Codec>,
                ReadAs::whole(stored::decode),
            ),
            source: PhantomData,
        }
    }
}

/// # Settings
impl<K: ReadKind, M: Model, S: Source<M>, T: Send + 'static> PagedRead<K, M, S, T> {
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
    /// With 0 the read fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    #[doc(alias = "Limit")]
    pub fn page_size(mut self, items: u32) -> Self {
        self.settings.page_size(items);
        self
    }

    /// Ends the read after this many items in total, after the filter. Default: no limit.
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
    /// With 0 the read fails with [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest).
    pub fn rate_limit(mut self, units_per_second: u32) -> Self {
        self.settings.rate_limit(units_per_second);
        self
    }

    /// Starts at the position of a cursor of an earlier read of the same kind.
    ///
    /// The manager asks STS for its identity, once, to check that the cursor belongs to its account.
    ///
    /// # Errors
    ///
    /// The read fails with [`ErrorKind::InvalidCursor`](crate::ErrorKind::InvalidCursor), before it
    /// reads anything, if the cursor belongs to another table, index, account or region, to a scan
    /// instead of a query, or to a scan with another number of segments.
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
    pub fn project<P>(self) -> PagedRead<K, M, S, P>
    where
        P: DeserializeOwned + Send + 'static,
    {
        PagedRead {
            kind: self.kind,
            settings: self.settings.read_as(ReadAs::fields()),
            source: PhantomData,
        }
    }

    /// Reads the items of all models of an enum, where several models share the table.
    ///
    /// See [`Entities`]. The filters compare attributes of `M`.
    ///
    /// An index must have the attributes that tell the models apart: without them, the read fails with
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) before anything is sent.
    pub fn entities<E: Entities>(self) -> PagedRead<K, M, S, E> {
        PagedRead {
            kind: self.kind,
            settings: self.settings.entities::<M, S, E>(),
            source: PhantomData,
        }
    }
}

/// # Reading
impl<K: ReadKind, M: Model, S: Source<M>, T: Send + 'static> PagedRead<K, M, S, T> {
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
        Collect::new(self.into_reader())
    }

    /// Counts the items, up to the limit.
    ///
    /// DynamoDB reads and charges for the items, but doesn't send them.
    ///
    /// # Errors
    ///
    /// The errors of [`collect`](Self::collect), except for items that do not fit the model.
    pub fn count(self) -> Count<M, T> {
        Count::new(self.into_reader())
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
        let reader = self.into_reader();
        // Bound here, because a stream is never awaited as a whole.
        let call = bind::<M>(reader.operation());
        Items::new(reader, call)
    }

    /// Streams the pages that DynamoDB returns. A page may be empty without being the last.
    ///
    /// The stream is bound to the model's manager by this call, wherever it is polled.
    ///
    /// # Errors
    ///
    /// The stream returns the errors of [`collect`](Self::collect).
    pub fn pages(self) -> Pages<T> {
        let reader = self.into_reader();
        let call = bind::<M>(reader.operation());
        Pages::new(reader, call)
    }

    pub(super) fn into_reader(self) -> PageReader<T> {
        PageReader::new(self.kind, self.settings)
    }
}

/// Makes `.await` on a query an error that says what to add.
impl<K, M, S, T> IntoFuture for PagedRead<K, M, S, T>
where
    Self: sealed::SingleResult,
{
    type Output = std::convert::Infallible;
    type IntoFuture = std::future::Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        // Never called, because no type implements `SingleResult`.
        std::future::pending()
    }
}

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "a query or scan has no single result to await",
        label = "add `.collect()` for a `Vec`, `.count()`, `.stream()` or `.pages()`"
    )]
    pub trait SingleResult {}
}

/// Shows the settings, and no keys or values.
impl<K: ReadKind, M, S, T> fmt::Debug for PagedRead<K, M, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(K::OPERATION)
            .field("kind", &self.kind)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
