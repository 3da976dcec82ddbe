//! What became of the attempts of one write.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};

/// Watches the attempts of one request, to tell whether DynamoDB may have done it.
///
/// The SDK retries a request whose response was lost. If DynamoDB did the first attempt, the second one
/// finds what the first one wrote: its condition is false, although the write was done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts(Arc<State>);

#[derive(Debug, Default)]
struct State {
    in_flight: AtomicBool,
    response_lost: AtomicBool,
}

impl Attempts {
    /// Returns `true` if DynamoDB may have done an attempt without a response that says so.
    pub(super) fn response_was_lost(&self) -> bool {
        // An attempt that is still in flight was cut off by a time limit on the whole operation.
        let State {
            in_flight,
            response_lost,
        } = &*self.0;
        response_lost.load(Ordering::Relaxed) || in_flight.load(Ordering::Relaxed)
    }
}

type HookResult = Result<(), Box<dyn StdError + Send + Sync>>;

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "bsm-dynamodb: attempts of a write"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> HookResult {
        // This hook is the last one before sending. An attempt that fails before it was not sent.
        self.0.in_flight.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> HookResult {
        // This hook also runs after an attempt that failed before it was sent.
        let was_sent = self.0.in_flight.swap(false, Ordering::Relaxed);
        if was_sent && !is_answered(context) {
            self.0.response_lost.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Returns `true` if the outcome of the request is known: DynamoDB responded, or there was no connection to
/// send it on.
fn is_answered(context: &FinalizerInterceptorContextRef<'_>) -> bool {
    let Some(Err(error)) = context.output_or_error() else {
        return true;
    };
    if let Some(response) = context.response() {
        // A write that fails with a status of 500 or more may have been done. Source: "Error handling
        // with DynamoDB" in the Developer Guide.
        return response.status().as_u16() < 500 && !error.is_response_error();
    }
    // A refused connection carried nothing. After any other failure the request may have arrived.
    let connector_error = error.as_connector_error();
    let mut causes = std::iter::successors(
        connector_error.map(|error| error as &(dyn StdError + 'static)),
        |&cause| cause.source(),
    );
    causes.any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
    })
}
