//! The bodies of requests and responses as bytes, inside an operation of the SDK.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

/// Sends a body of our own, or receives the body of a success, in place of what the SDK would encode
/// and decode.
///
/// Use one for one request. The SDK still decodes the body of a failure, so errors stay typed.
#[derive(Clone, Default)]
pub(crate) struct BodyInterceptor {
    request: Option<Bytes>,
    response: Option<Receiver>,
}

/// Takes the place of the SDK's deserializer.
#[derive(Clone)]
struct Receiver {
    body: Arc<Mutex<Option<Bytes>>>,
    /// Creates what the operation returns. The SDK requires a value of its type.
    output: fn() -> Output,
}

/// Shows no body: it has the values of items.
impl fmt::Debug for BodyInterceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyInterceptor").finish_non_exhaustive()
    }
}

/// As for [`BodyInterceptor`].
impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl BodyInterceptor {
    /// Replaces the body of the request.
    pub(crate) fn sending(self, body: Vec<u8>) -> Self {
        let request = Some(body.into());
        Self { request, ..self }
    }

    /// Receives the body of the response; the operation returns an empty `output`.
    pub(crate) fn receiving(self, output: fn() -> Output) -> Self {
        let body = Arc::default();
        let response = Some(Receiver { body, output });
        Self { response, ..self }
    }

    /// Returns the body of the response after the operation has succeeded.
    pub(crate) fn received(&self) -> Bytes {
        let body = self.response.as_ref().and_then(|response| {
            let mut body = response.body.lock().unwrap_or_else(PoisonError::into_inner);
            body.take()
        });
        // The parsers of bodies refuse an empty one, so a body that never arrived becomes an error.
        body.unwrap_or_default()
    }
}

impl Intercept for BodyInterceptor {
    fn name(&self) -> &'static str {
        "BodyInterceptor"
    }

    // After the serialization, so that the SDK sets the target of the request, and before the retries,
    // so that each attempt signs and sends this body.
    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(body) = &self.request {
            let request = context.request_mut();
            let length = body.len().to_string();
            // The SDK has set the length of the body that it serialized.
            request.headers_mut().insert("content-length", length);
            *request.body_mut() = SdkBody::from(body.clone());
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(receiver) = &self.response
            && context.response().status().is_success()
        {
            let deserializer = SharedResponseDeserializer::new(receiver.clone());
            config.interceptor_state().store_put(deserializer);
        }
        Ok(())
    }
}

impl DeserializeResponse for Receiver {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<Error>> {
        // The SDK has read the whole body into memory by now.
        let body = response.body().bytes().unwrap_or_default();
        let mut received = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        // The only copy of a page: the SDK lends its body, and the items are slices of this one.
        *received = Some(Bytes::copy_from_slice(body));
        Ok((self.output)())
    }
}
