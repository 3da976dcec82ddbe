//! One AWS request, from its signature to its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use crate::answer::{Answer, Refusal};
use crate::auth::{AuthError, Authorization};
use crate::clock::Clock;
use crate::directory::{Directory, Key};
use crate::dynamodb::{self, Databases};
use crate::faults::{Circumstances, Effect, Faults, Verdict, internal_error};
use crate::iam;
use crate::record::{Call, Record};
use crate::request::{Request, Service, Target};
use crate::sts::Sts;

/// Everything a server holds.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) databases: Databases,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
}

/// What the client gets to see.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered(Answer),
    /// The first half of the answer, and then the end of the connection.
    Truncated(Answer),
    /// The end of the connection.
    Dropped,
}

/// A request, what it asks for and on whose behalf.
struct Exchange {
    request: Request,
    target: Target,
    region: String,
    caller: Result<Arc<Key>, AuthError>,
}

impl World {
    /// Serves one request: records it, lets faults have their way, performs it.
    pub(crate) async fn serve(&self, request: Request) -> Outcome {
        let authorization = Authorization::of(&request);
        let signed = authorization.as_ref().ok();
        let target = Target::of(&request, signed.map(|signed| signed.service.as_str()));
        let call = self.describe(&request, &target, signed);
        let caller =
            authorization.and_then(|signed| signed.verify(&request, &self.directory, &self.clock));
        let region = call.region.clone().unwrap_or_default();
        let exchange = Exchange {
            request,
            target,
            region,
            caller,
        };
        let call = exchange.with_caller(call);
        let verdict = self.faults.judge(&circumstances(&call));
        let number = self.record.begin(call);
        self.answer(&exchange, verdict, number).await
    }

    async fn answer(&self, exchange: &Exchange, verdict: Verdict, number: u64) -> Outcome {
        if !verdict.latency.is_zero() {
            tokio::time::sleep(verdict.latency).await;
        }
        let effect = verdict.effect;
        if matches!(effect, Some(Effect::DroppedConnection)) {
            return Outcome::Dropped;
        }
        let answer = self.result(exchange, effect.as_ref()).await;
        if matches!(effect, Some(Effect::DroppedAnswer)) {
            return Outcome::Dropped;
        }
        let error = answer
            .error
            .as_ref()
            .map(|error| (&*error.code, &*error.message));
        self.record.finish(number, answer.status, error);
        match effect {
            Some(Effect::TruncatedBody) => Outcome::Truncated(answer),
            _ => Outcome::Answered(answer),
        }
    }

    /// Performs the request, or what a fault puts in its place. A panic is answered with 500.
    async fn result(&self, exchange: &Exchange, effect: Option<&Effect>) -> Answer {
        let service = exchange.target.service;
        let performed = AssertUnwindSafe(self.perform(exchange, effect))
            .catch_unwind()
            .await;
        let result = performed.unwrap_or_else(|panic| {
            let mut refusal = internal_error(service);
            refusal.message = format!("bsm-local-aws panicked: {}", panic_message(&*panic));
            Err(refusal)
        });
        result.unwrap_or_else(|refusal| refusal.into_answer(service.protocol()))
    }

    async fn perform(
        &self,
        exchange: &Exchange,
        effect: Option<&Effect>,
    ) -> Result<Answer, Refusal> {
        let Exchange {
            request,
            target,
            region,
            caller,
        } = exchange;
        let (service, operation) = (target.service, target.operation.as_str());
        if let Some(refusal) = effect.and_then(|effect| effect.refusal(service, operation)) {
            return Err(refusal);
        }
        let unprocessed = match effect {
            Some(Effect::UnprocessedItems(amount)) => Some(*amount),
            #[expect(clippy::panic, reason = "a fault that was asked for")]
            Some(Effect::Panic) => panic!("a fault asked for it"),
            _ => None,
        };
        let refuse = |error: &AuthError| error.clone().refusal(service.protocol());
        let caller = &caller.as_ref().map_err(refuse)?.identity;
        let (directory, clock) = (&self.directory, &self.clock);
        match service {
            Service::DynamoDb => {
                let body = request.body.clone();
                self.databases
                    .perform(caller, region, operation, body, unprocessed)
                    .await
            }
            Service::Sts => Sts {
                directory,
                clock,
                caller,
            }
            .perform(operation, &target.form),
            Service::Iam => iam::perform(directory, caller, operation, &target.form),
            Service::Unknown => Err(unknown_service(&target.service_name)),
        }
    }

    /// Describes the call as far as its sender does.
    fn describe(&self, request: &Request, target: &Target, signed: Option<&Authorization>) -> Call {
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

impl Exchange {
    /// Adds to a call who made it, if that is believed.
    fn with_caller(&self, mut call: Call) -> Call {
        if let Ok(key) = &self.caller {
            call.account = Some(key.identity.account.clone());
            call.principal_arn = Some(key.identity.arn.clone());
        }
        call
    }
}

fn circumstances(call: &Call) -> Circumstances<'_> {
    Circumstances {
        service: &call.service,
        operation: &call.operation,
        account: call.account.as_deref(),
        region: call.region.as_deref(),
        table: call.table.as_deref(),
    }
}

fn unknown_service(name: &str) -> Refusal {
    let message = format!("bsm-local-aws serves dynamodb, sts and iam, not {name}");
    Refusal::new(400, "InvalidAction", message)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
