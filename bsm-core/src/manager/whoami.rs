//! The identity of a manager: account, ARN, alias, and where its credentials come from.

use aws_config::Region;

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::identity::{CallerIdentity, WhoAmI};
use crate::manager::BotoSesManager;

/// # Identity
impl BotoSesManager {
    /// Returns the identity behind the credentials, as AWS sees it.
    ///
    /// It is looked up once for each set of credentials: a refresh can lead into another account.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    #[doc(alias = "GetCallerIdentity")]
    pub async fn caller_identity(&self) -> Result<CallerIdentity, Error> {
        // Only the manager knows its region, so its guard runs before the session's request.
        self.resolved().await?;
        self.session().caller().await
    }

    /// Returns the twelve-digit account id.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    pub async fn aws_account_id(&self) -> Result<String, Error> {
        Ok(self.caller_identity().await?.account().to_owned())
    }

    /// Returns the unique id of the user or of the role's session.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    pub async fn aws_account_user_id(&self) -> Result<String, Error> {
        Ok(self.caller_identity().await?.user_id().to_owned())
    }

    /// Returns the ARN of the user or of the role's session.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    pub async fn principal_arn(&self) -> Result<String, Error> {
        Ok(self.caller_identity().await?.arn().to_owned())
    }

    /// Returns the alias of the account, or `None` if it has no alias. It is looked up once for each set of
    /// credentials.
    ///
    /// It comes from IAM
    /// [ListAccountAliases](https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html).
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials). [`ErrorKind::AccessDenied`] if the identity lacks the
    /// permission, whether or not there is an alias.
    #[cfg(feature = "iam")]
    pub async fn aws_account_alias(&self) -> Result<Option<String>, Error> {
        self.resolved().await?;
        self.session().alias().await
    }

    /// Returns who this is, to print: account, ARN and user id, masked, and the region.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// # let bsm = bsm_core::BotoSesManager::new();
    /// println!("{}", bsm.who_am_i().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    #[doc(alias = "whoami")]
    pub async fn who_am_i(&self) -> Result<WhoAmI, Error> {
        let region = self.region_if_known().await?;
        let caller = self.caller_identity().await?;
        Ok(WhoAmI::new(caller, region.as_ref().map(Region::to_string)))
    }

    /// Describes where the credentials come from, for a person to read:
    /// `role arn:aws:iam::222222222222:role/Staging of profile "staging", with keys of profile
    /// "default" in the credentials file`.
    ///
    /// It reads the environment and the profile files, and sends nothing. `tracing` events
    /// at DEBUG contain more: the files, the profiles in them, and what was chosen.
    ///
    /// # Errors
    ///
    /// Those of [`sdk_config`](Self::sdk_config) except [`ErrorKind::NoRegion`].
    pub fn credentials_source(&self) -> Result<String, Error> {
        self.session().credentials_source()
    }
}
