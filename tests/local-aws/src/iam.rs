//! IAM: ListAccountAliases.

use crate::auth::authorize::authorize;
use crate::auth::{Identity, IdentityStore};
use crate::request::Form;
use crate::response::{ErrorResponse, Response, escape};
use crate::service::{IAM_NAMESPACE, Service};
use crate::sts::unknown_action;

/// Performs an operation.
///
/// See <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>.
pub(crate) fn perform(
    identities: &IdentityStore,
    caller: &Identity,
    operation: &str,
    form: &Form,
) -> Result<Response, ErrorResponse> {
    if operation != "ListAccountAliases" {
        return Err(unknown_action(operation, form));
    }
    authorize(caller, "iam:ListAccountAliases", "*", Service::Iam)?;
    let alias = identities.alias(&caller.account);
    let aliases: String = alias
        .iter()
        .map(|alias| format!("      <member>{}</member>\n", escape(alias)))
        .collect();
    let result = format!(
        "    <IsTruncated>false</IsTruncated>\n    <AccountAliases>\n{aliases}    \
         </AccountAliases>\n"
    );
    Ok(Response::xml(IAM_NAMESPACE, operation, &result))
}
