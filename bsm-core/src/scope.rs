//! The temporary default: which manager is active, where, and until when.
//!
//! # The rule
//!
//! [`BotoSesManager::current`] answers, in this order: the innermost override on this task or
//! thread; the installed process default; the lazy default-chain manager. For a model,
//! [`BotoSesManager::current_for`] asks first for the innermost override that names the model, then
//! for the model's pinned binding. Specific beats general; within a class, innermost wins.
//!
//! # The mechanism
//!
//! There is one thread-local, a stack of slots. An override is an [`Entry`] behind an `Arc` that
//! its guard owns; the slot holds a `Weak`. A look-up walks from the top to the first live entry
//! and clones the manager out of it before the borrow ends.
//!
//! *Why weak slots.* A guard may be dropped in any order, inside another guard's lifetime, on
//! unwinding, or in the destructor of a future that another scope polls. It then lets go of its
//! `Arc`, and the slot is dead wherever it lies; nothing has to be found or popped, so no order of
//! drops can remove another guard's override. Dead slots are swept when the next one is pushed.
//!
//! *Why a scope is swapped in around every poll.* A future runs in pieces, on whichever thread its
//! executor likes, between pieces of other futures. [`Scoped`] puts its slots on the stack when it
//! is polled and takes them back before the poll returns, by value or by panic. Between polls they
//! lie in the future itself, along with the slots of guards that were made inside and are held
//! across an await. So neither a sibling task nor the thread ever sees them.
//!
//! *Why around the drop, too.* A future that is dropped half-way runs the destructors of its
//! locals, and these may ask for the current manager. They get what the future's own code got.
//!
//! *Why slots carry a task id.* A guard that is held across an await on a single-threaded runtime
//! leaves its slot on the thread's stack while the runtime polls other tasks there. A look-up skips
//! the slots of other tokio tasks. Elsewhere there is no task id to go by, and a `Scoped` is the
//! tool: it does not depend on it.
//!
//! *Why a spawned task inherits nothing.* What it would inherit depends on when the runtime gets to
//! it, and a task that outlives the scope would carry an account nobody can see.
//! [`in_current_scope`](InCurrentScope::in_current_scope) says it aloud.
//!
//! *`mem::forget`.* A forgotten guard is an override for the rest of its task or thread. That is a
//! leak, not a wrong answer: it stays the override that was asked for, where it was asked for.
//!
//! *At thread exit* the thread-local may be gone before other destructors run. What was overridden
//! can no longer be told then, so `current()` gives [`BotoSesManager::none`], and nothing reaches
//! an account by guess.

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task;

use crate::default;
use crate::manager::BotoSesManager;
use crate::pin;

/// One override: a manager, and what it stands for.
struct Entry {
    manager: BotoSesManager,
    covers: Covers,
}

enum Covers {
    Everything,
    Models(Box<[TypeId]>),
}

impl Entry {
    fn general(manager: &BotoSesManager) -> Arc<Self> {
        Arc::new(Self {
            manager: manager.clone(),
            covers: Covers::Everything,
        })
    }

    fn for_models(manager: &BotoSesManager, models: &[TypeId]) -> Arc<Self> {
        Arc::new(Self {
            manager: manager.clone(),
            covers: Covers::Models(models.into()),
        })
    }

    fn is_general(&self) -> bool {
        matches!(self.covers, Covers::Everything)
    }

    fn names(&self, model: TypeId) -> bool {
        matches!(&self.covers, Covers::Models(models) if models.contains(&model))
    }
}

/// A place on the stack. The entry lives as long as its guard.
struct Slot {
    task: Option<task::Id>,
    entry: Weak<Entry>,
}

/// The overrides on one thread, outermost first.
struct Stack {
    slots: Vec<Slot>,
    /// Slots below belong to whoever polls the innermost `Scoped`, and must keep their places.
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
            place <= floor || slot.entry.strong_count() > 0
        });
        self.slots.push(Slot {
            task: task::try_id(),
            entry: Arc::downgrade(entry),
        });
    }

    /// The live entries of the running task, innermost first.
    fn visible(&self) -> impl Iterator<Item = Arc<Entry>> {
        let task = task::try_id();
        self.slots
            .iter()
            .rev()
            .filter(move |slot| slot.task == task)
            .filter_map(|slot| slot.entry.upgrade())
    }
}

/// Looks through the running task's overrides, innermost first.
///
/// `Err` means that the thread is ending and its overrides are no longer known.
fn find(wanted: impl Fn(&Entry) -> bool) -> Result<Option<BotoSesManager>, Unknown> {
    STACK
        .try_with(|stack| {
            let entry = stack.borrow().visible().find(|entry| wanted(entry));
            // An entry may be the last owner of its manager: let go of it outside of the borrow.
            entry.map(|entry| entry.manager.clone())
        })
        .map_err(|_| Unknown)
}

struct Unknown;

/// The manager that a model is bound to, and why.
///
/// Adapters use it to bind an operation when the operation is started; see
/// [`BotoSesManager::current_for`].
#[derive(Clone, Debug)]
pub struct Binding {
    manager: BotoSesManager,
    specific: bool,
}

impl Binding {
    /// Returns the manager.
    pub fn manager(&self) -> &BotoSesManager {
        &self.manager
    }

    /// Takes the manager out.
    pub fn into_manager(self) -> BotoSesManager {
        self.manager
    }

    /// Says whether the manager was chosen for this very model, by an override or a pin, and not
    /// just as the general default.
    pub fn is_specific(&self) -> bool {
        self.specific
    }
}

/// # The temporary default
impl BotoSesManager {
    /// Returns the manager that is active here.
    ///
    /// In this order: the innermost override on this task or thread, made by
    /// [`awsenv`](Self::awsenv), [`scope`](Self::scope) or [`sync_scope`](Self::sync_scope); the
    /// process default that [`install_default`](crate::install_default) set; a manager of the
    /// default chain.
    ///
    /// It does no I/O and cannot fail.
    pub fn current() -> Self {
        match find(Entry::is_general) {
            Ok(Some(manager)) => manager,
            Ok(None) => default::process_default(),
            Err(Unknown) => Self::none(),
        }
    }

    /// Returns the manager that a model follows here.
    ///
    /// An override or a pin that names the model comes before the general default of
    /// [`current`](Self::current). `M` is any type that stands for the model.
    pub fn current_for<M: ?Sized + 'static>() -> Binding {
        let model = TypeId::of::<M>();
        let specific = match find(|entry| entry.names(model)) {
            Ok(found) => found.or_else(|| pin::get(model)),
            Err(Unknown) => None,
        };
        match specific {
            Some(manager) => Binding {
                manager,
                specific: true,
            },
            None => Binding {
                manager: Self::current(),
                specific: false,
            },
        }
    }

    /// Makes this manager the default of this thread's running task until the guard is dropped.
    ///
    /// Guards nest, and may be dropped in any order: each takes away only its own override. A
    /// spawned task or thread does not see it. For asynchronous code prefer
    /// [`scope`](Self::scope): a task that holds a guard across an await cannot be spawned on a
    /// multi-threaded runtime.
    ///
    /// ```
    /// use bsm_core::BotoSesManager;
    ///
    /// let staging = BotoSesManager::from_profile("staging");
    /// {
    ///     let _env = staging.awsenv();
    ///     assert_eq!(BotoSesManager::current().profile_name(), Some("staging"));
    /// }
    /// assert_eq!(BotoSesManager::current().profile_name(), None);
    /// ```
    ///
    /// A guard cannot cross an await of a spawned task:
    ///
    /// ```compile_fail
    /// # let staging = bsm_core::BotoSesManager::from_profile("staging");
    /// tokio::spawn(async move {
    ///     let _env = staging.awsenv();
    ///     tokio::task::yield_now().await;
    /// });
    /// ```
    ///
    /// The same with a scope compiles:
    ///
    /// ```no_run
    /// # let staging = bsm_core::BotoSesManager::from_profile("staging");
    /// tokio::spawn(async move {
    ///     staging.scope(async { tokio::task::yield_now().await }).await
    /// });
    /// ```
    pub fn awsenv(&self) -> AwsEnvGuard {
        AwsEnvGuard::new(Entry::general(self))
    }

    /// Makes this manager the default inside of a future, and nowhere else.
    ///
    /// The override is in force whenever the future is polled, and while it is dropped, on any
    /// thread and any runtime. An `IntoFuture` is converted inside of the scope, so that an
    /// operation which binds when it is awaited is bound to this manager.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use bsm_core::BotoSesManager;
    ///
    /// async fn profile() -> Option<String> {
    ///     BotoSesManager::current().profile_name().map(Into::into)
    /// }
    ///
    /// let staging = BotoSesManager::from_profile("staging");
    /// assert_eq!(staging.scope(profile()).await.as_deref(), Some("staging"));
    /// assert_eq!(profile().await, None);
    /// # }
    /// ```
    pub fn scope<F: IntoFuture>(&self, future: F) -> Scoped<F::IntoFuture> {
        Scoped::new(vec![Entry::general(self)], future)
    }

    /// Runs a closure with this manager as the default.
    ///
    /// ```
    /// use bsm_core::BotoSesManager;
    ///
    /// let staging = BotoSesManager::from_profile("staging");
    /// let profile = staging.sync_scope(|| BotoSesManager::current().profile_name().map(String::from));
    /// assert_eq!(profile.as_deref(), Some("staging"));
    /// ```
    pub fn sync_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let _env = self.awsenv();
        f()
    }

    /// Like [`awsenv`](Self::awsenv), for the named models only. For adapters.
    pub fn awsenv_for(&self, models: &[TypeId]) -> AwsEnvGuard {
        AwsEnvGuard::new(Entry::for_models(self, models))
    }

    /// Like [`scope`](Self::scope), for the named models only. For adapters.
    pub fn scope_for<F: IntoFuture>(&self, models: &[TypeId], future: F) -> Scoped<F::IntoFuture> {
        Scoped::new(vec![Entry::for_models(self, models)], future)
    }
}

/// The override that [`BotoSesManager::awsenv`] made; dropping it ends the override.
///
/// It stays on its thread: another thread does not have the override that it stands for. In a
/// task that is spawned, use [`BotoSesManager::scope`].
///
/// ```compile_fail
/// let guard = bsm_core::BotoSesManager::from_profile("staging").awsenv();
/// std::thread::spawn(move || drop(guard));
/// ```
///
/// The manager itself may go anywhere:
///
/// ```
/// let staging = bsm_core::BotoSesManager::from_profile("staging");
/// std::thread::spawn(move || drop(staging.awsenv())).join().unwrap();
/// ```
#[must_use = "the override ends when the guard is dropped: bind it to a name, as in `let _env = …`"]
pub struct AwsEnvGuard {
    entry: Arc<Entry>,
    _not_send: PhantomData<UseScopeInSpawnedTasks>,
}

/// Names the remedy in the compiler's message about a guard in a spawned task.
type UseScopeInSpawnedTasks = *const BotoSesManager;

impl AwsEnvGuard {
    fn new(entry: Arc<Entry>) -> Self {
        // Without the thread-local the override cannot take effect, and look-ups answer `none`.
        let _ = STACK.try_with(|stack| stack.borrow_mut().push(&entry));
        Self {
            entry,
            _not_send: PhantomData,
        }
    }

    /// Returns the manager that this guard makes the default.
    pub fn manager(&self) -> &BotoSesManager {
        &self.entry.manager
    }
}

impl fmt::Debug for AwsEnvGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsEnvGuard")
            .field("manager", self.manager())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A future with overrides of its own; see [`BotoSesManager::scope`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Scoped<F> {
        #[pin]
        // `None` once it has completed: it is dropped inside of the scope.
        future: Option<F>,
        overrides: Overrides,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                this.overrides.within(|| this.future.set(None));
            }
        }
    }
}

impl<F> Scoped<F> {
    fn new<I: IntoFuture<IntoFuture = F>>(entries: Vec<Arc<Entry>>, future: I) -> Self {
        let mut overrides = Overrides::new(entries);
        let future = Some(overrides.within(|| future.into_future()));
        Self { future, overrides }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.overrides.within(|| {
            let future = this.future.as_mut().as_pin_mut();
            let output = future.expect("a completed future is not polled").poll(cx);
            if output.is_ready() {
                this.future.set(None);
            }
            output
        })
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

/// The overrides of a [`Scoped`] while it is not running.
struct Overrides {
    /// Keeps the scope's own overrides alive; those of guards made inside are owned by the guards.
    _own: Vec<Arc<Entry>>,
    parked: Vec<Weak<Entry>>,
}

impl Overrides {
    fn new(own: Vec<Arc<Entry>>) -> Self {
        let parked = own.iter().map(Arc::downgrade).collect();
        Self { _own: own, parked }
    }

    /// Runs `f` with the overrides on the stack, and parks those that are left afterwards.
    fn within<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(&mut self.parked);
        f()
    }
}

/// Overrides on the stack; they are parked again on drop, so also when a poll panics.
struct Entered<'a> {
    parked: &'a mut Vec<Weak<Entry>>,
    outer_floor: usize,
}

impl<'a> Entered<'a> {
    fn new(parked: &'a mut Vec<Weak<Entry>>) -> Self {
        let task = task::try_id();
        let outer_floor = STACK
            .try_with(|stack| {
                let stack = &mut *stack.borrow_mut();
                let outer_floor = std::mem::replace(&mut stack.floor, stack.slots.len());
                stack
                    .slots
                    .extend(parked.drain(..).map(|entry| Slot { task, entry }));
                outer_floor
            })
            .unwrap_or_default();
        Self {
            parked,
            outer_floor,
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let _ = STACK.try_with(|stack| {
            let stack = &mut *stack.borrow_mut();
            let left = stack.slots.drain(stack.floor..);
            let alive = left.filter(|slot| slot.entry.strong_count() > 0);
            self.parked.extend(alive.map(|slot| slot.entry));
            stack.floor = self.outer_floor;
        });
    }
}

/// Carries every override along, on purpose.
pub trait InCurrentScope: Sized {
    /// Gives a future the overrides that are in force here, wherever it is then run.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use bsm_core::{BotoSesManager, InCurrentScope as _};
    ///
    /// let staging = BotoSesManager::from_profile("staging");
    /// let _env = staging.awsenv();
    /// let task = tokio::spawn(
    ///     async { BotoSesManager::current().profile_name().map(String::from) }.in_current_scope(),
    /// );
    /// assert_eq!(task.await.unwrap().as_deref(), Some("staging"));
    /// # }
    /// ```
    fn in_current_scope(self) -> Scoped<Self::IntoFuture>
    where
        Self: IntoFuture;
}

impl<F: IntoFuture> InCurrentScope for F {
    fn in_current_scope(self) -> Scoped<F::IntoFuture> {
        let mut overrides: Vec<_> = STACK
            .try_with(|stack| stack.borrow().visible().collect())
            .unwrap_or_default();
        overrides.reverse();
        Scoped::new(overrides, self)
    }
}
