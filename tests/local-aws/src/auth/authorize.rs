//! Access decisions, with the messages AWS uses.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

use super::identity_store::Identity;
use crate::response::ErrorResponse;
use crate::service::{Protocol, Service};

/// Rejects actions on the caller's deny list. All other actions are allowed.
pub(crate) fn authorize(
    caller: &Identity,
    action: &str,
    resource: &str,
    service: Service,
) -> Result<(), ErrorResponse> {
    if !caller.is_denied(action) {
        return Ok(());
    }
    let reason = " with an explicit deny in an identity-based policy";
    Err(access_denied(caller, action, resource, reason, service))
}

/// Creates an access-denied error. `reason` begins with a space or is empty.
pub(crate) fn access_denied(
    caller: &Identity,
    action: &str,
    resource: &str,
    reason: &str,
    service: Service,
) -> ErrorResponse {
    let caller = &caller.arn;
    let message = format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource}{reason}"
    );
    match service.protocol() {
        // DynamoDB and Organizations report a denied action with 400, unlike the other services.
        Protocol::Json => ErrorResponse::new(400, "AccessDeniedException", message),
        Protocol::RestJson => ErrorResponse::new(403, "AccessDeniedException", message),
        _ => ErrorResponse::new(403, "AccessDenied", message),
    }
}
