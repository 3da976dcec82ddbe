//! SSO: the portal that issues credentials of roles for an access token.

use std::time::Duration;

use serde_json::{Value, json};

use super::Exchange;
use crate::layout::{IdentityCenter, ROLE_PATH};
use crate::request::Form;
use crate::response::{ErrorResponse, Response};

/// The lifetime of a role's credentials: the default session duration of a permission set.
const ROLE_LIFETIME: Duration = Duration::from_secs(3_600);

/// How many accounts or roles a page has at most.
const MAX_PAGE: usize = 100;

impl Exchange<'_> {
    fn token(&self) -> Result<&str, ErrorResponse> {
        let token = self.request.header("x-amz-sso_bearer_token");
        let token = token.unwrap_or_default();
        match self.tokens.lock().is_valid(token, self.clock.now()) {
            true => Ok(token),
            false => Err(ErrorResponse::new(
                401,
                "UnauthorizedException",
                "Session token not found or invalid",
            )),
        }
    }

    pub(super) fn role_credentials(self) -> Result<Response, ErrorResponse> {
        self.token()?;
        let query = Form::of_query(self.request);
        let (account, role) = (
            required(&query, "account_id")?,
            required(&query, "role_name")?,
        );
        let assigned = self.center.is_assigned(account, role);
        let entry = iam_role_arn(self.center, account, role).filter(|_| assigned);
        let entry = entry.and_then(|arn| self.identities.role(&arn));
        // One error for a role that does not exist and for one that is not assigned.
        let Some(entry) = entry else {
            let code = "ForbiddenException";
            return Err(ErrorResponse::new(403, code, "No access"));
        };
        let now = self.clock.now();
        let key = self
            .identities
            .issue_role(entry, &self.center.user, now, ROLE_LIFETIME);
        let expires_in = self.clock.unix_seconds() + ROLE_LIFETIME.as_secs();
        // The portal reports `expiration` in milliseconds.
        Ok(Response::rest_json(json!({"roleCredentials": {
            "accessKeyId": key.identity.access_key_id,
            "secretAccessKey": key.secret.expose(),
            "sessionToken": key.token(),
            "expiration": expires_in * 1000,
        }})))
    }

    pub(super) fn accounts(self) -> Result<Response, ErrorResponse> {
        self.token()?;
        let mut ids: Vec<_> = self.center.assignments.iter().map(|a| &a.account).collect();
        // Sorted, because `dedup` removes neighbours only, and pages need a fixed order.
        ids.sort_unstable();
        ids.dedup();
        let accounts = ids.into_iter().map(|id| {
            let name = self.identities.alias(id).unwrap_or(id);
            json!({
                "accountId": id,
                "accountName": name,
                "emailAddress": format!("{name}@example.com"),
            })
        });
        self.page("accountList", accounts.collect())
    }

    pub(super) fn account_roles(self) -> Result<Response, ErrorResponse> {
        self.token()?;
        let query = Form::of_query(self.request);
        let account = required(&query, "account_id")?;
        let assigned = self.center.assignments.iter();
        let assigned = assigned.filter(|assigned| assigned.account == account);
        let roles =
            assigned.map(|assigned| json!({"roleName": assigned.role, "accountId": account}));
        self.page("roleList", roles.collect())
    }

    pub(super) fn logout(self) -> Result<Response, ErrorResponse> {
        let token = self.token()?;
        self.tokens.lock().revoke(token);
        Ok(Response::rest_json(json!({})))
    }

    fn page(self, name: &str, items: Vec<Value>) -> Result<Response, ErrorResponse> {
        let query = Form::of_query(self.request);
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let start = number("next_token").unwrap_or(0);
        let size = number("max_result").unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let rest = items.get(start..).unwrap_or_default();
        let next = (rest.len() > size).then(|| (start + size).to_string());
        let page = &rest[..rest.len().min(size)];
        Ok(Response::rest_json(json!({name: page, "nextToken": next})))
    }
}

fn required<'a>(query: &'a Form, name: &str) -> Result<&'a str, ErrorResponse> {
    query.get(name).ok_or_else(|| {
        let message = format!("missing {name}");
        ErrorResponse::new(400, "InvalidRequestException", message)
    })
}

fn iam_role_arn(center: &IdentityCenter, account: &str, role: &str) -> Option<String> {
    let mut assignments = center.assignments.iter();
    let assigned = assignments.find(|a| a.account == account && a.role == role)?;
    let name = assigned.iam_role_name();
    Some(format!("arn:aws:iam::{account}:role{ROLE_PATH}{name}"))
}
