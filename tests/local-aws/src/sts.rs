//! STS: who is calling, and temporary credentials for roles and users.
//!
//! See <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>.

mod assume_role;
mod parameters;
mod tags;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use self::parameters::{Parameters, SERIAL_NUMBER, TOKEN_CODE};
use crate::access;
use crate::answer::{Answer, Refusal, element};
use crate::clock::{Clock, iso8601};
use crate::directory::{Directory, Identity, Key, Temporary};
use crate::ids;
use crate::request::{Form, STS_NAMESPACE, Service};
use crate::session::Session;

/// How long the credentials of GetSessionToken last unless asked otherwise.
const DEFAULT_SESSION_TOKEN_SECONDS: u64 = 43_200;

/// The largest session token, in bytes.
const MAXIMUM_TOKEN_SIZE: usize = 4_096;

/// What the operations work on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sts<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) clock: &'a Clock,
    pub(crate) caller: &'a Identity,
}

impl Sts<'_> {
    /// Performs an operation.
    pub(crate) fn perform(&self, operation: &str, form: &Form) -> Result<Answer, Refusal> {
        let result = match operation {
            "AssumeRole" => self.assume_role(form)?,
            "GetCallerIdentity" => self.caller_identity(),
            "GetSessionToken" => self.session_token(form)?,
            _ => return Err(unknown_action(operation, form)),
        };
        Ok(Answer::xml(STS_NAMESPACE, operation, &result))
    }

    /// GetCallerIdentity, which no policy can deny.
    fn caller_identity(&self) -> String {
        element("Arn", &self.caller.arn)
            + &element("UserId", &self.caller.unique_id)
            + &element("Account", &self.caller.account)
    }

    /// GetSessionToken: credentials for the calling user itself, with or without MFA.
    fn session_token(&self, form: &Form) -> Result<String, Refusal> {
        let mut parameters = Parameters::new(form);
        let seconds = parameters.seconds("DurationSeconds", 129_600);
        let serial = parameters.text("SerialNumber", &SERIAL_NUMBER);
        let code = parameters.text("TokenCode", &TOKEN_CODE);
        let minimum_token_size = minimum_token_size(&mut parameters);
        parameters.finish()?;
        if self.caller.session.is_some() {
            let message = "Cannot call GetSessionToken with session credentials";
            return Err(Refusal::new(403, "AccessDenied", message));
        }
        self.authorize_action("sts:GetSessionToken", &self.caller.arn)?;
        let mfa_authenticated = self.check_mfa(serial, code)?;
        let now = self.clock.now();
        let session = Session {
            mfa_authenticated,
            ..self.new_session(now, seconds.unwrap_or(DEFAULT_SESSION_TOKEN_SECONDS))
        };
        let identity = self.caller.in_session(session);
        Ok(credentials(
            &self.directory.issue(identity, minimum_token_size),
        ))
    }

    /// Describes a session of the caller's own, from now on.
    fn new_session(&self, now: SystemTime, seconds: u64) -> Session {
        Session {
            access_key_id: ids::unique("ASIA"),
            account: self.caller.account.clone(),
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

    /// Checks an MFA code, if one was given, and tells whether the request has MFA.
    ///
    /// A wrong code is refused even where none is asked for.
    fn check_mfa(&self, serial: Option<&str>, code: Option<&str>) -> Result<bool, Refusal> {
        let denied = |message: &str| Err(Refusal::new(403, "AccessDenied", message));
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
        match self.directory.accept_mfa(device, code, self.clock.now()) {
            true => Ok(true),
            false => {
                denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
            }
        }
    }

    fn authorize_action(&self, action: &str, resource: &str) -> Result<(), Refusal> {
        access::authorize(self.caller, action, resource, Service::Sts)
    }
}

/// Refuses an operation that does not exist, or is not emulated.
pub(crate) fn unknown_action(operation: &str, form: &Form) -> Refusal {
    if operation.is_empty() {
        return Refusal::new(400, "MissingAction", "Missing Action");
    }
    let version = form.get("Version").unwrap_or_default();
    let message = format!("Could not find operation {operation} for version {version}");
    Refusal::new(400, "InvalidAction", message)
}

/// Reads the size that a session token must at least have.
fn minimum_token_size(parameters: &mut Parameters<'_>) -> usize {
    let size = parameters.number("MinimumSessionTokenSize").unwrap_or(0);
    match usize::try_from(size) {
        Ok(size) if size <= MAXIMUM_TOKEN_SIZE => size,
        _ => {
            let bound =
                format!("Member must have value less than or equal to {MAXIMUM_TOKEN_SIZE}");
            parameters.problem("minimumSessionTokenSize", size, &bound);
            0
        }
    }
}

/// Writes the part of an answer that is about the credentials.
fn credentials(key: &Key) -> String {
    let temporary = key.temporary.as_ref();
    let Temporary { token, expiration } = temporary.expect("only temporary keys are answered");
    let token = token.reveal();
    let fields = element("AccessKeyId", &key.identity.access_key_id)
        + &element("SecretAccessKey", key.secret.reveal())
        + &element("SessionToken", token)
        + &element("Expiration", &iso8601(*expiration));
    let size = element("SessionTokenSize", &token.len().to_string());
    let percent = (token.len() * 100).div_ceil(MAXIMUM_TOKEN_SIZE);
    let utilization = element("SessionTokenUtilization", &percent.to_string());
    format!("    <Credentials>\n{fields}    </Credentials>\n{size}{utilization}")
}
