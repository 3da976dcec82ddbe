//! The federation endpoint, which signs a browser in to the AWS console with temporary credentials.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html>.

use std::collections::HashMap;
use std::time::SystemTime;

use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use crate::auth::{AccessKey, IdentityStore};
use crate::clock::Clock;
use crate::ids;
use crate::request::{Form, Request};

/// The path of the endpoint.
pub(crate) const PATH: &str = "/federation";

/// How long a sign-in token can be used.
const TOKEN_LIFETIME: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// `SessionDuration`, from 15 minutes to 12 hours.
const SESSION_DURATION: std::ops::RangeInclusive<u32> = 900..=43_200;

/// The sign-in tokens issued so far.
#[derive(Debug, Default)]
pub(crate) struct SigninTokens(Mutex<HashMap<String, Signin>>);

#[derive(Clone, Debug)]
struct Signin {
    arn: String,
    expiration: SystemTime,
}

/// The parameter `Session`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Credentials {
    session_id: String,
    session_key: String,
    session_token: String,
}

/// What the endpoint returns: a status, a `Location` header, a body.
pub(crate) struct FederationResponse {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

impl SigninTokens {
    /// Performs a request to the endpoint.
    pub(crate) fn respond(
        &self,
        request: &Request,
        identities: &IdentityStore,
        clock: &Clock,
    ) -> FederationResponse {
        let form = Form::from_request(request);
        let outcome = match (&request.method, form.get("Action")) {
            (&Method::GET | &Method::POST, Some("getSigninToken")) => {
                self.signin_token(&form, identities, clock)
            }
            (&Method::GET, Some("login")) => self.login(&form, clock),
            _ => Err("Action must be getSigninToken or login"),
        };
        outcome.unwrap_or_else(|problem| FederationResponse {
            status: StatusCode::BAD_REQUEST,
            location: None,
            body: problem.to_owned(),
        })
    }

    fn signin_token(
        &self,
        form: &Form,
        identities: &IdentityStore,
        clock: &Clock,
    ) -> Result<FederationResponse, &'static str> {
        let session = form.get("Session").ok_or("Session is missing")?;
        let credentials: Credentials =
            serde_json::from_str(session).map_err(|_| "Session is malformed")?;
        let key = identities.key(&credentials.session_id);
        let key = key.filter(|key| credentials.are(key, clock));
        let key = key.ok_or("the credentials are not valid temporary credentials")?;
        let session = key.identity.session.as_ref();
        let role = session.and_then(|session| session.role_arn.as_ref());
        role.ok_or("credentials of GetSessionToken cannot sign in")?;
        if let Some(duration) = form.get("SessionDuration") {
            let seconds = duration.parse().ok();
            if !seconds.is_some_and(|seconds| SESSION_DURATION.contains(&seconds)) {
                return Err("SessionDuration must be a number from 900 to 43200");
            }
            // The session of a chained role is limited to one hour, so that AWS accepts no duration.
            if session.is_some_and(|session| session.issued_to.contains(":assumed-role/")) {
                return Err("SessionDuration is not accepted for credentials of role chaining");
            }
        }
        let token = ids::session_token(0);
        let signin = Signin {
            arn: key.identity.arn.clone(),
            expiration: clock.now() + TOKEN_LIFETIME,
        };
        self.0.lock().insert(token.clone(), signin);
        Ok(FederationResponse {
            status: StatusCode::OK,
            location: None,
            body: json!({ "SigninToken": token }).to_string(),
        })
    }

    /// A browser would get the console here. This one gets the identity that it would have.
    fn login(&self, form: &Form, clock: &Clock) -> Result<FederationResponse, &'static str> {
        let token = form.get("SigninToken").ok_or("SigninToken is missing")?;
        let destination = form.get("Destination").ok_or("Destination is missing")?;
        let signin = self.0.lock().get(token).cloned();
        let signin = signin.filter(|signin| clock.now() < signin.expiration);
        let signin = signin.ok_or("the sign-in token is not valid")?;
        Ok(FederationResponse {
            status: StatusCode::FOUND,
            location: Some(destination.to_owned()),
            body: signin.arn,
        })
    }
}

impl Credentials {
    fn are(&self, key: &AccessKey, clock: &Clock) -> bool {
        let session = key.session.as_ref();
        key.secret.expose() == self.session_key
            && key.token() == Some(&self.session_token)
            && session.is_some_and(|session| clock.now() < session.expiration)
    }
}
