//! Reading many items.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::codec::Item;
use crate::error::Error;
use crate::model::Model;
use crate::operation::{bind_when_awaited, debug_settings};
use crate::slot::{Call, Slot};

/// Reads every item of a table; see [`Model::scan`].
#[must_use = "a scan does nothing unless it is collected or streamed"]
pub struct Scan<M> {
    consistent_read: bool,
    page_size: Option<i32>,
    limit: Option<usize>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Scan<M> {
    pub(crate) fn new() -> Self {
        Self {
            consistent_read: false,
            page_size: None,
            limit: None,
            model: PhantomData,
        }
    }

    /// Asks for reads that see every write that was acknowledged before, at twice the cost.
    pub fn consistent_read(mut self, consistent: bool) -> Self {
        self.consistent_read = consistent;
        self
    }

    /// Reads at most this many items per request.
    ///
    /// A page ends at 1 MB in any case. Source: [Scan](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html)
    /// in the API Reference.
    pub fn page_size(mut self, items: u32) -> Self {
        self.page_size = Some(i32::try_from(items.max(1)).unwrap_or(i32::MAX));
        self
    }

    /// Ends after this many items in total. [`pages`](Self::pages) does not look at it.
    pub fn limit(mut self, items: usize) -> Self {
        self.limit = Some(items);
        self
    }

    /// Reads the items into a `Vec`.
    ///
    /// # Errors
    ///
    /// When it is awaited: [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there
    /// is no such table, and [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if an item
    /// does not fit the model.
    pub fn collect(self) -> Collect<M> {
        Collect { scan: self }
    }

    /// Streams the items; a page is read when the one before is used up.
    ///
    /// The stream is bound to the model's manager here, wherever it is read afterwards. It goes on
    /// after an item that does not fit the model, and ends after any other error.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// use futures_util::TryStreamExt as _;
    ///
    /// let mut users = User::scan().stream();
    /// while let Some(user) = users.try_next().await? {
    ///     println!("{}", user.id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(self) -> Items<M> {
        self.stream_from(crate::slot())
    }

    /// Streams the pages that DynamoDB answers with. A page may be empty and not be the last.
    ///
    /// The stream is bound to the model's manager here, wherever it is read afterwards.
    pub fn pages(self) -> Pages<M> {
        let call = Arc::new(crate::slot().call("Scan"));
        let pages = self.raw_pages(call.clone()).map(move |page| {
            let RawPage { items, scanned } = page?;
            let items = items.into_iter().map(|item| call.decode(item));
            Ok(Page {
                items: items.collect::<Result<_, _>>()?,
                scanned,
            })
        });
        Pages(Box::pin(pages))
    }

    fn stream_from(self, slot: Slot<M>) -> Items<M> {
        let limit = self.limit.unwrap_or(usize::MAX);
        let call = Arc::new(slot.call("Scan"));
        let items = self
            .raw_pages(call.clone())
            .map_ok(move |page| {
                let call = call.clone();
                stream::iter(page.items).map(move |item| call.decode(item))
            })
            .try_flatten()
            .take(limit);
        Items(Box::pin(items))
    }

    fn raw_pages(
        self,
        call: Arc<Call<M>>,
    ) -> impl Stream<Item = Result<RawPage, Error>> + Send + 'static {
        stream::try_unfold(Position::Start, move |position| {
            self.read(call.clone(), position)
        })
    }

    /// Reads the page at a position, and gives the next position.
    fn read(
        &self,
        call: Arc<Call<M>>,
        position: Position,
    ) -> impl Future<Output = Result<Option<(RawPage, Position)>, Error>> + Send + use<M> {
        let (consistent_read, page_size) = (self.consistent_read, self.page_size);
        async move {
            let start = match position {
                Position::Start => None,
                Position::After(key) => Some(key),
                Position::End => return Ok(None),
            };
            let request = call.client().await?.scan();
            let output = request
                .table_name(call.table())
                .consistent_read(consistent_read)
                .set_limit(page_size)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| call.failed(error))?;
            let next = match output.last_evaluated_key {
                Some(key) if !key.is_empty() => Position::After(key),
                _ => Position::End,
            };
            let page = RawPage {
                scanned: usize::try_from(output.scanned_count).unwrap_or_default(),
                items: output.items.unwrap_or_default(),
            };
            Ok(Some((page, next)))
        }
    }
}

/// Where the next page begins.
enum Position {
    Start,
    After(Item),
    End,
}

struct RawPage {
    items: Vec<Item>,
    scanned: usize,
}

/// Reads every item into a `Vec`; see [`Scan::collect`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Collect<M> {
    scan: Scan<M>,
}

impl<M: Model> Collect<M> {
    async fn run(self, slot: Slot<M>) -> Result<Vec<M>, Error> {
        self.scan.stream_from(slot).try_collect().await
    }
}

bind_when_awaited! {
    Collect => Vec<M>,
}

/// A stream of items; see [`Scan::stream`].
#[must_use = "streams do nothing unless polled"]
pub struct Items<M>(Pin<Box<dyn Stream<Item = Result<M, Error>> + Send>>);

impl<M> Stream for Items<M> {
    type Item = Result<M, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// A stream of pages; see [`Scan::pages`].
#[must_use = "streams do nothing unless polled"]
pub struct Pages<M>(Pin<Box<dyn Stream<Item = Result<Page<M>, Error>> + Send>>);

impl<M> Stream for Pages<M> {
    type Item = Result<Page<M>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// The items of one answer of DynamoDB.
#[derive(Clone)]
pub struct Page<M> {
    items: Vec<M>,
    scanned: usize,
}

impl<M> Page<M> {
    /// Returns the items.
    pub fn items(&self) -> &[M] {
        &self.items
    }

    /// Takes the items out.
    pub fn into_items(self) -> Vec<M> {
        self.items
    }

    /// Returns how many items DynamoDB read for this page, which is what it charges for.
    pub fn scanned_count(&self) -> usize {
        self.scanned
    }
}

debug_settings! {
    Scan { consistent_read, page_size, limit },
    Collect { scan },
    Items {},
    Pages {},
}

impl<M> fmt::Debug for Page<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("items", &self.items.len())
            .field("scanned", &self.scanned)
            .finish()
    }
}
