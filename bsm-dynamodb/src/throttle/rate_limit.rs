//! A limit on consumed capacity.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::ConsumedCapacity;
use tokio::time::{self, Instant};

/// Keeps the consumed capacity below a rate, on average.
///
/// DynamoDB reports what a request consumed only in its response. So each request waits until the
/// consumption of the requests before it is within the rate, and delays the ones after it.
#[derive(Debug)]
pub(crate) struct RateLimit {
    units_per_second: f64,
    /// When everything that was consumed so far is within the rate.
    settled_at: Mutex<Instant>,
}

impl RateLimit {
    pub(crate) fn new(units_per_second: u32) -> Self {
        Self {
            // At least 1: a division by zero is no duration, and would switch the limit off.
            units_per_second: f64::from(units_per_second.max(1)),
            settled_at: Mutex::new(Instant::now()),
        }
    }

    /// Waits until the consumption so far is within the rate.
    pub(crate) async fn wait(&self) {
        let settled_at = *self
            .settled_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Not checked again: requests that wake together are all sent, and delay the ones after them.
        time::sleep_until(settled_at).await;
    }

    /// Records what a request consumed.
    pub(crate) fn consumed(&self, units: f64) {
        let seconds = units / self.units_per_second;
        // Only a broken endpoint reports units that are no duration, such as a negative number. They cost nothing.
        let cost = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let mut settled_at = self
            .settled_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Time without requests does not add up to a burst.
        let earliest = Instant::now().max(*settled_at);
        // A broken endpoint can also report more than there are years.
        *settled_at = earliest.checked_add(cost).unwrap_or(earliest);
    }
}

/// Waits until a request may be sent.
pub(crate) async fn wait_for(limit: Option<&RateLimit>) {
    if let Some(limit) = limit {
        limit.wait().await;
    }
}

/// Returns the capacity units that a request has consumed, in all of its tables.
pub(crate) fn consumed_units(consumed: &[ConsumedCapacity]) -> f64 {
    let units = consumed.iter().filter_map(|it| it.capacity_units);
    units.sum()
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
    async fn units_that_are_no_time_cost_nothing() {
        let limit = RateLimit::new(1);
        let start = Instant::now();
        for units in [-1.0, f64::NAN, f64::INFINITY, 1e19, f64::MAX] {
            limit.consumed(units);
        }
        limit.wait().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
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
