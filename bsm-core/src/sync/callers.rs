//! The callers that wait for work, and the runtimes that they are on.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::runtime::Handle;

/// The callers that wait for one piece of work.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    found: Mutex<Vec<Caller>>,
}

#[derive(Clone, Debug)]
enum Caller {
    Runtime(Handle),
    /// Other work, which has callers itself.
    Work(Weak<Callers>),
    /// A thread without a runtime.
    Thread,
}

impl Callers {
    /// Adds the present caller. If it does work itself, `inside` are the callers of that, and whether it is code
    /// of the user.
    pub(crate) fn add(&self, inside: Option<(&Arc<Self>, bool)>) {
        let here = Handle::try_current();
        let mut found = self.found.lock();
        match inside {
            Some((callers, is_user_code)) => {
                // Inside the user's code, its own runtime comes first.
                if let (true, Ok(here)) = (is_user_code, here) {
                    found.push(Caller::Runtime(here));
                }
                // Weak: that work may end first, and its callers no longer wait then.
                found.push(Caller::Work(Arc::downgrade(callers)));
            }
            None => found.push(here.map_or(Caller::Thread, Caller::Runtime)),
        }
    }

    /// Returns the runtimes of the callers, in the order in which they came, and whether a caller has
    /// none.
    pub(super) fn runtimes(&self) -> (Vec<Handle>, bool) {
        let mut runtimes: Vec<Handle> = Vec::new();
        let mut has_thread_caller = false;
        let mut seen: Vec<Arc<Self>> = Vec::new();
        // Copied, so that one lock is held at a time: work in the background can have callers whose own
        // work has it as a caller.
        let mut callers = self.found.lock().clone();
        let mut next = 0;
        while let Some(caller) = callers.get(next).cloned() {
            next += 1;
            match caller {
                Caller::Runtime(handle) => {
                    if runtimes.iter().all(|seen| seen.id() != handle.id()) {
                        runtimes.push(handle);
                    }
                }
                Caller::Work(work) => {
                    let work = work.upgrade();
                    if let Some(work) =
                        work.filter(|work| !seen.iter().any(|it| Arc::ptr_eq(it, work)))
                    {
                        callers.extend(work.found.lock().iter().cloned());
                        seen.push(work);
                    }
                }
                Caller::Thread => has_thread_caller = true,
            }
        }
        (runtimes, has_thread_caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_has_each_other_as_callers_is_looked_through_once() {
        let (one, other) = (Arc::<Callers>::default(), Arc::<Callers>::default());
        let work = |callers: &Arc<Callers>| Caller::Work(Arc::downgrade(callers));
        one.found.lock().extend([work(&other), work(&one)]);
        let here = Caller::Runtime(Handle::current());
        other
            .found
            .lock()
            .extend([work(&one), here, Caller::Thread]);
        let (runtimes, has_thread_caller) = one.runtimes();
        assert_eq!(runtimes.len(), 1);
        assert!(has_thread_caller);
    }
}
