//! Signing in to IAM Identity Center, and what a login gives.

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::manager::BotoSesManager;
use crate::sign_in::{self, SignIn, SsoLogin, SsoRoles};

/// # IAM Identity Center (feature `sso-login`)
#[cfg_attr(docsrs, doc(cfg(feature = "sso-login")))]
impl BotoSesManager {
    /// Signs the user in to IAM Identity Center, as `aws sso login` does; see [`sign_in`].
    ///
    /// The login is that of the manager's profile, or of the profile at the beginning of its chain of roles.
    /// The manager, its roles, other processes and other SDKs use it from then on. It is a new one even if the
    /// old one is still valid. Of several processes that sign in to the same login at once, one prompts, and
    /// the others use what it gets.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// use bsm_core::BotoSesManager;
    ///
    /// let staging = BotoSesManager::from_profile("staging");
    /// if let Err(error) = staging.credentials().await {
    ///     if !error.is_sign_in_required() {
    ///         return Err(error);
    ///     }
    ///     staging.sso_login().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "login")]
    #[doc(alias = "device_code")]
    pub fn sso_login(&self) -> SignIn {
        SignIn::new(self.session().clone())
    }

    /// Ends the login of the manager's profile, as `aws sso logout` does: at the portal, and in the files.
    /// Returns `false` if there was none.
    ///
    /// Credentials of its roles in the AWS CLI's cache are removed. Those that programs have already got stay
    /// valid until they expire.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if the profile has no login, [`ErrorKind::File`] if the file cannot be
    /// removed, and what the request to the portal fails with: the files stay then.
    pub async fn sso_logout(&self) -> Result<bool, Error> {
        sign_in::sign_out(self.session()).await
    }

    /// Returns the logins that the profile files know: each `sso-session`, and each start URL of profiles of
    /// the older form, with the expiry of its token. No request is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if the profile files cannot be read.
    pub async fn sso_sessions(&self) -> Result<Vec<SsoLogin>, Error> {
        sign_in::logins(self.session()).await
    }

    /// Returns the accounts and roles of the user who has signed in.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// use bsm_core::BotoSesManager;
    ///
    /// let mut roles = BotoSesManager::from_profile("staging").sso_roles();
    /// while let Some(role) = roles.next().await? {
    ///     println!("{} {}", role.account_id, role.role_name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn sso_roles(&self) -> SsoRoles {
        SsoRoles::new(self.session().clone())
    }
}
