//! HTTP clients whose errors name the endpoint, which the SDK's do not.

use std::fmt;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::wrapped::wrapped;
use crate::endpoint;

/// Returns an HTTP client whose errors name the endpoint.
pub(crate) fn naming_endpoints(client: SharedHttpClient) -> SharedHttpClient {
    wrapped("NamesEndpoints", client, name_endpoint)
}

/// Returns a connector whose errors name the endpoint, and which sends nothing to an endpoint that
/// stands for a malformed one.
pub(super) fn name_endpoint(connector: SharedHttpConnector) -> SharedHttpConnector {
    SharedHttpConnector::new(NamesEndpoint(connector))
}

#[derive(Debug)]
struct NamesEndpoint(SharedHttpConnector);

impl HttpConnector for NamesEndpoint {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let url = request.uri().to_owned();
        if endpoint::is_unusable(&url) {
            let error = Box::new(endpoint::unusable());
            return HttpConnectorFuture::ready(Err(ConnectorError::user(error)));
        }
        let response = self.0.call(request);
        HttpConnectorFuture::new(async move {
            match response.await {
                Ok(response) => Ok(response),
                Err(error) => Err(at_endpoint(&url, error)),
            }
        })
    }
}

/// Adds the endpoint to an error that otherwise stays what it is: retries depend on its kind.
fn at_endpoint(url: &str, error: ConnectorError) -> ConnectorError {
    let Some(endpoint) = endpoint::origin(url) else {
        return error;
    };
    let other = error.as_other();
    let constructor = match &error {
        error if error.is_timeout() => ConnectorError::timeout,
        error if error.is_user() => ConnectorError::user,
        error if error.is_io() => ConnectorError::io,
        _ => |source| ConnectorError::other(source, None),
    };
    let connection = error.connection_metadata().cloned();
    let source = Box::new(AtEndpoint {
        endpoint,
        source: error.into_source(),
    });
    let error = match other {
        Some(_) => ConnectorError::other(source, other),
        None => constructor(source),
    };
    match connection {
        Some(connection) => error.with_connection(connection),
        None => error,
    }
}

/// The endpoint of a request that got no response, and why.
#[derive(Debug)]
pub(crate) struct AtEndpoint {
    endpoint: String,
    source: BoxError,
}

impl AtEndpoint {
    /// Returns the scheme, host and port.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Display for AtEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no response from {}", self.endpoint)
    }
}

impl std::error::Error for AtEndpoint {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_to_an_unusable_endpoint_is_not_sent_whatever_its_prefix() {
        #[derive(Debug)]
        struct Unreached;
        impl HttpConnector for Unreached {
            fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
                panic!("sent to {}", request.uri());
            }
        }

        let connector = name_endpoint(SharedHttpConnector::new(Unreached));
        for url in [
            endpoint::UNUSABLE.to_owned(),
            endpoint::UNUSABLE.replace("://", "://bucket."),
        ] {
            let mut request = HttpRequest::new(aws_smithy_types::body::SdkBody::empty());
            request.set_uri(url).unwrap();
            let error = connector.call(request).await.unwrap_err();
            assert!(error.is_user(), "{error:?}");
        }
    }
}
