//! Futures, streams and closures with overrides of their own.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::stack::{Override, ParkedOverrides};

pin_project! {
    /// A future or stream with overrides of its own.
    ///
    /// [`BotoSesManager::scope`](crate::BotoSesManager::scope) and
    /// [`in_current_scope`](InCurrentScope::in_current_scope) create it. Its overrides apply
    /// while it is polled, and while it is dropped.
    #[must_use = "futures and streams do nothing unless they are polled"]
    pub struct Scoped<T> {
        #[pin]
        // `None` once it has completed, because it must be dropped inside the scope.
        inner: Option<T>,
        overrides: ParkedOverrides,
    }

    impl<T> PinnedDrop for Scoped<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                this.overrides.within_unfinished(|| this.inner.set(None));
            }
        }
    }
}

impl<T> Scoped<T> {
    fn new(mut overrides: ParkedOverrides, make: impl FnOnce() -> T) -> Self {
        let inner = Some(overrides.within(make));
        Self { inner, overrides }
    }

    #[cfg(feature = "tower")]
    pub(super) fn around(entry: Override, make: impl FnOnce() -> T) -> Self {
        Self::new(ParkedOverrides::nested(entry), make)
    }

    /// Returns the future, stream or body, unless it has completed.
    #[cfg(feature = "tower")]
    pub(super) fn get(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// Polls what is inside, and drops it when it ends.
    pub(super) fn poll_within<I>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut T>) -> Poll<Option<I>>,
    ) -> Poll<Option<I>> {
        let mut this = self.project();
        this.overrides.within(|| {
            let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                // Unlike a future, a stream or body may be polled again after its end.
                return Poll::Ready(None);
            };
            let item = poll(inner);
            if matches!(item, Poll::Ready(None)) {
                // Like a future, so that its drop is not that of an unfinished scope.
                this.inner.set(None);
            }
            item
        })
    }

    pub(super) fn nested<F: IntoFuture<IntoFuture = T>>(entry: Override, future: F) -> Self {
        Self::new(ParkedOverrides::nested(entry), || future.into_future())
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
        self.poll_within(|stream| stream.poll_next(cx))
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

/// Carries all current overrides to wherever a future or stream runs.
///
/// For closures, use [`in_current_scope_fn`]. `Kind` distinguishes futures from streams, and is
/// always inferred.
///
/// The overrides are sealed: the future sees those that applied where this was called, and none of
/// the place that polls it. If there were none, it sees the process default.
pub trait InCurrentScope<Kind> {
    /// The future or stream with its overrides.
    type Scoped;

    /// Returns the future or stream with the overrides that apply here, wherever it is polled
    /// later.
    ///
    /// # Examples
    ///
    /// A spawned task with the overrides of its parent:
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
    /// A stream that keeps the overrides of the place where it was created:
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
/// They keep the blanket implementations for futures and for streams apart: a type can be both.
/// They are public in a private module, so that the compiler infers them and no user can name them.
mod via {
    #[derive(Debug)]
    pub enum ViaFuture {}

    #[derive(Debug)]
    pub enum ViaStream {}
}

impl<F: IntoFuture> InCurrentScope<via::ViaFuture> for F {
    type Scoped = Scoped<F::IntoFuture>;

    fn in_current_scope(self) -> Self::Scoped {
        Scoped::new(ParkedOverrides::captured(), || self.into_future())
    }
}

impl<S: Stream> InCurrentScope<via::ViaStream> for S {
    type Scoped = Scoped<S>;

    fn in_current_scope(self) -> Self::Scoped {
        Scoped::new(ParkedOverrides::captured(), || self)
    }
}

/// Returns a closure with the overrides that apply here, for another thread.
///
/// As with [`in_current_scope`](InCurrentScope::in_current_scope), the closure sees these overrides
/// and no others, wherever it is called, or dropped without a call.
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
    let scoped = Scoped::new(ParkedOverrides::captured(), || f);
    move || {
        let mut scoped = scoped;
        // Called or not, the closure is dropped in its scope. Once it is taken, the destructor of
        // `Scoped` no longer counts it as unfinished.
        let f = scoped.inner.take();
        scoped
            .overrides
            .within(f.expect("a closure is called at most once"))
    }
}
