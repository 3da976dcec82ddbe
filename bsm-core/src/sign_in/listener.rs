//! The listener on loopback to which the browser returns with the authorization code.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::credentials::sso::registration::REDIRECT_PATH;
use crate::error::{Error, ErrorKind};

/// The pause after a connection that could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How many connections may be open at once: a browser opens a few.
const MAX_CONNECTIONS: usize = 16;

/// How long a connection may take to send its request.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// Waits for the browser. It listens until it is dropped.
pub(super) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    state: String,
}

/// What the browser brought.
type Answer = Result<Zeroizing<String>, Error>;

/// The place where a connection leaves the answer; empty once there is one.
type Slot = Mutex<Option<oneshot::Sender<Answer>>>;

impl Listener {
    /// Binds a free port of loopback. `state` is what an answer must repeat.
    pub(super) async fn bind(state: String) -> Result<Self, Error> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|error| {
            Error::new(
                ErrorKind::SignInFailed,
                "no port of 127.0.0.1 can be opened for the browser: sign in with a device code",
            )
            .with_source(error)
        })?;
        Ok(Self {
            listener,
            address,
            state,
        })
    }

    /// Returns the address to which the browser returns.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://{}{REDIRECT_PATH}", self.address)
    }

    /// Returns the authorization code.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SignInFailed`] if the user denied the access, or the answer is not to this sign-in.
    pub(super) async fn code(self) -> Answer {
        let (answer, mut answered) = oneshot::channel();
        let slot = std::sync::Arc::new(Mutex::new(Some(answer)));
        // They end with this future.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                // First, so that the answer counts although more connections come.
                biased;
                answer = &mut answered => {
                    // The browser still has to get its page.
                    finish(connections).await;
                    return answer.unwrap_or_else(|_| Err(not_ours()));
                }
                // Makes room for further connections below.
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                    // One that failed is the browser's to repeat.
                    match accepted {
                        Ok((stream, _)) => {
                            let (slot, state) = (std::sync::Arc::clone(&slot), self.state.clone());
                            connections.spawn(serve(stream, self.address, state, slot));
                        }
                        // A process without free file descriptors fails at once, and again and again.
                        Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
                    }
                }
            }
        }
    }
}

/// Lets the connections send what they have, but not for long.
async fn finish(mut connections: JoinSet<()>) {
    let all = async { while connections.join_next().await.is_some() {} };
    _ = tokio::time::timeout(Duration::from_secs(1), all).await;
}

async fn serve(stream: TcpStream, address: SocketAddr, state: String, slot: std::sync::Arc<Slot>) {
    let service = service_fn(move |request| {
        let response = respond(&request, address, &state, &slot);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_LIMIT)
        // An idle connection would occupy one of the few places, and delay the end.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Of a browser that goes away, nothing is expected.
    _ = connection.await;
}

fn respond(
    request: &Request<Incoming>,
    address: SocketAddr,
    state: &str,
    slot: &Slot,
) -> Response<Full<Bytes>> {
    // A page that a name of another host leads here must not answer (DNS rebinding).
    let host = request.headers().get(HOST).map(|host| host.as_bytes());
    if host != Some(address.to_string().as_bytes()) {
        return page(
            StatusCode::FORBIDDEN,
            "This is not the address of the sign-in.",
        );
    }
    if request.method() != Method::GET || request.uri().path() != REDIRECT_PATH {
        return page(StatusCode::NOT_FOUND, "There is nothing here.");
    }
    // Taken before the answer is read: of two answers only the first counts, even a wrong one.
    let Some(sender) = slot.lock().take() else {
        return page(
            StatusCode::CONFLICT,
            "This sign-in has been answered already.",
        );
    };
    let answer = read_answer(request.uri().query().unwrap_or_default(), state);
    let response = match &answer {
        Ok(_) => page(
            StatusCode::OK,
            "Return to the program that opened this page. You can close this window.",
        ),
        Err(_) => page(
            StatusCode::BAD_REQUEST,
            "The sign-in has failed. You can close this window.",
        ),
    };
    // The receiver is there for as long as the listener.
    _ = sender.send(answer);
    response
}

/// Reads the query that the browser was sent here with.
fn read_answer(query: &str, state: &str) -> Answer {
    let (mut code, mut error, mut answered_state) = (None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "code" => code = Some(Zeroizing::new(value.into_owned())),
            "error" => error = Some(value.into_owned()),
            "state" => answered_state = Some(value.into_owned()),
            _ => {}
        }
    }
    if answered_state.as_deref() != Some(state) {
        return Err(not_ours());
    }
    match (code, error) {
        (_, Some(error)) if error == "access_denied" => Err(denied()),
        (Some(code), None) if !code.is_empty() => Ok(code),
        // Anyone can send the text in the address, so it is not repeated.
        _ => Err(Error::new(
            ErrorKind::SignInFailed,
            "IAM Identity Center refused the sign-in: try again, or sign in with a device code",
        )),
    }
}

pub(super) fn denied() -> Error {
    Error::new(
        ErrorKind::SignInFailed,
        "the sign-in was denied: sign in again, and allow the access",
    )
}

fn not_ours() -> Error {
    Error::new(
        ErrorKind::SignInFailed,
        "the browser returned the answer of another sign-in: sign in again, and use the page that \
         it opens",
    )
}

fn page(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let html = format!("<!doctype html>\n<title>bsm</title>\n<p>{text}\n");
    let mut response = Response::new(Full::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        "text/html; charset=utf-8".parse().expect("it is a header"),
    );
    // The address of this page contains the code.
    headers.insert(CACHE_CONTROL, "no-store".parse().expect("it is a header"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_must_repeat_the_state_and_have_a_code() {
        let table = [
            ("code=c&state=s", Some("c")),
            ("state=s&code=c%20d&more=1", Some("c d")),
            ("code=c&state=other", None),
            ("code=c", None),
            ("", None),
            ("state=s", None),
            ("code=&state=s", None),
            ("error=access_denied&state=s", None),
            ("code=c&error=server_error&state=s", None),
        ];
        for (query, code) in table {
            let answer = read_answer(query, "s");
            assert_eq!(
                answer.as_ref().ok().map(|code| code.as_str()),
                code,
                "{query}"
            );
            if let Err(error) = answer {
                assert_eq!(error.kind(), ErrorKind::SignInFailed, "{query}");
            }
        }
    }
}
