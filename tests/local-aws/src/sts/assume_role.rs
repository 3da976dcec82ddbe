//! AssumeRole: its parameters, trust policies and limits.
//!
//! See <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.

use serde_json::Value;

use super::parameters::{
    ARN, EXTERNAL_ID, POLICY, Parameters, SERIAL_NUMBER, SESSION_NAME, SOURCE_IDENTITY, TOKEN_CODE,
    validation_error,
};
use super::tags::RequestedTags;
use super::{Sts, credentials, minimum_token_size};
use crate::auth::RoleEntry;
use crate::auth::authorize::access_denied;
use crate::ids;
use crate::request::Form;
use crate::response::{ErrorResponse, element};
use crate::service::Service;
use crate::session::Session;

const ACTION: &str = "sts:AssumeRole";

/// The default session duration, in seconds, as the API documents.
const DEFAULT_SECONDS: u64 = 3_600;

/// The maximum session duration of any role, in seconds, as the API documents.
const MAX_SECONDS: u64 = 43_200;

/// The maximum session duration of role chaining, in seconds, as the API documents.
const MAX_CHAINED_SECONDS: u64 = 3_600;

/// The maximum size of inline and managed session policies together, in characters, as the API
/// documents.
const MAX_POLICY_SIZE: usize = 2_048;

/// The maximum number of managed session policies, as the API documents.
const MAX_POLICY_ARNS: usize = 10;

/// The maximum packed size of policies and tags. AWS doesn't publish the packing, so this is an
/// estimate at which the largest request within the other limits still fits.
const PACKED_CAPACITY: usize = 24_576;

/// The validated parameters of a request.
struct AssumeRole<'a> {
    role_arn: &'a str,
    session_name: &'a str,
    seconds: Option<u64>,
    policy: Option<&'a str>,
    policy_arns: Vec<&'a str>,
    tags: RequestedTags<'a>,
    external_id: Option<&'a str>,
    serial_number: Option<&'a str>,
    token_code: Option<&'a str>,
    source_identity: Option<&'a str>,
    minimum_token_size: usize,
}

impl<'a> AssumeRole<'a> {
    fn from_form(form: &'a Form) -> Result<Self, ErrorResponse> {
        let mut parameters = Parameters::new(form);
        let request = Self {
            role_arn: parameters.required("RoleArn", &ARN),
            session_name: parameters.required("RoleSessionName", &SESSION_NAME),
            seconds: parameters.seconds("DurationSeconds", MAX_SECONDS),
            policy: parameters.text("Policy", &POLICY),
            policy_arns: parameters.list("PolicyArns", ".arn", &ARN),
            tags: RequestedTags::from_parameters(&mut parameters),
            external_id: parameters.text("ExternalId", &EXTERNAL_ID),
            serial_number: parameters.text("SerialNumber", &SERIAL_NUMBER),
            token_code: parameters.text("TokenCode", &TOKEN_CODE),
            source_identity: parameters.text("SourceIdentity", &SOURCE_IDENTITY),
            minimum_token_size: minimum_token_size(&mut parameters),
        };
        parameters.finish()?;
        request.check_role_arn()?;
        request.check_policies()?;
        Ok(request)
    }

    fn check_role_arn(&self) -> Result<(), ErrorResponse> {
        // The resource is the rest, which may contain colons.
        let parts: Vec<_> = self.role_arn.splitn(6, ':').collect();
        let is_arn = match parts.as_slice() {
            ["arn", partition, "iam", "", account, resource] => {
                partition.starts_with("aws")
                    && account.len() == 12
                    && account.bytes().all(|byte| byte.is_ascii_digit())
                    && resource
                        .strip_prefix("role/")
                        .is_some_and(|name| !name.is_empty())
            }
            _ => false,
        };
        match is_arn {
            true => Ok(()),
            false => Err(validation_error(format!("{} is invalid", self.role_arn))),
        }
    }

    fn check_policies(&self) -> Result<(), ErrorResponse> {
        if self.policy_arns.len() > MAX_POLICY_ARNS {
            let message = format!("Cannot exceed quota for PolicyArns: {MAX_POLICY_ARNS}");
            return Err(ErrorResponse::new(400, "LimitExceeded", message));
        }
        // AWS reports this limit in percent as well, although it is one of characters.
        if self.policies_size() > MAX_POLICY_SIZE {
            let percent = self.policies_size() * 100 / MAX_POLICY_SIZE;
            let message = format!(
                "Packed policy consumes {percent}% of allotted space, please use smaller policy."
            );
            return Err(ErrorResponse::new(400, "PackedPolicyTooLarge", message));
        }
        let malformed = |message| Err(ErrorResponse::new(400, "MalformedPolicyDocument", message));
        // Policies are recorded and not enforced, so this checks no more than AWS's most common mistakes.
        match self.policy.map(serde_json::from_str::<Value>) {
            None => Ok(()),
            Some(Ok(policy)) if policy.get("Statement").is_some() => Ok(()),
            Some(Ok(_)) => malformed("Syntax errors in policy."),
            Some(Err(_)) => malformed("This policy contains invalid Json"),
        }
    }

    fn policies_size(&self) -> usize {
        let managed = self.policy_arns.iter().map(|arn| arn.chars().count());
        self.policy.map_or(0, |policy| policy.chars().count()) + managed.sum::<usize>()
    }

    /// Returns the packed size of policies and tags in percent of the maximum; `None` without any.
    fn packed_policy_size(&self) -> Option<usize> {
        let size = self.policies_size() + self.tags.size();
        (size > 0).then(|| (size * 100).div_ceil(PACKED_CAPACITY))
    }
}

impl Sts<'_> {
    pub(super) fn assume_role(&self, form: &Form) -> Result<String, ErrorResponse> {
        let request = AssumeRole::from_form(form)?;
        let (role, mfa_authenticated) = self.authorize(&request)?;
        let seconds = self.session_seconds(&request, role)?;
        let source_identity = self.source_identity(&request)?;
        let calling = self.caller.session.as_ref();
        let tags = request.tags.merge(calling)?;
        let name = request.session_name;
        let session = Session {
            access_key_id: ids::with_prefix("ASIA"),
            account: role.account.clone(),
            arn: format!(
                "arn:aws:sts::{}:assumed-role/{}/{name}",
                role.account, role.role.name
            ),
            role_arn: Some(role.arn.clone()),
            session_name: Some(name.to_owned()),
            external_id: request.external_id.map(str::to_owned),
            mfa_authenticated,
            policy: request.policy.map(str::to_owned),
            policy_arns: request
                .policy_arns
                .iter()
                .map(|arn| (*arn).to_owned())
                .collect(),
            tags: tags.tags,
            transitive_tag_keys: tags.transitive_keys,
            source_identity: source_identity.map(str::to_owned),
            // `issued_to` stays as `new_session` sets it: the caller.
            ..self.new_session(self.clock.now(), seconds)
        };
        Ok(self.issue(&request, role, session))
    }

    /// Looks up the role and decides whether the caller may assume it.
    ///
    /// Like AWS, it returns the same error for a role that does not exist and for one that does not
    /// trust the caller.
    fn authorize(&self, request: &AssumeRole<'_>) -> Result<(&RoleEntry, bool), ErrorResponse> {
        self.authorize_action(ACTION, request.role_arn)?;
        // Before the trust policy, which may require MFA.
        let given_mfa = self.check_mfa(request.serial_number, request.token_code)?;
        let has_mfa = given_mfa || self.caller.has_mfa();
        self.identities
            .role(request.role_arn)
            .filter(|role| self.is_trusted(request, role, has_mfa))
            .map(|role| (role, given_mfa))
            .ok_or_else(|| access_denied(self.caller, ACTION, request.role_arn, "", Service::Sts))
    }

    fn is_trusted(&self, request: &AssumeRole<'_>, role: &RoleEntry, has_mfa: bool) -> bool {
        role.role.trust.iter().any(|trust| {
            trust
                .principals
                .iter()
                .any(|principal| self.caller.matches(principal))
                && (trust.external_id.is_none()
                    || trust.external_id.as_deref() == request.external_id)
                && (has_mfa || !trust.require_mfa)
        })
    }

    fn session_seconds(
        &self,
        request: &AssumeRole<'_>,
        role: &RoleEntry,
    ) -> Result<u64, ErrorResponse> {
        let seconds = request.seconds.unwrap_or(DEFAULT_SECONDS);
        let calling = self.caller.session.as_ref();
        // A session of GetSessionToken has no role, and assuming a role with it is not chaining.
        let is_chained = calling.is_some_and(|session| session.role_arn.is_some());
        if is_chained && seconds > MAX_CHAINED_SECONDS {
            return Err(validation_error(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed \
                 by role chaining.",
            ));
        }
        // The default duration never fails: a role with a shorter maximum reduces it.
        if request.seconds.is_none() {
            return Ok(seconds.min(role.role.max_session_seconds));
        }
        match seconds > role.role.max_session_seconds {
            true => Err(validation_error(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )),
            false => Ok(seconds),
        }
    }

    /// Returns the source identity of the new session. A chained session keeps it.
    fn source_identity<'a>(
        &'a self,
        request: &AssumeRole<'a>,
    ) -> Result<Option<&'a str>, ErrorResponse> {
        let session = self.caller.session.as_ref();
        let inherited = session.and_then(|session| session.source_identity.as_deref());
        match (inherited, request.source_identity) {
            (Some(inherited), Some(requested)) if inherited != requested => Err(validation_error(
                "The source identity is already set for this assume role session",
            )),
            (inherited, requested) => Ok(inherited.or(requested)),
        }
    }

    /// Issues the credentials and formats the result.
    fn issue(&self, request: &AssumeRole<'_>, role: &RoleEntry, session: Session) -> String {
        let source_identity = session.source_identity.clone();
        let identity = role.session_identity(session);
        let key = self.identities.issue(identity, request.minimum_token_size);
        let user =
            element("AssumedRoleId", &key.identity.unique_id) + &element("Arn", &key.identity.arn);
        let mut result = credentials(&key);
        result += &format!("    <AssumedRoleUser>\n{user}    </AssumedRoleUser>\n");
        if let Some(percent) = request.packed_policy_size() {
            result += &element("PackedPolicySize", &percent.to_string());
        }
        if let Some(source_identity) = source_identity {
            result += &element("SourceIdentity", &source_identity);
        }
        result
    }
}
