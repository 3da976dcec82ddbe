//! Time limits of requests of our own.
//!
//! The SDK limits only the time to connect. An endpoint that accepts a request and never responds, or
//! responds a byte at a time, would hold up all callers of a session forever.

use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

/// The time-out of one attempt: STS responds within a second, and three attempts must fit into about
/// half a minute.
const ATTEMPT: Duration = Duration::from_secs(10);

/// What a request may take beyond its operation time-out, which is the better error: it names the
/// endpoint.
const SLACK: Duration = Duration::from_secs(2);

/// Sets the time-outs that the user's configuration leaves open.
///
/// A configuration with a time-out for the operation or for an attempt keeps the latter; one that
/// disables a time-out has none.
pub(crate) fn with_time_limits(config: &SdkConfig) -> SdkConfig {
    let timeouts = config.timeout_config().cloned();
    let timeouts = timeouts.unwrap_or_else(|| TimeoutConfig::builder().build());
    let mut defaults = TimeoutConfig::builder();
    if timeouts.operation_timeout().is_none() {
        defaults = defaults.operation_attempt_timeout(ATTEMPT);
    }
    // `take_unset_from` leaves a time-out that the user has disabled as it is.
    let timeouts = timeouts.into_builder().take_unset_from(defaults).build();
    let retry = config.retry_config().cloned();
    let retry = retry.unwrap_or_else(RetryConfig::standard);
    let attempt = timeouts.operation_attempt_timeout().unwrap_or(ATTEMPT);
    // In a second step, because the limit of the operation depends on that of an attempt.
    let defaults = TimeoutConfig::builder().operation_timeout(of_operation(attempt, &retry));
    let timeouts = timeouts.into_builder().take_unset_from(defaults).build();
    config.to_builder().timeout_config(timeouts).build()
}

/// Returns how long a request can take: the operation time-out, or [`Duration::MAX`] if it is
/// disabled.
pub(crate) fn of_request(config: &SdkConfig) -> Duration {
    let timeout = config
        .timeout_config()
        .and_then(|config| config.operation_timeout());
    timeout.map_or(Duration::MAX, |timeout| timeout.saturating_add(SLACK))
}

/// Returns the time that all attempts take, and the longest pauses between them: the retries that the
/// user asked for must not be cut off.
fn of_operation(attempt: Duration, retry: &RetryConfig) -> Duration {
    let mut pause = retry.initial_backoff();
    let mut total = attempt;
    for _ in 1..retry.max_attempts() {
        total = total.saturating_add(pause).saturating_add(attempt);
        // As in the SDK, whose random factor only shortens the pauses.
        pause = pause.saturating_mul(2).min(retry.max_backoff());
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time-outs of an attempt and of the operation, in seconds.
    fn limits(timeouts: TimeoutConfig, attempts: u32) -> (Option<u64>, Option<u64>) {
        let retry = RetryConfig::standard().with_max_attempts(attempts);
        let config = SdkConfig::builder()
            .timeout_config(timeouts)
            .retry_config(retry);
        let config = with_time_limits(&config.build());
        let timeouts = config.timeout_config().unwrap();
        let seconds = |limit: Option<Duration>| limit.map(|limit| limit.as_secs());
        (
            seconds(timeouts.operation_attempt_timeout()),
            seconds(timeouts.operation_timeout()),
        )
    }

    #[test]
    fn every_request_is_limited_unless_the_user_says_otherwise() {
        let seconds = Duration::from_secs;
        let set = TimeoutConfig::builder;
        for (timeouts, attempts, expected) in [
            (set().build(), 1, (Some(10), Some(10))),
            // Two pauses, of one and two seconds at most.
            (set().build(), 3, (Some(10), Some(33))),
            (set().build(), 8, (Some(10), Some(80 + 31 + 40))),
            (
                set().read_timeout(seconds(1)).build(),
                1,
                (Some(10), Some(10)),
            ),
            (
                set().operation_timeout(seconds(60)).build(),
                3,
                (None, Some(60)),
            ),
            (
                set().operation_attempt_timeout(seconds(2)).build(),
                3,
                (Some(2), Some(9)),
            ),
            (
                set().disable_operation_timeout().build(),
                3,
                (Some(10), None),
            ),
            (TimeoutConfig::disabled(), 3, (None, None)),
        ] {
            let shown = format!("{timeouts:?}");
            assert_eq!(limits(timeouts, attempts), expected, "{shown}");
        }
    }

    #[test]
    fn a_request_without_a_limit_is_waited_for_without_one() {
        let config = SdkConfig::builder().timeout_config(TimeoutConfig::disabled());
        assert_eq!(
            of_request(&with_time_limits(&config.build())),
            Duration::MAX
        );
    }
}
