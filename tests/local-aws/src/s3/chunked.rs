//! Bodies in the `aws-chunked` encoding, in which clients send a checksum behind the object.
//!
//! The signatures of chunks are not verified: the checksum shows damage, and forgery does not matter
//! in tests.
//!
//! See <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use bytes::{Buf as _, Bytes};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::request::Request;
use crate::response::ErrorResponse;

const CONTENT_HASH: &str = "x-amz-content-sha256";

/// Returns headers and body of a request without signature and without chunks.
///
/// The signature has been verified, and s3s would verify it again by the machine's time. Checksums in
/// trailers become headers, so that s3s verifies them.
pub(super) fn plain(request: &Request) -> Result<(HeaderMap, Bytes), ErrorResponse> {
    let mut headers = request.headers.clone();
    let body = match request.header(CONTENT_HASH) {
        Some(hash) if hash.starts_with("STREAMING-") => {
            let (body, trailers) = decode(request.body.clone()).ok_or_else(incomplete)?;
            headers.extend(trailers);
            body
        }
        _ => request.body.clone(),
    };
    let encoding = request
        .header(CONTENT_ENCODING.as_str())
        .unwrap_or_default();
    let encodings = encoding.split(',').map(str::trim);
    let encodings: Vec<_> = encodings
        .filter(|encoding| !encoding.is_empty() && *encoding != "aws-chunked")
        .collect();
    match HeaderValue::from_str(&encodings.join(",")) {
        Ok(encoding) if !encoding.is_empty() => _ = headers.insert(CONTENT_ENCODING, encoding),
        _ => _ = headers.remove(CONTENT_ENCODING),
    }
    for name in [
        AUTHORIZATION.as_str(),
        TRANSFER_ENCODING.as_str(),
        CONTENT_HASH,
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-trailer",
        "x-amz-trailer-signature",
    ] {
        headers.remove(name);
    }
    headers.insert(CONTENT_LENGTH, body.len().into());
    Ok((headers, body))
}

/// Decodes a body. Returns `None` if it is malformed.
fn decode(mut body: Bytes) -> Option<(Bytes, HeaderMap)> {
    let mut decoded = Vec::with_capacity(body.len());
    loop {
        let line = take_line(&mut body)?;
        // A signed chunk has its signature behind the size.
        let size = line.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            break;
        }
        // `split_to` panics beyond the end.
        if body.len() < size {
            return None;
        }
        decoded.extend_from_slice(&body.split_to(size));
        (take_line(&mut body)?.is_empty()).then_some(())?;
    }
    let mut trailers = HeaderMap::new();
    while !body.is_empty() {
        let line = take_line(&mut body)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        trailers.insert(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some((decoded.into(), trailers))
}

fn take_line(body: &mut Bytes) -> Option<String> {
    let end = body.windows(2).position(|bytes| bytes == b"\r\n")?;
    let line = String::from_utf8(body.split_to(end).to_vec()).ok()?;
    body.advance(2);
    Some(line)
}

fn incomplete() -> ErrorResponse {
    let message = "The request body terminated unexpectedly";
    ErrorResponse::new(400, "IncompleteBody", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_and_trailers_are_decoded() {
        let body = Bytes::from_static(
            b"3\r\nabc\r\n2\r\n\r\n\r\n0;chunk-signature=a\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
        );
        let (decoded, trailers) = decode(body).expect("the body is complete");
        assert_eq!(decoded, "abc\r\n");
        assert_eq!(trailers["x-amz-checksum-crc32"], "AAAA");
    }

    #[test]
    fn truncated_bodies_are_malformed() {
        for body in ["", "3\r\nab", "3\r\nabcd\r\n", "x\r\n", "3\r\nabc\r\n"] {
            assert!(
                decode(Bytes::from_static(body.as_bytes())).is_none(),
                "{body:?}"
            );
        }
    }
}
