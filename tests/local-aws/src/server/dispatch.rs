//! Dispatch of one AWS request: authentication, faults, the service's operation, the call log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::state::ServerState;
use crate::auth::{AccessKey, AuthError, Authorization};
use crate::call_log::Call;
use crate::dynamodb;
use crate::faults::{Effect, FaultContext, FaultDecision};
use crate::iam;
use crate::request::{Request, Target};
use crate::response::{ErrorResponse, Response};
use crate::service::Service;
use crate::sts::Sts;

/// What the client receives.
#[derive(Debug)]
pub(crate) enum Reply {
    Complete(Response),
    /// The first half of the response, after which the connection is closed.
    Truncated(Response),
    /// Nothing: the connection is closed.
    Closed,
}

/// A request with its operation, region and caller.
struct RequestContext {
    call_number: u64,
    request: Request,
    target: Target,
    region: String,
    caller: Result<Arc<AccessKey>, AuthError>,
}

impl ServerState {
    /// Serves one request: logs it, applies faults and performs the operation.
    ///
    /// A panic becomes a response with status 500, so that no request can stop the server.
    pub(crate) async fn serve(&self, request: Request) -> Reply {
        let authorization = Authorization::from_request(&request);
        let signed = authorization.as_ref().ok();
        let target = Target::from_request(&request, signed.map(|signed| signed.service.as_str()));
        let service = target.service;
        let call = self.new_call(&request, &target, signed);
        // Before authentication, so that rejected requests are also in the log.
        let call_number = self.calls.begin(call.clone());
        let reply = AssertUnwindSafe(async {
            let caller = authorization
                .and_then(|signed| signed.verify(&request, &self.identities, &self.clock));
            if let Ok(key) = &caller {
                self.calls.identify(call_number, &key.identity);
            }
            let region = call.region.clone().unwrap_or_default();
            let context = RequestContext {
                call_number,
                request,
                target,
                region,
                caller,
            };
            // After authentication, because a fault may be limited to an account.
            let decision = self.faults.decide(&context.fault_context(&call));
            self.reply(&context, decision).await
        });
        reply.catch_unwind().await.unwrap_or_else(|panic| {
            let mut error = ErrorResponse::internal(service);
            error.message = format!("bsm-local-aws panicked: {}", panic_message(&*panic));
            let response = error.into_response(service.protocol());
            self.finish(call_number, &response);
            Reply::Complete(response)
        })
    }

    async fn reply(&self, context: &RequestContext, decision: FaultDecision) -> Reply {
        if !decision.latency.is_zero() {
            tokio::time::sleep(decision.latency).await;
        }
        let effect = decision.effect;
        if matches!(effect, Some(Effect::DroppedConnection)) {
            return Reply::Closed;
        }
        let protocol = context.target.service.protocol();
        let response = self
            .perform(context, effect.as_ref())
            .await
            .unwrap_or_else(|error| error.into_response(protocol));
        // The operation was performed, but the log shows no response: the client got none.
        if matches!(effect, Some(Effect::DroppedResponse)) {
            return Reply::Closed;
        }
        self.finish(context.call_number, &response);
        match effect {
            Some(Effect::TruncatedBody) => Reply::Truncated(response),
            _ => Reply::Complete(response),
        }
    }

    fn finish(&self, call_number: u64, response: &Response) {
        let error = response
            .error
            .as_ref()
            .map(|error| (&*error.code, &*error.message));
        self.calls.finish(call_number, response.status, error);
    }

    /// Performs the operation, or fails as the effect of a fault requires.
    async fn perform(
        &self,
        context: &RequestContext,
        effect: Option<&Effect>,
    ) -> Result<Response, ErrorResponse> {
        let RequestContext {
            request,
            target,
            region,
            caller,
            ..
        } = context;
        let (service, operation) = (target.service, target.operation.as_str());
        // Before authentication, so that a fault also affects callers without valid credentials.
        if let Some(error) = effect.and_then(|effect| effect.error_response(service, operation)) {
            return Err(error);
        }
        #[expect(clippy::panic, reason = "the fault `Fault::panic` requests it")]
        if let Some(Effect::Panic) = effect {
            panic!("an injected fault");
        }
        // These requests have no signature, so `caller` is an error for each of them.
        if service.is_unsigned() {
            return self.perform_unsigned(context);
        }
        let unauthenticated =
            |error: &AuthError| error.clone().into_error_response(service.protocol());
        let caller = &caller.as_ref().map_err(unauthenticated)?.identity;
        let (identities, clock) = (&self.identities, &self.clock);
        match service {
            Service::DynamoDb => {
                let body = request.body.clone();
                self.databases
                    .perform(caller, region, operation, body, effect)
                    .await
            }
            #[cfg(feature = "s3")]
            Service::S3 => {
                let now = clock.now();
                self.s3.perform(caller, region, now, request).await
            }
            Service::Sts => Sts {
                identities,
                clock,
                caller,
            }
            .perform(operation, &target.form),
            Service::Iam => iam::perform(identities, caller, operation, &target.form),
            Service::Organizations => {
                let body = &request.body;
                self.organizations
                    .perform(caller, identities, operation, body)
            }
            _ => Err(unknown_service(&target.service_name)),
        }
    }

    /// Performs an operation whose requests carry a token, or nothing, in place of a signature.
    fn perform_unsigned(&self, context: &RequestContext) -> Result<Response, ErrorResponse> {
        let RequestContext {
            request, target, ..
        } = context;
        let (identities, clock) = (&self.identities, &self.clock);
        let operation = target.operation.as_str();
        match target.service {
            Service::Sso => self.sso.perform(operation, request, identities, clock),
            Service::Instance => {
                let machine = &self.machine;
                machine.instance(operation, request, identities, clock)
            }
            _ => self.machine.container(request, identities, clock),
        }
    }

    /// Creates the log entry of a request, before authentication.
    fn new_call(&self, request: &Request, target: &Target, signed: Option<&Authorization>) -> Call {
        let is_dynamodb = target.service == Service::DynamoDb;
        Call {
            number: 0,
            at: self.clock.now(),
            service: target.service_name.clone(),
            operation: target.operation.clone(),
            access_key_id: signed.map(|signed| signed.access_key_id.clone()),
            region: signed.map(|signed| signed.region.clone()),
            account: None,
            principal_arn: None,
            table: is_dynamodb
                .then(|| dynamodb::table_of(&request.body))
                .flatten(),
            status: None,
            error_code: None,
            error_message: None,
        }
    }
}

impl RequestContext {
    /// Returns the properties that faults can be restricted to.
    fn fault_context<'a>(&'a self, call: &'a Call) -> FaultContext<'a> {
        FaultContext {
            service: &self.target.service_name,
            operation: &self.target.operation,
            account: self
                .caller
                .as_ref()
                .ok()
                .map(|key| key.identity.account.as_str()),
            region: call.region.as_deref(),
            table: call.table.as_deref(),
        }
    }
}

fn unknown_service(name: &str) -> ErrorResponse {
    let s3 = if cfg!(feature = "s3") { ", s3" } else { "" };
    let message =
        format!("bsm-local-aws supports dynamodb{s3}, sts, iam and organizations, not {name}");
    ErrorResponse::new(400, "InvalidAction", message)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
