//! A request as it came, and which operation of which service it asks for.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use crate::answer::Protocol;

/// The XML namespace of STS.
pub(crate) const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The XML namespace of IAM.
pub(crate) const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// A request with its whole body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn new(parts: Parts, body: Bytes) -> Self {
        Self {
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            body,
        }
    }

    /// Returns a header's value if it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The services that are served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    DynamoDb,
    Sts,
    Iam,
    /// Anything else, which is refused.
    Unknown,
}

impl Service {
    /// Returns how the service writes its answers.
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::DynamoDb => Protocol::Json,
            Self::Sts | Self::Unknown => Protocol::Query(STS_NAMESPACE),
            Self::Iam => Protocol::Query(IAM_NAMESPACE),
        }
    }
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) service: Service,
    /// The service as its requests are signed: `dynamodb`, `sts`, `iam`, or what the client wrote.
    pub(crate) service_name: String,
    /// The operation as the client wrote it, empty if it wrote none.
    pub(crate) operation: String,
    pub(crate) form: Form,
}

impl Target {
    /// Reads the target from the request; `signed_service` is the service in the signature's scope.
    pub(crate) fn of(request: &Request, signed_service: Option<&str>) -> Self {
        if let Some(target) = request.header("x-amz-target") {
            return Self::from_header(target, signed_service);
        }
        let form = Form::of(request);
        let service = match signed_service {
            Some("sts") => Service::Sts,
            Some("iam") => Service::Iam,
            Some(_) => Service::Unknown,
            // An unsigned request says which API it means by that API's version only.
            None if form.get("Version") == Some("2010-05-08") => Service::Iam,
            None => Service::Sts,
        };
        let service_name = match service {
            Service::Iam => "iam",
            Service::Sts => "sts",
            _ => signed_service.unwrap_or_default(),
        };
        let operation = form.get("Action").unwrap_or_default().to_owned();
        Self {
            service,
            service_name: service_name.to_owned(),
            operation,
            form,
        }
    }

    fn from_header(target: &str, signed_service: Option<&str>) -> Self {
        let (api, operation) = target.split_once('.').unwrap_or((target, ""));
        let is_dynamodb = matches!(api, "DynamoDB_20120810" | "DynamoDBStreams_20120810");
        // Every other JSON service is refused in the form a JSON client can read.
        let service_name = if is_dynamodb {
            "dynamodb"
        } else {
            signed_service.unwrap_or(api)
        };
        Self {
            service: Service::DynamoDb,
            service_name: service_name.to_owned(),
            operation: if is_dynamodb {
                operation.to_owned()
            } else {
                target.to_owned()
            },
            form: Form::default(),
        }
    }
}

/// The parameters of a query-protocol request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    fn of(request: &Request) -> Self {
        let query = request.uri.query().unwrap_or_default().as_bytes();
        let fields = form_urlencoded::parse(query).chain(form_urlencoded::parse(&request.body));
        let owned = fields.map(|(name, value)| (name.into_owned(), value.into_owned()));
        Self(owned.collect())
    }

    /// Returns a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns a list parameter: `Name.member.1`, `Name.member.2` and so on, each with `suffix`.
    pub(crate) fn list(&self, name: &str, suffix: &str) -> Vec<&str> {
        (1..)
            .map_while(|index| self.get(&format!("{name}.member.{index}{suffix}")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_parameters_are_read_in_order() {
        let fields = [
            ("Tags.member.2.Key", "b"),
            ("Tags.member.1.Key", "a"),
            ("Tags.member.4.Key", "d"),
        ];
        let form = Form(
            fields
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
        );
        assert_eq!(form.list("Tags", ".Key"), ["a", "b"]);
    }
}
