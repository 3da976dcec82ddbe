//! Which work waits for which.
//!
//! A user's provider or callback can itself use sessions. If it uses the session that it serves, directly
//! or through another one, it would wait for itself. Every wait inside work is recorded here, so that the
//! one that closes a cycle fails at once.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::callers::Callers;
use crate::error::{Error, ErrorKind};

/// The identity of what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkId(u64);

impl WorkId {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the numbers only have to differ.
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The work that the present task does.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) id: WorkId,
    pub(crate) callers: Arc<Callers>,
    /// Whether the task is the user's code, on the user's runtime.
    pub(crate) is_user_code: bool,
}

tokio::task_local! {
    static WORK: Work;
}

/// Returns the work of the present task; `None` if it is the task of a caller.
pub(crate) fn current() -> Option<Work> {
    WORK.try_with(Work::clone).ok()
}

/// Adds the present task to the callers of other work.
pub(crate) fn call(callers: &Callers) {
    let inside = current();
    let inside = inside.as_ref();
    callers.add(inside.map(|work| (&work.callers, work.is_user_code)));
}

/// Runs a future as the given work.
pub(crate) fn working<F: Future>(work: Work, future: F) -> impl Future<Output = F::Output> {
    WORK.scope(work, future)
}

/// Runs a future of the user for some work.
pub(crate) fn users<F: Future>(work: Work, future: F) -> impl Future<Output = F::Output> {
    let work = Work {
        is_user_code: true,
        ..work
    };
    WORK.scope(work, future)
}

/// A wait of some work for other work, until it is dropped.
#[derive(Debug)]
pub(crate) struct Wait {
    from: WorkId,
    to: WorkId,
}

static WAITS: Mutex<Vec<(WorkId, WorkId)>> = Mutex::new(Vec::new());

impl Wait {
    /// Records that the present work waits for other work; `None` outside work, where no
    /// other work waits for the caller.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Runtime`] if the other work waits for this one.
    pub(crate) fn on(to: WorkId) -> Result<Option<Self>, Error> {
        let Some(Work { id: from, .. }) = current() else {
            return Ok(None);
        };
        // One lock for check and record: of two waits that close a circle, one must see the other.
        let mut waits = WAITS.lock();
        if is_waiting(&waits, to, from) {
            return Err(deadlock());
        }
        waits.push((from, to));
        Ok(Some(Self { from, to }))
    }

    /// Records that work can only end when the present one does: it holds something that is waited for.
    pub(crate) fn holds(what: WorkId) -> Option<Self> {
        let Work { id, .. } = current()?;
        WAITS.lock().push((what, id));
        Some(Self { from: what, to: id })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waits = WAITS.lock();
        // The same wait may be recorded several times, and one of them ends here.
        if let Some(at) = waits.iter().position(|wait| *wait == (self.from, self.to)) {
            waits.swap_remove(at);
        }
    }
}

/// Returns `true` if work waits for other work, or is it.
fn is_waiting(waits: &[(WorkId, WorkId)], work: WorkId, other: WorkId) -> bool {
    let mut reached = vec![work];
    let mut next = 0;
    while let Some(&work) = reached.get(next) {
        if work == other {
            return true;
        }
        for &(_, to) in waits.iter().filter(|(from, _)| *from == work) {
            if !reached.contains(&to) {
                reached.push(to);
            }
        }
        next += 1;
    }
    false
}

fn deadlock() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "deadlock: a provider or callback waits for the session that it serves: use another session in it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_circle_if_it_leads_back() {
        let id = |n| WorkId(n);
        let waits = [(1, 2), (2, 3), (2, 4), (4, 2), (5, 1)];
        let waits = waits.map(|(from, to)| (id(from), id(to)));
        for (work, other, expected) in [
            (1, 1, true),
            (1, 3, true),
            (1, 4, true),
            (5, 4, true),
            (3, 1, false),
            (4, 5, false),
            (6, 1, false),
        ] {
            assert_eq!(
                is_waiting(&waits, id(work), id(other)),
                expected,
                "{work} {other}"
            );
        }
    }

    #[tokio::test]
    async fn a_wait_ends_when_it_is_dropped() {
        let (one, other) = (WorkId::new(), WorkId::new());
        let in_work = |id, other| {
            let work = Work {
                id,
                callers: Arc::default(),
                is_user_code: false,
            };
            working(work, async move { Wait::on(other) })
        };
        let wait = in_work(one, other).await.unwrap();
        assert!(wait.is_some());
        assert_eq!(
            in_work(other, one).await.unwrap_err().kind(),
            ErrorKind::Runtime
        );
        drop(wait);
        assert!(in_work(other, one).await.unwrap().is_some());
        // A caller's task is not work, so no other work waits for it.
        assert!(Wait::on(one).unwrap().is_none());
    }
}
