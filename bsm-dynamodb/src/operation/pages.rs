//! What a query or scan ends in: a stream, a `Vec` or a number.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aws_sdk_dynamodb::types::Select;
use futures_core::Stream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::codec::Item;
use crate::connection::slot::{Call, Slot};
use crate::error::Error;
use crate::model::Model;
use crate::operation::cursor::{Cursor, Location, Position};
use crate::operation::paged_read::{RawPage, Read};
use crate::operation::{Pending, bind_when_awaited, debug_settings};

/// A stream of items; see [`Scan::stream`](crate::Scan::stream).
#[must_use = "streams do nothing unless polled"]
pub struct Items<T> {
    steps: Steps<T>,
    progress: Progress,
    left: usize,
}

impl<T: Send + 'static> Items<T> {
    pub(crate) fn new<M: Model>(read: Read<M, T>, slot: &Slot<M>) -> Self {
        let (read, call) = bound(read, slot);
        let items = {
            let (read, call) = (read.clone(), call.clone());
            move |page| stream::iter(items_of(&read, &call, page)).map(Ok)
        };
        Self {
            progress: Progress::new(&read, &call),
            left: read.limit.unwrap_or(usize::MAX),
            steps: Box::pin(read.pages(call, None).map_ok(items).try_flatten()),
        }
    }
}

impl<T> Items<T> {
    /// Says where the stream stands: after the item that it gave last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Session`](crate::ErrorKind::Session) if the account cannot be told. It is asked
    /// for once for each manager.
    pub fn cursor(&self) -> impl Future<Output = Result<Cursor, Error>> + Send + use<T> {
        self.progress.cursor()
    }
}

impl<T> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            match ready!(self.steps.as_mut().poll_next(cx)) {
                Some(Ok(step)) => {
                    self.progress.advance(step.segment, step.next);
                    if let Some(item) = step.given {
                        self.left -= 1;
                        return Poll::Ready(Some(item));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// A stream of pages; see [`Scan::pages`](crate::Scan::pages).
#[must_use = "streams do nothing unless polled"]
pub struct Pages<T> {
    steps: Steps<Page<T>>,
    progress: Progress,
}

impl<T: Send + 'static> Pages<T> {
    pub(crate) fn new<M: Model>(mut read: Read<M, T>, slot: &Slot<M>) -> Self {
        read.limit = None;
        let (read, call) = bound(read, slot);
        let decode = read.projection.decode;
        let page = {
            let call = call.clone();
            move |page: RawPage| {
                let items = page.items.into_iter();
                let items = items.map(|item| call.decode(decode, item));
                let items = items.collect::<Result<_, _>>();
                Step {
                    segment: page.segment,
                    next: page.next,
                    given: Some(items.map(|items| Page {
                        items,
                        scanned: page.scanned,
                    })),
                }
            }
        };
        Self {
            progress: Progress::new(&read, &call),
            steps: Box::pin(read.pages(call, None).map_ok(page)),
        }
    }
}

impl<T> Pages<T> {
    /// Says where the stream stands: after the page that it gave last.
    ///
    /// # Errors
    ///
    /// As [`Items::cursor`].
    pub fn cursor(&self) -> impl Future<Output = Result<Cursor, Error>> + Send + use<T> {
        self.progress.cursor()
    }
}

impl<T> Stream for Pages<T> {
    type Item = Result<Page<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let step = ready!(self.steps.as_mut().poll_next(cx));
        Poll::Ready(match step {
            Some(Ok(step)) => {
                self.progress.advance(step.segment, step.next);
                step.given
            }
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }
}

/// The items of one answer of DynamoDB.
#[derive(Clone)]
pub struct Page<T> {
    items: Vec<T>,
    scanned: usize,
}

impl<T> Page<T> {
    /// Returns the items.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// Takes the items out.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }

    /// Returns how many items DynamoDB read for this page, which is what it charges for.
    pub fn scanned_count(&self) -> usize {
        self.scanned
    }
}

impl<T> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("items", &self.items.len())
            .field("scanned", &self.scanned)
            .finish()
    }
}

/// Reads every item into a `Vec`; see [`Scan::collect`](crate::Scan::collect).
#[must_use = "operations do nothing unless they are awaited"]
pub struct Collect<M, T = M> {
    read: Read<M, T>,
}

impl<M: Model, T: Send + 'static> Collect<M, T> {
    pub(crate) fn new(read: Read<M, T>) -> Self {
        Self { read }
    }

    async fn run(self, slot: Slot<M>) -> Result<Vec<T>, Error> {
        Items::new(self.read, &slot).try_collect().await
    }
}

/// Counts items; see [`Scan::count`](crate::Scan::count).
#[must_use = "operations do nothing unless they are awaited"]
pub struct Count<M, T = M> {
    read: Read<M, T>,
}

impl<M: Model, T: Send + 'static> Count<M, T> {
    pub(crate) fn new(read: Read<M, T>) -> Self {
        Self { read }
    }

    async fn run(self, slot: Slot<M>) -> Result<usize, Error> {
        let limit = self.read.limit.unwrap_or(usize::MAX);
        let (read, call) = bound(self.read, &slot);
        let mut pages = Box::pin(read.pages(call, Some(Select::Count)));
        let mut count = 0;
        while count < limit
            && let Some(page) = pages.try_next().await?
        {
            count += page.count;
        }
        Ok(count.min(limit))
    }
}

bind_when_awaited! {
    Collect<M, T> => Vec<T>,
    Count<M, T> => usize,
}

debug_settings! {
    Items<T> { progress },
    Pages<T> { progress },
    Collect<M, T> { read },
    Count<M, T> { read },
}

type Steps<T> = Pin<Box<dyn Stream<Item = Result<Step<T>, Error>> + Send>>;

/// What a stream comes to next, and where it stands then.
struct Step<T> {
    segment: usize,
    next: Position,
    /// Nothing, at the end of a page that is empty.
    given: Option<Result<T, Error>>,
}

/// Where the segments stand, and of what.
struct Progress {
    positions: Vec<Position>,
    location: Box<dyn Fn() -> Pending<Location> + Send + Sync>,
}

impl Progress {
    fn new<M: Model, T: Send + 'static>(read: &Arc<Read<M, T>>, call: &Arc<Call<M>>) -> Self {
        let positions = read.start();
        let (read, call) = (read.clone(), call.clone());
        let location = move || -> Pending<Location> {
            let (read, call) = (read.clone(), call.clone());
            Box::pin(async move { read.location(&call).await })
        };
        Self {
            positions,
            location: Box::new(location),
        }
    }

    fn advance(&mut self, segment: usize, position: Position) {
        self.positions[segment] = position;
    }

    fn cursor(&self) -> impl Future<Output = Result<Cursor, Error>> + Send + use<> {
        let (location, positions) = ((self.location)(), self.positions.clone());
        async move { Ok(Cursor::new(location.await?, positions)) }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_end = |position: &&Position| matches!(position, Position::End);
        let ended = self.positions.iter().filter(at_end).count();
        write!(f, "{ended} of {} segments read", self.positions.len())
    }
}

fn bound<M: Model, T: Send + 'static>(
    read: Read<M, T>,
    slot: &Slot<M>,
) -> (Arc<Read<M, T>>, Arc<Call<M>>) {
    let call = slot.call(read.operation());
    (Arc::new(read), Arc::new(call))
}

/// The steps of a page: its items, and after the last one the position that DynamoDB gave.
fn items_of<M: Model, T: Send + 'static>(
    read: &Arc<Read<M, T>>,
    call: &Arc<Call<M>>,
    page: RawPage,
) -> impl Iterator<Item = Step<T>> + Send + use<M, T> {
    let (read, call) = (read.clone(), call.clone());
    let RawPage {
        segment,
        items,
        next,
        ..
    } = page;
    let last = items.len();
    let items = items.into_iter().map(Some);
    let items = items.chain((last == 0).then_some(None));
    items
        .enumerate()
        .map(move |(position, item): (_, Option<Item>)| {
            let next = match &item {
                Some(item) if position + 1 < last => Position::after_item(item, read.key_names()),
                _ => next.clone(),
            };
            Step {
                segment,
                next,
                given: item.map(|item| call.decode(read.projection.decode, item)),
            }
        })
}
