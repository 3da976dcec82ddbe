//! HTTP clients that read only so much of a response.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

use super::wrapped::wrapped;

/// How much of a response is read. The longest of those that this crate asks for are a few KiB.
const MAX_RESPONSE: usize = 1024 * 1024;

/// Returns an HTTP client that fails on a longer response, for requests of this crate's own.
pub(crate) fn bounded(client: SharedHttpClient) -> SharedHttpClient {
    wrapped("Bounded", client, |connector| {
        SharedHttpConnector::new(Bounded(connector))
    })
}

#[derive(Debug)]
struct Bounded(SharedHttpConnector);

impl HttpConnector for Bounded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let response = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let response = response.await?;
            Ok(response.map(|body| SdkBody::from_body_1_x(Limited::new(body, MAX_RESPONSE))))
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::{HttpClient as _, http_client_fn};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
    use http_body_util::BodyExt as _;

    use super::*;

    #[derive(Clone, Debug)]
    struct Answers(usize);

    impl HttpConnector for Answers {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let body = SdkBody::from(vec![0; self.0]);
            let response = HttpResponse::new(200.try_into().unwrap(), body);
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    #[tokio::test]
    async fn a_longer_response_is_not_read() {
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        for (length, is_read) in [(MAX_RESPONSE, true), (MAX_RESPONSE + 1, false)] {
            let client = http_client_fn(move |_, _| SharedHttpConnector::new(Answers(length)));
            let connector = bounded(client).http_connector(&Default::default(), &components);
            let response = connector.call(HttpRequest::new(SdkBody::empty())).await;
            let body = response.unwrap().into_body().collect().await;
            assert_eq!(body.is_ok(), is_read, "{length}");
        }
    }
}
