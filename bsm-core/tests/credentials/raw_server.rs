//! A server below HTTP: it counts connections, and can respond as slowly as it likes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// GetCallerIdentity's response.
const IDENTITY: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
    <Arn>arn:aws:iam::111111111111:user/dev</Arn><UserId>AIDA</UserId><Account>111111111111</Account>\
    </GetCallerIdentityResult></GetCallerIdentityResponse>";

pub(crate) struct RawServer {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl RawServer {
    /// Starts a server that responds at once.
    pub(crate) fn start() -> Self {
        Self::with_pause(Duration::ZERO)
    }

    /// Starts a server that pauses before each byte of a response.
    pub(crate) fn with_pause(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || serve(connection, pause));
            }
        });
        Self { url, connections }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Responds to every request of a connection, until the client closes it.
fn serve(mut connection: TcpStream, pause: Duration) -> Option<()> {
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n{IDENTITY}",
        IDENTITY.len()
    );
    loop {
        read_request(&mut connection)?;
        if pause.is_zero() {
            connection.write_all(response.as_bytes()).ok()?;
            continue;
        }
        for byte in response.bytes() {
            thread::sleep(pause);
            connection.write_all(&[byte]).ok()?;
        }
    }
}

fn read_request(connection: &mut TcpStream) -> Option<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(head) = request.windows(4).position(|end| end == b"\r\n\r\n") {
            let headers = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length = headers
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if request.len() >= head + 4 + length {
                return Some(());
            }
        }
        match connection.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(length) => request.extend_from_slice(&chunk[..length]),
        }
    }
}
