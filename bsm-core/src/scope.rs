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
//! There is one stack of slots for each thread. An override is an `Entry` that its guard and its slot
//! share. A look-up walks from the top to the first entry in force that answers it, and clones the
//! manager out of it before the borrow ends.
//!
//! *Why an override is ended by a flag.* A guard may be dropped in any order, inside another
//! guard's lifetime, on unwinding, or in the destructor of a future that another scope polls. It
//! then marks its entry, and the slot is without effect wherever it lies; nothing has to be found
//! or popped, so no order of drops can remove another guard's override. What has ended is swept,
//! so that no manager stays for it: at once where no floor (see below) counts it, else with the
//! scope that it is parked in, or when the next guard is dropped on its thread. A `Weak` in the
//! slot would need no sweeping, but to look through it takes two atomic operations more, as much as
//! all the rest of the look-up.
//! It follows that nobody else may share a guard's entry: what carries it along makes a copy.
//!
//! *Why a scope is swapped in around every poll.* A future runs in pieces, on whichever thread its
//! executor likes, between pieces of other futures. [`Scoped`] puts its slots on the stack when it
//! is polled and takes them back before the poll returns, by value or by panic. Between polls they
//! lie in the future itself, along with the slots of guards that were made inside and are held
//! across an await. So neither a sibling task nor the thread ever sees them.
//!
//! *Why there is a floor.* What a scope takes back is what lies above the height that the stack
//! had when it was entered. Slots below the floor of the innermost running scope are therefore
//! never swept or moved, ended or not, until that scope has left.
//!
//! *Why around the drop, too.* A future that is dropped half-way runs the destructors of its
//! locals, and these may ask for the current manager. They get what the future's own code got.
//!
//! *Why slots carry a task id.* A guard that is held across an await on a single-threaded runtime
//! leaves its slot on the thread's stack while the runtime polls other tasks there. A look-up skips
//! the slots of other tokio tasks, and so does a scope that takes back its own: a `LocalSet` that
//! runs inside of it leaves the slots of its tasks on the thread, where these tasks find them.
//! What is parked has no id, as the scope may be polled by another task next time.
//!
//! *Why a spawned task inherits nothing.* What it would inherit depends on when the runtime gets to
//! it, and a task that outlives the scope would carry an account nobody can see.
//! [`in_current_scope`](InCurrentScope::in_current_scope) says it aloud. What is carried is a whole
//! answer: a wall below it ends the look-up. Without the wall an override that names a model would
//! win, as the specific one, over a carried general one, merely because it is in force where the
//! future happens to be polled.
//!
//! # The edges
//!
//! *Branches of one task.* A guard is its task's. If it is held across an await in one branch of a
//! `join!` or `select!`, the other branches see it as well: to the thread they are one task. A
//! branch with an override of its own is a `scope`.
//!
//! *Other executors* have no task id. A guard there is the thread's, and if it is held across an
//! await, the thread's other tasks see it meanwhile. A `Scoped` does not depend on the id, and
//! means the same everywhere. A work-stealing pool such as rayon's is the one place where no scope
//! can help: a thread that waits inside of it may run somebody else's job on top.
//!
//! *A guard that outlives its scope.* It may be returned from a scope, or stored outside. It
//! belongs to the innermost scope that ran when it was made: it is parked with that scope, and
//! without effect once that has ended. So nothing inside a scope can change what is outside.
//!
//! *`mem::forget`.* A forgotten guard is an override for the rest of its scope, task or thread.
//! That is a leak, not a wrong answer: it stays the override that was asked for, where it was asked
//! for.
//!
//! *At thread exit* the thread-local may be gone before other destructors run. What was overridden
//! can no longer be told then, so `current()` gives [`BotoSesManager::none`], and nothing reaches
//! an account by guess.

pub mod adapter;
mod binding;
mod model_binding;
mod process_default;
mod scoped;
mod stack;

use std::any::TypeId;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::manager::BotoSesManager;

use binding::Binding;
pub use process_default::install_default;
pub use scoped::{InCurrentScope, Scoped, in_current_scope_fn};
use stack::{Entry, Unknown, find};

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
    #[inline]
    pub fn current() -> Self {
        match find(Entry::is_general) {
            Ok(Some(manager)) => manager,
            Ok(None) => process_default::process_default(),
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
            Ok(found) => found.or_else(|| model_binding::manager_of(model)),
            Err(Unknown) => None,
        };
        match specific {
            Some(manager) => Binding::specific(manager),
            None => Binding::general(Self::current()),
        }
    }

    /// Makes this manager the default of this thread's running task until the guard is dropped.
    ///
    /// Guards nest, and may be dropped in any order: each takes away only its own override. A
    /// spawned task or thread does not see it. In asynchronous code prefer [`scope`](Self::scope);
    /// [`AwsEnvGuard`] says why.
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
    /// operation which binds when it is awaited is bound to this manager. A guard that is made
    /// inside ends with the scope at the latest.
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
    ///
    /// A task that is spawned inside does not inherit it, unless it is spawned with
    /// [`in_current_scope`](InCurrentScope::in_current_scope); nor does a thread, see
    /// [`in_current_scope_fn`].
    pub fn scope<F: IntoFuture>(&self, future: F) -> Scoped<F::IntoFuture> {
        Scoped::nested(Entry::general(self), future)
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
}

/// The override that [`BotoSesManager::awsenv`] made; dropping it ends the override.
///
/// It is neither `Send` nor `Sync`: another thread does not have the override that it stands for.
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
///
/// # In asynchronous code
///
/// Hold a [`scope`](BotoSesManager::scope) across an await, not a guard. The compiler says so where
/// a task with a guard is spawned on a multi-threaded runtime. Where it cannot, in `main`, in a
/// test or in a `LocalSet`, the guard is still right for its tokio task, but the branches of a
/// `join!` share it, and executors without task ids share it between tasks. Clippy refuses it there
/// as well with these lines in `.clippy.toml`:
///
/// ```toml
/// await-holding-invalid-types = [
///     { path = "bsm_core::AwsEnvGuard", reason = "use BotoSesManager::scope across an await" },
/// ]
/// ```
///
/// # A guard that is forgotten or moved
///
/// A guard passed to `mem::forget` is an override for the rest of the scope, task or thread that
/// made it. A guard that is moved out of the scope that made it has no effect outside.
#[must_use = "the override ends when the guard is dropped: bind it to a name, as in `let _env = …`"]
pub struct AwsEnvGuard {
    entry: Arc<Entry>,
    _not_send: PhantomData<dyn UseScopeInTasksAndSyncScopeInThreads>,
}

/// Names the remedy in the compiler's message about a guard that cannot be sent: it shows the
/// innermost type that is not `Send`.
trait UseScopeInTasksAndSyncScopeInThreads: Unpin {}

impl AwsEnvGuard {
    fn new(entry: Entry) -> Self {
        Self {
            entry: stack::enter(entry),
            _not_send: PhantomData,
        }
    }

    /// Returns the manager that this guard makes the default.
    pub fn manager(&self) -> &BotoSesManager {
        &self.entry.manager
    }
}

impl Drop for AwsEnvGuard {
    fn drop(&mut self) {
        stack::end(&self.entry);
    }
}

impl fmt::Debug for AwsEnvGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsEnvGuard")
            .field("manager", self.manager())
            .finish_non_exhaustive()
    }
}
