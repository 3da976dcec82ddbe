//! AssumeRole: every parameter, the role's trust rules, and AWS's limits.
//!
//! See <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.

use serde_json::Value;

use super::parameters::{
    ARN, EXTERNAL_ID, POLICY, Parameters, SERIAL_NUMBER, SESSION_NAME, SOURCE_IDENTITY, TOKEN_CODE,
    validation_error,
};
use super::tags::RequestedTags;
use super::{Sts, credentials, minimum_token_size};
use crate::access;
use crate::answer::{Refusal, element};
use crate::directory::RoleEntry;
use crate::ids;
use crate::request::{Form, Service};
use crate::session::Session;

const ACTION: &str = "sts:AssumeRole";

/// How long a session lasts unless asked otherwise, in seconds.
const DEFAULT_SECONDS: u64 = 3_600;

/// The longest session of any role, in seconds.
const MAXIMUM_SECONDS: u64 = 43_200;

/// The longest session that temporary credentials can ask for, in seconds.
const MAXIMUM_CHAINED_SECONDS: u64 = 3_600;

/// The most characters inline and managed session policies may have together.
const MAXIMUM_POLICY_SIZE: usize = 2_048;

/// The most managed session policies.
const MAXIMUM_POLICY_ARNS: usize = 10;

/// What policies and tags may take when packed. AWS's packing is not public, so this is a guess
/// at which the largest request AWS allows by number still fits.
const PACKED_CAPACITY: usize = 24_576;

/// The parameters of a request, each within its constraints.
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
    fn of(form: &'a Form) -> Result<Self, Refusal> {
        let mut parameters = Parameters::new(form);
        let request = Self {
            role_arn: parameters.required("RoleArn", &ARN),
            session_name: parameters.required("RoleSessionName", &SESSION_NAME),
            seconds: parameters.seconds("DurationSeconds", MAXIMUM_SECONDS),
            policy: parameters.text("Policy", &POLICY),
            policy_arns: parameters.list("PolicyArns", ".arn", &ARN),
            tags: RequestedTags::of(&mut parameters),
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

    fn check_role_arn(&self) -> Result<(), Refusal> {
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

    fn check_policies(&self) -> Result<(), Refusal> {
        if self.policy_arns.len() > MAXIMUM_POLICY_ARNS {
            let message = format!("Cannot exceed quota for PolicyArns: {MAXIMUM_POLICY_ARNS}");
            return Err(Refusal::new(400, "LimitExceeded", message));
        }
        if self.policies_size() > MAXIMUM_POLICY_SIZE {
            let percent = self.policies_size() * 100 / MAXIMUM_POLICY_SIZE;
            let message = format!(
                "Packed policy consumes {percent}% of allotted space, please use smaller policy."
            );
            return Err(Refusal::new(400, "PackedPolicyTooLarge", message));
        }
        let malformed = |message| Err(Refusal::new(400, "MalformedPolicyDocument", message));
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

    /// Returns how full the packed policies and tags are, in percent, if there are any.
    fn packed_policy_size(&self) -> Option<usize> {
        let size = self.policies_size() + self.tags.size();
        (size > 0).then(|| (size * 100).div_ceil(PACKED_CAPACITY))
    }
}

impl Sts<'_> {
    pub(super) fn assume_role(&self, form: &Form) -> Result<String, Refusal> {
        let request = AssumeRole::of(form)?;
        let (role, mfa_authenticated) = self.authorize(&request)?;
        let seconds = self.session_seconds(&request, role)?;
        let source_identity = self.source_identity(&request)?;
        let calling = self.caller.session.as_ref();
        let tags = request.tags.join(calling)?;
        let name = request.session_name;
        let session = Session {
            access_key_id: ids::unique("ASIA"),
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
            ..self.new_session(self.clock.now(), seconds)
        };
        Ok(self.issue(&request, role, session))
    }

    /// Finds the role and decides whether the caller may assume it. A role that does not exist is
    /// refused as one that does not trust the caller.
    fn authorize(&self, request: &AssumeRole<'_>) -> Result<(&RoleEntry, bool), Refusal> {
        self.authorize_action(ACTION, request.role_arn)?;
        let given_mfa = self.check_mfa(request.serial_number, request.token_code)?;
        let has_mfa = given_mfa || self.caller.has_mfa();
        self.directory
            .role(request.role_arn)
            .filter(|role| self.is_trusted(request, role, has_mfa))
            .map(|role| (role, given_mfa))
            .ok_or_else(|| access::denied(self.caller, ACTION, request.role_arn, "", Service::Sts))
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

    fn session_seconds(&self, request: &AssumeRole<'_>, role: &RoleEntry) -> Result<u64, Refusal> {
        let seconds = request.seconds.unwrap_or(DEFAULT_SECONDS);
        if self.caller.session.is_some() && seconds > MAXIMUM_CHAINED_SECONDS {
            return Err(validation_error(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed \
                 by role chaining.",
            ));
        }
        // The default is not a request: a role with a shorter maximum gives that.
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

    /// Returns the source identity of the new session: once set, it stays along a chain.
    fn source_identity<'a>(&'a self, request: &AssumeRole<'a>) -> Result<Option<&'a str>, Refusal> {
        let session = self.caller.session.as_ref();
        let inherited = session.and_then(|session| session.source_identity.as_deref());
        match (inherited, request.source_identity) {
            (Some(inherited), Some(requested)) if inherited != requested => Err(validation_error(
                "The source identity is already set for this assume role session",
            )),
            (inherited, requested) => Ok(inherited.or(requested)),
        }
    }

    /// Issues the credentials and writes the answer.
    fn issue(&self, request: &AssumeRole<'_>, role: &RoleEntry, session: Session) -> String {
        let source_identity = session.source_identity.clone();
        let identity = role.session_identity(session);
        let key = self.directory.issue(identity, request.minimum_token_size);
        let user =
            element("AssumedRoleId", &key.identity.unique_id) + &element("Arn", &key.identity.arn);
        let mut answer = credentials(&key);
        answer += &format!("    <AssumedRoleUser>\n{user}    </AssumedRoleUser>\n");
        if let Some(percent) = request.packed_policy_size() {
            answer += &element("PackedPolicySize", &percent.to_string());
        }
        if let Some(source_identity) = source_identity {
            answer += &element("SourceIdentity", &source_identity);
        }
        answer
    }
}
