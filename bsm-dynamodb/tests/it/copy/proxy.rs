//! A DynamoDB endpoint that answers some requests itself, and passes the others on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use bsm_core::BotoSesManager;
use serde_json::Value;

use crate::support::Playground;

/// Starts an endpoint before another one. The closure gets the operation and the request's body, and
/// returns the answer, or `None` to pass the request on.
pub(crate) fn start(
    endpoint: &str,
    mut answer: impl FnMut(&str, &Value) -> Option<Value> + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let address = endpoint.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let (mut head, mut length, mut operation) = (String::new(), 0, String::new());
            while connection.read_line(&mut head).is_ok_and(|read| read > 2) {
                let header = head.lines().next_back().unwrap();
                let lower = header.to_ascii_lowercase();
                if lower.starts_with("x-amz-target:") {
                    operation = header.rsplit('.').next().unwrap().to_owned();
                }
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            if connection.read_exact(&mut body).is_err() {
                continue;
            }
            let close = "connection: close\r\n";
            let request = serde_json::from_slice(&body).unwrap_or_default();
            if let Some(answer) = answer(&operation, &request) {
                let answer = answer.to_string();
                let length = answer.len();
                let head = format!("HTTP/1.1 200 OK\r\n{close}content-length: {length}\r\n\r\n");
                // A copy that has failed drops its other requests.
                _ = write!(connection.get_mut(), "{head}{answer}");
                continue;
            }
            let mut server = TcpStream::connect(&address).unwrap();
            let head = head.trim_end();
            write!(server, "{head}\r\n{close}\r\n").unwrap();
            server.write_all(&body).unwrap();
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).unwrap();
            _ = connection.get_mut().write_all(&answer);
        }
    });
    url
}

/// A manager whose DynamoDB is behind the endpoint.
pub(crate) fn manager(local: &Playground, profile: &str, url: String) -> BotoSesManager {
    let builder = local.builder().profile_name(profile);
    let builder = builder.time_source(local.aws.clock());
    builder.service_endpoint_url("dynamodb", url).build()
}
