//! The builder of a session token's manager.

use std::time::Duration;

use crate::credentials::mfa::{MfaTokenProvider, TokenCodes};
use crate::credentials::session_token::SessionTokenRequest;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::manager::BotoSesManager;
use crate::session::Explicit;
use crate::session::settings::Settings;

/// # Session tokens
impl BotoSesManager {
    /// Returns the builder of a manager with a session token: temporary credentials of the same user,
    /// which can have been issued with an MFA code.
    ///
    /// One code is then enough for any number of roles that require MFA. Assume them from the new
    /// manager, without an `mfa_serial` of their own. It inherits the region and all other settings.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// use bsm_core::{BotoSesManager, mfa};
    ///
    /// let with_mfa = BotoSesManager::from_profile("dev")
    ///     .session_token()
    ///     .mfa_serial("arn:aws:iam::111111111111:mfa/dev")
    ///     .mfa_token_provider(mfa::TerminalPrompt::new())
    ///     .load()
    ///     .await?;
    /// let staging = with_mfa.assume_role("arn:aws:iam::222222222222:role/Staging").build();
    /// let production = with_mfa.assume_role("arn:aws:iam::333333333333:role/Production").build();
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "GetSessionToken")]
    #[doc(alias = "sts:GetSessionToken")]
    pub fn session_token(&self) -> SessionToken {
        SessionToken {
            parent: self.clone(),
            request: SessionTokenRequest::default(),
            mfa: None,
        }
    }
}

/// A session token to get with the access keys of a manager; see [`BotoSesManager::session_token`].
///
/// The setters are the fields of STS
/// [GetSessionToken](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html).
/// Their limits are checked before a request. Only the access keys of a user can get a session token, not
/// the credentials of a role.
#[derive(Clone, Debug)]
#[must_use = "finish it with `.build()`, or with `.load().await` to get the session token at once"]
pub struct SessionToken {
    parent: BotoSesManager,
    request: SessionTokenRequest,
    mfa: Option<TokenCodes>,
}

impl SessionToken {
    /// Sets how long the session token is valid: 15 minutes to 36 hours, and at most one hour for a root
    /// user.
    ///
    /// Default: 12 hours. It is refreshed in time, which needs another code if it has an MFA device.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.request.duration = Some(duration);
        self
    }

    /// Names the user's MFA device: an ARN, or the serial number of a hardware device.
    ///
    /// Each GetSessionToken call needs a new code, which comes from the
    /// [token provider](crate::Builder::mfa_token_provider). A code is sent once.
    pub fn mfa_serial(mut self, serial: impl Into<String>) -> Self {
        self.request.mfa_serial = Some(serial.into());
        self
    }

    /// Sets the provider of MFA codes, for the session token and for roles assumed with it.
    ///
    /// Default: this manager's own; see
    /// [`Builder::mfa_token_provider`](crate::Builder::mfa_token_provider).
    pub fn mfa_token_provider(mut self, provider: impl MfaTokenProvider) -> Self {
        self.mfa = Some(TokenCodes::new(provider));
        self
    }

    /// Builds the manager. The session token is requested on first use.
    pub fn build(self) -> BotoSesManager {
        let inherited = self.parent.session().settings.clone();
        let settings = Settings {
            // `derive` passes the parent's region, also that of a view. The expected account is
            // inherited, because the user stays the same.
            region: None,
            mfa: self.mfa.or(inherited.mfa.clone()),
            ..inherited
        };
        let derived = self.parent.derive(self.request);
        BotoSesManager::with_session(Some(Explicit::SessionToken(derived)), settings)
    }

    /// Builds the manager and gets the session token at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a field that STS would refuse, and if this manager's credentials
    /// are those of a role; [`ErrorKind::AccessDenied`] if the user may not call GetSessionToken;
    /// [`ErrorKind::MfaCodeUnavailable`] and [`ErrorKind::MfaCodeRejected`] with an
    /// [MFA device](Self::mfa_serial); and whatever this manager's own credentials can fail with.
    pub async fn load(self) -> Result<BotoSesManager, Error> {
        let manager = self.build();
        manager.credentials().await?;
        Ok(manager)
    }
}
