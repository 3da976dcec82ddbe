//! Futures, streams and closures that bring their overrides with them.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::stack::{Entry, Overrides};

pin_project! {
    /// A future or stream with overrides of its own.
    ///
    /// [`BotoSesManager::scope`](crate::BotoSesManager::scope) and
    /// [`in_current_scope`](InCurrentScope::in_current_scope) make it. Its overrides are in force
    /// whenever it is polled, and while it is dropped.
    #[must_use = "futures and streams do nothing unless they are polled"]
    pub struct Scoped<T> {
        #[pin]
        // `None` once it has completed: it is dropped inside of the scope.
        inner: Option<T>,
        overrides: Overrides,
    }

    impl<T> PinnedDrop for Scoped<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                this.overrides.within(|| this.inner.set(None));
            }
        }
    }
}

impl<T> Scoped<T> {
    fn new(mut overrides: Overrides, make: impl FnOnce() -> T) -> Self {
        let inner = Some(overrides.within(make));
        Self { inner, overrides }
    }

    pub(super) fn nested<F: IntoFuture<IntoFuture = T>>(entry: Entry, future: F) -> Self {
        Self::new(Overrides::nested(entry), || future.into_future())
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.overrides.within(|| {
            let future = this.inner.as_mut().as_pin_mut();
            let output = future.expect("a completed future is not polled").poll(cx);
            if output.is_ready() {
                this.inner.set(None);
            }
            output
        })
    }
}

impl<S: Stream> Stream for Scoped<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        this.overrides.within(|| match this.inner.as_pin_mut() {
            Some(stream) => stream.poll_next(cx),
            None => Poll::Ready(None),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), S::size_hint)
    }
}

impl<T> fmt::Debug for Scoped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

/// Carries every override along, on purpose.
///
/// It is there for futures and for streams; for closures there is [`in_current_scope_fn`].
/// `Kind` tells the two apart, and is always inferred.
///
/// What carries its overrides is settled: wherever it then runs, it sees what was in force where
/// this was called, and none of the overrides of the place that runs it. Where nothing was
/// overridden it sees the process default.
pub trait InCurrentScope<Kind> {
    /// What has the overrides: the future, or the stream.
    type Scoped;

    /// Gives a future or stream the overrides that are in force here, wherever it is then run.
    ///
    /// A task that is spawned with its scope:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use bsm_core::{BotoSesManager, InCurrentScope as _};
    ///
    /// async fn profile() -> Option<String> {
    ///     BotoSesManager::current().profile_name().map(String::from)
    /// }
    ///
    /// let staging = BotoSesManager::from_profile("staging");
    /// let _env = staging.awsenv();
    /// let plain = tokio::spawn(profile());
    /// let carried = tokio::spawn(profile().in_current_scope());
    /// assert_eq!(plain.await.unwrap(), None);
    /// assert_eq!(carried.await.unwrap().as_deref(), Some("staging"));
    /// # }
    /// ```
    ///
    /// A stream that stays where it was made:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use bsm_core::{BotoSesManager, InCurrentScope as _};
    /// use futures_util::{StreamExt as _, stream};
    ///
    /// let staging = BotoSesManager::from_profile("staging");
    /// let mut profiles = staging.sync_scope(|| {
    ///     stream::repeat_with(|| BotoSesManager::current().profile_name().map(String::from))
    ///         .in_current_scope()
    /// });
    /// assert_eq!(profiles.next().await.flatten().as_deref(), Some("staging"));
    /// # }
    /// ```
    fn in_current_scope(self) -> Self::Scoped;
}

/// The two kinds of [`InCurrentScope`].
///
/// They keep the blanket implementations for futures and for streams apart: a type can be both. They are public in a private module, so
/// that the compiler infers them and nobody can name them.
mod via {
    #[derive(Debug)]
    pub enum ViaFuture {}

    #[derive(Debug)]
    pub enum ViaStream {}
}

impl<F: IntoFuture> InCurrentScope<via::ViaFuture> for F {
    type Scoped = Scoped<F::IntoFuture>;

    fn in_current_scope(self) -> Self::Scoped {
        Scoped::new(Overrides::captured(), || self.into_future())
    }
}

impl<S: Stream> InCurrentScope<via::ViaStream> for S {
    type Scoped = Scoped<S>;

    fn in_current_scope(self) -> Self::Scoped {
        Scoped::new(Overrides::captured(), || self)
    }
}

/// Gives a closure the overrides that are in force here, for a thread to run it.
///
/// As with [`in_current_scope`](InCurrentScope::in_current_scope), the closure sees these and no
/// others, wherever it is called, and also where it is dropped without having been called.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use bsm_core::{BotoSesManager, in_current_scope_fn};
///
/// fn profile() -> Option<String> {
///     BotoSesManager::current().profile_name().map(String::from)
/// }
///
/// let staging = BotoSesManager::from_profile("staging");
/// let _env = staging.awsenv();
/// let thread = std::thread::spawn(in_current_scope_fn(profile));
/// let blocking = tokio::task::spawn_blocking(in_current_scope_fn(profile));
/// assert_eq!(thread.join().unwrap().as_deref(), Some("staging"));
/// assert_eq!(blocking.await.unwrap().as_deref(), Some("staging"));
/// # }
/// ```
#[must_use = "the closure does nothing unless it is called"]
pub fn in_current_scope_fn<R>(f: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let scoped = Scoped::new(Overrides::captured(), || f);
    move || {
        let mut scoped = scoped;
        let f = scoped.inner.take();
        scoped
            .overrides
            .within(f.expect("a closure is called at most once"))
    }
}
