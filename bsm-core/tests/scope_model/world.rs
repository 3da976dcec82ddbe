//! The state that the programs of one case share: choices, what is bound and fixed, and what they pass
//! to each other.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::Context;

use bsm_core::adapter::{self, Binding};
use bsm_core::{AwsEnvGuard, BotoSesManager};

use crate::model::{Covers, Frame, Manager, Own, Seen};

pub(crate) type Boxed = Pin<Box<dyn Future<Output = ()>>>;

pub(crate) fn manager(number: u8) -> &'static BotoSesManager {
    static MANAGERS: LazyLock<[BotoSesManager; 4]> =
        LazyLock::new(|| ["0", "1", "2", "3"].map(BotoSesManager::from_profile));
    &MANAGERS[usize::from(number)]
}

fn number(manager: &BotoSesManager) -> Manager {
    Some(manager.profile_name()?.as_bytes()[0] - b'0')
}

/// Two models. Bindings belong to the process, so each test has models of its own.
#[derive(Clone, Copy)]
pub(crate) struct Models {
    ids: [TypeId; 2],
    bindings: [fn() -> Binding; 2],
}

impl Models {
    pub(crate) fn new<First: 'static, Second: 'static>() -> Self {
        Self {
            ids: [TypeId::of::<First>(), TypeId::of::<Second>()],
            bindings: [
                BotoSesManager::current_for::<First>,
                BotoSesManager::current_for::<Second>,
            ],
        }
    }
}

pub(crate) struct World {
    /// Every decision is a byte, so that a failing case shrinks to few and small ones.
    bytes: Vec<u8>,
    next: Cell<usize>,
    models: Models,
    own: Cell<[Own; 2]>,
    /// The thread that all tasks share; `None` if tasks are distinguished.
    thread: Option<Rc<Frame>>,
    pub(crate) spawned: RefCell<Vec<Boxed>>,
    pub(crate) pool: RefCell<Vec<Detached>>,
    pub(crate) stash: RefCell<Vec<Held>>,
    failure: RefCell<Option<String>>,
    trace: Option<RefCell<Vec<String>>>,
}

impl World {
    pub(crate) fn new(
        bytes: Vec<u8>,
        models: Models,
        thread: Option<Rc<Frame>>,
        trace: bool,
    ) -> Rc<Self> {
        Rc::new(Self {
            bytes,
            next: Cell::new(0),
            models,
            own: Cell::default(),
            thread,
            spawned: RefCell::default(),
            pool: RefCell::default(),
            stash: RefCell::default(),
            failure: RefCell::default(),
            trace: trace.then(RefCell::default),
        })
    }

    /// Returns one of `0..below`; always 0 once the choices are used up.
    pub(crate) fn choose(&self, below: usize) -> usize {
        let byte = self.bytes.get(self.next.get()).copied().unwrap_or_default();
        self.next.set(self.next.get() + 1);
        usize::from(byte) % below
    }

    pub(crate) fn flip(&self) -> bool {
        self.choose(2) == 1
    }

    pub(crate) fn choose_override(&self) -> (u8, Covers) {
        let choice = self.choose(24);
        let covers = match choice / 4 {
            0..3 => Covers::Everything,
            models => Covers::Models {
                first: models != 4,
                second: models != 3,
            },
        };
        (u8::try_from(choice % 4).unwrap(), covers)
    }

    pub(crate) fn ids(&self, first: bool, second: bool) -> Vec<TypeId> {
        let ids = self.models.ids.into_iter().zip([first, second]);
        ids.filter_map(|(id, named)| named.then_some(id)).collect()
    }

    pub(crate) fn bind(&self, model: usize, manager: Manager) {
        let id = self.models.ids[model];
        match manager {
            Some(number) => adapter::bind_model(id, self::manager(number)),
            None => drop(adapter::unbind_model(id)),
        }
        self.change_own(model, |own| own.bound = manager);
    }

    pub(crate) fn fix(&self, model: usize, manager: Manager) {
        let id = self.models.ids[model];
        let previous = match manager {
            Some(number) => adapter::fix_model(id, self::manager(number)),
            None => adapter::unfix_model(id),
        };
        drop(previous);
        self.change_own(model, |own| own.fixed = manager);
    }

    fn change_own(&self, model: usize, change: impl FnOnce(&mut Own)) {
        let mut own = self.own.get();
        change(&mut own[model]);
        self.own.set(own);
    }

    /// Returns the stretch of code in which a task starts that inherits nothing.
    pub(crate) fn task(&self) -> Rc<Frame> {
        self.thread.clone().unwrap_or_default()
    }

    /// Compares what the code in `frame` sees with what it must see.
    pub(crate) fn check(&self, frame: &Frame, what: &str) {
        let expected = frame.seen(self.own.get());
        let seen = Seen {
            current: number(&BotoSesManager::current()),
            models: self.models.bindings.map(|binding| {
                let binding = binding();
                (number(binding.manager()), binding.is_specific())
            }),
        };
        self.note(|| format!("{what}: {seen:?}"));
        if seen != expected {
            // Not by a panic: this may be a destructor that runs while another panic unwinds.
            let failure = || format!("{what}: expected {expected:?}, saw {seen:?}");
            self.failure.borrow_mut().get_or_insert_with(failure);
            self.next.set(self.bytes.len());
        }
    }

    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().push(line());
        }
    }

    pub(crate) fn enter(&self, frame: &Rc<Frame>) -> Held {
        let (number, covers) = self.choose_override();
        self.note(|| format!("enter {number} for {covers:?}"));
        let guard = match covers {
            Covers::Everything => manager(number).awsenv(),
            Covers::Models { first, second } => {
                adapter::awsenv_for(manager(number), &self.ids(first, second))
            }
        };
        Held {
            id: frame.enter(number, covers),
            frame: frame.clone(),
            guard: Some(guard),
        }
    }

    /// Drops what is left, and returns the failure of the case, if any.
    pub(crate) fn end(&self, outside: &Rc<Frame>) -> Option<String> {
        while let Some(detached) = self.take_detached(outside) {
            drop(detached);
        }
        self.stash.take();
        for model in [0, 1] {
            self.bind(model, None);
            self.fix(model, None);
        }
        self.check(outside, "at the end");
        let mut failure = self.failure.take()?;
        if let Some(trace) = &self.trace {
            failure.push_str("\n  after: ");
            failure.push_str(&trace.borrow().join("\n  "));
        }
        Some(failure)
    }

    /// Puts something into the pool. Nobody runs it until it is taken out.
    pub(crate) fn put(&self, detached: Detached) {
        detached.frame.run_by(None);
        self.pool.borrow_mut().push(detached);
    }

    /// Takes something out of the pool, for the code in `frame` to run.
    pub(crate) fn take_detached(&self, frame: &Rc<Frame>) -> Option<Detached> {
        let length = self.pool.borrow().len();
        let detached = (length > 0).then(|| self.pool.borrow_mut().remove(self.choose(length)))?;
        if !detached.carried {
            detached.frame.run_by(Some(frame));
        }
        Some(detached)
    }
}

/// A guard, and its entry in the model.
pub(crate) struct Held {
    guard: Option<AwsEnvGuard>,
    frame: Rc<Frame>,
    id: u64,
}

impl Held {
    /// Forgets the guard: its override stays.
    pub(crate) fn forget(mut self) {
        mem::forget(self.guard.take());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.guard.take().is_some() {
            self.frame.leave(self.id);
        }
    }
}

/// A scoped future that one place created, and that any other can run.
pub(crate) struct Detached {
    pub(crate) future: Boxed,
    pub(crate) frame: Rc<Frame>,
    pub(crate) carried: bool,
}

impl Detached {
    pub(crate) fn carried(frame: Rc<Frame>, future: Boxed) -> Self {
        Self {
            future,
            frame,
            carried: true,
        }
    }

    /// Polls it, and returns `true` if it has completed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        self.future.as_mut().poll(cx).is_ready()
    }
}

/// A value that checks when it is dropped.
pub(crate) struct Probe {
    pub(crate) world: Rc<World>,
    pub(crate) frame: Rc<Frame>,
}

impl Probe {
    pub(crate) fn new(world: &Rc<World>, frame: &Rc<Frame>) -> Self {
        Self {
            world: world.clone(),
            frame: frame.clone(),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.world.check(&self.frame, "in a destructor");
    }
}
