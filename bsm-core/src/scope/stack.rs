//! The thread's stack of overrides, and how a scope moves onto it and off again.

use std::any::TypeId;
use std::cell::RefCell;
use std::sync::{Arc, Weak};

use tokio::task;

use crate::manager::BotoSesManager;

/// One override: a manager, and what it stands for.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) manager: BotoSesManager,
    covers: Covers,
}

#[derive(Clone)]
enum Covers {
    Everything,
    Models(Box<[TypeId]>),
}

impl Entry {
    pub(super) fn general(manager: &BotoSesManager) -> Self {
        Self {
            manager: manager.clone(),
            covers: Covers::Everything,
        }
    }

    pub(super) fn for_models(manager: &BotoSesManager, models: &[TypeId]) -> Self {
        Self {
            manager: manager.clone(),
            covers: Covers::Models(models.into()),
        }
    }

    pub(super) fn is_general(&self) -> bool {
        matches!(self.covers, Covers::Everything)
    }

    pub(super) fn names(&self, model: TypeId) -> bool {
        matches!(&self.covers, Covers::Models(models) if models.contains(&model))
    }
}

/// A place on the stack, seen by one task only.
struct Slot {
    /// `None` is the thread outside of any tokio task.
    task: Option<task::Id>,
    layer: Layer,
}

enum Layer {
    /// An override, in force as long as its owner keeps it.
    Override(Weak<Entry>),
    /// Where a look-up ends: code that carries its overrides sees none of the place that runs it.
    Wall,
}

impl Layer {
    fn is_alive(&self) -> bool {
        match self {
            Self::Override(entry) => entry.strong_count() > 0,
            Self::Wall => true,
        }
    }
}

/// The overrides on one thread, outermost first.
struct Stack {
    slots: Vec<Slot>,
    /// Where the slots of the innermost running scope begin. Those below belong to whoever runs
    /// it, and keep their places, since the outer scopes know theirs by a floor as well.
    floor: usize,
}

thread_local! {
    static STACK: RefCell<Stack> = const {
        RefCell::new(Stack { slots: Vec::new(), floor: 0 })
    };
}

impl Stack {
    fn push(&mut self, entry: &Arc<Entry>) {
        let floor = self.floor;
        let mut place = 0;
        self.slots.retain(|slot| {
            place += 1;
            place <= floor || slot.layer.is_alive()
        });
        self.slots.push(Slot {
            task: task::try_id(),
            layer: Layer::Override(Arc::downgrade(entry)),
        });
    }

    /// The live entries of the running task, innermost first.
    fn visible(&self) -> impl Iterator<Item = Arc<Entry>> {
        let task = task::try_id();
        self.slots
            .iter()
            .rev()
            .filter(move |slot| slot.task == task)
            .map_while(|slot| match &slot.layer {
                Layer::Override(entry) => Some(entry),
                Layer::Wall => None,
            })
            .filter_map(Weak::upgrade)
    }
}

/// The thread is ending, and its overrides are no longer known.
pub(super) struct Unknown;

/// Looks through the running task's overrides, innermost first.
pub(super) fn find(wanted: impl Fn(&Entry) -> bool) -> Result<Option<BotoSesManager>, Unknown> {
    STACK
        .try_with(|stack| {
            let entry = stack.borrow().visible().find(|entry| wanted(entry));
            // Out of the borrow, whoever turns out to be the last owner.
            entry.map(|entry| entry.manager.clone())
        })
        .map_err(|_| Unknown)
}

/// Puts an override on the stack for as long as the caller keeps the entry.
pub(super) fn enter(entry: Entry) -> Arc<Entry> {
    let entry = Arc::new(entry);
    // Without the thread-local the override cannot take effect, and look-ups answer `none`.
    let _ = STACK.try_with(|stack| stack.borrow_mut().push(&entry));
    entry
}

/// The overrides of a scope while it is not running.
pub(super) struct Overrides {
    /// Keeps the scope's own overrides alive; those of guards made inside are owned by the guards.
    _own: Vec<Arc<Entry>>,
    parked: Vec<Layer>,
}

impl Overrides {
    /// An override on top of those of whoever runs the scope.
    pub(super) fn nested(entry: Entry) -> Self {
        let entry = Arc::new(entry);
        Self {
            parked: vec![Layer::Override(Arc::downgrade(&entry))],
            _own: vec![entry],
        }
    }

    /// What is in force here, and nothing of whoever runs the scope.
    pub(super) fn captured() -> Self {
        // Copies: were the entries shared, a guard's override would outlive the guard here.
        let copies = STACK.try_with(|stack| {
            let visible = stack.borrow().visible().collect::<Vec<_>>();
            let outermost_first = visible.iter().rev();
            outermost_first
                .map(|entry| Arc::new(Entry::clone(entry)))
                .collect()
        });
        let own: Vec<Arc<Entry>> =
            copies.unwrap_or_else(|_| vec![Arc::new(Entry::general(&BotoSesManager::none()))]);
        let overrides = own
            .iter()
            .map(|entry| Layer::Override(Arc::downgrade(entry)));
        Self {
            parked: std::iter::once(Layer::Wall).chain(overrides).collect(),
            _own: own,
        }
    }

    /// Runs `f` with the overrides on the stack, and parks those that are left afterwards.
    pub(super) fn within<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(&mut self.parked);
        f()
    }
}

/// Overrides on the stack; they are parked again on drop, so also when a poll panics.
struct Entered<'a> {
    parked: &'a mut Vec<Layer>,
    task: Option<task::Id>,
    outer_floor: usize,
}

impl<'a> Entered<'a> {
    fn new(parked: &'a mut Vec<Layer>) -> Self {
        // The scope may have moved to another task since it was parked.
        let task = task::try_id();
        let outer_floor = STACK
            .try_with(|stack| {
                let stack = &mut *stack.borrow_mut();
                let outer_floor = std::mem::replace(&mut stack.floor, stack.slots.len());
                let slots = parked.drain(..).map(|layer| Slot { task, layer });
                stack.slots.extend(slots);
                outer_floor
            })
            .unwrap_or_default();
        Self {
            parked,
            task,
            outer_floor,
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let _ = STACK.try_with(|stack| {
            let stack = &mut *stack.borrow_mut();
            let floor = std::mem::replace(&mut stack.floor, self.outer_floor);
            // A `LocalSet` inside of the scope runs other tasks: theirs stay on the thread.
            let ours = stack
                .slots
                .extract_if(floor.., |slot| slot.task == self.task);
            self.parked
                .extend(ours.map(|slot| slot.layer).filter(Layer::is_alive));
        });
    }
}
