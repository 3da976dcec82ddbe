//! The HTTP server.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::access;
use super::answer::Answer;
use super::source::Source;
use super::{container, metadata};

/// How long a client may take to send its headers, so that one that sends nothing cannot occupy a
/// connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// More connections wait. A program with many threads keeps a few open; a scanner would open more.
const MAX_CONNECTIONS: usize = 256;

/// A running server. Dropping it stops it.
pub(crate) struct Server {
    state: Arc<State>,
    task: JoinHandle<Infallible>,
}

struct State {
    address: SocketAddr,
    sources: Vec<Source>,
}

impl Server {
    /// Listens, and serves the sources from then on.
    pub(crate) async fn start(address: SocketAddr, sources: Vec<Source>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { address, sources });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { state, task })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.state.address
    }

    pub(crate) fn sources(&self) -> &[Source] {
        &self.state.sources
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // This ends `accept`. Open connections end with the runtime, when the command has ended.
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) -> Infallible {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Before `accept`, so that further connections wait in the backlog of the listener. Never
        // an error, because nothing closes the semaphore.
        let permit = Arc::clone(&connections).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Most likely no file descriptors are left: wait until some are closed.
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Headers and body are written separately; Nagle's algorithm would delay the body.
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        let service = service_fn(move |request| respond(Arc::clone(&state), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // The client notices an error of its connection.
            let _ = connection.await;
            drop(permit);
        });
    }
}

async fn respond(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    // Clients send no body, and none is read.
    let (request, _body) = request.into_parts();
    let answer = state.answer(&request).await;
    // The path is a secret.
    tracing::debug!(method = %request.method, status = %answer.status, "answered a request");
    Ok(answer.into_response())
}

impl State {
    async fn answer(&self, request: &Parts) -> Answer {
        if !access::is_allowed(&request.headers, self.address) {
            return Answer::empty(StatusCode::FORBIDDEN);
        }
        let path = request.uri.path().trim_start_matches('/');
        let (secret, path) = path.split_once('/').unwrap_or((path, ""));
        // All are compared, so that the time does not tell which one is close.
        let sources = self.sources.iter();
        let source = sources.fold(None, |found, source| match source.has_path(secret) {
            true => Some(source),
            false => found,
        });
        let Some(source) = source else {
            return Answer::empty(StatusCode::FORBIDDEN);
        };
        let (method, headers) = (&request.method, &request.headers);
        match path.strip_prefix("metadata/") {
            // Some clients join their path to the last slash with another one.
            Some(path) => {
                metadata::answer(source, method, path.trim_start_matches('/'), headers).await
            }
            None if path == "container" => container::answer(source, method, headers).await,
            None => Answer::empty(StatusCode::FORBIDDEN),
        }
    }
}
