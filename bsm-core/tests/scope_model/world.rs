//! What the strands of one case share: the choices, the pins, and what they hand to each other.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::Context;

use bsm_core::{AwsEnvGuard, Binding, BotoSesManager, pin, unpin};

use crate::model::{Covers, Frame, Manager, Seen};

pub(crate) type Boxed = Pin<Box<dyn Future<Output = ()>>>;

pub(crate) fn manager(number: u8) -> &'static BotoSesManager {
    static MANAGERS: LazyLock<[BotoSesManager; 4]> =
        LazyLock::new(|| ["0", "1", "2", "3"].map(BotoSesManager::from_profile));
    &MANAGERS[usize::from(number)]
}

fn number(manager: &BotoSesManager) -> Manager {
    Some(manager.profile_name()?.as_bytes()[0] - b'0')
}

/// Two models. Pins are the process's, so each test has models of its own.
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
    pins: Cell<[Manager; 2]>,
    /// The thread, where all plain tasks are its own; `None` where each task is told apart.
    thread: Option<Rc<Frame>>,
    pub(crate) spawned: RefCell<Vec<Boxed>>,
    pub(crate) pool: RefCell<Vec<Pooled>>,
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
            pins: Cell::default(),
            thread,
            spawned: RefCell::default(),
            pool: RefCell::default(),
            stash: RefCell::default(),
            failure: RefCell::default(),
            trace: trace.then(RefCell::default),
        })
    }

    /// One of `0..below`; always 0 when the choices are used up.
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

    pub(crate) fn pin(&self, model: usize, manager: Manager) {
        match manager {
            Some(number) => pin(self.models.ids[model], self::manager(number)),
            None => drop(unpin(self.models.ids[model])),
        }
        let mut pins = self.pins.get();
        pins[model] = manager;
        self.pins.set(pins);
    }

    /// Where a task starts that inherits nothing.
    pub(crate) fn task(&self) -> Rc<Frame> {
        self.thread.clone().unwrap_or_default()
    }

    /// Compares what the code in `frame` sees to what it ought to see.
    pub(crate) fn check(&self, frame: &Frame, what: &str) {
        let expected = frame.seen(self.pins.get());
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
                manager(number).awsenv_for(&self.ids(first, second))
            }
        };
        Held {
            id: frame.enter(number, covers),
            frame: frame.clone(),
            guard: Some(guard),
        }
    }

    /// Drops what is left, and tells what went wrong.
    pub(crate) fn end(&self, outside: &Rc<Frame>) -> Option<String> {
        while let Some(pooled) = self.take_pooled(outside) {
            drop(pooled);
        }
        self.stash.take();
        self.pin(0, None);
        self.pin(1, None);
        self.check(outside, "at the end");
        let mut failure = self.failure.take()?;
        if let Some(trace) = &self.trace {
            failure.push_str("\n  after: ");
            failure.push_str(&trace.borrow().join("\n  "));
        }
        Some(failure)
    }

    /// Puts something into the pool. Until it is taken out, nobody runs it.
    pub(crate) fn put(&self, pooled: Pooled) {
        pooled.frame.run_by(None);
        self.pool.borrow_mut().push(pooled);
    }

    /// Takes something out of the pool for the code in `frame` to run.
    pub(crate) fn take_pooled(&self, frame: &Rc<Frame>) -> Option<Pooled> {
        let length = self.pool.borrow().len();
        let pooled = (length > 0).then(|| self.pool.borrow_mut().remove(self.choose(length)))?;
        if !pooled.carried {
            pooled.frame.run_by(Some(frame));
        }
        Some(pooled)
    }
}

/// A guard, and its line in the model.
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

/// A scoped future that was made in one place, for any other to run.
pub(crate) struct Pooled {
    pub(crate) future: Boxed,
    pub(crate) frame: Rc<Frame>,
    pub(crate) carried: bool,
}

impl Pooled {
    /// Says whether it has completed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        self.future.as_mut().poll(cx).is_ready()
    }
}

/// Looks around when it is dropped.
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
