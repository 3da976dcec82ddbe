//! Fault injection: the active faults of a server, and which requests they affect.

mod fault;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use self::fault::Fault;
#[cfg(feature = "s3")]
pub(crate) use self::fault::JobFault;
use self::fault::Rate;
pub(crate) use self::fault::{Effect, FaultContext, Unprocessed};

/// Identifies a fault. Returned by [`Faults::add`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct FaultId(u64);

/// The active faults of a running server. Clones share the same faults.
///
/// If several faults match a request, the one that was added first takes effect.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Active>>);

#[derive(Debug, Default)]
struct Active {
    last: u64,
    faults: Vec<ActiveFault>,
}

#[derive(Debug)]
struct ActiveFault {
    id: FaultId,
    fault: Fault,
    seen: u64,
    hits: u64,
    rng: Rng,
    bucket: Option<Bucket>,
}

/// The requests that a rate still allows.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    tokens: f64,
    filled_at: Instant,
}

/// What the faults do to one request.
#[derive(Debug, Default)]
pub(crate) struct FaultDecision {
    pub(crate) latency: Duration,
    pub(crate) effect: Option<Effect>,
}

impl Faults {
    /// Adds a fault, effective immediately.
    pub fn add(&self, fault: Fault) -> FaultId {
        let mut active = self.0.lock();
        active.last += 1;
        let id = FaultId(active.last);
        let rng = Rng::with_seed(fault.seed);
        let bucket = fault.above.map(Bucket::new);
        active.faults.push(ActiveFault {
            id,
            fault,
            seen: 0,
            hits: 0,
            rng,
            bucket,
        });
        id
    }

    /// Removes a fault. Returns `true` if it was active.
    pub fn remove(&self, id: FaultId) -> bool {
        let mut active = self.0.lock();
        let before = active.faults.len();
        active.faults.retain(|fault| fault.id != id);
        active.faults.len() < before
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.0.lock().faults.clear();
    }

    /// Returns how often a fault has taken effect; 0 after it was removed.
    pub fn hits(&self, id: FaultId) -> u64 {
        self.0
            .lock()
            .faults
            .iter()
            .find(|fault| fault.id == id)
            .map_or(0, |fault| fault.hits)
    }

    /// Decides what happens to a request, and counts the faults that match it.
    pub(crate) fn decide(&self, request: &FaultContext<'_>) -> FaultDecision {
        let mut decision = FaultDecision::default();
        for active in &mut self.0.lock().faults {
            // Delays add up, also behind a fault with another effect.
            let is_latency = matches!(active.fault.effect, Effect::Latency { .. });
            // A fault behind one that takes effect neither counts the request nor affects it.
            if !is_latency && decision.effect.is_some() || !active.hits(request) {
                continue;
            }
            match active.fault.effect {
                Effect::Latency { milliseconds } => {
                    decision.latency += Duration::from_millis(milliseconds);
                }
                _ => decision.effect = Some(active.fault.effect.clone()),
            }
        }
        decision
    }
}

impl ActiveFault {
    /// Returns `true` if the fault affects this request, and counts the request.
    fn hits(&mut self, request: &FaultContext<'_>) -> bool {
        let is_spent = self.fault.times.is_some_and(|times| self.hits >= times);
        if is_spent || !self.fault.matches(request) {
            return false;
        }
        self.seen += 1;
        let is_due = self.seen > self.fault.after;
        // Drawn for each matching request, so that `after` does not shift the sequence of a seed.
        let is_drawn = self
            .fault
            .probability
            .is_none_or(|chance| self.rng.f64() < chance);
        // The bucket comes last: a request that is not affected anyway takes nothing out of it.
        let hits = is_due && is_drawn && !self.bucket.as_mut().is_some_and(Bucket::take);
        self.hits += u64::from(hits);
        hits
    }
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            tokens: rate.burst,
            filled_at: Instant::now(),
        }
    }

    /// Takes a request out of the bucket. Returns `false` if there is none.
    fn take(&mut self) -> bool {
        let filled = self.filled_at.elapsed().as_secs_f64() * self.rate.per_second;
        self.filled_at = Instant::now();
        self.tokens = (self.tokens + filled).min(self.rate.burst);
        let allowed = self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_item() -> FaultContext<'static> {
        FaultContext {
            service: "dynamodb",
            operation: "PutItem",
            account: Some("111111111111"),
            region: Some("us-east-1"),
            table: Some("users"),
        }
    }

    fn hits(fault: Fault, calls: usize) -> Vec<bool> {
        let faults = Faults::default();
        faults.add(fault);
        (0..calls)
            .map(|_| faults.decide(&put_item()).effect.is_some())
            .collect()
    }

    #[test]
    fn after_and_times_limit_a_fault() {
        let hits = hits(Fault::throttling().after(1).times(2), 5);
        assert_eq!(hits, [false, true, true, false, false]);
    }

    #[test]
    fn a_seeded_probability_selects_the_same_requests_in_every_run() {
        let fault = Fault::throttling().probability(0.5, 7);
        let first = hits(fault.clone(), 100);
        assert_eq!(first, hits(fault, 100));
        assert!(first.contains(&true) && first.contains(&false));
    }

    #[test]
    fn a_rate_lets_a_burst_pass() {
        let hits = hits(Fault::throttling().above(0.001, 3.0), 5);
        assert_eq!(hits, [false, false, false, true, true]);
    }

    #[test]
    fn all_restrictions_must_match() {
        let all = Fault::throttling()
            .service("dynamodb")
            .operation("PutItem")
            .account("111111111111")
            .region("us-east-1")
            .table("users");
        assert_eq!(hits(all.clone(), 1), [true]);
        assert_eq!(hits(all.clone().service("sts"), 1), [false]);
        assert_eq!(hits(all.clone().operation("GetItem"), 1), [false]);
        assert_eq!(hits(all.clone().account("222222222222"), 1), [false]);
        assert_eq!(hits(all.clone().region("eu-west-1"), 1), [false]);
        assert_eq!(hits(all.table("orders"), 1), [false]);
    }

    #[test]
    fn delays_add_up_and_combine_with_another_effect() {
        let faults = Faults::default();
        faults.add(Fault::latency(Duration::from_millis(5)));
        faults.add(Fault::internal_error());
        faults.add(Fault::throttling().times(1));
        faults.add(Fault::latency(Duration::from_millis(7)));
        let decision = faults.decide(&put_item());
        assert_eq!(decision.latency, Duration::from_millis(12));
        assert!(matches!(decision.effect, Some(Effect::InternalError)));
    }
}
