//! A received request, and the service and operation it is for.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use crate::service::Service;

/// A request with its complete body.
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

    /// Returns the scheme and host that the client used.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.header("host").unwrap_or("127.0.0.1"))
    }

    /// Returns the value of a header if the header exists and its value is ASCII text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The service and operation a request is for.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) service: Service,
    /// The signing name of the service: `dynamodb`, `s3`, `sts` or `iam`, or the name the client sent.
    pub(crate) service_name: String,
    /// The operation as the client sent it; empty if it sent none.
    pub(crate) operation: String,
    pub(crate) form: Form,
}

impl Target {
    /// Reads the target from a request. `signed_service` is the service in the credential scope of
    /// the signature.
    pub(crate) fn from_request(request: &Request, signed_service: Option<&str>) -> Self {
        if let Some(target) = request.header("x-amz-target") {
            return Self::from_header(target, signed_service);
        }
        // Before the paths of other services, because a key of S3 can look like one of them.
        #[cfg(feature = "s3")]
        if signed_service == Some("s3") {
            return Self {
                service: Service::S3,
                service_name: "s3".to_owned(),
                operation: crate::s3::operation_of(request).to_owned(),
                form: Form::default(),
            };
        }
        if let Some(target) = Self::from_path(request) {
            return target;
        }
        let form = Form::from_request(request);
        let service = match signed_service {
            Some("sts") => Service::Sts,
            Some("iam") => Service::Iam,
            Some(_) => Service::Unknown,
            // STS and IAM have one endpoint here, so only the API version of an unsigned request
            // shows which of the two it is for.
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

    /// Reads the target from the path, which STS, IAM and DynamoDB don't have.
    fn from_path(request: &Request) -> Option<Self> {
        let (service, service_name, operation) = match (&request.method, request.uri.path()) {
            (&Method::POST, "/client/register") => (Service::Sso, "sso-oidc", "RegisterClient"),
            (&Method::POST, "/device_authorization") => {
                (Service::Sso, "sso-oidc", "StartDeviceAuthorization")
            }
            (&Method::POST, "/token") => (Service::Sso, "sso-oidc", "CreateToken"),
            (&Method::GET, "/authorize") => (Service::Sso, "sso-oidc", "Authorize"),
            (&Method::GET, "/device") => (Service::Sso, "sso-oidc", "Device"),
            (&Method::GET, "/federation/credentials") => {
                (Service::Sso, "sso", "GetRoleCredentials")
            }
            (&Method::GET, "/assignment/accounts") => (Service::Sso, "sso", "ListAccounts"),
            (&Method::GET, "/assignment/roles") => (Service::Sso, "sso", "ListAccountRoles"),
            (&Method::POST, "/logout") => (Service::Sso, "sso", "Logout"),
            // A metadata endpoint may have a path in front.
            (&Method::PUT, path) if path.ends_with("/latest/api/token") => {
                (Service::Instance, "imds", "GetToken")
            }
            (&Method::GET, path) if path.contains("/latest/") => {
                (Service::Instance, "imds", "GetMetadata")
            }
            (&Method::GET, path) if path.starts_with("/v2/credentials/") => {
                (Service::Container, "container", "GetCredentials")
            }
            _ => return None,
        };
        Some(Self {
            service,
            service_name: service_name.to_owned(),
            operation: operation.to_owned(),
            form: Form::default(),
        })
    }

    fn from_header(target: &str, signed_service: Option<&str>) -> Self {
        let (api, operation) = target.split_once('.').unwrap_or((target, ""));
        if api == "AWSOrganizationsV20161128" {
            return Self {
                service: Service::Organizations,
                service_name: "organizations".to_owned(),
                operation: operation.to_owned(),
                form: Form::default(),
            };
        }
        let is_dynamodb = matches!(api, "DynamoDB_20120810" | "DynamoDBStreams_20120810");
        // DynamoDB stands for every JSON service, so that a client of another one (such as SSM)
        // gets an error that it can parse.
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
    pub(crate) fn from_request(request: &Request) -> Self {
        let query = request.uri.query().unwrap_or_default().as_bytes();
        // Clients send the parameters in the query of a GET, or in the body of a POST.
        let fields = form_urlencoded::parse(query).chain(form_urlencoded::parse(&request.body));
        let owned = fields.map(|(name, value)| (name.into_owned(), value.into_owned()));
        Self(owned.collect())
    }

    /// Reads the query of a request.
    pub(crate) fn of_query(request: &Request) -> Self {
        let query = request.uri.query().unwrap_or_default().as_bytes();
        let fields = form_urlencoded::parse(query);
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

    /// Returns the values of a list parameter: `Name.member.1`, `Name.member.2` and so on, each
    /// followed by `suffix`.
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
    fn list_parameters_are_read_in_order_up_to_the_first_gap() {
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
