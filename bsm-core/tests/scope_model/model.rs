//! A naive model of scopes: every stretch of code has a list of the overrides made in it, and
//! refers to the stretch that runs it. Nothing is ever moved or swapped.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A manager, by its number; `None` is the process default.
pub(crate) type Manager = Option<u8>;

/// What one lookup returns, or must return.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) current: Manager,
    /// For each of the two models: its manager, and whether that is specific.
    pub(crate) models: [(Manager, bool); 2],
}

/// What is set for a model in the whole process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own {
    pub(crate) fixed: Manager,
    pub(crate) bound: Manager,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Covers {
    Everything,
    Models { first: bool, second: bool },
}

impl Covers {
    fn model(self, model: usize) -> bool {
        match self {
            Self::Everything => false,
            Self::Models { first, second } => [first, second][model],
        }
    }
}

#[derive(Clone)]
struct Override {
    id: u64,
    manager: u8,
    covers: Covers,
}

/// A stretch of code: a thread, a task, a scope, or something that carries its overrides.
#[derive(Default)]
pub(crate) struct Frame {
    overrides: RefCell<Vec<Override>>,
    /// The stretch that runs this one; `None` for a thread, a task, and whatever carries its
    /// overrides.
    outer: RefCell<Option<Rc<Frame>>>,
    /// Whether it ends before its thread or task does.
    ends: bool,
}

impl Frame {
    /// Returns a thread, or a task if tasks are distinguished.
    pub(crate) fn root() -> Rc<Self> {
        Rc::default()
    }

    pub(crate) fn scope(manager: u8, covers: Covers, outer: &Rc<Self>) -> Rc<Self> {
        let frame = Self {
            ends: true,
            ..Self::default()
        };
        frame.enter(manager, covers);
        frame.run_by(Some(outer));
        Rc::new(frame)
    }

    /// Returns a copy of all overrides that apply here.
    pub(crate) fn carried(&self) -> Rc<Self> {
        let mut all = Vec::new();
        self.innermost_first(|entry| {
            all.push(entry.clone());
            None::<()>
        });
        all.reverse();
        let carried = Self {
            overrides: RefCell::new(all),
            ends: true,
            ..Self::default()
        };
        Rc::new(carried)
    }

    pub(crate) fn ends(&self) -> bool {
        self.ends
    }

    pub(crate) fn run_by(&self, outer: Option<&Rc<Self>>) {
        *self.outer.borrow_mut() = outer.cloned();
    }

    pub(crate) fn enter(&self, manager: u8, covers: Covers) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.overrides.borrow_mut().push(Override {
            id,
            manager,
            covers,
        });
        id
    }

    pub(crate) fn leave(&self, id: u64) {
        self.overrides.borrow_mut().retain(|entry| entry.id != id);
    }

    pub(crate) fn seen(&self, own: [Own; 2]) -> Seen {
        let general = |entry: &Override| matches!(entry.covers, Covers::Everything);
        let current = self.innermost_first(|entry| general(entry).then_some(entry.manager));
        let models = [0, 1].map(|model| {
            let Own { fixed, bound } = own[model];
            let nearest = self.innermost_first(|entry| {
                let names = entry.covers.model(model);
                let applies = names || (general(entry) && fixed.is_none());
                applies.then_some((Some(entry.manager), names))
            });
            let own = fixed.or(bound).map(|manager| (Some(manager), true));
            nearest.or(own).unwrap_or((None, false))
        });
        Seen { current, models }
    }

    fn innermost_first<T>(&self, mut visit: impl FnMut(&Override) -> Option<T>) -> Option<T> {
        let mut found = self.overrides.borrow().iter().rev().find_map(&mut visit);
        let mut outer = self.outer.borrow().clone();
        while let (None, Some(frame)) = (&found, &outer) {
            found = frame.overrides.borrow().iter().rev().find_map(&mut visit);
            let next = frame.outer.borrow().clone();
            outer = next;
        }
        found
    }
}
