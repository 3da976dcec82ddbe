//! Overrides of the session of a model.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;

use bsm_core::{AwsEnvGuard, BotoSesManager, Scoped, adapter};

use crate::connection::slot::ConnectionSlot;

/// Switches a model, or a tuple of models, to a manager until the guard is dropped.
///
/// The switch applies to the operations that the running task of this thread starts, and to the
/// given models; other models keep their sessions. The manager's region applies, whatever region the
/// model declares. `None` changes nothing, so a session can be optional.
///
/// Guards nest, and can be dropped in any order. The innermost override applies, whether it names the model
/// or is general: inside a [`scope`](BotoSesManager::scope) within the block, the model follows that scope.
/// A spawned task doesn't see the switch. In async code, prefer [`with_boto_session`]: see
/// [`AwsEnvGuard`](AwsEnvGuard#in-asynchronous-code), which also shows lines for Clippy.
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # use bsm_dynamodb::use_boto_session;
/// # async fn f(target: bsm_core::BotoSesManager) -> Result<(), bsm_dynamodb::Error> {
/// {
///     let _session = use_boto_session::<User>(&target);
///     User { id: "123".into() }.save().await?; // in the account of `target`
/// }
/// User::get("123").await?; // in the default account
/// # Ok(())
/// # }
/// ```
///
/// A guard cannot cross an await of a spawned task:
///
/// ```compile_fail
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # use bsm_dynamodb::use_boto_session;
/// # fn f(target: bsm_core::BotoSesManager) {
/// tokio::spawn(async move {
///     let _session = use_boto_session::<User>(&target);
///     User::get("123").await
/// });
/// # }
/// ```
///
/// The same with [`with_boto_session`] compiles:
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # use bsm_dynamodb::with_boto_session;
/// # fn f(target: bsm_core::BotoSesManager) {
/// tokio::spawn(async move {
///     with_boto_session::<User, _>(&target, User::get("123")).await
/// });
/// # }
/// ```
pub fn use_boto_session<'a, M: Models>(
    bsm: impl Into<Option<&'a BotoSesManager>>,
) -> BotoSession<M> {
    BotoSession {
        guard: bsm
            .into()
            .map(|bsm| adapter::awsenv_for(bsm, &M::type_ids())),
        restore_on_exit: true,
        models: PhantomData,
    }
}

/// Switches a model, or a tuple of models, to a manager while a future runs, and nowhere else.
///
/// This is [`use_boto_session`] for async code: the switch is active only while the future is polled
/// or dropped, on any thread and any runtime. An operation that is passed directly is bound inside the
/// switch.
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # use bsm_dynamodb::with_boto_session;
/// # use bsm_core::BotoSesManager;
/// # async fn f(users: Vec<User>) -> Result<(), bsm_dynamodb::Error> {
/// let staging = BotoSesManager::from_profile("staging");
/// let production = BotoSesManager::from_profile("production");
///
/// let users = with_boto_session::<User, _>(&staging, User::scan().collect()).await?;
/// with_boto_session::<User, _>(&production, async {
///     User::create_table().wait().await?;
///     User::batch_write().save_all(users).await
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
pub fn with_boto_session<'a, M: Models, F: IntoFuture>(
    bsm: impl Into<Option<&'a BotoSesManager>>,
    future: F,
) -> Scoped<F::IntoFuture> {
    match bsm.into() {
        Some(bsm) => adapter::scope_for(bsm, &M::type_ids(), future),
        // The return type is the same with and without a session, so override no model at all.
        None => adapter::scope_for(&BotoSesManager::none(), &[], future),
    }
}

/// Resets a model, or a tuple of models, to the default after `restore_on_exit(false)`.
///
/// The next operation follows the active manager again, with the region that the model declares.
/// Guards that still exist keep their effect, and so does [`fix_model`](crate::fix_model).
pub fn reset_connection<M: Models>() {
    for model in M::type_ids() {
        adapter::unbind_model(model);
    }
}

/// The guard of [`use_boto_session`]; dropping it ends the switch.
#[must_use = "the switch ends when the guard is dropped: bind it to a name, as in `let _session = …`"]
pub struct BotoSession<M: Models> {
    guard: Option<AwsEnvGuard>,
    restore_on_exit: bool,
    models: PhantomData<fn() -> M>,
}

impl<M: Models> BotoSession<M> {
    /// Sets whether dropping the guard restores the models' previous session. Default: `true`.
    ///
    /// With `false` the models stay on this manager, in the whole process, until
    /// [`reset_connection`] or another guard with `false`. The manager becomes the models' own default:
    /// overrides still take precedence over it, and it takes precedence over the process default, even
    /// over [`BotoSesManager::none`]. The manager keeps refreshing its credentials.
    ///
    /// The models return to their previous session nevertheless if a panic leaves the block, or if a
    /// [`Scoped`] future around it is dropped before it completes. A future that is dropped outside any
    /// scope looks the same as a block that ends.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String }
    /// # use bsm_dynamodb::{reset_connection, use_boto_session};
    /// # async fn f(target: bsm_core::BotoSesManager) -> Result<(), bsm_dynamodb::Error> {
    /// {
    ///     let _session = use_boto_session::<User>(&target).restore_on_exit(false);
    ///     User { id: "456".into() }.save().await?;
    /// }
    /// User::get("456").await?; // still in the account of `target`
    /// reset_connection::<User>();
    /// # Ok(())
    /// # }
    /// ```
    pub fn restore_on_exit(mut self, restore: bool) -> Self {
        self.restore_on_exit = restore;
        self
    }

    /// Returns the manager that the models were switched to, or `None` if nothing was changed.
    pub fn manager(&self) -> Option<&BotoSesManager> {
        self.guard.as_ref().map(AwsEnvGuard::manager)
    }
}

impl<M: Models> Drop for BotoSession<M> {
    fn drop(&mut self) {
        // Otherwise the guard's own drop, which follows, ends the switch.
        if !self.restore_on_exit
            && let Some(guard) = self.guard.take()
        {
            adapter::end_and_bind(guard);
        }
    }
}

impl<M: Models> fmt::Debug for BotoSession<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BotoSession")
            .field("manager", &self.manager())
            .field("restore_on_exit", &self.restore_on_exit)
            .finish()
    }
}

/// A model or another [`ConnectionSlot`], or a tuple of up to 12 that are switched together.
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # use bsm_dynamodb::use_boto_session;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "orders")]
/// # struct Order { #[model(hash_key)] id: String }
/// # let target = bsm_core::BotoSesManager::from_profile("staging");
/// let _session = use_boto_session::<(User, Order)>(&target);
/// ```
pub trait Models {
    /// Returns the types of the models.
    #[doc(hidden)]
    fn type_ids() -> Vec<TypeId>;
}

impl<S: ConnectionSlot> Models for S {
    fn type_ids() -> Vec<TypeId> {
        vec![TypeId::of::<S>()]
    }
}

macro_rules! tuples_of_models {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Models, $($rest: Models),*> Models for ($first, $($rest),*) {
            fn type_ids() -> Vec<TypeId> {
                // The elements are `Models` themselves, so tuples can be nested.
                [$first::type_ids(), $($rest::type_ids()),*].concat()
            }
        }
        // Then for the tuple without its first element, down to one element.
        tuples_of_models!($($rest)*);
    };
    () => {};
}

tuples_of_models!(A B C D E F G H I J K L);
