//! A fault: its effect, the requests it matches, and how often it takes effect.

use std::time::Duration;

use dynoxide::errors::CancellationReason;
use serde::{Deserialize, Serialize};

use crate::auth::AuthError;
use crate::dynamodb;
use crate::response::ErrorResponse;
use crate::service::{Protocol, Service};

/// A failure to inject.
///
/// By default a fault affects every request until it is removed. The methods [`service`](Self::service)
/// to [`above`](Self::above) restrict it. All restrictions must match.
///
/// ```
/// use bsm_local_aws::Fault;
///
/// // STS is down for three calls.
/// let sts_down = Fault::unavailable().service("sts").times(3);
/// // About every tenth write is throttled, and the same ones in every run.
/// let throttled = Fault::throttling().operation("PutItem").probability(0.1, 42);
/// ```
///
/// The same as JSON, for `POST /_local/faults`:
///
/// ```json
/// {"effect": "unavailable", "service": "sts", "times": 3}
/// {"effect": {"latency": {"milliseconds": 50}}, "operation": "PutItem"}
/// {"effect": {"unprocessed_items": {"count": 2}}, "times": 1}
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub(super) effect: Effect,
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
    /// The number of matching requests that succeed before the fault takes effect.
    #[serde(default)]
    pub(super) after: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) probability: Option<f64>,
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) above: Option<Rate>,
}

/// A rate of requests, as a token bucket.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    pub(super) per_second: f64,
    pub(super) burst: f64,
}

/// The effect of a fault.
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
    CancelledTransaction {
        reasons: Vec<String>,
    },
    DroppedConnection,
    DroppedResponse,
    TruncatedBody,
    UnprocessedItems(Unprocessed),
    EmptyPage,
    Panic,
    /// On an export or import, which goes wrong after it has begun.
    #[cfg(feature = "s3")]
    Job(JobFault),
}

/// How an export or import goes wrong.
#[cfg(feature = "s3")]
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobFault {
    Failed,
    Slow { seconds: u64 },
    SkippedLines { count: u64 },
}

/// How many items of a batch remain unprocessed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unprocessed {
    Count(usize),
    Fraction(f64),
}

impl Fault {
    /// Delays the response. Several delays add up, and a delay combines with one other effect.
    pub fn latency(delay: Duration) -> Self {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self::new(Effect::Latency { milliseconds })
    }

    /// Responds with the throttling error of the service: `Throttling` for STS and IAM, `SlowDown`
    /// for S3, `TooManyRequestsException` for IAM Identity Center and metadata services,
    /// `ProvisionedThroughputExceededException` for DynamoDB, and `ThrottlingException` for
    /// DynamoDB's table operations.
    pub fn throttling() -> Self {
        Self::new(Effect::Throttling)
    }

    /// Responds with status 500 and the internal error of the service.
    pub fn internal_error() -> Self {
        Self::new(Effect::InternalError)
    }

    /// Responds with status 503.
    pub fn unavailable() -> Self {
        Self::new(Effect::Unavailable)
    }

    /// Responds as if the caller's session had expired.
    pub fn expired_token() -> Self {
        Self::new(Effect::ExpiredToken)
    }

    /// Responds with a custom error.
    pub fn error(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Effect::Error {
            status,
            code: code.into(),
            message: message.into(),
        })
    }

    /// Cancels a transaction, with the code of a reason for each of its actions: `None` for those that did
    /// not fail, `TransactionConflict` for an item that another request is changing.
    ///
    /// ```
    /// use bsm_local_aws::Fault;
    ///
    /// let conflict = Fault::cancelled_transaction(["None", "TransactionConflict"]).times(1);
    /// ```
    pub fn cancelled_transaction(reasons: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let reasons = reasons.into_iter().map(Into::into).collect();
        Self::new(Effect::CancelledTransaction { reasons })
    }

    /// Closes the connection without performing the operation.
    pub fn dropped_connection() -> Self {
        Self::new(Effect::DroppedConnection)
    }

    /// Performs the operation, then closes the connection without a response.
    pub fn dropped_response() -> Self {
        Self::new(Effect::DroppedResponse)
    }

    /// Performs the operation, then closes the connection in the middle of the response.
    pub fn truncated_body() -> Self {
        Self::new(Effect::TruncatedBody)
    }

    /// Leaves the last `count` items of a BatchWriteItem, or keys of a BatchGetItem, unprocessed.
    ///
    /// AWS rejects a request if it cannot process any item. This fault returns all items as
    /// unprocessed instead.
    pub fn unprocessed_items(count: usize) -> Self {
        Self::new(Effect::UnprocessedItems(Unprocessed::Count(count)))
    }

    /// Leaves a fraction of a batch unprocessed, rounded up: `0.5` leaves three of five items.
    pub fn unprocessed_fraction(fraction: f64) -> Self {
        Self::new(Effect::UnprocessedItems(Unprocessed::Fraction(fraction)))
    }

    /// Lets GetRecords return no record and an iterator for the same position, as it may even if there
    /// are more records.
    pub fn empty_page() -> Self {
        Self::new(Effect::EmptyPage)
    }

    /// Panics inside the server, which responds with status 500.
    pub fn panic() -> Self {
        Self::new(Effect::Panic)
    }

    /// Lets an export or import fail after it has begun. A failed import leaves a part of the table.
    #[cfg(feature = "s3")]
    pub fn failed_job() -> Self {
        Self::new(Effect::Job(JobFault::Failed))
    }

    /// Keeps an export or import in progress for this long, in whole seconds by the server's clock.
    #[cfg(feature = "s3")]
    pub fn slow_job(delay: Duration) -> Self {
        let seconds = delay.as_secs();
        Self::new(Effect::Job(JobFault::Slow { seconds }))
    }

    /// Lets an import skip the first `count` lines and count them as errors, as AWS does with lines
    /// that it cannot read.
    #[cfg(feature = "s3")]
    pub fn skipped_lines(count: u64) -> Self {
        Self::new(Effect::Job(JobFault::SkippedLines { count }))
    }

    /// Restricts the fault to a service: `dynamodb`, `s3`, `sts`, `iam`, `sso`, `sso-oidc`, `imds` or
    /// `container`.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Restricts the fault to an operation, for example `PutItem`.
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Restricts the fault to callers of an account.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Restricts the fault to a region.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Restricts the fault to requests that refer to a table, and only to that one.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    /// Skips the first `calls` matching requests.
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// Ends the fault after it has taken effect this many times.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Affects each matching request with this probability. The same seed selects the same requests
    /// in every run.
    pub fn probability(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = seed;
        self
    }

    /// Affects only the matching requests above a rate, as AWS's limits do: a bucket that holds `burst`
    /// requests and is filled with `per_second`. The machine's clock counts, not the server's.
    pub fn above(mut self, per_second: f64, burst: f64) -> Self {
        self.above = Some(Rate { per_second, burst });
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
            above: None,
        }
    }

    /// Returns `true` if all restrictions match a request.
    pub(super) fn matches(&self, request: &FaultContext<'_>) -> bool {
        let agrees = |expected: &Option<String>, actual: Option<&str>| {
            expected
                .as_deref()
                .is_none_or(|expected| Some(expected) == actual)
        };
        // The effect has no meaning for other operations, so they don't count as hits.
        let is_batch = matches!(request.operation, "BatchWriteItem" | "BatchGetItem");
        agrees(&self.service, Some(request.service))
            && agrees(&self.operation, Some(request.operation))
            && agrees(&self.account, request.account)
            && agrees(&self.region, request.region)
            && agrees(&self.table, request.table)
            && match &self.effect {
                Effect::UnprocessedItems(_) => is_batch,
                Effect::CancelledTransaction { .. } => request.operation.starts_with("Transact"),
                #[cfg(feature = "s3")]
                Effect::Job(JobFault::SkippedLines { .. }) => request.operation == "ImportTable",
                #[cfg(feature = "s3")]
                Effect::Job(_) => {
                    matches!(
                        request.operation,
                        "ExportTableToPointInTime" | "ImportTable"
                    )
                }
                _ => true,
            }
    }
}

/// The properties of a request that a fault can be restricted to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultContext<'a> {
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) table: Option<&'a str>,
}

impl Unprocessed {
    /// Returns how many of `total` items remain unprocessed.
    pub(crate) fn count_of(self, total: usize) -> usize {
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
    /// Returns the error response of the effect, if it has one.
    pub(crate) fn error_response(
        &self,
        service: Service,
        operation: &str,
    ) -> Option<ErrorResponse> {
        let is_dynamodb = service == Service::DynamoDb;
        Some(match self {
            // Arms for single services come before the one for all others.
            #[cfg(feature = "s3")]
            Self::Throttling if service == Service::S3 => {
                ErrorResponse::new(503, "SlowDown", "Please reduce your request rate.")
            }
            Self::Throttling if service.protocol() == Protocol::RestJson => {
                ErrorResponse::new(429, "TooManyRequestsException", "HTTP 429 Unknown Code")
            }
            Self::Throttling if !is_dynamodb => {
                ErrorResponse::new(400, "Throttling", "Rate exceeded")
            }
            // The control plane has a code of its own: throughput is a property of items.
            Self::Throttling if operation.ends_with("Table") => ErrorResponse::new(
                400,
                "ThrottlingException",
                "Rate of requests exceeds the allowed throughput.",
            ),
            Self::Throttling => ErrorResponse::new(
                400,
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded. \
                 Consider increasing your provisioning level with the UpdateTable API.",
            ),
            Self::InternalError => ErrorResponse::internal(service),
            Self::Unavailable if is_dynamodb => ErrorResponse::new(
                503,
                "ServiceUnavailable",
                "DynamoDB is currently unavailable. Please try again.",
            ),
            Self::Unavailable => ErrorResponse::new(
                503,
                "ServiceUnavailable",
                "The request has failed due to a temporary failure of the server.",
            ),
            Self::ExpiredToken => AuthError::Expired.into_error_response(service.protocol()),
            Self::Error {
                status,
                code,
                message,
            } => ErrorResponse::new(*status, code, message),
            Self::CancelledTransaction { reasons } => dynamodb::cancelled(
                reasons
                    .iter()
                    .map(|code| CancellationReason {
                        code: code.clone(),
                        message: (code == "TransactionConflict")
                            .then(|| "Transaction is ongoing for the item".to_owned()),
                        ..CancellationReason::default()
                    })
                    .collect(),
            ),
            // The other effects concern the connection, or the operation itself.
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_batch_is_rounded_up() {
        assert_eq!(Unprocessed::Fraction(0.5).count_of(5), 3);
        assert_eq!(Unprocessed::Fraction(2.0).count_of(5), 5);
        assert_eq!(Unprocessed::Count(9).count_of(5), 5);
    }

    #[test]
    fn a_fault_is_parsed_from_json_and_unknown_settings_are_rejected() {
        let parse = |json: &str| serde_json::from_str::<Fault>(json);
        assert!(parse(r#"{"effect": "unavailable", "service": "sts", "times": 3}"#).is_ok());
        assert!(parse(r#"{"effect": {"latency": {"milliseconds": 50}}}"#).is_ok());
        assert!(parse(r#"{"effect": {"unprocessed_items": {"fraction": 0.5}}}"#).is_ok());
        assert!(parse(r#"{"effect": "unavailable", "tims": 3}"#).is_err());
    }
}
