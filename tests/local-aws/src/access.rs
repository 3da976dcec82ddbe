//! Access decisions, in AWS's words.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

use crate::answer::{Protocol, Refusal};
use crate::directory::Identity;
use crate::request::Service;

/// Refuses what the caller's deny list names; everything else is allowed.
pub(crate) fn authorize(
    caller: &Identity,
    action: &str,
    resource: &str,
    service: Service,
) -> Result<(), Refusal> {
    if !caller.is_denied(action) {
        return Ok(());
    }
    let why = " with an explicit deny in an identity-based policy";
    Err(denied(caller, action, resource, why, service))
}

/// Says that the caller may not do something; `why` begins with a space or is empty.
pub(crate) fn denied(
    caller: &Identity,
    action: &str,
    resource: &str,
    why: &str,
    service: Service,
) -> Refusal {
    let caller = &caller.arn;
    let message = format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource}{why}"
    );
    match service.protocol() {
        Protocol::Json => Refusal::new(400, "AccessDeniedException", message),
        Protocol::Query(_) => Refusal::new(403, "AccessDenied", message),
    }
}
