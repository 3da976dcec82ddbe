//! What the server answers.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::failure::Failure;

/// An answer: a status, and text or JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    content_type: &'static str,
    pub(super) body: String,
    header: Option<(HeaderName, String)>,
}

impl Answer {
    pub(super) fn text(body: impl Into<String>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: "text/plain",
            body: body.into(),
            header: None,
        }
    }

    pub(super) fn json(value: &Value) -> Self {
        Self {
            content_type: "application/json",
            ..Self::text(value.to_string())
        }
    }

    /// An answer that says nothing but its status.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            ..Self::text("")
        }
    }

    /// The session has no credentials. AWS clients repeat a request that fails with this status.
    pub(super) fn unavailable(failure: &Failure) -> Self {
        let (code, message) = (failure.kind(), failure.message());
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..Self::json(&json!({ "code": code, "message": message }))
        }
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: String) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        // Answers contain keys, which no cache may keep.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // The only value is a number, so parsing it does not fail.
        if let Some((name, value)) = self.header
            && let Ok(value) = value.parse()
        {
            headers.insert(name, value);
        }
        response
    }
}
