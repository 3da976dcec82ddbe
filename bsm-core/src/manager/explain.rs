//! Saying where credentials come from.

use crate::error::Error;
use crate::manager::BotoSesManager;
use crate::session::resolution::Resolution;
use crate::session::{Origin, no_session};

impl BotoSesManager {
    /// Says where the credentials come from, for a person to read:
    /// `role arn:aws:iam::222222222222:role/Staging of profile "staging", with keys of profile
    /// "default" in the credentials file`.
    ///
    /// The environment and the profile files are read for it, and nothing is sent. `tracing` events
    /// at DEBUG tell more: the files, the profiles in them, and what was chosen.
    ///
    /// # Errors
    ///
    /// As [`sdk_config`](Self::sdk_config), but for the region's.
    pub fn credentials_source(&self) -> Result<String, Error> {
        let session = self.session();
        Ok(match &session.origin {
            Origin::Ambient => Resolution::of(&session.settings, false)?.chosen.to_string(),
            Origin::Keys(_) => "keys given to the builder".to_owned(),
            Origin::Provider(_) => "a provider given to the builder".to_owned(),
            Origin::Config(_) => "an SdkConfig given to the builder".to_owned(),
            Origin::Role { parent, request } => {
                let role_arn = &request.role_arn;
                format!("role {role_arn}, with {}", parent.credentials_source()?)
            }
            Origin::None => return Err(no_session()),
        })
    }
}
