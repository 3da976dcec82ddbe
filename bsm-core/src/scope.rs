//! The temporary default: which manager is current, where, and until when.
//!
//! # The rule
//!
//! [`BotoSesManager::current`] returns, in this order: the innermost override on this task or
//! thread; the installed process default; the manager of the default chain. For a model,
//! [`BotoSesManager::current_for`] first looks for the innermost override that names the model,
//! then for the model's binding. A specific answer takes precedence over a general one; among
//! equals, the innermost does.
//!
//! # The mechanism
//!
//! Each thread has one stack of entries. A guard and its entry on the stack share one override. A
//! lookup walks from the top to the first override that applies and matches, and clones its manager before
//! the borrow of the stack ends.
//!
//! *Why a flag ends an override.* A guard can be dropped in any order: inside the lifetime of
//! another guard, during unwinding, or in the destructor of a future that another scope polls. It
//! sets a flag in its override, and from then on the entry has no effect, wherever it is. Nothing
//! has to be found or popped, so no order of drops can remove another guard's override. Ended
//! entries are removed, so that they keep no manager alive: at once if they lie above the floor
//! (see below), otherwise with the scope that they are parked in, or when the next guard is dropped
//! on their thread. A `Weak` in the entry would need no removal, but costs two more atomic
//! operations for each lookup, as much as the rest of it. The override of a guard must therefore
//! not be shared with anything else; a carried override is a copy.
//!
//! *Why a scope is swapped in around every poll.* A future runs in pieces, on any thread that its
//! executor chooses, between pieces of other futures. [`Scoped`] pushes its entries when it is
//! polled, and takes them back before the poll returns, or unwinds. Between polls they are parked
//! in the future, along with the entries of guards that were made inside and are held across an
//! await. So neither a sibling task nor the thread ever sees them.
//!
//! *Why there is a floor.* A scope takes back the entries above the height that the stack had when
//! the scope was entered. The entries below the floor of the innermost running scope are therefore
//! never removed or moved until that scope has left, even if they have ended.
//!
//! *Why a scope is swapped in around the drop as well.* A future that is dropped before it
//! completes runs the destructors of its locals, which can ask for the current manager. They get
//! the same answer as the future's own code.
//!
//! *Why entries have a task id.* A guard that is held across an await on a single-threaded runtime
//! leaves its entry on the thread's stack while the runtime polls other tasks there. A lookup skips
//! the entries of other tokio tasks. So does a scope that takes back its own: a `LocalSet` that
//! runs inside the scope leaves the entries of its tasks on the thread, where these tasks find
//! them. Parked entries have no id, because another task can poll the scope next time.
//!
//! *Why a spawned task inherits nothing.* What it would inherit depends on when the runtime polls
//! it first, and a task that outlives the scope would carry an account that no reader of the code
//! can see. [`in_current_scope`](InCurrentScope::in_current_scope) makes it explicit. It carries a
//! complete answer: a boundary below it ends the lookup. Without the boundary, an override that
//! names a model would take precedence over a carried general one, merely because it applies in the
//! place that polls the future.
//!
//! # The edges
//!
//! *Branches of one task.* A guard belongs to its task. If one branch of a `join!` or `select!`
//! holds it across an await, the other branches see it as well: for the thread they are one task.
//! Use `scope` for a branch with an override of its own.
//!
//! *Other executors* have no task id. A guard there belongs to the thread, and if it is held across
//! an await, the thread's other tasks see it meanwhile. A `Scoped` does not depend on the id, and
//! behaves the same everywhere. A work-stealing pool such as rayon's is the one place where no
//! scope can help: a thread that waits inside the scope can run another job on top of it.
//!
//! *A guard that outlives its scope* can be returned from a scope, or stored outside. It belongs to
//! the innermost scope that ran when it was made: it is parked with that scope, and has no effect
//! once that has ended. So nothing inside a scope can change anything outside.
//!
//! *`mem::forget`.* A forgotten guard is an override for the rest of its scope, task or thread.
//! That is a leak, not a wrong answer: it stays the override that the code asked for, where the
//! code asked for it.
//!
//! *At thread exit* the thread-local can be gone before other destructors run. The overrides are
//! then unknown, so `current()` returns [`BotoSesManager::none`], and no request reaches an account
//! by accident.

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
use stack::{Override, ThreadExiting, find};

/// # The temporary default
impl BotoSesManager {
    /// Returns the current manager.
    ///
    /// It is the first of these: the innermost override on this task or thread, made by
    /// [`awsenv`](Self::awsenv), [`scope`](Self::scope) or [`sync_scope`](Self::sync_scope); the
    /// process default that [`install_default`](crate::install_default) set; a manager of the
    /// default chain.
    ///
    /// Does no I/O and can't fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use bsm_core::BotoSesManager;
    ///
    /// let staging = BotoSesManager::from_profile("staging");
    /// let _env = staging.awsenv();
    /// assert_eq!(BotoSesManager::current().to_string(), "profile \"staging\"");
    /// ```
    #[inline]
    pub fn current() -> Self {
        match find(Override::is_general) {
            Ok(Some(manager)) => manager,
            Ok(None) => process_default::process_default(),
            Err(ThreadExiting) => Self::none(),
        }
    }

    /// Returns the manager that a model follows here.
    ///
    /// An override or a binding that names the model takes precedence over the general default of
    /// [`current`](Self::current). `M` is any type that stands for the model; see [`adapter`].
    pub fn current_for<M: ?Sized + 'static>() -> Binding {
        let model = TypeId::of::<M>();
        let specific = match find(|entry| entry.names(model)) {
            Ok(found) => found.or_else(|| model_binding::manager_of(model)),
            Err(ThreadExiting) => None,
        };
        match specific {
            Some(manager) => Binding::specific(manager),
            None => Binding::general(Self::current()),
        }
    }

    /// Makes this manager the default of this thread's running task until the guard is dropped.
    ///
    /// Guards nest, and can be dropped in any order: each ends only its own override. A
    /// spawned task or thread does not see it. In async code, prefer [`scope`](Self::scope);
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
    #[doc(alias = "override")]
    #[doc(alias = "with_session")]
    pub fn awsenv(&self) -> AwsEnvGuard {
        AwsEnvGuard::new(Override::general(self))
    }

    /// Makes this manager the default inside a future, and nowhere else.
    ///
    /// The override applies while the future is polled and while it is dropped, on any thread and
    /// any runtime. An `IntoFuture` is converted inside the scope, so that an operation that binds
    /// when it is awaited binds to this manager. A guard that is made inside ends with the scope at
    /// the latest.
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
    #[doc(alias = "task_local")]
    pub fn scope<F: IntoFuture>(&self, future: F) -> Scoped<F::IntoFuture> {
        Scoped::nested(Override::general(self), future)
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
/// It is neither `Send` nor `Sync`, because the override belongs to the thread that made it.
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
    entry: Arc<Override>,
    _not_send: PhantomData<dyn UseScopeInTasksAndSyncScopeInThreads>,
}

/// Names the remedy in the compiler's message about a guard that cannot be sent: it shows the
/// innermost type that is not `Send`.
trait UseScopeInTasksAndSyncScopeInThreads: Unpin {}

impl AwsEnvGuard {
    fn new(entry: Override) -> Self {
        Self {
            entry: stack::enter(entry),
            _not_send: PhantomData,
        }
    }

    /// Returns the manager of the override.
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
