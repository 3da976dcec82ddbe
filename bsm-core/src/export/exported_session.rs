//! A session in the form in which another process gets it.

use std::collections::BTreeMap;

use aws_credential_types::Credentials;
use chrono::{DateTime, Utc};

use crate::time::{format_rfc3339, to_utc};

/// The credentials, region and endpoints of a session at one moment.
#[derive(Clone, Debug)]
pub(crate) struct ExportedSession {
    pub(crate) credentials: Credentials,
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    /// By service id in lower case, with underscores.
    pub(crate) service_endpoint_urls: BTreeMap<String, String>,
    /// Whether the endpoints above are the only ones.
    pub(crate) ignore_configured_endpoint_urls: bool,
    /// The absolute path of the CA bundle.
    pub(crate) ca_bundle: Option<String>,
}

impl ExportedSession {
    /// Returns when the credentials expire; `None` if they don't, or beyond the range of dates.
    pub(crate) fn expiration(&self) -> Option<DateTime<Utc>> {
        self.credentials.expiry().and_then(to_utc)
    }

    /// Returns more bytes than the session takes as JSON.
    pub(crate) fn json_capacity(&self) -> usize {
        let credentials = [
            Some(self.credentials.access_key_id()),
            Some(self.credentials.secret_access_key()),
            self.credentials.session_token(),
            self.region.as_deref(),
            self.endpoint_url.as_deref(),
            self.ca_bundle.as_deref(),
        ];
        let services = self.service_endpoint_urls.iter();
        let services = services.flat_map(|(service, url)| [service.as_str(), url]);
        let texts = credentials.into_iter().flatten().chain(services);
        // A control character becomes six, as in `\u0000`.
        // The rest is for quotes, field names, the account and the expiry.
        texts.map(|text| 6 * text.len() + 16).sum::<usize>() + 512
    }

    pub(crate) fn rfc3339_expiration(&self) -> Option<String> {
        self.credentials.expiry().and_then(format_rfc3339)
    }
}
