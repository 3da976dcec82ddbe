//! IAM: the alias of the caller's account, and nothing else.

use crate::access;
use crate::answer::{Answer, Refusal, escape};
use crate::directory::{Directory, Identity};
use crate::request::{Form, IAM_NAMESPACE, Service};
use crate::sts::unknown_action;

/// Performs an operation.
///
/// See <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>.
pub(crate) fn perform(
    directory: &Directory,
    caller: &Identity,
    operation: &str,
    form: &Form,
) -> Result<Answer, Refusal> {
    if operation != "ListAccountAliases" {
        return Err(unknown_action(operation, form));
    }
    access::authorize(caller, "iam:ListAccountAliases", "*", Service::Iam)?;
    let alias = directory.alias(&caller.account);
    let aliases: String = alias
        .iter()
        .map(|alias| format!("      <member>{}</member>\n", escape(alias)))
        .collect();
    let result = format!(
        "    <IsTruncated>false</IsTruncated>\n    <AccountAliases>\n{aliases}    \
         </AccountAliases>\n"
    );
    Ok(Answer::xml(IAM_NAMESPACE, operation, &result))
}
