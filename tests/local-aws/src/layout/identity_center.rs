//! IAM Identity Center: the users' portal and its roles.

use std::time::Duration;

use serde::Deserialize;

/// The default lifetime of an access token: the hour of AWS's own refreshable tokens.
const DEFAULT_TOKEN_SECONDS: u64 = 3_600;

/// An instance of IAM Identity Center with one user, who can sign in to it and get credentials of the
/// assigned roles.
///
/// ```
/// use bsm_local_aws::{Account, IdentityCenter, LocalAws, Profile};
///
/// let center = IdentityCenter::new("corp", "https://corp.example.com/start")
///     .assign("111111111111", "Admin");
/// let aws = LocalAws::builder()
///     .account(Account::new("111111111111"))
///     .identity_center(center)
///     .profile(Profile::new("admin").sso("corp", "111111111111", "Admin").region("us-east-1"))
///     .start_blocking()?;
/// // As if the user had signed in with `aws sso login`.
/// let home = tempfile::tempdir().unwrap();
/// aws.write_sso_token(home.path())?;
/// # Ok::<_, bsm_local_aws::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityCenter {
    pub(crate) session_name: String,
    pub(crate) start_url: String,
    #[serde(default = "default_region")]
    pub(crate) region: String,
    #[serde(default = "default_user")]
    pub(crate) user: String,
    #[serde(default, rename = "assignment")]
    pub(crate) assignments: Vec<Assignment>,
    #[serde(default = "default_token_seconds", rename = "token_lifetime")]
    pub(crate) token_seconds: u64,
    #[serde(default)]
    pub(crate) one_time_refresh_tokens: bool,
}

/// A role that the user has in an account.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    pub(crate) account: String,
    pub(crate) role: String,
}

impl IdentityCenter {
    /// Creates an instance. `session_name` is the name of the `sso-session` section in profile files.
    pub fn new(session_name: impl Into<String>, start_url: impl Into<String>) -> Self {
        Self {
            session_name: session_name.into(),
            start_url: start_url.into(),
            region: default_region(),
            user: default_user(),
            assignments: Vec::new(),
            token_seconds: DEFAULT_TOKEN_SECONDS,
            one_time_refresh_tokens: false,
        }
    }

    /// Sets the region. The default is `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets the name of the user, which becomes the session name of roles.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Assigns a role in an account to the user. Call it once for each role.
    pub fn assign(mut self, account: impl Into<String>, role: impl Into<String>) -> Self {
        self.assignments.push(Assignment {
            account: account.into(),
            role: role.into(),
        });
        self
    }

    /// Sets the lifetime of access tokens. The default is one hour.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_seconds = lifetime.as_secs();
        self
    }

    /// Makes every refresh token good for one use.
    pub fn one_time_refresh_tokens(mut self) -> Self {
        self.one_time_refresh_tokens = true;
        self
    }

    /// Returns the section of the config file.
    pub(crate) fn config_section(&self) -> String {
        format!(
            "[sso-session {}]\nsso_start_url = {}\nsso_region = {}\nsso_registration_scopes = \
             sso:account:access\n",
            self.session_name, self.start_url, self.region
        )
    }

    /// Returns `true` if the user has a role in an account.
    pub(crate) fn is_assigned(&self, account: &str, role: &str) -> bool {
        let mut assignments = self.assignments.iter();
        assignments.any(|assigned| assigned.account == account && assigned.role == role)
    }
}

impl Assignment {
    /// Returns the name of the IAM role that Identity Center creates in the account.
    pub(crate) fn iam_role_name(&self) -> String {
        // AWS appends random digits. Fixed ones let tests name the ARN.
        format!("AWSReservedSSO_{}_0123456789abcdef", self.role)
    }
}

/// The path of the roles that Identity Center creates.
pub(crate) const ROLE_PATH: &str = "/aws-reserved/sso.amazonaws.com/";

fn default_region() -> String {
    "us-east-1".to_owned()
}

fn default_user() -> String {
    "jane".to_owned()
}

fn default_token_seconds() -> u64 {
    DEFAULT_TOKEN_SECONDS
}
