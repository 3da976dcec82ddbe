//! The thread's stack of overrides, and how a scope moves onto it and off again.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task;

use crate::manager::BotoSesManager;

/// One override: a manager, what it stands for, and whether it still does.
pub(super) struct Entry {
    pub(super) manager: BotoSesManager,
    covers: Covers,
    ended: AtomicBool,
}

#[derive(Clone)]
enum Covers {
    Everything,
    Models(Box<[TypeId]>),
}

impl Entry {
    fn new(manager: &BotoSesManager, covers: Covers) -> Self {
        Self {
            manager: manager.clone(),
            covers,
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn general(manager: &BotoSesManager) -> Self {
        Self::new(manager, Covers::Everything)
    }

    pub(super) fn for_models(manager: &BotoSesManager, models: &[TypeId]) -> Self {
        Self::new(manager, Covers::Models(models.into()))
    }

    /// The same override, which ends by itself.
    fn copy(&self) -> Self {
        Self::new(&self.manager, self.covers.clone())
    }

    #[inline]
    pub(super) fn is_general(&self) -> bool {
        matches!(self.covers, Covers::Everything)
    }

    pub(super) fn names(&self, model: TypeId) -> bool {
        matches!(&self.covers, Covers::Models(models) if models.contains(&model))
    }

    #[inline]
    fn is_in_force(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }
}

/// A place on the stack, seen by one task only.
struct Slot {
    /// `None` is the thread outside of any tokio task.
    task: Option<task::Id>,
    layer: Layer,
}

enum Layer {
    /// An override, in force until it is ended.
    Override(Arc<Entry>),
    /// Where a look-up ends: code that carries its overrides sees none of the place that runs it.
    Wall,
}

impl Layer {
    fn is_in_force(&self) -> bool {
        match self {
            Self::Override(entry) => entry.is_in_force(),
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

    /// Says whether there are slots. It has no destructor, so it costs next to nothing to read, and
    /// can be read to the very end of the thread.
    static ANY: Cell<bool> = const { Cell::new(false) };
}

impl Stack {
    fn push(&mut self, entry: Arc<Entry>) {
        self.slots.push(Slot {
            task: task::try_id(),
            layer: Layer::Override(entry),
        });
    }

    /// Takes away a slot whose override has ended, of those that nobody's floor counts.
    ///
    /// The caller drops it when the stack is no longer borrowed: with it may go a manager, and with
    /// that whatever its user has put into it.
    fn sweep_one(&mut self) -> Option<Slot> {
        let above = self.slots.get(self.floor..)?;
        let ended = above.iter().rposition(|slot| !slot.layer.is_in_force())?;
        Some(self.slots.remove(self.floor + ended))
    }

    /// The entries in force of the running task, innermost first.
    #[inline]
    fn visible(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let task = task::try_id();
        self.slots
            .iter()
            .rev()
            .filter(move |slot| slot.task == task)
            .map_while(|slot| match &slot.layer {
                Layer::Override(entry) => Some(entry),
                Layer::Wall => None,
            })
            .filter(|entry| entry.is_in_force())
    }
}

/// The thread is ending, and its overrides are no longer known.
pub(super) struct Unknown;

/// Looks at the stack of this thread.
#[inline(always)]
fn look<R>(f: impl FnOnce(&Stack) -> R) -> Result<R, Unknown> {
    STACK
        .try_with(|stack| f(&stack.borrow()))
        .map_err(|_| Unknown)
}

/// Changes the stack of this thread.
fn change<R>(f: impl FnOnce(&mut Stack) -> R) -> Result<R, Unknown> {
    let changed = STACK.try_with(|stack| {
        let stack = &mut *stack.borrow_mut();
        let done = f(stack);
        ANY.set(!stack.slots.is_empty());
        done
    });
    changed.map_err(|_| {
        // Whatever was to be changed, from now on nothing is known.
        ANY.set(true);
        Unknown
    })
}

/// Looks through the running task's overrides, innermost first.
///
/// Left to itself the compiler makes a call of it, which costs half a nanosecond, as much as all of
/// a look-up where nothing is overridden.
#[inline(always)]
pub(super) fn find(wanted: impl Fn(&Entry) -> bool) -> Result<Option<BotoSesManager>, Unknown> {
    if !ANY.get() {
        return Ok(None);
    }
    look(|stack| {
        let entry = stack.visible().find(|entry| wanted(entry));
        entry.map(|entry| entry.manager.clone())
    })
}

/// Puts an override on the stack, until the caller ends it.
pub(super) fn enter(entry: Entry) -> Arc<Entry> {
    let entry = Arc::new(entry);
    // Without the thread-local the override cannot take effect, and look-ups answer `none`.
    let _ = change(|stack| stack.push(Arc::clone(&entry)));
    entry
}

/// Ends an override, wherever its slot lies.
///
/// A slot on the stack of this thread is taken away; one that is parked, or has been left on
/// another thread, is without effect until somebody comes across it.
pub(super) fn end(entry: &Entry) {
    entry.ended.store(true, Ordering::Release);
    while let Ok(Some(slot)) = change(Stack::sweep_one) {
        drop(slot);
    }
}

/// The overrides of a scope while it is not running.
pub(super) struct Overrides {
    parked: Vec<Layer>,
}

impl Overrides {
    /// An override on top of those of whoever runs the scope.
    pub(super) fn nested(entry: Entry) -> Self {
        Self {
            parked: vec![Layer::Override(Arc::new(entry))],
        }
    }

    /// What is in force here, and nothing of whoever runs the scope.
    pub(super) fn captured() -> Self {
        // Copies: were the entries shared, they would end with a guard here.
        let innermost_first = look(|stack| {
            let visible = stack.visible();
            visible.map(|entry| entry.copy()).collect()
        });
        let innermost_first =
            innermost_first.unwrap_or_else(|Unknown| vec![Entry::general(&BotoSesManager::none())]);
        let overrides = innermost_first.into_iter().rev();
        let overrides = overrides.map(|entry| Layer::Override(Arc::new(entry)));
        Self {
            parked: std::iter::once(Layer::Wall).chain(overrides).collect(),
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
        let outer_floor = change(|stack| {
            let outer_floor = std::mem::replace(&mut stack.floor, stack.slots.len());
            let slots = parked.drain(..).map(|layer| Slot { task, layer });
            stack.slots.extend(slots);
            outer_floor
        });
        Self {
            parked,
            task,
            outer_floor: outer_floor.unwrap_or_default(),
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let _ = change(|stack| {
            let floor = std::mem::replace(&mut stack.floor, self.outer_floor);
            // A `LocalSet` inside of the scope runs other tasks: theirs stay on the thread.
            let ours = stack
                .slots
                .extract_if(floor.., |slot| slot.task == self.task);
            self.parked.extend(ours.map(|slot| slot.layer));
        });
        self.parked.retain(Layer::is_in_force);
    }
}
