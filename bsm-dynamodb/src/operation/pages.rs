//! Streams of the items and of the pages of a query or scan.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::{TryStreamExt as _, stream};

use crate::connection::call::Call;
use crate::error::Error;
use crate::operation::cursor::{Cursor, Location, SegmentPosition};
use crate::operation::page_reader::{PageReader, RawPage};
use crate::operation::{Pending, debug_settings};

/// A stream of items; see [`Query::stream`](crate::Query::stream) and
/// [`Scan::stream`](crate::Scan::stream).
#[must_use = "streams do nothing unless polled"]
pub struct Items<T> {
    steps: Steps<T>,
    progress: Progress,
    /// The number of items after which the stream ends.
    remaining: usize,
    /// Whether the settings have been checked, which the first poll of the pages does.
    checked: bool,
}

impl<T: Send + 'static> Items<T> {
    pub(crate) fn new(read: PageReader<T>, call: Call) -> Self {
        let (read, call) = (Arc::new(read), Arc::new(call));
        let steps = {
            let (read, call) = (read.clone(), call.clone());
            move |page| {
                let steps = item_steps(read.clone(), call.clone(), page);
                // Always `Ok`: an item that doesn't fit is an error inside its step, which still moves the position.
                stream::iter(steps.map(Ok))
            }
        };
        Self {
            progress: Progress::new(&read, &call),
            remaining: read.limit(),
            checked: false,
            steps: Box::pin(read.pages(call, None).map_ok(steps).try_flatten()),
        }
    }
}

impl<T> Items<T> {
    /// Returns the position of the stream: after the item that it returned last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Session`](crate::ErrorKind::Session) if the manager cannot get its account from
    /// STS, which it asks once, nor from the ARN of the table.
    pub fn cursor(&self) -> impl Future<Output = Result<Cursor, Error>> + Send + use<T> {
        self.progress.cursor()
    }
}

impl<T> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            // Before polling, so that no page is requested that isn't needed.
            if self.remaining == 0 && self.checked {
                return Poll::Ready(None);
            }
            let step = ready!(self.steps.as_mut().poll_next(cx));
            self.checked = true;
            match step {
                Some(Ok(step)) => {
                    // Before the item is returned, so that a cursor created now continues behind it.
                    self.progress.advance(step.segment, step.next);
                    if let Some(item) = step.output {
                        self.remaining -= 1;
                        return Poll::Ready(Some(item));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// A stream of pages; see [`Query::pages`](crate::Query::pages) and
/// [`Scan::pages`](crate::Scan::pages).
#[must_use = "streams do nothing unless polled"]
pub struct Pages<T> {
    steps: Steps<Page<T>>,
    progress: Progress,
}

impl<T: Send + 'static> Pages<T> {
    pub(crate) fn new(read: PageReader<T>, call: Call) -> Self {
        // A page is returned as a whole, so a limit on items would cut it.
        let (read, call) = (Arc::new(read.without_limit()), Arc::new(call));
        let step = {
            let (read, call) = (read.clone(), call.clone());
            move |page: RawPage| {
                let items = page.items.into_iter();
                let items = items.map(|item| read.decode(&call, item));
                // One item that doesn't fit fails its whole page, and the position still moves behind the page.
                let items = items.collect::<Result<_, _>>();
                let scanned = page.scanned;
                Step {
                    segment: page.segment,
                    next: page.next,
                    output: Some(items.map(|items| Page { items, scanned })),
                }
            }
        };
        Self {
            progress: Progress::new(&read, &call),
            steps: Box::pin(read.pages(call, None).map_ok(step)),
        }
    }
}

impl<T> Pages<T> {
    /// Returns the position of the stream: after the page that it returned last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Session`](crate::ErrorKind::Session) if the manager cannot get its account from
    /// STS, which it asks once, nor from the ARN of the table.
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
                step.output
            }
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }
}

/// The items of one response of DynamoDB.
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

    /// Returns the items, consuming the page.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }

    /// Returns the number of items that DynamoDB read and charges for, before the filter.
    pub fn scanned_count(&self) -> usize {
        self.scanned
    }
}

/// Shows the number of items, and no values.
impl<T> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("items", &self.items.len())
            .field("scanned", &self.scanned)
            .finish()
    }
}

debug_settings! {
    Items<T> { progress },
    Pages<T> { progress },
}

type Steps<T> = Pin<Box<dyn Stream<Item = Result<Step<T>, Error>> + Send>>;

/// What a stream returns next, and its position afterwards.
struct Step<T> {
    segment: usize,
    next: SegmentPosition,
    /// `None` for a page without items, which only advances the position.
    output: Option<Result<T, Error>>,
}

/// Returns the steps of a page: one per item.
fn item_steps<T: Send + 'static>(
    read: Arc<PageReader<T>>,
    call: Arc<Call>,
    page: RawPage,
) -> impl Iterator<Item = Step<T>> + Send + use<T> {
    let count = page.items.len();
    let items = page.items.into_iter().map(Some);
    // A page without items also moves the position.
    let items = items.chain((count == 0).then_some(None));
    items.enumerate().map(move |(index, item)| {
        // The position after the last item is DynamoDB's: it may be beyond items that the filter
        // removed.
        let next = match &item {
            Some(item) if index + 1 < count => SegmentPosition::after_item(item, read.key_names()),
            _ => page.next.clone(),
        };
        Step {
            segment: page.segment,
            next,
            output: item.map(|item| read.decode(&call, item)),
        }
    })
}

/// The positions of all segments of a stream, and what they belong to.
struct Progress {
    positions: Vec<SegmentPosition>,
    location: Box<dyn Fn() -> Pending<Location> + Send + Sync>,
}

impl Progress {
    fn new<T: Send + 'static>(read: &Arc<PageReader<T>>, call: &Arc<Call>) -> Self {
        let positions = read.start();
        let (read, call) = (read.clone(), call.clone());
        // Looked up when a cursor is created: most streams need none, and it may ask STS.
        let location = move || -> Pending<Location> {
            let (read, call) = (read.clone(), call.clone());
            Box::pin(async move { read.location(&call).await })
        };
        Self {
            positions,
            location: Box::new(location),
        }
    }

    fn advance(&mut self, segment: usize, position: SegmentPosition) {
        // In bounds, because `start()` returns one position per segment.
        self.positions[segment] = position;
    }

    fn cursor(&self) -> impl Future<Output = Result<Cursor, Error>> + Send + use<> {
        // Copied here, so that the cursor is that of the call, wherever it is awaited.
        let (location, positions) = ((self.location)(), self.positions.clone());
        async move { Ok(Cursor::new(location.await?, positions)) }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_end = |position: &&SegmentPosition| matches!(position, SegmentPosition::End);
        let ended = self.positions.iter().filter(at_end).count();
        write!(f, "{ended} of {} segments read", self.positions.len())
    }
}
