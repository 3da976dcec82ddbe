//! A session that the server gives out, and its secrets.

use std::net::SocketAddr;

use aws_credential_types::Credentials;
use bsm_core::{BotoSesManager, Error};

use super::secret::Secret;
use crate::audit::Audit;
use crate::failure::Failure;
use crate::lifetime::{rfc3339, to_utc};

/// A session to serve.
pub(crate) struct Source {
    manager: BotoSesManager,
    audit: Option<Audit>,
    /// The first segment of every path of this source.
    path: Secret,
    /// The token of the container protocol.
    token: Secret,
    /// The session token of instance metadata, which is not more secret than the path.
    pub(super) metadata_token: Secret,
}

impl Source {
    pub(crate) fn new(manager: BotoSesManager, audit: Option<Audit>) -> Result<Self, Failure> {
        Ok(Self {
            manager,
            audit,
            path: Secret::new()?,
            token: Secret::new()?,
            metadata_token: Secret::new()?,
        })
    }

    /// Returns the environment variables that point a client at the container protocol.
    pub(crate) fn container_variables(&self, address: SocketAddr) -> [(&'static str, String); 2] {
        let url = format!("http://{address}/{}/container", self.path.expose());
        [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                self.token.expose().to_owned(),
            ),
        ]
    }

    /// Returns the environment variables that point a client at instance metadata.
    pub(crate) fn metadata_variables(&self, address: SocketAddr) -> [(&'static str, String); 1] {
        // Older versions of the AWS CLI append their paths to the last slash.
        let url = format!("http://{address}/{}/metadata/", self.path.expose());
        [("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)]
    }

    pub(super) fn has_path(&self, guess: &str) -> bool {
        self.path.is(guess)
    }

    pub(super) fn has_token(&self, guess: &str) -> bool {
        self.token.is(guess)
    }

    pub(super) async fn credentials(&self) -> Result<Issued, Failure> {
        let credentials = self.manager.credentials().await?;
        // `None` for a year that chrono cannot represent, as for credentials that do not expire.
        let expiry = credentials.expiry().and_then(to_utc);
        // An error here withholds the credentials: a client gets none that are not recorded.
        if let Some(audit) = &self.audit {
            audit
                .record(&self.manager, credentials.access_key_id(), expiry)
                .await?;
        }
        Ok(Issued {
            credentials,
            expiration: expiry.map(rfc3339),
        })
    }

    pub(super) async fn region(&self) -> Result<String, Error> {
        self.manager.aws_region().await
    }
}

/// Credentials for a client.
pub(super) struct Issued {
    pub(super) credentials: Credentials,
    pub(super) expiration: Option<String>,
}
