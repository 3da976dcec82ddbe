//! Retries of single requests.

use crate::error::{Error, ErrorKind};
use crate::throttle::backoff::Backoff;

/// Sends a request until it succeeds, fails for good, or has failed `max_attempts` times.
///
/// Calls `on_retry` before each retry.
pub(crate) async fn retry_transient<T, F: Future<Output = Result<T, Error>>>(
    max_attempts: u32,
    on_retry: impl Fn(),
    send: impl Fn() -> F,
) -> Result<T, Error> {
    let mut backoff = Backoff::new(max_attempts);
    loop {
        match send().await {
            Err(error) if is_transient(&error) => {
                if !backoff.wait_before_retry(1, 1).await {
                    return Err(error);
                }
                on_retry();
            }
            result => return result,
        }
    }
}

/// Returns `true` if the same request may succeed a little later.
pub(crate) fn is_transient(error: &Error) -> bool {
    match error.kind() {
        // After a conflict nothing was done, and a copy writes whole items.
        ErrorKind::Throttled | ErrorKind::Unreachable | ErrorKind::Conflict => true,
        // Simultaneous operations on tables, and readers of a shard, are limited, and soon fewer.
        ErrorKind::LimitExceeded => true,
        // Credentials may expire between signing and arrival, and the manager refreshes them. Or the
        // machine was suspended, and the signature is too old.
        ErrorKind::CredentialsRejected => matches!(
            error.aws_code(),
            Some(
                "ExpiredToken"
                    | "ExpiredTokenException"
                    | "InvalidSignatureException"
                    // S3's code for a signature that is too old.
                    | "RequestTimeTooSkewed"
            )
        ),
        // The same applies to the request with which a session refreshes a role.
        ErrorKind::Session => error.session_error().is_some_and(|error| {
            error.is_unreachable() || error.kind() == bsm_core::ErrorKind::CredentialsRejected
        }),
        ErrorKind::Service => matches!(
            error.aws_code(),
            Some("InternalFailure" | "InternalServerError" | "ServiceUnavailable")
                // Those of S3.
                | Some("InternalError" | "RequestTimeout" | "SlowDown")
        ),
        _ => false,
    }
}
