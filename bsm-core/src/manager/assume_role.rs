//! The builder of a role's manager.

use std::time::Duration;

use crate::credentials::mfa::{MfaTokenProvider, TokenCodes};
use crate::credentials::role_request::RoleRequest;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::manager::BotoSesManager;
use crate::session::Explicit;
use crate::session::settings::Settings;

/// # Roles
impl BotoSesManager {
    /// Returns the builder of a manager for a role that is assumed with this manager's credentials.
    ///
    /// Roles chain: the new manager can assume the next role. It sends no request before the
    /// credentials are needed, and refreshes them from then on. It inherits the region and all
    /// other settings except the expected account.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// # use std::time::Duration;
    /// # let bsm = bsm_core::BotoSesManager::new();
    /// let auditor = bsm
    ///     .assume_role("arn:aws:iam::333333333333:role/Auditor")
    ///     .role_session_name("nightly-audit")
    ///     .duration(Duration::from_secs(900))
    ///     .load()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "AssumeRole")]
    #[doc(alias = "sts:AssumeRole")]
    pub fn assume_role(&self, role_arn: impl Into<String>) -> AssumeRole {
        AssumeRole::new(self.clone(), role_arn.into())
    }
}

/// A role to assume with the credentials of a manager; see [`BotoSesManager::assume_role`].
///
/// The setters are the fields of STS
/// [AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html). Their
/// limits are checked before a request.
///
/// A request to STS is retried as the retry configuration says, by default twice, but one with an MFA
/// code is sent once. An attempt can take 10 seconds, unless a time-out is set. If STS fails, the next
/// request follows after a cooldown of seconds or minutes, and only one caller makes it.
#[derive(Clone, Debug)]
#[must_use = "finish it with `.build()`, or with `.load().await` to assume the role at once"]
pub struct AssumeRole {
    parent: BotoSesManager,
    request: RoleRequest,
    region: Option<String>,
    expect_account: Option<String>,
    mfa: Option<TokenCodes>,
}

impl AssumeRole {
    pub(crate) fn new(parent: BotoSesManager, role_arn: String) -> Self {
        Self {
            parent,
            request: RoleRequest {
                role_arn,
                ..RoleRequest::default()
            },
            region: None,
            expect_account: None,
            mfa: None,
        }
    }

    /// Returns the manager whose credentials the role is assumed with.
    pub(crate) fn parent(&self) -> &BotoSesManager {
        &self.parent
    }

    pub(crate) fn role_arn(&self) -> &str {
        &self.request.role_arn
    }

    /// Names the session, in CloudTrail and in the ARN: 2 to 64 letters, digits and `_+=,.@-`.
    ///
    /// Default: `bsm-session-` and the time in seconds.
    pub fn role_session_name(mut self, name: impl Into<String>) -> Self {
        self.request.role_session_name = Some(name.into());
        self
    }

    /// Sets how long the credentials are valid: 15 minutes to 12 hours, at most what the role
    /// allows, and at most one hour if this manager's own credentials are those of a role.
    ///
    /// Default: one hour. They are refreshed in time, however long the manager lives.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.request.duration = Some(duration);
        self
    }

    /// Narrows the permissions by a policy in JSON.
    ///
    /// AWS packs policies and tags into a limited space, and refuses what does not fit.
    pub fn policy(mut self, policy: impl Into<String>) -> Self {
        self.request.policy = Some(policy.into());
        self
    }

    /// Narrows the permissions by a managed policy; may be called up to ten times.
    pub fn policy_arn(mut self, arn: impl Into<String>) -> Self {
        self.request.policy_arns.push(arn.into());
        self
    }

    /// Adds a session tag; may be called up to fifty times. Keys differ by more than case.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.tags.push((key.into(), value.into()));
        self
    }

    /// Passes a session tag on to roles that are assumed from this one. Name a tag of this call.
    pub fn transitive_tag_key(mut self, key: impl Into<String>) -> Self {
        self.request.transitive_tag_keys.push(key.into());
        self
    }

    /// Sets the external id that the role's trust policy asks for: 2 to 1224 letters, digits and
    /// `_+=,.@:/-`.
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.request.external_id = Some(id.into());
        self
    }

    /// Sets the source identity, which stays with every role that is assumed from this one: 2 to
    /// 64 letters, digits and `_+=,.@-`.
    pub fn source_identity(mut self, identity: impl Into<String>) -> Self {
        self.request.source_identity = Some(identity.into());
        self
    }

    /// Names the MFA device that the role's trust policy asks for: an ARN, or the serial number of
    /// a hardware device.
    ///
    /// Each AssumeRole call needs a new code, which comes from the
    /// [token provider](crate::Builder::mfa_token_provider). A code is sent once: a call that fails on the way
    /// is not repeated before there is another code.
    pub fn mfa_serial(mut self, serial: impl Into<String>) -> Self {
        self.request.mfa_serial = Some(serial.into());
        self
    }

    /// Sets the provider of MFA codes, for this role and those assumed from it.
    ///
    /// Default: this manager's own; see
    /// [`Builder::mfa_token_provider`](crate::Builder::mfa_token_provider).
    pub fn mfa_token_provider(mut self, provider: impl MfaTokenProvider) -> Self {
        self.mfa = Some(TokenCodes::new(provider));
        self
    }

    /// Adds a trusted context assertion; may be called up to five times.
    pub fn provided_context(
        mut self,
        provider_arn: impl Into<String>,
        assertion: impl Into<String>,
    ) -> Self {
        self.request
            .provided_contexts
            .push((provider_arn.into(), assertion.into()));
        self
    }

    /// Sets the region of the new manager. Default: this manager's region.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Fails every use of the new manager if the role's credentials belong to another account; see
    /// [`Builder::expect_account`](crate::Builder::expect_account). Default: any account, whatever
    /// this manager expects of its own.
    pub fn expect_account(mut self, account: impl Into<String>) -> Self {
        self.expect_account = Some(account.into());
        self
    }

    /// Builds the manager. The role is assumed on first use.
    pub fn build(self) -> BotoSesManager {
        let inherited = self.parent.session().settings.clone();
        let settings = Settings {
            // Not inherited: the parent's settings lack its view's region, which `derive` passes.
            region: self.region,
            // The parent's account is not the role's.
            expect_account: self.expect_account,
            mfa: self.mfa.or(inherited.mfa.clone()),
            ..inherited
        };
        let role = self.parent.derive(self.request);
        BotoSesManager::with_session(Some(Explicit::Role(role)), settings)
    }

    /// Builds the manager and assumes the role at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a field that STS would refuse;
    /// [`ErrorKind::AccessDenied`] if the role does not exist or does not trust this manager;
    /// [`ErrorKind::MfaCodeUnavailable`] and [`ErrorKind::MfaCodeRejected`] for a role with an
    /// [MFA device](Self::mfa_serial); and whatever this manager's own credentials can fail with.
    pub async fn load(self) -> Result<BotoSesManager, Error> {
        let assumed = self.build();
        assumed.credentials().await?;
        Ok(assumed)
    }
}
