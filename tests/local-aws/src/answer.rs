//! What goes back to a client: a result, or an error in the words and the form of AWS.

use bytes::Bytes;
use serde_json::json;

use crate::ids;

/// How a service writes its requests and answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    /// JSON bodies and `x-amz-target`: DynamoDB.
    Json,
    /// Form requests and XML answers in this namespace: STS and IAM.
    Query(&'static str),
}

/// An answer that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    pub(crate) request_id: String,
    pub(crate) error: Option<Refusal>,
}

impl Answer {
    /// Makes a successful JSON answer.
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            content_type: "application/x-amz-json-1.0",
            body: body.into(),
            request_id: ids::request_id(),
            error: None,
        }
    }

    /// Makes a successful answer to a query operation; `result` is the XML inside its result.
    pub(crate) fn xml(namespace: &str, operation: &str, result: &str) -> Self {
        let request_id = ids::request_id();
        let body = format!(
            "<{operation}Response xmlns=\"{namespace}\">\n  <{operation}Result>\n{result}  \
             </{operation}Result>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  \
             </ResponseMetadata>\n</{operation}Response>\n"
        );
        Self {
            status: 200,
            content_type: "text/xml",
            body: body.into(),
            request_id,
            error: None,
        }
    }
}

/// An error as a service reports it: HTTP status, code and message.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// The whole body, where the engine has written it.
    pub(crate) body: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            body: None,
        }
    }

    /// Writes the error as `protocol` has it.
    pub(crate) fn into_answer(mut self, protocol: Protocol) -> Answer {
        let request_id = ids::request_id();
        let (content_type, body) = match protocol {
            Protocol::Json => (
                "application/x-amz-json-1.0",
                self.body.take().unwrap_or_else(|| self.json()),
            ),
            Protocol::Query(namespace) => ("text/xml", self.xml(namespace, &request_id)),
        };
        let status = self.status;
        Answer {
            status,
            content_type,
            body: body.into(),
            request_id,
            error: Some(self),
        }
    }

    fn json(&self) -> String {
        let shape = match self.code.as_str() {
            // These are DynamoDB's own; the others belong to the framework under it.
            "AccessDeniedException"
            | "InternalServerError"
            | "ProvisionedThroughputExceededException"
            | "ResourceNotFoundException" => "com.amazonaws.dynamodb.v20120810",
            _ => "com.amazon.coral.service",
        };
        json!({ "__type": format!("{shape}#{}", self.code), "message": self.message }).to_string()
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

/// Writes one XML element with text in it, indented as in a result.
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
    fn text_cannot_break_out_of_xml() {
        assert_eq!(
            element("Name", "a<b>&c"),
            "    <Name>a&lt;b&gt;&amp;c</Name>\n"
        );
    }

    #[test]
    fn an_error_is_the_senders_below_500() {
        let body = |status| {
            let answer = Refusal::new(status, "Code", "message").into_answer(Protocol::Query("ns"));
            String::from_utf8(answer.body.to_vec()).expect("XML is UTF-8")
        };
        assert!(body(403).contains("<Type>Sender</Type>"));
        assert!(body(503).contains("<Type>Receiver</Type>"));
    }
}
