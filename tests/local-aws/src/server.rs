//! The HTTP server: its thread, its connections, its end.

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
use hyper::{Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::clock::http_date;
use crate::control;
use crate::error::{Error, ErrorKind};
use crate::exchange::{Outcome, World};
use crate::request::Request;

/// The largest request body; DynamoDB's limit is 16 MB.
const MAXIMUM_BODY: usize = 17 * 1024 * 1024;

/// How long requests that are being served may go on when the server stops.
const GRACE: Duration = Duration::from_millis(500);

type Body = BoxBody<Bytes, io::Error>;

/// A server on its own thread. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds 127.0.0.1 and serves from a thread and runtime of its own, so that it outlives the
    /// runtime of the test that started it.
    ///
    /// # Errors
    ///
    /// If the port is taken, or no thread can be started.
    pub(crate) fn start(port: u16, world: Arc<World>) -> Result<Self, Error> {
        let failed = |what: &str| {
            let message = format!("cannot {what} on 127.0.0.1:{port}");
            move |error: io::Error| Error::new(ErrorKind::Server, message).because(error)
        };
        let listener = StdListener::bind(("127.0.0.1", port)).map_err(failed("listen"))?;
        listener.set_nonblocking(true).map_err(failed("listen"))?;
        let address = listener.local_addr().map_err(failed("listen"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bsm-local-aws")
            .enable_all()
            .build()
            .map_err(failed("serve"))?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("bsm-local-aws".to_owned())
            .spawn(move || run(runtime, listener, world, stopped))
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
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported there.
            let _ = thread.join();
        }
    }
}

fn run(
    runtime: Runtime,
    listener: StdListener,
    world: Arc<World>,
    stopped: oneshot::Receiver<Infallible>,
) {
    runtime.block_on(accept(listener, world, stopped));
    // What still runs after the grace period must not hold up whoever drops the server.
    runtime.shutdown_background();
}

/// Accepts connections until it is told to stop, then waits for those that are being served.
async fn accept(
    listener: StdListener,
    world: Arc<World>,
    mut stopped: oneshot::Receiver<Infallible>,
) {
    let listener = TcpListener::from_std(listener).expect("the listener is bound, not blocking");
    let connections = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => serve_connection(stream, &world, &connections),
                // Out of file descriptors, most likely: wait for some to be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, connections.shutdown()).await;
}

fn serve_connection(stream: TcpStream, world: &Arc<World>, connections: &GracefulShutdown) {
    // Answers are small, and written in two parts.
    let _ = stream.set_nodelay(true);
    let world = Arc::clone(world);
    let service = service_fn(move |request| respond(Arc::clone(&world), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Broken connections are the client's to notice, and often what a test asked for.
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        let _ = connection.await;
    });
}

/// Answers one HTTP request; an error closes the connection.
async fn respond(
    world: Arc<World>,
    request: HttpRequest<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAXIMUM_BODY).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let request = Request::new(parts, body.to_bytes());
    let response = match control::answer(&world, &request) {
        Some((status, answer)) => {
            let mut response = Response::new(full(answer));
            *response.status_mut() = status;
            response
                .headers_mut()
                .insert("content-type", "application/json".parse().expect("ASCII"));
            response
        }
        None => match world.serve(request).await {
            Outcome::Answered(answer) => with_headers(&answer, full(answer.body.clone())),
            Outcome::Truncated(answer) => with_headers(&answer, truncated(&answer.body)),
            Outcome::Dropped => return Err(io::ErrorKind::ConnectionAborted.into()),
        },
    };
    Ok(dated(response, &world))
}

/// Makes the response of an answer. The length is that of the whole answer, whatever `body` is.
fn with_headers(answer: &Answer, body: Body) -> Response<Body> {
    Response::builder()
        .status(answer.status)
        .header("content-type", answer.content_type)
        .header("content-length", answer.body.len())
        .header("x-amzn-requestid", &answer.request_id)
        .header("x-amz-crc32", crc32fast::hash(&answer.body))
        .body(body)
        .unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Dates a response by the server's clock, by which SDK clients correct their own.
fn dated(mut response: Response<Body>, world: &World) -> Response<Body> {
    if let Ok(date) = http_date(world.clock.now()).parse() {
        response.headers_mut().insert("date", date);
    }
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
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

/// A body that gives its first half and then fails.
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
        // One pause, in which what there is gets sent.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}
