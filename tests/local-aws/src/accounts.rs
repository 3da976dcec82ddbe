//! What exists in the local AWS: accounts, their users and roles, and who may assume which role.

use std::time::Duration;

use serde::Deserialize;

use crate::mfa::MfaDevice;
use crate::secret::Secret;

/// A role's maximum session duration where none is set, in seconds.
///
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-settings.html>.
pub(crate) const DEFAULT_MAX_SESSION_SECONDS: u64 = 3_600;

/// An AWS account with its users and roles.
///
/// ```
/// use bsm_local_aws::{Account, Role, Trust, User};
///
/// let account = Account::new("111111111111")
///     .alias("default-co")
///     .user(User::new("dev").access_key("AKIALOCALEXAMPLE0001", "not-a-secret"))
///     .role(Role::new("Reader").trust(Trust::principal("arn:aws:iam::111111111111:user/dev")));
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) alias: Option<String>,
    #[serde(default, rename = "user")]
    pub(crate) users: Vec<User>,
    #[serde(default, rename = "role")]
    pub(crate) roles: Vec<Role>,
}

impl Account {
    /// Makes an empty account. `id` is twelve digits.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            alias: None,
            users: Vec::new(),
            roles: Vec::new(),
        }
    }

    /// Sets the alias that IAM `ListAccountAliases` answers.
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.alias = Some(alias.into());
        self
    }

    /// Adds a user.
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Adds a role.
    pub fn role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }
}

/// An IAM user with static access keys.
///
/// A user may do everything in its account that [`deny`](Self::deny) does not name, and may assume
/// every role that trusts it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) access_key_id: Option<String>,
    #[serde(default)]
    pub(crate) secret_access_key: Option<Secret>,
    #[serde(default)]
    pub(crate) mfa: Option<MfaDevice>,
    #[serde(default)]
    pub(crate) deny: Vec<String>,
}

impl User {
    /// Makes a user without an access key.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            access_key_id: None,
            secret_access_key: None,
            mfa: None,
            deny: Vec::new(),
        }
    }

    /// Sets the access key. `id` should look like AWS's, `AKIA` and sixteen characters.
    pub fn access_key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.access_key_id = Some(id.into());
        self.secret_access_key = Some(Secret::new(secret));
        self
    }

    /// Gives the user an MFA device.
    pub fn mfa(mut self, device: MfaDevice) -> Self {
        self.mfa = Some(device);
        self
    }

    /// Denies an action: `dynamodb:PutItem`, `dynamodb:*` or `*`. May be called repeatedly.
    pub fn deny(mut self, action: impl Into<String>) -> Self {
        self.deny.push(action.into());
        self
    }
}

/// An IAM role.
///
/// A role without a [`Trust`] can be assumed by nobody.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub(crate) name: String,
    #[serde(default = "root_path")]
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) trust: Vec<Trust>,
    #[serde(
        default = "default_max_session_seconds",
        rename = "max_session_duration"
    )]
    pub(crate) max_session_seconds: u64,
    #[serde(default)]
    pub(crate) deny: Vec<String>,
}

impl Role {
    /// Makes a role with a maximum session duration of one hour, AWS's default.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: root_path(),
            trust: Vec::new(),
            max_session_seconds: DEFAULT_MAX_SESSION_SECONDS,
            deny: Vec::new(),
        }
    }

    /// Sets the path, `/` by default. It begins and ends with a slash.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Adds a trust rule. One that is met is enough.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust.push(trust);
        self
    }

    /// Sets the longest session that may be asked for: 1 to 12 hours on AWS, not checked here.
    pub fn max_session_duration(mut self, duration: Duration) -> Self {
        self.max_session_seconds = duration.as_secs();
        self
    }

    /// Denies the role's sessions an action: `dynamodb:PutItem`, `dynamodb:*` or `*`.
    pub fn deny(mut self, action: impl Into<String>) -> Self {
        self.deny.push(action.into());
        self
    }

    /// Returns the ARN of the role in `account`.
    pub(crate) fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:role{}{}", self.path, self.name)
    }
}

/// Who may assume a role, and under which conditions: one statement of a trust policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    pub(crate) principals: Vec<String>,
    #[serde(default)]
    pub(crate) external_id: Option<String>,
    #[serde(default)]
    pub(crate) require_mfa: bool,
}

impl Trust {
    /// Trusts a principal: the ARN of a user, of a role, of one role session, or of an account
    /// (`arn:aws:iam::111111111111:root` or the bare number), or `*`.
    pub fn principal(principal: impl Into<String>) -> Self {
        Self {
            principals: vec![principal.into()],
            external_id: None,
            require_mfa: false,
        }
    }

    /// Trusts one more principal under the same conditions.
    pub fn and_principal(mut self, principal: impl Into<String>) -> Self {
        self.principals.push(principal.into());
        self
    }

    /// Demands this external id, as `sts:ExternalId` in a condition does.
    pub fn external_id(mut self, external_id: impl Into<String>) -> Self {
        self.external_id = Some(external_id.into());
        self
    }

    /// Demands MFA, as `aws:MultiFactorAuthPresent` in a condition does.
    pub fn require_mfa(mut self) -> Self {
        self.require_mfa = true;
        self
    }
}

/// Tells whether a deny list names `action`.
pub(crate) fn denies(deny: &[String], action: &str) -> bool {
    deny.iter().any(|denied| match denied.strip_suffix('*') {
        Some(prefix) => action.starts_with(prefix),
        None => denied == action,
    })
}

fn root_path() -> String {
    "/".to_owned()
}

fn default_max_session_seconds() -> u64 {
    DEFAULT_MAX_SESSION_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deny_list_names_an_action_a_service_or_everything() {
        let deny = |entry: &str| vec![entry.to_owned()];
        assert!(denies(&deny("dynamodb:PutItem"), "dynamodb:PutItem"));
        assert!(denies(&deny("dynamodb:*"), "dynamodb:PutItem"));
        assert!(denies(&deny("*"), "sts:AssumeRole"));
        assert!(!denies(&deny("dynamodb:PutItem"), "dynamodb:PutItems"));
        assert!(!denies(&[], "dynamodb:PutItem"));
    }

    #[test]
    fn the_path_is_part_of_a_role_arn() {
        let role = Role::new("Reader").path("/team/a/");
        assert_eq!(
            role.arn("111111111111"),
            "arn:aws:iam::111111111111:role/team/a/Reader"
        );
    }
}
