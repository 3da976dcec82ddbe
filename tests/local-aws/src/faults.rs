//! Faults on demand: what should go wrong, for which requests, and how often.

mod active;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::answer::Refusal;
use crate::auth::AuthError;
use crate::request::Service;

pub(crate) use self::active::Verdict;
pub use self::active::{FaultId, Faults};

/// Something that should go wrong, for ever and for every request unless it is narrowed down.
///
/// ```
/// use bsm_local_aws::Fault;
///
/// // STS is down for three calls.
/// let sts_down = Fault::unavailable().service("sts").times(3);
/// // Every tenth write is throttled or so, the same ones in every run.
/// let throttled = Fault::throttling().operation("PutItem").probability(0.1, 42);
/// ```
///
/// As JSON, for `POST /_local/faults`:
///
/// ```json
/// {"effect": "unavailable", "service": "sts", "times": 3}
/// {"effect": {"latency": {"milliseconds": 50}}, "operation": "PutItem"}
/// {"effect": {"unprocessed_items": {"count": 2}}, "times": 1}
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    effect: Effect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    /// How many matching requests go by before the fault begins.
    #[serde(default)]
    after: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    #[serde(default)]
    seed: u64,
}

/// What goes wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    Latency {
        milliseconds: u64,
    },
    Throttling,
    InternalError,
    Unavailable,
    ExpiredToken,
    Error {
        status: u16,
        code: String,
        message: String,
    },
    DroppedConnection,
    DroppedAnswer,
    TruncatedBody,
    UnprocessedItems(Amount),
    Panic,
}

/// How many items of a batch are left unprocessed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Amount {
    Count(usize),
    Fraction(f64),
}

impl Fault {
    /// Delays the answer. The only fault that combines with others: delays add up.
    pub fn latency(delay: Duration) -> Self {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self::new(Effect::Latency { milliseconds })
    }

    /// Refuses with the service's throttling error: `Throttling` from STS and IAM,
    /// `ProvisionedThroughputExceededException` from DynamoDB, and `ThrottlingException` from its
    /// table operations.
    pub fn throttling() -> Self {
        Self::new(Effect::Throttling)
    }

    /// Refuses with status 500.
    pub fn internal_error() -> Self {
        Self::new(Effect::InternalError)
    }

    /// Refuses with status 503.
    pub fn unavailable() -> Self {
        Self::new(Effect::Unavailable)
    }

    /// Refuses as if the caller's session had expired.
    pub fn expired_token() -> Self {
        Self::new(Effect::ExpiredToken)
    }

    /// Refuses with any error.
    pub fn error(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Effect::Error {
            status,
            code: code.into(),
            message: message.into(),
        })
    }

    /// Closes the connection instead of doing the work.
    pub fn dropped_connection() -> Self {
        Self::new(Effect::DroppedConnection)
    }

    /// Does the work, and closes the connection instead of answering.
    pub fn dropped_answer() -> Self {
        Self::new(Effect::DroppedAnswer)
    }

    /// Does the work, and closes the connection in the middle of the answer.
    pub fn truncated_body() -> Self {
        Self::new(Effect::TruncatedBody)
    }

    /// Leaves the last `count` items of a BatchWriteItem, or keys of a BatchGetItem, unprocessed.
    ///
    /// AWS refuses a request of which it can process nothing; this does as it is told.
    pub fn unprocessed_items(count: usize) -> Self {
        Self::new(Effect::UnprocessedItems(Amount::Count(count)))
    }

    /// Leaves a fraction of a batch unprocessed, rounded up: `0.5` of five items are three.
    pub fn unprocessed_fraction(fraction: f64) -> Self {
        Self::new(Effect::UnprocessedItems(Amount::Fraction(fraction)))
    }

    /// Panics in the server, which answers 500.
    pub fn panic() -> Self {
        Self::new(Effect::Panic)
    }

    /// Only for this service: `dynamodb`, `sts` or `iam`.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Only for this operation, `PutItem` for instance.
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Only for callers in this account.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Only for requests to this region.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Only for requests that name this table.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    /// Lets the first `calls` matching requests pass.
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// Ends after this many hits.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Hits each matching request with this probability. One seed hits the same ones every time.
    pub fn probability(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = seed;
        self
    }

    fn new(effect: Effect) -> Self {
        Self {
            effect,
            service: None,
            operation: None,
            account: None,
            region: None,
            table: None,
            after: 0,
            times: None,
            probability: None,
            seed: 0,
        }
    }

    fn matches(&self, request: &Circumstances<'_>) -> bool {
        let agrees = |wanted: &Option<String>, actual: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| Some(wanted) == actual)
        };
        let is_batch = matches!(request.operation, "BatchWriteItem" | "BatchGetItem");
        agrees(&self.service, Some(request.service))
            && agrees(&self.operation, Some(request.operation))
            && agrees(&self.account, request.account)
            && agrees(&self.region, request.region)
            && agrees(&self.table, request.table)
            && (is_batch || !matches!(self.effect, Effect::UnprocessedItems(_)))
    }
}

/// What a fault may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) table: Option<&'a str>,
}

impl Amount {
    /// Returns how many of `total` items are left.
    pub(crate) fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count.min(total),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a batch has at most a hundred items"
            )]
            Self::Fraction(fraction) => (fraction.clamp(0.0, 1.0) * total as f64).ceil() as usize,
        }
    }
}

impl Effect {
    /// Returns the error that takes the place of the work, if the effect is one.
    pub(crate) fn refusal(&self, service: Service, operation: &str) -> Option<Refusal> {
        let is_dynamodb = service == Service::DynamoDb;
        Some(match self {
            Self::Throttling if !is_dynamodb => Refusal::new(400, "Throttling", "Rate exceeded"),
            Self::Throttling if operation.ends_with("Table") => Refusal::new(
                400,
                "ThrottlingException",
                "Rate of requests exceeds the allowed throughput.",
            ),
            Self::Throttling => Refusal::new(
                400,
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded. \
                 Consider increasing your provisioning level with the UpdateTable API.",
            ),
            Self::InternalError => internal_error(service),
            Self::Unavailable if is_dynamodb => Refusal::new(
                503,
                "ServiceUnavailable",
                "DynamoDB is currently unavailable. Please try again.",
            ),
            Self::Unavailable => Refusal::new(
                503,
                "ServiceUnavailable",
                "The request has failed due to a temporary failure of the server.",
            ),
            Self::ExpiredToken => AuthError::Expired.refusal(service.protocol()),
            Self::Error {
                status,
                code,
                message,
            } => Refusal::new(*status, code, message),
            _ => return None,
        })
    }
}

/// Returns the service's error for a failure of its own.
pub(crate) fn internal_error(service: Service) -> Refusal {
    match service {
        Service::DynamoDb => Refusal::new(500, "InternalServerError", "Internal server error"),
        _ => Refusal::new(
            500,
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_batch_is_rounded_up() {
        assert_eq!(Amount::Fraction(0.5).of(5), 3);
        assert_eq!(Amount::Fraction(2.0).of(5), 5);
        assert_eq!(Amount::Count(9).of(5), 5);
    }

    #[test]
    fn a_fault_is_read_from_json_and_a_misspelt_one_refused() {
        let read = |json: &str| serde_json::from_str::<Fault>(json);
        assert!(read(r#"{"effect": "unavailable", "service": "sts", "times": 3}"#).is_ok());
        assert!(read(r#"{"effect": {"latency": {"milliseconds": 50}}}"#).is_ok());
        assert!(read(r#"{"effect": {"unprocessed_items": {"fraction": 0.5}}}"#).is_ok());
        assert!(read(r#"{"effect": "unavailable", "tims": 3}"#).is_err());
    }
}
