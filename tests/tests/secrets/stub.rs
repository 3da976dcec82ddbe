//! A server on loopback that responds with what a test tells it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_smithy_types::retry::RetryConfig;
use bsm_core::{BotoSesManager, Builder};

/// Responds to every request in the same way, until the response is changed.
pub(crate) struct Stub {
    url: String,
    responses: Arc<Mutex<Responses>>,
}

#[derive(Default)]
struct Responses {
    to_all: Vec<u8>,
    /// Other responses, by the path of the request.
    by_path: HashMap<&'static str, Vec<u8>>,
}

/// Stands for the body of the request in a response.
pub(crate) const ECHO: &str = "{ECHO}";

impl Stub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let responses = Arc::<Mutex<Responses>>::default();
        let shared = Arc::clone(&responses);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away early is not the test's subject.
                let _ = respond(stream, &shared);
            }
        });
        Self {
            url: format!("http://{address}"),
            responses,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sets the whole response, status line and all.
    pub(crate) fn respond_raw(&self, response: impl Into<Vec<u8>>) {
        self.responses().to_all = response.into();
    }

    /// Sets the body of successful responses to one path.
    pub(crate) fn respond_at(&self, path: &'static str, body: &str) {
        let response = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}");
        self.responses().by_path.insert(path, response.into());
    }

    /// Responds to a path as to all others.
    pub(crate) fn reset_at(&self, path: &'static str) {
        self.responses().by_path.remove(path);
    }

    fn responses(&self) -> MutexGuard<'_, Responses> {
        self.responses.lock().expect("no thread panics")
    }

    pub(crate) fn respond(&self, status: u16, body: &str) {
        self.respond_raw(format!(
            "HTTP/1.1 {status} X\r\nx-amzn-requestid: 0a1b2c3d\r\nconnection: close\r\n\r\n{body}"
        ));
    }

    /// A manager that sends everything to the stub, once.
    pub(crate) fn builder(&self) -> Builder {
        BotoSesManager::builder()
            .region("us-east-1")
            .endpoint_url(&self.url)
            .retry_config(RetryConfig::disabled())
            .config_file("/nowhere/config")
            .shared_credentials_file("/nowhere/credentials")
            .environment([])
    }
}

fn respond(mut stream: TcpStream, responses: &Mutex<Responses>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    line.clear();
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let response = {
        let responses = responses.lock().expect("no thread panics");
        let by_path = responses.by_path.get(path.as_str());
        by_path.unwrap_or(&responses.to_all).clone()
    };
    let response = match String::from_utf8(response) {
        Ok(text) => text
            .replace(ECHO, &String::from_utf8_lossy(&body))
            .into_bytes(),
        Err(error) => error.into_bytes(),
    };
    stream.write_all(&response)?;
    stream.shutdown(Shutdown::Both)
}
