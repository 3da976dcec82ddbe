//! Exponential backoff: waiting before a retry, and between polls.

use std::time::Duration;

use tokio::time::{self, Instant};

/// Exponential backoff with full jitter: a random delay of up to 50 ms, then of up to twice as much
/// with each attempt, up to 5 s.
///
/// Progress resets it.
///
/// Source: [Exponential backoff and jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)
/// in the AWS Architecture Blog.
pub(crate) struct Backoff {
    attempts: u32,
    max_attempts: u32,
}

impl Backoff {
    /// 50 ms: about the time of a few requests, so a short burst costs little.
    const FIRST: Duration = Duration::from_millis(50);
    /// 5 s: ten attempts without progress take about 8 s on average, twenty about a minute.
    const MAX: Duration = Duration::from_secs(5);

    pub(crate) fn new(max_attempts: u32) -> Self {
        Self {
            attempts: 0,
            max_attempts,
        }
    }

    /// Returns the number of attempts in a row that made no progress.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Records a response to a request of `sent` entries that left `left` of them unprocessed, and
    /// waits if there are any.
    ///
    /// Returns `false`, without waiting, if too many attempts in a row made no progress.
    pub(crate) async fn wait_before_retry(&mut self, sent: usize, left: usize) -> bool {
        // Any progress counts: a table that takes one write at a time is slow, not stuck.
        if left < sent {
            self.attempts = 0;
        }
        if left == 0 {
            return true;
        }
        // This counts the attempt, so it comes before the check.
        let delay = self.next_delay();
        if self.attempts >= self.max_attempts {
            return false;
        }
        time::sleep(delay).await;
        true
    }

    fn next_delay(&mut self) -> Duration {
        let limit = doubled(Self::FIRST, self.attempts).min(Self::MAX);
        self.attempts += 1;
        // Full jitter: requests that were throttled together spread over the whole delay.
        limit.mul_f64(fastrand::f64())
    }
}

/// The waits between the polls of a state that DynamoDB reaches by itself: 0.1 s, then twice as long
/// each time, up to 5 s, until a time limit.
pub(crate) struct PollInterval {
    limit: Duration,
    deadline: Instant,
    polls: u32,
}

impl PollInterval {
    /// 0.1 s: a local endpoint creates a table at once.
    const FIRST: Duration = Duration::from_millis(100);
    /// 5 s: a new table takes seconds to minutes, and the caller notices within 5 s.
    const MAX: Duration = Duration::from_secs(5);

    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            deadline: Instant::now() + limit,
            polls: 0,
        }
    }

    /// Returns the time limit.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits before the next poll. Returns `false`, without waiting, once the limit has passed.
    pub(crate) async fn wait(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let delay = doubled(Self::FIRST, self.polls).min(Self::MAX);
        self.polls += 1;
        // The last poll is at the deadline.
        time::sleep(delay.min(left)).await;
        true
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    // 2^16 times the first delay is longer than every maximum, and doesn't overflow.
    first.saturating_mul(1 << times.min(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_five_seconds() {
        let mut backoff = Backoff::new(10);
        for most in [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000] {
            let delay = backoff.next_delay();
            assert!(
                delay <= Duration::from_millis(most),
                "{delay:?} > {most} ms"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_resets_the_backoff() {
        let mut backoff = Backoff::new(3);
        assert!(backoff.wait_before_retry(25, 25).await);
        assert!(backoff.wait_before_retry(25, 25).await);
        assert!(backoff.wait_before_retry(25, 24).await);
        assert!(backoff.wait_before_retry(25, 25).await);
        assert!(backoff.wait_before_retry(5, 0).await);
        assert!(backoff.wait_before_retry(25, 25).await);
        assert!(backoff.wait_before_retry(25, 25).await);
        assert!(!backoff.wait_before_retry(25, 25).await);
    }

    #[tokio::test(start_paused = true)]
    async fn polls_get_rarer_and_end_at_the_limit() {
        let start = Instant::now();
        let mut interval = PollInterval::new(Duration::from_secs(12));
        let mut polls = Vec::new();
        while interval.wait().await {
            polls.push(start.elapsed().as_millis());
        }
        assert_eq!(polls, [100, 300, 700, 1500, 3100, 6300, 11300, 12000]);
    }
}
