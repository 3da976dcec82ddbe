//! Reading no faster than a rate.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{self, Instant};

/// Keeps the capacity that is consumed below a rate, in the long run.
///
/// What a request consumes is known only afterwards. So a request waits until what was consumed
/// before it is paid for, and is itself paid for by the ones that follow.
#[derive(Debug)]
pub(crate) struct RateLimit {
    units_per_second: f64,
    paid_at: Mutex<Instant>,
}

impl RateLimit {
    pub(crate) fn new(units_per_second: u32) -> Self {
        Self {
            units_per_second: f64::from(units_per_second.max(1)),
            paid_at: Mutex::new(Instant::now()),
        }
    }

    pub(crate) async fn wait(&self) {
        let paid_at = *self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        time::sleep_until(paid_at).await;
    }

    pub(crate) fn consumed(&self, units: f64) {
        let seconds = units / self.units_per_second;
        let price = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        *paid_at = Instant::now().max(*paid_at) + price;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_what_was_consumed_before_it() {
        let limit = RateLimit::new(10);
        let start = Instant::now();
        limit.wait().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        limit.consumed(25.0);
        limit.consumed(5.0);
        limit.wait().await;
        assert_eq!(start.elapsed().as_millis(), 3000);
    }

    #[tokio::test(start_paused = true)]
    async fn time_without_requests_is_not_saved_up() {
        let limit = RateLimit::new(10);
        time::sleep(Duration::from_secs(60)).await;
        limit.consumed(10.0);
        let start = Instant::now();
        limit.wait().await;
        assert_eq!(start.elapsed().as_millis(), 1000);
    }
}
