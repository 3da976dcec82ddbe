//! IAM Identity Center: sign-in (SSO OIDC) and the portal that issues credentials of roles (SSO).
//!
//! See <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/Welcome.html> and
//! <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/Welcome.html>.

mod oidc;
mod page;
mod portal;
mod tokens;

use parking_lot::Mutex;
use serde_json::json;

pub use self::tokens::SsoToken;
use self::tokens::Tokens;
use crate::auth::IdentityStore;
use crate::clock::Clock;
use crate::layout::IdentityCenter;
use crate::request::Request;
use crate::response::{ErrorResponse, Response};

/// The state of Identity Center.
#[derive(Debug)]
pub(crate) struct Sso {
    center: Option<IdentityCenter>,
    tokens: Mutex<Tokens>,
}

/// A request to Identity Center, and what it needs.
#[derive(Clone, Copy)]
struct Exchange<'a> {
    center: &'a IdentityCenter,
    tokens: &'a Mutex<Tokens>,
    identities: &'a IdentityStore,
    clock: &'a Clock,
    request: &'a Request,
}

impl Sso {
    pub(crate) fn new(center: Option<IdentityCenter>) -> Self {
        Self {
            center,
            tokens: Mutex::default(),
        }
    }

    /// Performs an operation of either service.
    pub(crate) fn perform(
        &self,
        operation: &str,
        request: &Request,
        identities: &IdentityStore,
        clock: &Clock,
    ) -> Result<Response, ErrorResponse> {
        let Some(center) = &self.center else {
            let message = "this server has no Identity Center";
            return Err(ErrorResponse::new(400, "InvalidRequestException", message));
        };
        let exchange = Exchange {
            center,
            tokens: &self.tokens,
            identities,
            clock,
            request,
        };
        match operation {
            "RegisterClient" => exchange.register_client(),
            "StartDeviceAuthorization" => exchange.start_device_authorization(),
            "CreateToken" => exchange.create_token(),
            "Authorize" => exchange.authorize(),
            "Device" => exchange.device(),
            "GetRoleCredentials" => exchange.role_credentials(),
            "ListAccounts" => exchange.accounts(),
            "ListAccountRoles" => exchange.account_roles(),
            "Logout" => exchange.logout(),
            _ => Err(ErrorResponse::new(
                404,
                "UnknownOperationException",
                "no such operation",
            )),
        }
    }

    pub(crate) fn center(&self) -> Option<&IdentityCenter> {
        self.center.as_ref()
    }

    /// Signs the user in, as a test's shortcut.
    pub(crate) fn sign_in(&self, clock: &Clock) -> Option<SsoToken> {
        let center = self.center.as_ref()?;
        Some(self.tokens.lock().sign_in(center, clock.now()))
    }

    /// Decides about the device authorizations that wait for the user. Returns their number.
    pub(crate) fn decide(&self, is_allowed: bool) -> usize {
        self.tokens.lock().decide(None, is_allowed)
    }
}

/// Creates the error of an OAuth operation: `code` is AWS's, `error` that of RFC 6749 or RFC 8628.
fn oauth_error(status: u16, code: &str, error: &str, description: &str) -> ErrorResponse {
    let body = json!({ "error": error, "error_description": description });
    ErrorResponse {
        body: Some(body.to_string()),
        ..ErrorResponse::new(status, code, description)
    }
}
