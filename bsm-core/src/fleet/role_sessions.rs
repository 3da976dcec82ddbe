//! A bounded cache of role managers, for services that choose an account for each request.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::manager::BotoSesManager;
use crate::manager::assume_role::AssumeRole;

/// The number of roles if none is set: a manager with clients takes some ten kilobytes.
const CAPACITY: usize = 1_000;

/// The managers of roles, by ARN, of which the least recently used are dropped.
///
/// Use it in a service that chooses a tenant's account for each request. A manager caches its credentials
/// and clients, so requests for the same tenant share them. The cache is bounded, so that the tenants of a
/// month, or a client that makes up tenants, don't fill the memory.
///
/// A handle that was returned stays usable after the cache has dropped it. Map a tenant to its ARN with a
/// table of your own: never build an ARN from a part of a request.
///
/// # Examples
///
/// ```
/// use bsm_core::BotoSesManager;
/// use bsm_core::fleet::RoleSessions;
///
/// let sessions = RoleSessions::new(&BotoSesManager::from_profile("service"))
///     .capacity(200)
///     .assume_with(|role| role.role_session_name("tenant-service"));
///
/// let tenant = sessions.get("arn:aws:iam::111122223333:role/Tenant");
/// ```
#[derive(Clone)]
pub struct RoleSessions {
    base: BotoSesManager,
    capacity: usize,
    configure: Arc<dyn Fn(AssumeRole) -> AssumeRole + Send + Sync>,
    cached: Arc<Mutex<Cached>>,
}

/// The managers, with the time of their last use in a count of uses.
#[derive(Default)]
struct Cached {
    // A count and not a time: two uses in the same instant would share a key of `by_use`.
    uses: u64,
    by_arn: HashMap<Arc<str>, (BotoSesManager, u64)>,
    by_use: BTreeMap<u64, Arc<str>>,
}

impl RoleSessions {
    /// Creates an empty cache of roles that are assumed with a manager's credentials.
    pub fn new(base: &BotoSesManager) -> Self {
        Self {
            base: base.clone(),
            capacity: CAPACITY,
            configure: Arc::new(|role| role),
            cached: Arc::default(),
        }
    }

    /// Sets the largest number of managers, at least 1. Default: 1,000.
    #[must_use]
    pub fn capacity(mut self, managers: usize) -> Self {
        self.capacity = managers.max(1);
        self
    }

    /// Changes how roles are assumed: an external id, a session name, a duration. Begins an empty cache: a
    /// clone that is changed shares no manager with the original.
    #[must_use]
    pub fn assume_with(
        mut self,
        configure: impl Fn(AssumeRole) -> AssumeRole + Send + Sync + 'static,
    ) -> Self {
        self.configure = Arc::new(configure);
        // A clone shares its managers, whose roles were assumed in another way.
        self.cached = Arc::default();
        self
    }

    /// Returns the manager of a role. Sends no request: the role is assumed on first use.
    pub fn get(&self, role_arn: &str) -> BotoSesManager {
        let mut cached = self.cached.lock();
        cached.uses += 1;
        let now = cached.uses;
        if let Some((manager, used)) = cached.by_arn.get_mut(role_arn) {
            let manager = manager.clone();
            let used = std::mem::replace(used, now);
            if let Some(arn) = cached.by_use.remove(&used) {
                cached.by_use.insert(now, arn);
            }
            return manager;
        }
        // The user's own code, so not under the lock.
        drop(cached);
        let manager = (self.configure)(self.base.assume_role(role_arn)).build();
        let mut dropped = Vec::new();
        let mut cached = self.cached.lock();
        cached.uses += 1;
        let now = cached.uses;
        let arn: Arc<str> = role_arn.into();
        let other = cached
            .by_arn
            .get(role_arn)
            .map(|(manager, _)| manager.clone());
        if let Some(other) = other {
            // Another thread was faster. Its manager may have credentials already.
            return other;
        }
        cached
            .by_arn
            .insert(Arc::clone(&arn), (manager.clone(), now));
        cached.by_use.insert(now, arn);
        // A loop, because a clone of this handle with a smaller capacity shares the cache.
        while cached.by_arn.len() > self.capacity
            && let Some((_, oldest)) = cached.by_use.pop_first()
        {
            dropped.extend(cached.by_arn.remove(&oldest));
        }
        // Dropped outside the lock: it can be the last handle to the user's own providers.
        drop(cached);
        drop(dropped);
        manager
    }

    /// Returns the number of cached managers.
    pub fn len(&self) -> usize {
        self.cached.lock().by_arn.len()
    }

    /// Returns `true` if no manager is cached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for RoleSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleSessions")
            .field("base", &self.base)
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_that_assumes_roles_in_another_way_has_managers_of_its_own() {
        const ARN: &str = "arn:aws:iam::111122223333:role/Tenant";
        let sessions = RoleSessions::new(&BotoSesManager::from_profile("service"));
        let whole = sessions.get(ARN);
        let narrowed = sessions
            .clone()
            .assume_with(|role| role.region("eu-west-1"));
        assert!(narrowed.is_empty());
        assert!(!narrowed.get(ARN).is_same(&whole));
        assert!(sessions.clone().get(ARN).is_same(&whole));
    }

    fn arn(number: usize) -> String {
        format!("arn:aws:iam::{number:012}:role/Tenant")
    }

    #[test]
    fn the_least_recently_used_roles_are_dropped() {
        let sessions = RoleSessions::new(&BotoSesManager::from_profile("service")).capacity(3);
        let first = sessions.get(&arn(0));
        for number in 1..3 {
            sessions.get(&arn(number));
        }
        assert!(sessions.get(&arn(0)).is_same(&first));
        for number in 3..100_000 {
            sessions.get(&arn(number));
            assert!(sessions.get(&arn(0)).is_same(&first), "{number}");
        }
        assert_eq!(sessions.len(), 3);
        assert_eq!(sessions.cached.lock().by_use.len(), 3);
        sessions.get(&arn(1));
        sessions.get(&arn(2));
        sessions.get(&arn(3));
        assert!(!sessions.get(&arn(0)).is_same(&first));
    }

    #[test]
    fn a_role_is_configured() {
        let sessions = RoleSessions::new(&BotoSesManager::from_profile("service"))
            .assume_with(|role| role.region("eu-west-1"));
        let region = sessions.get(&arn(1)).session().settings.region.clone();
        assert_eq!(region.as_deref(), Some("eu-west-1"));
    }
}
