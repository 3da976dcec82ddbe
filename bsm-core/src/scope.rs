//! The temporary default: which manager is current, where, and until when.
//!
//! # The rule
//!
//! [`BotoSesManager::current`] returns, in this order: the innermost override on this task or
//! thread; the installed process default; the manager of the default chain. For a model,
//! [`BotoSesManager::current_for`] returns the manager of the innermost override that applies to the
//! model, a general one or one that names it; then the one that the model is bound to; then the process
//! default. So the nearest line of code decides, as it does for variables.
//!
//! A model that belongs to one account whatever the scope, such as an audit log, is *fixed*. Only an
//! override that names it takes precedence over that.
//!
//! A binding is the model's own default. It stands above the process default, even if that is
//! [`BotoSesManager::none`]: `none` is for code without a chosen session, and a binding is a choice. As
//! an override, `none` is like any other, and stands above the binding.
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
//! complete answer: a boundary below it ends the lookup. Without the boundary, a task that carries no
//! override, or one for another model, would follow the place that happens to poll it.
//!
//! *Why a guard checks where it ends.* A future that holds a guard can be moved to another task between
//! two polls. The entry stays where it was made, so from then on both tasks follow the wrong manager. No
//! lookup can notice that, because it can't tell which future asks. But the guard can: it ends in a task
//! to which its entry doesn't belong. That is logged as an error with both managers. A guard in a scope
//! moves with it, and is not affected.
//!
//! # The edges
//!
//! *Branches of one task.* A guard belongs to its task. If one branch of a `join!` or `select!`
//! holds it across an await, the other branches see it as well: for the thread they are one task.
//! Use `scope` for a branch with an override of its own.
//!
//! *Other executors* have no task id. A guard there belongs to the thread, and if it is held across
//! an await, the thread's other tasks see it meanwhile. A `Scoped` does not depend on the id.
//!
//! *Foreign work on top of a scope.* A scope covers everything that its thread does during a poll. If that
//! includes other work, the other work sees the scope, unless it runs in a tokio task of its own or is
//! sealed with [`in_current_scope`](InCurrentScope::in_current_scope). This happens in a work-stealing pool
//! such as rayon's, where a thread that waits can run another job; in an executor that polls a task inside
//! of `wake()`; and in a nested executor that runs futures of other places. Nothing in the thread tells such
//! work from the scope's own, so only the seal helps.
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
mod guard;
#[cfg(feature = "tower")]
mod layer;
mod lookup;
mod model_binding;
mod process_default;
mod scoped;
mod stack;

use std::any::{TypeId, type_name};
use std::future::IntoFuture;

use crate::manager::BotoSesManager;

pub use guard::AwsEnvGuard;
#[cfg(feature = "tower")]
pub use layer::{ScopeLayer, ScopeService, ScopedResponse};
use lookup::{Binding, Origin};
pub use process_default::install_default;
pub use scoped::{InCurrentScope, Scoped, in_current_scope_fn};
use stack::Override;

/// # The temporary default
impl BotoSesManager {
    /// Returns the current manager.
    ///
    /// It is the first of these: the innermost override on this task or thread, made by
    /// [`awsenv`](Self::awsenv), [`scope`](Self::scope) or [`sync_scope`](Self::sync_scope); the
    /// process default that [`install_default`] set; a manager of the
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
        lookup::current()
    }

    /// Returns the manager that a model follows here.
    ///
    /// It is the first of these: the manager that the model is
    /// [fixed](adapter::fix_model) to, unless an override names the model; the innermost override
    /// that is general or names the model; the manager that the model is
    /// [bound](adapter::bind_model) to; the process default, as in [`current`](Self::current). `M` is
    /// any type that stands for the model; see [`adapter`].
    ///
    /// The first time that a general override or a fixed manager shadows a binding, that is logged as
    /// a warning.
    pub fn current_for<M: ?Sized + 'static>() -> Binding {
        let model = TypeId::of::<M>();
        let binding = lookup::followed(model);
        // An override that names the model shadows the binding on purpose.
        if matches!(binding.origin(), Origin::GeneralOverride | Origin::Fixed)
            && let Some(bound) = model_binding::newly_shadowed(model, binding.manager())
        {
            tracing::warn!(
                model = type_name::<M>(),
                manager = %binding.manager(),
                bound = %bound,
                "a model does not follow the manager that it is bound to: another one is in scope"
            );
        }
        binding
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
