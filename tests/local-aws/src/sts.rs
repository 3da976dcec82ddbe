//! STS: GetCallerIdentity, AssumeRole and GetSessionToken.
//!
//! See <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>.

mod assume_role;
mod parameters;
mod tags;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use self::parameters::{Parameters, SERIAL_NUMBER, TOKEN_CODE};
use crate::auth::authorize::authorize;
use crate::auth::{AccessKey, Identity, IdentityStore, SessionCredentials};
use crate::clock::{Clock, iso8601};
use crate::ids;
use crate::request::Form;
use crate::response::{ErrorResponse, Response, element};
use crate::service::{STS_NAMESPACE, Service};
use crate::session::Session;

/// The default lifetime of the credentials of GetSessionToken: 12 hours, as the API documents.
const DEFAULT_SESSION_TOKEN_SECONDS: u64 = 43_200;

/// The maximum lifetime of the credentials of GetSessionToken: 36 hours, as the API documents.
const MAX_SESSION_TOKEN_SECONDS: u64 = 129_600;

/// The maximum size of a session token, in bytes, as the API documents.
const MAX_TOKEN_SIZE: usize = 4_096;

/// The state and the caller of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sts<'a> {
    pub(crate) identities: &'a IdentityStore,
    pub(crate) clock: &'a Clock,
    pub(crate) caller: &'a Identity,
}

impl Sts<'_> {
    /// Performs an operation.
    pub(crate) fn perform(&self, operation: &str, form: &Form) -> Result<Response, ErrorResponse> {
        let result = match operation {
            "AssumeRole" => self.assume_role(form)?,
            "GetCallerIdentity" => self.caller_identity(),
            "GetSessionToken" => self.session_token(form)?,
            _ => return Err(unknown_action(operation, form)),
        };
        Ok(Response::xml(STS_NAMESPACE, operation, &result))
    }

    /// GetCallerIdentity. No policy can deny it, so there is no authorization.
    fn caller_identity(&self) -> String {
        element("Arn", &self.caller.arn)
            + &element("UserId", &self.caller.unique_id)
            + &element("Account", &self.caller.account)
    }

    /// GetSessionToken: temporary credentials of the calling user, with or without MFA.
    fn session_token(&self, form: &Form) -> Result<String, ErrorResponse> {
        let mut parameters = Parameters::new(form);
        let seconds = parameters.seconds("DurationSeconds", MAX_SESSION_TOKEN_SECONDS);
        let serial = parameters.text("SerialNumber", &SERIAL_NUMBER);
        let code = parameters.text("TokenCode", &TOKEN_CODE);
        let minimum_token_size = minimum_token_size(&mut parameters);
        parameters.finish()?;
        if self.caller.session.is_some() {
            let message = "Cannot call GetSessionToken with session credentials";
            return Err(ErrorResponse::new(403, "AccessDenied", message));
        }
        self.authorize_action("sts:GetSessionToken", &self.caller.arn)?;
        // The last check, because it consumes the code.
        let mfa_authenticated = self.check_mfa(serial, code)?;
        let now = self.clock.now();
        let session = Session {
            mfa_authenticated,
            ..self.new_session(now, seconds.unwrap_or(DEFAULT_SESSION_TOKEN_SECONDS))
        };
        let identity = self.caller.in_session(session);
        Ok(credentials(
            &self.identities.issue(identity, minimum_token_size),
        ))
    }

    /// Creates a session of the caller that starts at `now`.
    fn new_session(&self, now: SystemTime, seconds: u64) -> Session {
        Session {
            access_key_id: ids::with_prefix("ASIA"),
            account: self.caller.account.clone(),
            // GetSessionToken returns credentials of the same principal. AssumeRole replaces these
            // members.
            arn: self.caller.arn.clone(),
            issued_to: self.caller.arn.clone(),
            role_arn: None,
            session_name: None,
            issued_at: now,
            expiration: now + Duration::from_secs(seconds),
            external_id: None,
            mfa_authenticated: false,
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
        }
    }

    /// Checks the MFA code of a request. Returns `true` if the request contains one.
    ///
    /// Like AWS, it rejects a wrong code even if no policy requires MFA.
    fn check_mfa(&self, serial: Option<&str>, code: Option<&str>) -> Result<bool, ErrorResponse> {
        let denied = |message: &str| Err(ErrorResponse::new(403, "AccessDenied", message));
        let (serial, code) = match (serial, code) {
            (None, None) => return Ok(false),
            (Some(serial), Some(code)) => (serial, code),
            _ => {
                return denied(
                    "MultiFactorAuthentication failed, must provide both MFA serial number and \
                     one time pass code.",
                );
            }
        };
        let Some(device) = self
            .caller
            .mfa_device
            .as_ref()
            .filter(|mfa| mfa.serial == serial)
        else {
            return denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify \
                 your MFA serial number is valid and associated with this user.",
            );
        };
        match self
            .identities
            .consume_mfa_code(device, code, self.clock.now())
        {
            true => Ok(true),
            false => {
                denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
            }
        }
    }

    fn authorize_action(&self, action: &str, resource: &str) -> Result<(), ErrorResponse> {
        authorize(self.caller, action, resource, Service::Sts)
    }
}

/// Creates the error for an operation that does not exist or is not emulated.
pub(crate) fn unknown_action(operation: &str, form: &Form) -> ErrorResponse {
    if operation.is_empty() {
        return ErrorResponse::new(400, "MissingAction", "Missing Action");
    }
    let version = form.get("Version").unwrap_or_default();
    let message = format!("Could not find operation {operation} for version {version}");
    ErrorResponse::new(400, "InvalidAction", message)
}

/// Reads the requested minimum size of the session token.
fn minimum_token_size(parameters: &mut Parameters<'_>) -> usize {
    let size = parameters
        .read_number("MinimumSessionTokenSize")
        .unwrap_or(0);
    match usize::try_from(size) {
        Ok(size) if size <= MAX_TOKEN_SIZE => size,
        _ => {
            let bound = format!("Member must have value less than or equal to {MAX_TOKEN_SIZE}");
            parameters.violation("minimumSessionTokenSize", size, &bound);
            0
        }
    }
}

/// Formats the credentials for a response.
fn credentials(key: &AccessKey) -> String {
    let session = key.session.as_ref();
    let SessionCredentials { token, expiration } =
        session.expect("STS only returns keys that it issued");
    let token = token.expose();
    let fields = element("AccessKeyId", &key.identity.access_key_id)
        + &element("SecretAccessKey", key.secret.expose())
        + &element("SessionToken", token)
        + &element("Expiration", &iso8601(*expiration));
    let size = element("SessionTokenSize", &token.len().to_string());
    let percent = (token.len() * 100).div_ceil(MAX_TOKEN_SIZE);
    let utilization = element("SessionTokenUtilization", &percent.to_string());
    format!("    <Credentials>\n{fields}    </Credentials>\n{size}{utilization}")
}
