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
    number: u64,
    request: Request,
    target: Target,
    region: String,
    caller: Result<Arc<Key>, AuthError>,
}

impl World {
    /// Serves one request: records it, lets faults have their way, performs it. A panic is answered
    /// with 500.
    pub(crate) async fn serve(&self, request: Request) -> Outcome {
        let authorization = Authorization::of(&request);
        let signed = authorization.as_ref().ok();
        let target = Target::of(&request, signed.map(|signed| signed.service.as_str()));
        let service = target.service;
        let call = self.describe(&request, &target, signed);
        let number = self.record.begin(call.clone());
        let served = AssertUnwindSafe(async {
            let caller = authorization
                .and_then(|signed| signed.verify(&request, &self.directory, &self.clock));
            if let Ok(key) = &caller {
                self.record.identify(number, &key.identity);
            }
            let region = call.region.clone().unwrap_or_default();
            let exchange = Exchange {
                number,
                request,
                target,
                region,
                caller,
            };
            let verdict = self.faults.judge(&exchange.circumstances(&call));
            self.answer(&exchange, verdict).await
        });
        served.catch_unwind().await.unwrap_or_else(|panic| {
            let mut refusal = internal_error(service);
            refusal.message = format!("bsm-local-aws panicked: {}", panic_message(&*panic));
            let answer = refusal.into_answer(service.protocol());
            self.finish(number, &answer);
            Outcome::Answered(answer)
        })
    }

    async fn answer(&self, exchange: &Exchange, verdict: Verdict) -> Outcome {
        if !verdict.latency.is_zero() {
            tokio::time::sleep(verdict.latency).await;
        }
        let effect = verdict.effect;
        if matches!(effect, Some(Effect::DroppedConnection)) {
            return Outcome::Dropped;
        }
        let protocol = exchange.target.service.protocol();
        let answer = self
            .perform(exchange, effect.as_ref())
            .await
            .unwrap_or_else(|refusal| refusal.into_answer(protocol));
        if matches!(effect, Some(Effect::DroppedAnswer)) {
            return Outcome::Dropped;
        }
        self.finish(exchange.number, &answer);
        match effect {
            Some(Effect::TruncatedBody) => Outcome::Truncated(answer),
            _ => Outcome::Answered(answer),
        }
    }

    fn finish(&self, number: u64, answer: &Answer) {
        let error = answer
            .error
            .as_ref()
            .map(|error| (&*error.code, &*error.message));
        self.record.finish(number, answer.status, error);
    }

    /// Performs the request, or refuses it as a fault wants.
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
            ..
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
    /// Returns what faults may look at.
    fn circumstances<'a>(&'a self, call: &'a Call) -> Circumstances<'a> {
        Circumstances {
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

fn unknown_service(name: &str) -> Refusal {
    let message = format!("bsm-local-aws serves dynamodb, sts and iam, not {name}");
    Refusal::new(400, "InvalidAction", message)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
