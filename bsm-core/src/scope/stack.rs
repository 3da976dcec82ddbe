//! The stack of overrides of a thread, and how a scope moves onto it and off it.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task;

use crate::manager::BotoSesManager;

/// One override: a manager, what it covers, and whether it has ended.
pub(super) struct Override {
    pub(super) manager: BotoSesManager,
    covers: Covers,
    ended: AtomicBool,
}

#[derive(Clone)]
enum Covers {
    Everything,
    Models(Box<[TypeId]>),
}

impl Override {
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

    /// Returns a copy that ends independently.
    fn copy(&self) -> Self {
        Self::new(&self.manager, self.covers.clone())
    }

    #[inline]
    pub(super) fn is_general(&self) -> bool {
        matches!(self.covers, Covers::Everything)
    }

    pub(super) fn names(&self, model: TypeId) -> bool {
        self.models().contains(&model)
    }

    /// Returns the models that the override names; none for a general one.
    pub(super) fn models(&self) -> &[TypeId] {
        match &self.covers {
            Covers::Everything => &[],
            Covers::Models(models) => models,
        }
    }

    #[inline]
    pub(super) fn applies(&self) -> bool {
        // Another thread can have ended it: a guard that was stored in a thread-local stays behind
        // when its scope moves to another thread.
        !self.ended.load(Ordering::Acquire)
    }
}

/// An entry of the stack, visible to one task only.
struct StackEntry {
    /// `None` for the thread outside any tokio task.
    task: Option<task::Id>,
    layer: Layer,
}

enum Layer {
    /// An override, which applies until it ends.
    Override(Arc<Override>),
    /// The end of a lookup: code that carries its overrides sees none of the place that polls it.
    Boundary,
}

impl Layer {
    fn applies(&self) -> bool {
        match self {
            Self::Override(entry) => entry.applies(),
            Self::Boundary => true,
        }
    }
}

/// The overrides on one thread, outermost first.
struct Stack {
    entries: Vec<StackEntry>,
    /// The index of the first entry of the innermost running scope. The entries below belong to the
    /// outer scopes. They must keep their places, because each outer scope finds its entries by a
    /// floor as well.
    floor: usize,
}

thread_local! {
    static STACK: RefCell<Stack> = const {
        RefCell::new(Stack { entries: Vec::new(), floor: 0 })
    };

    /// Whether there are entries. It has no destructor, so it is cheap to read, and readable until
    /// the very end of the thread.
    static ANY: Cell<bool> = const { Cell::new(false) };

    /// How many scopes this thread is dropping that have not completed. They nest, because a
    /// destructor can drop another scope.
    static UNFINISHED: Cell<usize> = const { Cell::new(0) };
}

impl Stack {
    fn push(&mut self, entry: Arc<Override>) {
        self.entries.push(StackEntry {
            task: task::try_id(),
            layer: Layer::Override(entry),
        });
    }

    /// Removes one entry above the floor whose override has ended.
    ///
    /// The caller drops it outside the borrow: it can own the last handle to a manager, and with it
    /// arbitrary destructors of the user.
    fn sweep_one(&mut self) -> Option<StackEntry> {
        let above = self.entries.get(self.floor..)?;
        let ended = above.iter().rposition(|entry| !entry.layer.applies())?;
        // Not `swap_remove`: the order of the entries decides which override is the innermost.
        Some(self.entries.remove(self.floor + ended))
    }

    /// Returns `true` if an entry of the running task has this override.
    fn has(&self, wanted: &Arc<Override>) -> bool {
        let task = task::try_id();
        self.entries.iter().rev().any(|entry| {
            matches!(&entry.layer, Layer::Override(found) if Arc::ptr_eq(found, wanted))
                && entry.task == task
        })
    }

    /// Returns the overrides that apply to the running task, innermost first.
    #[inline]
    fn visible(&self) -> impl Iterator<Item = &Arc<Override>> {
        let task = task::try_id();
        self.entries
            .iter()
            .rev()
            .filter(move |entry| entry.task == task)
            // After the filter by task: the boundary of another task must not end this lookup.
            .map_while(|entry| match &entry.layer {
                Layer::Override(entry) => Some(entry),
                Layer::Boundary => None,
            })
            .filter(|entry| entry.applies())
    }
}

/// The thread is exiting, and its overrides are no longer known.
pub(super) struct ThreadExiting;

/// Calls `f` with the stack of this thread.
#[inline(always)]
fn with_stack<R>(f: impl FnOnce(&Stack) -> R) -> Result<R, ThreadExiting> {
    STACK
        .try_with(|stack| f(&stack.borrow()))
        .map_err(|_| ThreadExiting)
}

/// Calls `f` with the stack of this thread, to change it.
fn with_stack_mut<R>(f: impl FnOnce(&mut Stack) -> R) -> Result<R, ThreadExiting> {
    let changed = STACK.try_with(|stack| {
        let stack = &mut *stack.borrow_mut();
        let done = f(stack);
        ANY.set(!stack.entries.is_empty());
        done
    });
    changed.map_err(|_| {
        // An override may be lost, so from now on every lookup must fail rather than miss it.
        ANY.set(true);
        ThreadExiting
    })
}

/// Returns what `pick` makes of the innermost override of the running task that it accepts.
///
/// Inlined by force: a call costs half a nanosecond, as much as the whole lookup if there are no
/// overrides.
#[inline(always)]
pub(super) fn find<T>(pick: impl Fn(&Override) -> Option<T>) -> Result<Option<T>, ThreadExiting> {
    if !ANY.get() {
        return Ok(None);
    }
    with_stack(|stack| stack.visible().find_map(|entry| pick(entry)))
}

/// Pushes an override, which applies until the caller ends it.
pub(super) fn enter(entry: Override) -> Arc<Override> {
    let entry = Arc::new(entry);
    // The error can be ignored: while the thread exits, every lookup returns `none` anyway.
    let _ = with_stack_mut(|stack| stack.push(Arc::clone(&entry)));
    entry
}

/// Ends an override, wherever its entry is. Returns `true` if it applied here until now.
///
/// An entry on the stack of this thread is removed. One that is parked, or belongs to another task,
/// no longer has an effect, and is removed when that stack is next swept.
pub(super) fn end(entry: &Arc<Override>) -> bool {
    // While the thread exits, its stack is gone. `true` is harmless then, because every lookup returns
    // `none`.
    let applied = with_stack(|stack| stack.has(entry)).unwrap_or(true);
    entry.ended.store(true, Ordering::Release);
    while let Ok(Some(entry)) = with_stack_mut(Stack::sweep_one) {
        drop(entry);
    }
    applied
}

/// Whether code is being left by a panic, or because its scope is dropped unfinished.
#[derive(Clone, Copy)]
pub(super) struct Unwinding {
    panicking: bool,
    unfinished: usize,
}

impl Unwinding {
    pub(super) fn now() -> Self {
        Self {
            panicking: std::thread::panicking(),
            unfinished: UNFINISHED.get(),
        }
    }

    /// Returns `true` if a block that began at `self` is now being left before its end.
    ///
    /// A block inside a destructor that runs meanwhile began during the unwinding, so it can still
    /// end regularly.
    pub(super) fn has_begun(self) -> bool {
        let now = Self::now();
        (now.panicking && !self.panicking) || now.unfinished > self.unfinished
    }
}

/// The overrides of a scope while it is not running.
pub(super) struct ParkedOverrides {
    parked: Vec<Layer>,
}

impl ParkedOverrides {
    /// Returns an override on top of those of the place that polls the scope.
    pub(super) fn nested(entry: Override) -> Self {
        Self {
            parked: vec![Layer::Override(Arc::new(entry))],
        }
    }

    /// Returns the overrides that apply here, sealed against those of the place that polls the
    /// scope.
    pub(super) fn captured() -> Self {
        // Copies: a shared override would end with its guard here.
        let innermost_first = with_stack(|stack| {
            let visible = stack.visible();
            visible.map(|entry| entry.copy()).collect()
        });
        let innermost_first = innermost_first
            // The overrides are unknown, so what carries them must reach no account.
            .unwrap_or_else(|ThreadExiting| vec![Override::general(&BotoSesManager::none())]);
        let overrides = innermost_first.into_iter().rev();
        let overrides = overrides.map(|entry| Layer::Override(Arc::new(entry)));
        Self {
            parked: std::iter::once(Layer::Boundary).chain(overrides).collect(),
        }
    }

    /// Calls `f` with the overrides on the stack, and parks the remaining ones afterwards.
    pub(super) fn within<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(&mut self.parked);
        f()
    }

    /// Calls `f`, which drops a future that has not completed, with the overrides on the stack.
    pub(super) fn within_unfinished(&mut self, f: impl FnOnce()) {
        struct Dropping;
        impl Drop for Dropping {
            fn drop(&mut self) {
                UNFINISHED.set(UNFINISHED.get() - 1);
            }
        }
        UNFINISHED.set(UNFINISHED.get() + 1);
        // A guard, because a destructor of the future may panic.
        let _dropping = Dropping;
        self.within(f);
    }
}

/// Overrides on the stack. They are parked again on drop, and so also if a poll panics.
struct Entered<'a> {
    parked: &'a mut Vec<Layer>,
    task: Option<task::Id>,
    outer_floor: usize,
}

impl<'a> Entered<'a> {
    fn new(parked: &'a mut Vec<Layer>) -> Self {
        // The scope may have moved to another task since it was parked.
        let task = task::try_id();
        let outer_floor = with_stack_mut(|stack| {
            let outer_floor = std::mem::replace(&mut stack.floor, stack.entries.len());
            let entries = parked.drain(..).map(|layer| StackEntry { task, layer });
            stack.entries.extend(entries);
            outer_floor
        });
        Self {
            parked,
            task,
            // Nothing was moved while the thread exits, and the drop changes no floor either.
            outer_floor: outer_floor.unwrap_or_default(),
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let _ = with_stack_mut(|stack| {
            let floor = std::mem::replace(&mut stack.floor, self.outer_floor);
            // A `LocalSet` inside the scope runs other tasks: their entries stay on the thread.
            let ours = stack
                .entries
                .extract_if(floor.., |entry| entry.task == self.task);
            self.parked.extend(ours.map(|entry| entry.layer));
        });
        // Outside the borrow: an ended override can own the last handle to a manager, and its drop
        // can run destructors of the user that look up the current manager.
        self.parked.retain(Layer::applies);
    }
}
