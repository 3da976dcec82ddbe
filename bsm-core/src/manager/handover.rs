//! What another process needs to go on with a session.

use std::collections::BTreeMap;

use aws_config::Region;
use aws_credential_types::Credentials;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::error::Error;
use crate::manager::BotoSesManager;
use crate::time::calendar;

/// A session as it is now: what a child process or a snapshot is given.
#[derive(Clone, Debug)]
pub(crate) struct Handover {
    pub(crate) credentials: Credentials,
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    /// By service id in lower case, with underscores.
    pub(crate) service_endpoint_urls: BTreeMap<String, String>,
}

impl BotoSesManager {
    pub(crate) async fn handover(&self) -> Result<Handover, Error> {
        let resolved = self.resolved().await?;
        let credentials = resolved.credentials.credentials().await?;
        let region = self.region_override().or_else(|| resolved.region.clone());
        Ok(Handover {
            credentials,
            region: region.as_ref().map(Region::to_string),
            endpoint_url: resolved.config.endpoint_url().map(str::to_owned),
            service_endpoint_urls: self.session().settings.service_endpoint_urls.clone(),
        })
    }
}

impl Handover {
    /// Returns when the credentials expire; `None` also for a time that no calendar has.
    pub(crate) fn expiration(&self) -> Option<DateTime<Utc>> {
        self.credentials.expiry().and_then(calendar)
    }

    /// More bytes than these things take as JSON.
    pub(crate) fn json_capacity(&self) -> usize {
        let credentials = [
            Some(self.credentials.access_key_id()),
            Some(self.credentials.secret_access_key()),
            self.credentials.session_token(),
            self.region.as_deref(),
            self.endpoint_url.as_deref(),
        ];
        let services = self.service_endpoint_urls.iter();
        let services = services.flat_map(|(service, url)| [service.as_str(), url]);
        let texts = credentials.into_iter().flatten().chain(services);
        // A control character becomes six, as in `\u0000`.
        texts.map(|text| 6 * text.len() + 16).sum::<usize>() + 512
    }

    pub(crate) fn rfc3339_expiration(&self) -> Option<String> {
        let expiration = self.expiration()?;
        Some(expiration.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}
