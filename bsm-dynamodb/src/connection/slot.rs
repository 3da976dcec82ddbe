//! The connection slot: which manager a model follows.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::Client;
use bsm_core::BotoSesManager;

use crate::connection::client::client_of;

/// Returns the slot of a model, or of other code: the manager that it follows here and now.
///
/// The slot is bound when it is created, and keeps its manager wherever it is used afterwards. The
/// manager is the first of these that exists:
///
/// 1. the innermost override that applies to the model: one that names it, by
///    [`use_boto_session`](crate::use_boto_session) or [`with_boto_session`](crate::with_boto_session),
///    or a general one, by [`awsenv`](BotoSesManager::awsenv), [`scope`](BotoSesManager::scope) or
///    [`sync_scope`](BotoSesManager::sync_scope);
/// 2. the manager that `restore_on_exit(false)` left the model on;
/// 3. the process default.
///
/// A model that is [fixed](crate::fix_model) to a manager follows that one, unless an override names the
/// model.
///
/// If the manager was chosen for the model, its region applies. If the model follows a general override or
/// the process default, the region that the model declares applies, if it declares one.
///
/// # Examples
///
/// The client of a slot serves code that uses another model layer, or none:
///
/// ```no_run
/// # use bsm_dynamodb::{Error, Model, slot};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let client = slot::<User>().client().await?;
/// let tables = client.list_tables().send().await?;
/// # Ok(())
/// # }
/// ```
pub fn slot<S: ConnectionSlot>() -> Slot<S> {
    let binding = BotoSesManager::current_for::<S>();
    let manager = match S::REGION {
        // A manager that was chosen for this slot was chosen with its region.
        Some(region) if !binding.is_specific() => binding.manager().with_region(region),
        _ => binding.into_manager(),
    };
    Slot {
        manager,
        follower: PhantomData,
    }
}

/// A type for which a session can be chosen: a [`Model`](crate::Model), or a marker type for other
/// code.
///
/// Every model is a slot. For code that uses another model layer, or none, implement this trait for a
/// type of your own; [`use_boto_session`](crate::use_boto_session) then also switches that code.
///
/// # Examples
///
/// ```no_run
/// use bsm_core::BotoSesManager;
/// use bsm_dynamodb::{ConnectionSlot, slot, use_boto_session};
///
/// struct Reports;
///
/// impl ConnectionSlot for Reports {}
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let _session = use_boto_session::<Reports>(&BotoSesManager::from_profile("staging"));
/// let client = slot::<Reports>().client().await?;
/// # Ok(())
/// # }
/// ```
pub trait ConnectionSlot: 'static {
    /// The region, unless a manager was chosen for this slot.
    ///
    /// The default is the region of the active manager.
    const REGION: Option<&'static str> = None;
}

/// A connection that is bound to a manager; see [`slot`].
pub struct Slot<S> {
    manager: BotoSesManager,
    follower: PhantomData<fn() -> S>,
}

impl<S> Slot<S> {
    /// Returns the manager that the slot is bound to.
    pub fn manager(&self) -> &BotoSesManager {
        &self.manager
    }

    pub(crate) fn into_manager(self) -> BotoSesManager {
        self.manager
    }

    /// Returns the DynamoDB client of the slot's manager, creating it on first use.
    ///
    /// All slots of a manager share one client. It has a retry quota of its own, so throttling in one
    /// account does not use up the retries of another.
    ///
    /// # Errors
    ///
    /// Returns the session's error if the manager cannot provide a client: no session is in scope, no
    /// region is configured, or the profile does not exist.
    pub fn client(&self) -> impl Future<Output = Result<Client, bsm_core::Error>> + Send + use<S> {
        // The future owns the manager, so it may outlive the slot.
        let manager = self.manager.clone();
        async move { client_of(&manager).await }
    }
}

impl<S> Clone for Slot<S> {
    fn clone(&self) -> Self {
        Self {
            manager: self.manager.clone(),
            follower: PhantomData,
        }
    }
}

impl<S> fmt::Debug for Slot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("follower", &std::any::type_name::<S>())
            .field("manager", &self.manager)
            .finish()
    }
}
