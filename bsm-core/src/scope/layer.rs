//! A tower layer that runs each request in the scope of a manager.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::scoped::Scoped;
use super::stack::Override;
use crate::manager::BotoSesManager;

/// A [tower](https://docs.rs/tower) layer that runs each request, and the body of its response, in the scope
/// of a manager that is chosen from the request.
///
/// Handlers and models behind it use the request's account without being passed a session. A request for
/// which no manager is chosen runs in the scope of [`BotoSesManager::none`], so it can't reach any account.
///
/// The scope covers what the service does in its own task: not tasks that a handler spawns, which need
/// [`in_current_scope`](crate::InCurrentScope::in_current_scope). It does cover a streamed body, which runs
/// after the handler has returned.
///
/// # Examples
///
/// ```
/// use bsm_core::{BotoSesManager, ScopeLayer};
/// use bsm_core::fleet::RoleSessions;
///
/// let sessions = RoleSessions::new(&BotoSesManager::from_profile("service"));
/// let layer = ScopeLayer::new(move |request: &http::Request<()>| {
///     // A table of your own says which tenants there are.
///     let arn = match request.headers().get("x-tenant")?.to_str().ok()? {
///         "blue" => "arn:aws:iam::111122223333:role/Tenant",
///         "green" => "arn:aws:iam::444455556666:role/Tenant",
///         _ => return None,
///     };
///     Some(sessions.get(arn))
/// });
/// ```
pub struct ScopeLayer<F> {
    choose: Arc<F>,
}

/// The service of [`ScopeLayer`].
pub struct ScopeService<S, F> {
    inner: S,
    choose: Arc<F>,
}

impl<F> ScopeLayer<F> {
    /// Creates a layer that calls `choose` for each request: an `Fn(&Request<B>) -> Option<BotoSesManager>`.
    pub fn new<B>(choose: F) -> Self
    where
        F: Fn(&Request<B>) -> Option<BotoSesManager>,
    {
        Self {
            choose: Arc::new(choose),
        }
    }
}

impl<S, F> Layer<S> for ScopeLayer<F> {
    type Service = ScopeService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        ScopeService {
            inner,
            choose: Arc::clone(&self.choose),
        }
    }
}

impl<S, F, B, R> Service<Request<B>> for ScopeService<S, F>
where
    S: Service<Request<B>, Response = Response<R>>,
    F: Fn(&Request<B>) -> Option<BotoSesManager>,
{
    type Response = Response<Scoped<R>>;
    type Error = S::Error;
    type Future = ScopedResponse<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // In no scope: it is not known yet which request follows.
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // A request without a tenant must not reach the account of the process default.
        let manager = (self.choose)(&request).unwrap_or_else(BotoSesManager::none);
        let call = || self.inner.call(request);
        ScopedResponse {
            // `call` also runs in the scope: a service may look up its manager there.
            future: Scoped::around(Override::general(&manager), call),
            manager,
        }
    }
}

pin_project_lite::pin_project! {
    /// The future of [`ScopeService`].
    #[must_use = "futures do nothing unless they are polled"]
    pub struct ScopedResponse<F> {
        #[pin]
        future: Scoped<F>,
        manager: BotoSesManager,
    }
}

impl<F, R, E> Future for ScopedResponse<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Scoped<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let manager = this.manager;
        // The scope of the future ends with the future, so the body gets one of its own.
        let scoped = |body| Scoped::around(Override::general(manager), || body);
        this.future.poll(cx).map_ok(|response| response.map(scoped))
    }
}

/// A body whose frames are produced in its scope.
impl<B: Body> Body for Scoped<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.poll_within(|body| body.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.get().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.get().map_or(SizeHint::with_exact(0), B::size_hint)
    }
}

// Not derived: a derive would require `F: Clone`.
impl<F> Clone for ScopeLayer<F> {
    fn clone(&self) -> Self {
        Self {
            choose: Arc::clone(&self.choose),
        }
    }
}

impl<S: Clone, F> Clone for ScopeService<S, F> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            choose: Arc::clone(&self.choose),
        }
    }
}

impl<F> fmt::Debug for ScopeLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeLayer").finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for ScopeService<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for ScopedResponse<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedResponse")
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};

    use super::*;

    type Seen = Option<String>;

    fn profile() -> Seen {
        BotoSesManager::current().profile_name().map(String::from)
    }

    /// Sees the current profile when it is called, when its response is polled, and in each frame.
    struct Handler;

    struct FromFrames(u8);

    impl Body for FromFrames {
        type Data = std::collections::VecDeque<u8>;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
            if self.0 == 0 {
                return Poll::Ready(None);
            }
            self.0 -= 1;
            let seen = profile().unwrap_or_default();
            Poll::Ready(Some(Ok(Frame::data(seen.into_bytes().into()))))
        }
    }

    impl Service<Request<()>> for Handler {
        type Response = Response<FromFrames>;
        type Error = Seen;
        type Future = Ready<Result<Self::Response, Seen>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Seen>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            let expected = request
                .headers()
                .get("x-tenant")
                .map(|name| name.to_str().unwrap());
            let expected = expected.filter(|name| *name != "unknown").map(String::from);
            assert_eq!(profile(), expected);
            ready(Ok(Response::new(FromFrames(2))))
        }
    }

    #[tokio::test]
    async fn a_request_and_its_body_run_in_the_scope_that_is_chosen() {
        let layer = ScopeLayer::new(|request: &Request<()>| {
            let tenant = request.headers().get("x-tenant")?.to_str().ok()?;
            (tenant != "unknown").then(|| BotoSesManager::from_profile(tenant))
        });
        let mut service = layer.layer(Handler);
        for tenant in ["blue", "green", "unknown"] {
            let request = Request::builder()
                .header("x-tenant", tenant)
                .body(())
                .unwrap();
            let response = service.call(request).await.unwrap();
            assert_eq!(profile(), None);
            let mut body = Box::pin(response.into_body());
            let expected = if tenant == "unknown" { "" } else { tenant };
            for _ in 0..2 {
                let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
                let data = frame.unwrap().unwrap().into_data().unwrap();
                assert_eq!(String::from_utf8(data.into()).unwrap(), expected);
            }
            let end = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
            assert!(end.is_none());
        }
    }

    #[tokio::test]
    async fn a_request_without_a_manager_reaches_no_account() {
        let layer = ScopeLayer::new(|_: &Request<()>| None);
        let mut service = layer.layer(Checks);
        let response = service.call(Request::new(())).await.unwrap();
        assert!(response.into_body().get().unwrap().is_none());
    }

    struct Checks;

    impl Service<Request<()>> for Checks {
        type Response = Response<Seen>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            assert_eq!(BotoSesManager::current().to_string(), "no session");
            ready(Ok(Response::new(profile())))
        }
    }
}
