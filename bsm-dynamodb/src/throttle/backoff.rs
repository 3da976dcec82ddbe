//! When to try again what was left unprocessed.

use std::time::Duration;

use tokio::time;

/// Exponential backoff with full jitter: a random pause of up to 50 ms, then twice that, up to 5 s.
///
/// Any progress puts it back to the start.
///
/// Source: [Exponential backoff and jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)
/// in the AWS Architecture Blog.
pub(crate) struct Backoff {
    attempts: u32,
    max_attempts: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(crate) fn new(max_attempts: u32) -> Self {
        Self {
            attempts: 0,
            max_attempts,
        }
    }

    /// How many attempts there were without any progress.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Takes note of an answer, and waits if it left something; says whether to try again.
    pub(crate) async fn goes_on(&mut self, sent: usize, left: usize) -> bool {
        if left < sent {
            self.attempts = 0;
        }
        if left == 0 {
            return true;
        }
        let pause = self.next_pause();
        if self.attempts >= self.max_attempts {
            return false;
        }
        time::sleep(pause).await;
        true
    }

    fn next_pause(&mut self) -> Duration {
        let doubled = Self::FIRST.saturating_mul(1 << self.attempts.min(16));
        self.attempts += 1;
        doubled.min(Self::LONGEST).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_five_seconds() {
        let mut backoff = Backoff::new(10);
        for most in [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000] {
            let pause = backoff.next_pause();
            assert!(
                pause <= Duration::from_millis(most),
                "{pause:?} > {most} ms"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_puts_it_back_to_the_start() {
        let mut backoff = Backoff::new(3);
        assert!(backoff.goes_on(25, 25).await);
        assert!(backoff.goes_on(25, 25).await);
        assert!(backoff.goes_on(25, 24).await);
        assert!(backoff.goes_on(25, 25).await);
        assert!(backoff.goes_on(5, 0).await);
        assert!(backoff.goes_on(25, 25).await);
        assert!(backoff.goes_on(25, 25).await);
        assert!(!backoff.goes_on(25, 25).await);
    }
}
