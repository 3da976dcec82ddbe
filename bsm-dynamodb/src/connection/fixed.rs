//! Models that belong to one account, whatever the scope.

use bsm_core::{BotoSesManager, adapter};

use crate::connection::switch::Models;

/// Fixes a model, or a tuple of models, to a manager in the whole process.
///
/// Use it for a model whose account doesn't depend on what the program is doing, such as an audit log.
/// [`BotoSesManager::awsenv`] and [`scope`](BotoSesManager::scope) don't move a fixed model, and neither
/// does [`restore_on_exit(false)`](crate::BotoSession::restore_on_exit). Only
/// [`use_boto_session`](crate::use_boto_session) and [`with_boto_session`](crate::with_boto_session) do,
/// because they name the model. The manager's region applies, whatever region the model declares.
///
/// Call it in `main`. A second call replaces the manager, and [`unfix_model`] releases the model.
///
/// # Examples
///
/// ```
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "audit-log")]
/// # struct AuditLog { #[model(hash_key)] id: String }
/// use bsm_core::BotoSesManager;
/// use bsm_dynamodb::{Model, fix_model, slot};
///
/// fix_model::<AuditLog>(&BotoSesManager::from_profile("security"));
///
/// let tenant = BotoSesManager::from_profile("tenant");
/// let profile = tenant.sync_scope(|| slot::<AuditLog>().manager().profile_name().map(String::from));
/// assert_eq!(profile.as_deref(), Some("security"));
/// ```
pub fn fix_model<M: Models>(bsm: &BotoSesManager) {
    for model in M::type_ids() {
        adapter::fix_model(model, bsm);
    }
}

/// Releases a model, or a tuple of models, that [`fix_model`] fixed.
///
/// The next operation follows the innermost override again, or else the model's own binding, or else the
/// process default.
pub fn unfix_model<M: Models>() {
    for model in M::type_ids() {
        adapter::unfix_model(model);
    }
}
