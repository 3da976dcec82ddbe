//! A GET request that is not one of an AWS API: that for the credentials of a container.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_sts::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::TransientErrorClassifier;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

/// A GET request, with the HTTP client, clock, retries and time-outs of a configuration.
pub(crate) struct Get<'a> {
    /// What responds, for the SDK's metrics and its retry quota.
    pub(crate) service: &'static str,
    /// Scheme, host and port.
    pub(crate) origin: &'a str,
    pub(crate) path_and_query: &'a str,
    pub(crate) authorization: Option<&'a str>,
}

/// A response that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Refused {
    metadata: ErrorMetadata,
    may_pass: bool,
}

impl Refused {
    /// `code` is that of the service, and `may_pass` is `true` if a retry may succeed.
    pub(crate) fn new(code: Option<String>, may_pass: bool) -> Self {
        let mut metadata = ErrorMetadata::builder();
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        Self {
            metadata: metadata.build(),
            may_pass,
        }
    }
}

impl Get<'_> {
    /// Sends the request, and again where it may succeed: `read` returns what is in a response.
    pub(crate) async fn send<T>(
        &self,
        config: &SdkConfig,
        read: impl Fn(&HttpResponse) -> Result<T, Refused> + Send + Sync + 'static,
    ) -> Result<T, SdkError<Refused, HttpResponse>>
    where
        T: fmt::Debug + Send + Sync + 'static,
    {
        let retries = config.retry_config().cloned();
        let timeouts = config.timeout_config().cloned();
        let mut operation = Operation::builder()
            .service_name(self.service)
            .operation_name("Get")
            .endpoint_url(self.origin)
            // The token of a container is a header, and no signature.
            .no_auth()
            // A retry gets a new connection, and not the one that failed.
            .with_connection_poisoning()
            .standard_retry(&retries.unwrap_or_else(RetryConfig::standard))
            // The SDK's classifiers of error codes know the modelled services only.
            .retry_classifier(MayPass)
            // `MayPass` sees responses only; this one sees time-outs and broken connections.
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .timeout_config(timeouts.unwrap_or_else(|| TimeoutConfig::builder().build()))
            .time_source(config.time_source().unwrap_or_default());
        if let Some(version) = config.behavior_version() {
            operation = operation.behavior_version(version);
        }
        if let Some(http_client) = config.http_client() {
            operation = operation.http_client(http_client);
        }
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        let path = self.path_and_query.to_owned();
        let authorization = self.authorization.map(str::to_owned);
        let operation = operation
            .serializer(move |()| {
                let mut request = HttpRequest::new(SdkBody::empty());
                // Without an origin, which the operation's endpoint adds.
                request.set_uri(path.clone())?;
                let headers = request.headers_mut();
                headers.try_insert("accept", "application/json")?;
                if let Some(authorization) = &authorization {
                    headers.try_insert("authorization", authorization.clone())?;
                }
                Ok(request)
            })
            .deserializer(move |response| read(response).map_err(OrchestratorError::operation))
            .build();
        operation.invoke(()).await
    }
}

/// Retries what [`Refused`] says may pass.
#[derive(Debug)]
struct MayPass;

impl ClassifyRetry for MayPass {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let refused = context.output_or_error().and_then(|outcome| {
            let error = outcome.err()?.as_operation_error()?;
            error.downcast_ref::<Refused>()
        });
        match refused {
            Some(refused) if refused.may_pass => RetryAction::server_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "MayPass"
    }
}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.metadata
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response has no credentials")
    }
}

impl StdError for Refused {}
