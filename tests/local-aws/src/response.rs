//! Responses: the result of an operation, or an error with AWS's code and message.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::ids;
use crate::service::{Protocol, Service};

/// A response that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// The headers of the operation. They take precedence over those that every response has.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) request_id: String,
    pub(crate) error: Option<ErrorResponse>,
}

impl Response {
    fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            content_type,
            headers: HeaderMap::new(),
            body: body.into(),
            request_id: ids::request_id(),
            error: None,
        }
    }

    /// Creates a successful JSON response.
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Self::ok("application/x-amz-json-1.0", body)
    }

    /// Creates a successful response of a REST service.
    pub(crate) fn rest_json(body: Value) -> Self {
        Self::ok("application/json", body.to_string())
    }

    /// Creates a successful response with text.
    pub(crate) fn text(body: String) -> Self {
        Self::ok("text/plain", body)
    }

    /// Creates a web page.
    pub(crate) fn page(body: String) -> Self {
        Self::ok("text/html", body)
    }

    /// Creates a redirect.
    pub(crate) fn redirect(location: String) -> Self {
        Self {
            status: 302,
            ..Self::ok("text/plain", "")
        }
        .with_header("location", &location)
    }

    /// Adds the header in which REST services name an error.
    fn of_protocol(self, protocol: Protocol, code: &str) -> Self {
        match protocol {
            Protocol::RestJson => self.with_header("x-amzn-errortype", code),
            _ => self,
        }
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        // A value with a line break cannot be a header, and is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Creates a successful response to a query operation. `result` is the XML inside the result
    /// element.
    pub(crate) fn xml(namespace: &str, operation: &str, result: &str) -> Self {
        let request_id = ids::request_id();
        let body = format!(
            "<{operation}Response xmlns=\"{namespace}\">\n  <{operation}Result>\n{result}  \
             </{operation}Result>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  \
             </ResponseMetadata>\n</{operation}Response>\n"
        );
        Self {
            request_id,
            ..Self::ok("text/xml", body)
        }
    }

    /// Creates a response of S3.
    #[cfg(feature = "s3")]
    pub(crate) fn rest(status: u16, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: "application/xml",
            headers,
            body: body.into(),
            request_id: ids::request_id(),
            error: None,
        }
    }
}

/// An error as a service reports it: HTTP status, code and message.
#[derive(Clone, Debug)]
pub(crate) struct ErrorResponse {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// The complete body, if the DynamoDB engine wrote it.
    pub(crate) body: Option<String>,
}

impl ErrorResponse {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            body: None,
        }
    }

    /// Creates the error with which a service reports its own failure.
    pub(crate) fn internal(service: Service) -> Self {
        match service {
            Service::DynamoDb => Self::new(500, "InternalServerError", "Internal server error"),
            #[cfg(feature = "s3")]
            Service::S3 => Self::new(
                500,
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
            _ => Self::new(
                500,
                "InternalFailure",
                "The request processing has failed because of an unknown error, exception or \
                 failure.",
            ),
        }
    }

    /// Encodes the error for `protocol`.
    pub(crate) fn into_response(mut self, protocol: Protocol) -> Response {
        let request_id = ids::request_id();
        let (content_type, body) = match protocol {
            Protocol::Json => (
                "application/x-amz-json-1.0",
                // The engine's body has members that only it knows, such as the reasons of a
                // cancelled transaction.
                self.body.take().unwrap_or_else(|| self.json()),
            ),
            Protocol::RestJson => (
                "application/json",
                self.body.take().unwrap_or_else(|| self.rest_json()),
            ),
            Protocol::Query(namespace) => ("text/xml", self.xml(namespace, &request_id)),
            #[cfg(feature = "s3")]
            Protocol::RestXml => ("application/xml", self.rest_xml(&request_id)),
        };
        let status = self.status;
        let code = self.code.clone();
        Response {
            status,
            content_type,
            headers: HeaderMap::new(),
            body: body.into(),
            request_id,
            error: Some(self),
        }
        .of_protocol(protocol, &code)
    }

    fn json(&self) -> String {
        // DynamoDB defines the first group of errors. The others come from the framework it is built
        // on, and their `__type` has another namespace.
        let shape = match self.code.as_str() {
            "AccessDeniedException"
            | "InternalServerError"
            | "ProvisionedThroughputExceededException"
            | "ResourceNotFoundException" => "com.amazonaws.dynamodb.v20120810",
            _ => "com.amazon.coral.service",
        };
        json!({ "__type": format!("{shape}#{}", self.code), "message": self.message }).to_string()
    }

    #[cfg(feature = "s3")]
    fn rest_xml(&self, request_id: &str) -> String {
        let (code, message) = (escape(&self.code), escape(&self.message));
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
        )
    }

    fn rest_json(&self) -> String {
        json!({ "code": self.code, "message": self.message }).to_string()
    }

    fn xml(&self, namespace: &str, request_id: &str) -> String {
        let fault = if self.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        let (code, message) = (escape(&self.code), escape(&self.message));
        format!(
            "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{fault}</Type>\n    \
             <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
             <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
        )
    }
}

/// Formats an XML element that contains text, indented as inside a result.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("    <{name}>{}</{name}>\n", escape(text))
}

/// Escapes text for XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_in_xml() {
        assert_eq!(
            element("Name", "a<b>&c"),
            "    <Name>a&lt;b&gt;&amp;c</Name>\n"
        );
    }

    #[test]
    fn the_error_type_is_sender_below_500_and_receiver_from_500() {
        let body = |status| {
            let error = ErrorResponse::new(status, "Code", "message");
            let response = error.into_response(Protocol::Query("ns"));
            String::from_utf8(response.body.to_vec()).expect("XML is UTF-8")
        };
        assert!(body(403).contains("<Type>Sender</Type>"));
        assert!(body(503).contains("<Type>Receiver</Type>"));
    }
}
