//! The values that the builder collects.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::app_name::AppName;

use crate::credentials::OnRefresh;
use crate::credentials::cli_cache::{CliCache, Store};
use crate::credentials::mfa::TokenCodes;
use crate::credentials::process::Streams;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::profile::Profile;
use crate::validation;

/// The time limit of a `credential_process`, and of a credentials provider of the user: time enough to
/// unlock a password manager.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The settings of a session; `None` leaves a value to the environment and the profile.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) profile_name: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    /// By service id, in the form of [`normalized_service_id`].
    pub(crate) service_endpoint_urls: BTreeMap<String, String>,
    /// Whether the endpoints of the environment and the profile do not apply: those of a snapshot are
    /// complete.
    pub(crate) ignore_configured_endpoint_urls: bool,
    /// The CA bundle of a snapshot.
    pub(crate) ca_bundle: Option<String>,
    pub(crate) retry_config: Option<RetryConfig>,
    pub(crate) timeout_config: Option<TimeoutConfig>,
    pub(crate) app_name: Option<AppName>,
    pub(crate) http_client: Option<SharedHttpClient>,
    pub(crate) time_source: Option<SharedTimeSource>,
    pub(crate) expect_account: Option<String>,
    pub(crate) expect_region: Option<String>,
    pub(crate) mfa: Option<TokenCodes>,
    pub(crate) cli_cache: Option<CliCache>,
    /// The standard streams of a `credential_process`.
    pub(crate) process_streams: Streams,
    pub(crate) process_timeout: Option<Duration>,
    pub(crate) provider_timeout: Option<Duration>,
    /// Variables that a `credential_process` gets in addition to those of this process.
    pub(crate) process_variables: Vec<(String, String)>,
    /// Whether the keys of a profile are read again when its file has changed.
    pub(crate) reload_static_keys: bool,
    pub(crate) on_refresh: Option<OnRefresh>,
    pub(crate) environment: Environment,
}

impl Settings {
    pub(crate) fn time_source(&self) -> SharedTimeSource {
        self.time_source.clone().unwrap_or_default()
    }

    pub(crate) fn process_timeout(&self) -> Duration {
        self.process_timeout.unwrap_or(TIMEOUT)
    }

    pub(crate) fn provider_timeout(&self) -> Duration {
        self.provider_timeout.unwrap_or(TIMEOUT)
    }

    /// Returns `true` if endpoints of the environment and the profile do not apply.
    pub(crate) fn ignores_configured_endpoints(&self, profile: &Profile) -> bool {
        self.ignore_configured_endpoint_urls
            || profile.ignores_configured_endpoints(&self.environment)
    }

    /// Checks the region that the builder was given.
    pub(crate) fn check_region(&self) -> Result<(), Error> {
        match &self.region {
            Some(region) => validation::check_region(region, "region", ErrorKind::InvalidInput),
            None => Ok(()),
        }
    }

    /// Returns the store of the AWS CLI's cache, if it is enabled and there is a directory for it.
    pub(crate) fn cli_cache(&self) -> Option<Store> {
        self.cli_cache.as_ref()?.open_store(self.environment.home())
    }
}

/// Returns a service id in the form of its environment variables, in lower case: `dynamodb`,
/// `cost_explorer`.
pub(crate) fn normalized_service_id(service: &str) -> String {
    service.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_and_providers_have_a_minute_by_default() {
        let settings = Settings::default();
        assert_eq!(settings.process_timeout(), Duration::from_secs(60));
        assert_eq!(settings.provider_timeout(), Duration::from_secs(60));
    }
}
