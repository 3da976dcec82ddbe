//! Accounts, their users and roles, and the trust policies of the roles.

use std::time::Duration;

use serde::Deserialize;

use super::mfa_device::MfaDevice;
use crate::secret::Secret;

/// The default maximum session duration of a role, in seconds: AWS's own default.
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
    /// Creates an account without users and roles. `id` consists of twelve digits.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            alias: None,
            users: Vec::new(),
            roles: Vec::new(),
        }
    }

    /// Sets the alias that IAM `ListAccountAliases` returns.
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
/// A user has every permission in its own account except the actions passed to
/// [`deny`](Self::deny), and may assume every role that trusts it.
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
    /// Creates a user without an access key.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            access_key_id: None,
            secret_access_key: None,
            mfa: None,
            deny: Vec::new(),
        }
    }

    /// Sets the access key. Use an `id` in AWS's format: `AKIA` and sixteen more characters.
    pub fn access_key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.access_key_id = Some(id.into());
        self.secret_access_key = Some(Secret::new(secret));
        self
    }

    /// Sets the MFA device of the user.
    pub fn mfa(mut self, device: MfaDevice) -> Self {
        self.mfa = Some(device);
        self
    }

    /// Denies an action: `dynamodb:PutItem`, `dynamodb:*` or `*`. Call it once for each action.
    pub fn deny(mut self, action: impl Into<String>) -> Self {
        self.deny.push(action.into());
        self
    }

    /// Returns the ARN of a user called `name` in `account`.
    pub(crate) fn arn(account: &str, name: &str) -> String {
        format!("arn:aws:iam::{account}:user/{name}")
    }
}

/// An IAM role.
///
/// No principal can assume a role without a [`Trust`].
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
    /// Creates a role with a maximum session duration of one hour, AWS's default.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: root_path(),
            trust: Vec::new(),
            max_session_seconds: DEFAULT_MAX_SESSION_SECONDS,
            deny: Vec::new(),
        }
    }

    /// Sets the path, which begins and ends with a slash. The default is `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Adds a trust policy statement. A caller may assume the role if one statement matches.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust.push(trust);
        self
    }

    /// Sets the maximum session duration. AWS accepts 1 to 12 hours; this method accepts any value.
    pub fn max_session_duration(mut self, duration: Duration) -> Self {
        self.max_session_seconds = duration.as_secs();
        self
    }

    /// Denies an action to sessions of the role: `dynamodb:PutItem`, `dynamodb:*` or `*`. Call it
    /// once for each action.
    pub fn deny(mut self, action: impl Into<String>) -> Self {
        self.deny.push(action.into());
        self
    }

    /// Returns the ARN of the role in `account`.
    pub(crate) fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:role{}{}", self.path, self.name)
    }
}

/// A statement of a trust policy: which principals may assume a role, and under which conditions.
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
    /// Trusts a principal: the ARN of a user, a role, a role session or an account
    /// (`arn:aws:iam::111111111111:root` or the bare number), or `*`.
    pub fn principal(principal: impl Into<String>) -> Self {
        Self {
            principals: vec![principal.into()],
            external_id: None,
            require_mfa: false,
        }
    }

    /// Also trusts another principal, under the same conditions.
    pub fn and_principal(mut self, principal: impl Into<String>) -> Self {
        self.principals.push(principal.into());
        self
    }

    /// Requires an external id, like a condition on `sts:ExternalId`.
    pub fn external_id(mut self, external_id: impl Into<String>) -> Self {
        self.external_id = Some(external_id.into());
        self
    }

    /// Requires MFA, like a condition on `aws:MultiFactorAuthPresent`.
    pub fn require_mfa(mut self) -> Self {
        self.require_mfa = true;
        self
    }
}

/// Returns `true` if a deny list contains `action` or a pattern that matches it.
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
    fn a_deny_list_matches_an_action_a_service_or_everything() {
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
