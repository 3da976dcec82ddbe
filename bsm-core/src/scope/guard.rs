//! The guard of an override.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::lookup::{current, followed};
use super::stack::{self, Override, Unwinding};
use crate::manager::BotoSesManager;

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
/// Hold a [`scope`](BotoSesManager::scope) across an await, not a guard. The compiler rejects a guard in
/// a task that is spawned on a multi-threaded runtime. It can't do so in `main`, in a test or in a
/// `LocalSet`. There the guard applies to its whole tokio task, so the branches of a `join!` share it, and
/// executors without task ids share it between tasks. Clippy rejects it there as well with these lines in
/// `clippy.toml`:
///
/// ```toml
/// await-holding-invalid-types = [
///     { path = "bsm_core::AwsEnvGuard", reason = "use BotoSesManager::scope across an await" },
///     { path = "bsm_dynamodb::BotoSession", reason = "use with_boto_session across an await" },
/// ]
/// ```
///
/// # A guard that is forgotten or moved
///
/// A guard passed to `mem::forget` is an override for the rest of the scope, task or thread that
/// made it.
///
/// A guard has no effect outside the task or scope that made it. If a future that holds a guard is moved to
/// another task, such as the loser of a `select!` that is spawned, its code runs there without the
/// override, and the first task keeps the override until the guard ends. When the guard ends elsewhere, an
/// event at ERROR names both managers. A [`scope`](BotoSesManager::scope) moves with its future.
#[must_use = "the override ends when the guard is dropped: bind it to a name, as in `let _env = …`"]
pub struct AwsEnvGuard {
    entry: Arc<Override>,
    /// What was being unwound already when the guard was made.
    began: Unwinding,
    _not_send: PhantomData<dyn UseScopeInTasksAndSyncScopeInThreads>,
}

/// Names the remedy in the compiler's message about a guard that cannot be sent: it shows the
/// innermost type that is not `Send`.
// The guard is `Unpin` because of the bound: a `dyn` type has only the auto traits that it names.
trait UseScopeInTasksAndSyncScopeInThreads: Unpin {}

impl AwsEnvGuard {
    pub(super) fn new(entry: Override) -> Self {
        Self {
            entry: stack::enter(entry),
            began: Unwinding::now(),
            _not_send: PhantomData,
        }
    }

    /// Returns the manager of the override.
    pub fn manager(&self) -> &BotoSesManager {
        &self.entry.manager
    }

    /// Returns the models that the override names; none for a general one.
    pub(super) fn models(&self) -> &[TypeId] {
        self.entry.models()
    }

    /// Returns `true` if a panic, or the drop of an unfinished scope, leaves the block of the guard.
    pub(super) fn is_left_early(&self) -> bool {
        self.began.has_begun()
    }

    /// Ends the override before the guard is dropped. Returns `true` if it applied here until now.
    pub(super) fn end(&mut self) -> bool {
        // `end_and_bind` has ended it already, and reported a move if there was one.
        if !self.entry.applies() {
            return true;
        }
        let applied = stack::end(&self.entry);
        if !applied {
            self.report_move();
        }
        applied
    }

    /// Logs that code ran with another manager than the one of the guard it holds.
    fn report_move(&self) {
        let instead = match self.models() {
            [] => current(),
            [model, ..] => followed(*model).into_manager(),
        };
        tracing::error!(
            manager = %self.manager(),
            instead = %instead,
            "a guard was dropped outside the task or scope that created it: its code may have used another \
             manager; use scope() instead of a guard across an await"
        );
    }
}

impl Drop for AwsEnvGuard {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for AwsEnvGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsEnvGuard")
            .field("manager", self.manager())
            .finish_non_exhaustive()
    }
}
