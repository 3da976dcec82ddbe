//! The pace of requests that all accounts share: AssumeRole and Organizations.
//!
//! The quota is that of an account and a region, and other programs use up the same one. So the rate is found
//! by trial, as TCP does: it more than doubles each second until the first throttle. Then it falls at each
//! throttle, and follows the curve of CUBIC (RFC 9438): soon near the rate that was throttled, slowly past
//! it, and then faster. All callers of one endpoint share it, so one throttle slows all of them down.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::Error;
use crate::transport::SdkFailure;

/// The first rate, in calls a second.
const START: f64 = 10.0;

/// The lowest rate. A fleet that gets less than this from AWS shares its account with a runaway program.
const MIN: f64 = 0.5;

/// The highest rate: beyond it, the calls of one process are not what AWS throttles.
const MAX: f64 = 500.0;

/// What is left of the rate after a throttle; the factor of CUBIC.
const DECREASE: f64 = 0.7;

/// How fast the rate returns, relative to itself: after `((1 - DECREASE) / GROWTH).cbrt()`, about 7 seconds,
/// it is as it was. Where 100 calls a second are possible, a fleet then makes 98, and 2 of 1,000 are throttled.
const GROWTH: f64 = 0.001;

/// How many calls may follow each other at once after a pause, in seconds of the rate.
const BURST: f64 = 1.0;

/// The pause of all callers after a throttle, in seconds. Long enough to refill a bucket of AWS.
const PAUSE: std::ops::Range<f64> = 0.5..1.0;

/// The rate of one endpoint.
pub(super) struct Pace {
    state: Mutex<State>,
    /// Held by the caller whose permit is next. The others get no time in advance: the rate may have changed
    /// until it is their permit.
    queue: tokio::sync::Mutex<()>,
}

struct State {
    rate: f64,
    /// When the next call may start.
    next: Instant,
    /// The last throttle; `None` while the rate still doubles.
    throttle: Option<Throttle>,
    /// The number of decreases. A throttle of a call from before the last one is old news.
    epoch: u64,
}

/// A throttle: when it was, and the rate at which it occurred.
struct Throttle {
    at: Instant,
    rate: f64,
}

/// Permission for one call, which reports back how it went.
#[derive(Clone, Copy)]
pub(super) struct Permit {
    epoch: u64,
}

impl Pace {
    /// Returns the pace of an endpoint, which all fleets of the process share.
    pub(super) fn of(endpoint: &str) -> Arc<Self> {
        static PACES: LazyLock<Mutex<HashMap<String, Arc<Pace>>>> = LazyLock::new(Mutex::default);
        // Paces are never removed: a later fleet starts at the rate that earlier ones have found.
        let mut paces = PACES.lock();
        Arc::clone(paces.entry(endpoint.to_owned()).or_default())
    }

    /// Waits for a permit. Callers get theirs in the order in which they ask.
    pub(super) async fn acquire(&self) -> Permit {
        let _first = self.queue.lock().await;
        loop {
            // Asked again after each sleep: a throttle in the meantime postpones the permit.
            let at = match self.state.lock().take_permit(Instant::now()) {
                Ok(permit) => return permit,
                Err(at) => at,
            };
            tokio::time::sleep_until(at).await;
        }
    }

    /// Raises the rate after a call that was not throttled.
    pub(super) fn succeeded(&self) {
        let mut state = self.state.lock();
        let rate = match &state.throttle {
            Some(throttle) => throttle.rate_after(throttle.at.elapsed()),
            // `rate` successes a second add 1 each, so the rate grows by the factor e in a second.
            None => state.rate + 1.0,
        };
        state.rate = rate.clamp(MIN, MAX);
    }

    /// Lowers the rate after a throttle, once for all calls that were under way.
    pub(super) fn throttled(&self, permit: Permit) {
        let mut state = self.state.lock();
        if permit.epoch != state.epoch {
            return;
        }
        state.epoch += 1;
        state.throttle = Some(Throttle {
            at: Instant::now(),
            // The rate before the decrease, because the curve of CUBIC returns to it.
            rate: state.rate,
        });
        state.rate = (state.rate * DECREASE).max(MIN);
        // Random, so that processes that share the quota don't all resume at the same time.
        let pause = PAUSE.start + (PAUSE.end - PAUSE.start) * fastrand::f64();
        let resumed = Instant::now() + Duration::from_secs_f64(pause);
        // The next permit can be later already: at the lowest rate, permits are two seconds apart.
        state.next = state.next.max(resumed);
        tracing::debug!(
            rate = state.rate,
            "throttled: slowing down all calls to this endpoint"
        );
    }
}

impl Throttle {
    /// Returns the rate at a time after the throttle, if there has been no other.
    fn rate_after(&self, elapsed: Duration) -> f64 {
        // The curve starts at `DECREASE` times the rate: a success right away doesn't raise it.
        let return_time = ((1.0 - DECREASE) / GROWTH).cbrt();
        let growth = GROWTH * (elapsed.as_secs_f64() - return_time).powi(3);
        self.rate * (1.0 + growth)
    }
}

impl State {
    /// Returns a permit, or when there will be one.
    fn take_permit(&mut self, now: Instant) -> Result<Permit, Instant> {
        let burst = Duration::from_secs_f64(BURST);
        let earliest = now.checked_sub(burst).unwrap_or(now);
        let at = self.next.max(earliest);
        if at > now {
            return Err(at);
        }
        // Counted from when it was due, so that a timer that fires late costs no permit.
        self.next = at + Duration::from_secs_f64(1.0 / self.rate);
        Ok(Permit { epoch: self.epoch })
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                rate: START,
                next: Instant::now(),
                throttle: None,
                epoch: 0,
            }),
            queue: tokio::sync::Mutex::default(),
        }
    }
}

/// Returns `true` if a service has refused a request because there were too many.
pub(super) fn is_throttled(error: &Error) -> bool {
    let failure = SdkFailure::find_in(error);
    failure.is_some_and(|failure| {
        let code = failure.code().unwrap_or_default();
        // A proxy or gateway in front of the service may throttle without a code of AWS.
        failure.status() == Some(429)
            || aws_runtime::retries::classifiers::THROTTLING_ERRORS.contains(&code)
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    /// Makes calls to a service that allows `rate` a second for `seconds`, with a bucket of one second, and
    /// returns how many succeeded and how many were throttled.
    async fn run(pace: &Pace, rate: f64, seconds: u64) -> (u32, u32) {
        let (mut tokens, mut at) = (rate, Instant::now());
        let (mut succeeded, mut throttled) = (0, 0);
        let end = at + Duration::from_secs(seconds);
        while Instant::now() < end {
            let permit = pace.acquire().await;
            tokens = (tokens + at.elapsed().as_secs_f64() * rate).min(rate);
            at = Instant::now();
            if tokens >= 1.0 {
                tokens -= 1.0;
                succeeded += 1;
                pace.succeeded();
            } else {
                throttled += 1;
                pace.throttled(permit);
            }
        }
        (succeeded, throttled)
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_follows_that_of_the_service() {
        // The lower the rate, the larger the share of calls that probe for a higher one.
        for (rate, most_throttled) in [(2.0, 0.16), (20.0, 0.03), (100.0, 0.01)] {
            let (succeeded, throttled) = run(&Pace::default(), rate, 120).await;
            let possible = rate * 120.0;
            let share = f64::from(succeeded) / possible;
            assert!(share > 0.9, "{succeeded} of {possible} at {rate}");
            let share = f64::from(throttled) / f64::from(succeeded + throttled);
            assert!(
                share < most_throttled,
                "{throttled} beside {succeeded} at {rate}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_wait_profit_from_the_successes_of_the_first_ones() {
        let (pace, began) = (Pace::default(), Instant::now());
        let call = async || {
            pace.acquire().await;
            pace.succeeded();
        };
        join_all((0..200).map(|_| call())).await;
        // 10 a second at first, and e times as many each second: 3 seconds. At the first rate it is 20.
        assert!(began.elapsed() < Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_holds_up_those_that_wait() {
        let pace = Pace::default();
        let permit = pace.acquire().await;
        let mut next = Box::pin(pace.acquire());
        assert!((&mut next).now_or_never().is_none());
        let throttled = Instant::now();
        pace.throttled(permit);
        next.await;
        assert!(throttled.elapsed().as_secs_f64() >= PAUSE.start);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_were_under_way_slow_down_once() {
        let pace = Pace::default();
        let permit = pace.acquire().await;
        let before = pace.state.lock().rate;
        for _ in 0..10 {
            pace.throttled(permit);
        }
        assert_eq!(pace.state.lock().rate, before * DECREASE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unlimited_service_is_not_held_up_for_long() {
        let (succeeded, _) = run(&Pace::default(), 1e6, 30).await;
        assert!(succeeded > 5_000, "{succeeded}");
    }
}
