//! The HTTP server: its thread and its connections.

mod control;
mod dispatch;
mod state;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response as HttpResponse, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use self::dispatch::Reply;
pub(crate) use self::state::ServerState;
use crate::clock::http_date;
use crate::error::{Error, ErrorKind};
use crate::federation;
use crate::request::Request;
use crate::response::Response;

/// The maximum size of a request body: a little more than DynamoDB's 16 MB, so that the service
/// itself rejects what is slightly too large.
const MAX_BODY_SIZE: usize = 17 * 1024 * 1024;

/// How long a stopping server waits for requests in flight: longer than a typical request, and short
/// enough not to slow down the tests that drop a server.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// The stack size of the server's threads. The DynamoDB engine is recursive, and in an unoptimized build
/// an expression within DynamoDB's limits overflows the default of 2 MB. Unused pages cost no memory.
const STACK_SIZE: usize = 32 * 1024 * 1024;

type Body = BoxBody<Bytes, io::Error>;

/// A server on its own thread. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds 127.0.0.1 and serves on its own thread and runtime, so that the server outlives the
    /// runtime of the test that started it.
    ///
    /// # Errors
    ///
    /// If the port is in use, or if a thread cannot be started.
    pub(crate) fn start(port: u16, state: Arc<ServerState>) -> Result<Self, Error> {
        let failed = |what: &str| {
            let message = format!("cannot {what} on 127.0.0.1:{port}");
            move |error: io::Error| Error::new(ErrorKind::Server, message).because(error)
        };
        // Bound on this thread, so that errors are returned and clients can connect at once.
        let listener = StdListener::bind(("127.0.0.1", port)).map_err(failed("listen"))?;
        // `TcpListener::from_std` requires it.
        listener.set_nonblocking(true).map_err(failed("listen"))?;
        let address = listener.local_addr().map_err(failed("listen"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // Tests compete with the server for cores; two threads keep one slow request from
            // blocking the rest.
            .worker_threads(2)
            .thread_name("bsm-local-aws")
            .thread_stack_size(STACK_SIZE)
            .enable_all()
            .build()
            .map_err(failed("serve"))?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("bsm-local-aws".to_owned())
            .spawn(move || run(runtime, listener, state, stopped))
            .map_err(failed("serve"))?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The channel carries nothing: dropping the sender is the signal.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The panic hook has already reported a panic of the thread.
            let _ = thread.join();
        }
    }
}

fn run(
    runtime: Runtime,
    listener: StdListener,
    state: Arc<ServerState>,
    stopped: oneshot::Receiver<Infallible>,
) {
    runtime.block_on(accept(listener, state, stopped));
    // Dropping the server must not wait for operations that outlast the timeout.
    runtime.shutdown_background();
}

/// Accepts connections until the server is dropped, then waits for requests in flight.
async fn accept(
    listener: StdListener,
    state: Arc<ServerState>,
    mut stopped: oneshot::Receiver<Infallible>,
) {
    let listener = TcpListener::from_std(listener).expect("the listener is bound and non-blocking");
    let connections = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => serve_connection(stream, &state, &connections),
                // Most likely no file descriptors are left: wait until some are closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            _ = &mut stopped => break,
        }
    }
    // New connections are refused while the open ones end.
    drop(listener);
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await;
}

fn serve_connection(stream: TcpStream, state: &Arc<ServerState>, connections: &GracefulShutdown) {
    // Headers and body are written separately; Nagle's algorithm would delay the body.
    let _ = stream.set_nodelay(true);
    let state = Arc::clone(state);
    let service = service_fn(move |request| respond(Arc::clone(&state), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection error needs no report: the client notices it, and faults cause it on purpose.
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        let _ = connection.await;
    });
}

/// Serves one HTTP request. An error closes the connection.
async fn respond(
    state: Arc<ServerState>,
    request: HttpRequest<Incoming>,
) -> Result<HttpResponse<Body>, io::Error> {
    let (parts, body) = request.into_parts();
    // The whole body is read first, because the signature covers it.
    let Ok(body) = Limited::new(body, MAX_BODY_SIZE).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let request = Request::new(parts, body.to_bytes());
    if request.uri.path() == federation::PATH {
        return Ok(dated(federated(&state, &request), &state));
    }
    let response = match control::respond(&state, &request) {
        Some((status, body)) => {
            let mut response = HttpResponse::new(full(body));
            *response.status_mut() = status;
            response
                .headers_mut()
                .insert("content-type", "application/json".parse().expect("ASCII"));
            response
        }
        None => match state.serve(request).await {
            Reply::Complete(response) => with_headers(&response, full(response.body.clone())),
            Reply::Truncated(response) => with_headers(&response, truncated(&response.body)),
            // hyper closes the connection without a response if the service returns an error.
            Reply::Closed => return Err(io::ErrorKind::ConnectionAborted.into()),
        },
    };
    Ok(dated(response, &state))
}

/// Serves a request to the federation endpoint, which is unsigned and not an API of the SDKs.
fn federated(state: &ServerState, request: &Request) -> HttpResponse<Body> {
    let tokens = &state.signin_tokens;
    let answer = tokens.respond(request, &state.identities, &state.clock);
    let mut response = HttpResponse::new(full(answer.body));
    *response.status_mut() = answer.status;
    if let Some(location) = answer.location.and_then(|location| location.parse().ok()) {
        response.headers_mut().insert("location", location);
    }
    response
}

/// Creates the HTTP response. `Content-Length` is the size of the complete response even if `body` is
/// truncated, so that clients notice the truncation.
fn with_headers(response: &Response, body: Body) -> HttpResponse<Body> {
    let built = HttpResponse::builder()
        .status(response.status)
        .header("content-type", response.content_type)
        .header("content-length", response.body.len())
        .header("x-amzn-requestid", &response.request_id)
        .header("x-amz-crc32", crc32fast::hash(&response.body))
        .body(body);
    let Ok(mut built) = built else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR);
    };
    // Afterwards, so that the length in a response to HEAD replaces that of the empty body.
    for (name, value) in &response.headers {
        built.headers_mut().insert(name, value.clone());
    }
    built
}

/// Sets the `Date` header to the server's time. SDK clients correct their clocks by it.
fn dated(mut response: HttpResponse<Body>, state: &ServerState) -> HttpResponse<Body> {
    if let Ok(date) = http_date(state.clock.now()).parse() {
        response.headers_mut().insert("date", date);
    }
    response
}

fn plain(status: StatusCode) -> HttpResponse<Body> {
    let mut response = HttpResponse::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

fn truncated(bytes: &Bytes) -> Body {
    BodyExt::boxed(Truncated {
        half: Some(bytes.slice(..bytes.len() / 2)),
        flushed: false,
    })
}

/// A body that yields its first half and then fails.
struct Truncated {
    half: Option<Bytes>,
    flushed: bool,
}

impl HttpBody for Truncated {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        // Yield once, so that hyper sends the first half before the error.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}
