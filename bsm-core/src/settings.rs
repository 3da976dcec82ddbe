//! What a manager was told, and how that becomes an [`SdkConfig`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr as _;

use aws_config::identity::IdentityCache;
use aws_config::profile::ProfileSet;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::EnvConfigValue;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::{RetryConfig, RetryMode};
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::app_name::AppName;
use aws_types::os_shim_internal::Env;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::ambient::{Ambient, Profiles};
use crate::credentials::cli_cache::{CliCache, Store};
use crate::credentials::mfa::TokenCodes;
use crate::error::{Error, ErrorKind};
use crate::http;

/// The SDK's behaviour, pinned: `BehaviorVersion::latest()` moves when a dependency is updated.
pub(crate) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// What the builder collected.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) profile_name: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    /// By service id, as [`service_key`] writes it.
    pub(crate) service_endpoint_urls: BTreeMap<String, String>,
    pub(crate) retry_config: Option<RetryConfig>,
    pub(crate) timeout_config: Option<TimeoutConfig>,
    pub(crate) app_name: Option<AppName>,
    pub(crate) http_client: Option<SharedHttpClient>,
    pub(crate) time_source: Option<SharedTimeSource>,
    pub(crate) expect_account: Option<String>,
    pub(crate) expect_region: Option<String>,
    pub(crate) mfa: Option<TokenCodes>,
    pub(crate) cli_cache: Option<CliCache>,
    pub(crate) ambient: Ambient,
}

impl Settings {
    pub(crate) fn time_source(&self) -> SharedTimeSource {
        self.time_source.clone().unwrap_or_default()
    }

    pub(crate) fn http_client(&self) -> SharedHttpClient {
        self.http_client.clone().unwrap_or_else(http::shared)
    }

    /// The AWS CLI's cache, if it is to be used and there is a place for it.
    pub(crate) fn cli_cache(&self) -> Option<Store> {
        self.cli_cache.as_ref()?.store(self.ambient.home())
    }

    /// Loads what aws-config knows of these settings, their environment and their profile, without
    /// credentials.
    pub(crate) async fn load(
        &self,
        profiles: &Profiles,
        region: Option<&str>,
    ) -> Result<SdkConfig, Error> {
        let region = region.map(|region| Region::new(region.to_owned()));
        let mut loader = aws_config::defaults(behavior_version())
            .profile_files(profiles.files.clone())
            .profile_name(profiles.set.selected_profile())
            .region(region)
            .retry_config(self.retry_config(&profiles.set)?)
            .http_client(self.http_client())
            .time_source(self.time_source())
            .identity_cache(IdentityCache::no_cache())
            .no_credentials();
        if let Some(timeout_config) = &self.timeout_config {
            loader = loader.timeout_config(timeout_config.clone());
        }
        if let Some(app_name) = &self.app_name {
            loader = loader.app_name(app_name.clone());
        }
        #[cfg(any(test, feature = "test-util"))]
        if let Some(environment) = &self.ambient.environment {
            loader = loader.env(environment.clone());
        }
        let config = loader.load().await;
        let mut builder = config.to_builder();
        builder.set_service_config(Some(self.service_endpoints(&profiles.set)));
        if let Some(endpoint_url) = &self.endpoint_url {
            builder.set_endpoint_url(Some(endpoint_url.clone()));
        }
        Ok(builder.build())
    }

    /// aws-config panics on values that botocore accepts, so these two are read here.
    fn retry_config(&self, profile: &ProfileSet) -> Result<RetryConfig, Error> {
        if let Some(retry_config) = &self.retry_config {
            return Ok(retry_config.clone());
        }
        let setting = |variable, key| {
            let value = self.ambient.var(variable);
            value.or_else(|| profile.get(key).map(str::to_owned))
        };
        let mode = match setting("AWS_RETRY_MODE", "retry_mode").as_deref() {
            None => RetryMode::Standard,
            Some("legacy") => {
                tracing::warn!("retry_mode legacy is treated as standard: the SDK has no other");
                RetryMode::Standard
            }
            Some(mode) => RetryMode::from_str(mode).map_err(|error| {
                let message =
                    format!("the retry_mode {mode:?} is not one of standard, adaptive and legacy");
                Error::new(ErrorKind::InvalidConfig, message).with_source(error)
            })?,
        };
        let config = match mode {
            RetryMode::Adaptive => RetryConfig::adaptive(),
            _ => RetryConfig::standard(),
        };
        let Some(attempts) = setting("AWS_MAX_ATTEMPTS", "max_attempts") else {
            return Ok(config);
        };
        let attempts: u32 = attempts.trim().parse().map_err(|error| {
            let message = format!("max_attempts is {attempts:?}: write a number, 1 or more");
            Error::new(ErrorKind::InvalidConfig, message).with_source(error)
        })?;
        Ok(config.with_max_attempts(attempts.max(1)))
    }

    fn service_endpoints(&self, profile: &ProfileSet) -> ServiceEndpoints {
        let ignore_configured = EnvConfigValue::new()
            .env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .profile("ignore_configured_endpoint_urls")
            .load(&self.ambient.environment(), Some(profile))
            .is_some_and(|(value, _)| value.eq_ignore_ascii_case("true"));
        ServiceEndpoints {
            by_service: self.service_endpoint_urls.clone(),
            for_all: self.endpoint_url.clone(),
            environment: self.ambient.environment(),
            profile: profile.clone(),
            ignore_configured,
        }
    }
}

/// Writes a service's id as its environment variables do, in lower case: `dynamodb`, `cost_explorer`.
pub(crate) fn service_key(service: &str) -> String {
    service.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

/// Settings for single services: what the builder says, then the environment and the profile.
///
/// It replaces aws-config's own, whose `Debug` prints the secrets of every profile.
struct ServiceEndpoints {
    by_service: BTreeMap<String, String>,
    for_all: Option<String>,
    environment: Env,
    profile: ProfileSet,
    ignore_configured: bool,
}

impl LoadServiceConfig for ServiceEndpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        if key.env() == "AWS_ENDPOINT_URL" {
            let told = self.by_service.get(&service_key(key.service_id()));
            if let Some(url) = told.or(self.for_all.as_ref()) {
                return Some(url.clone());
            }
            if self.ignore_configured {
                return None;
            }
        }
        let (value, _) = EnvConfigValue::new()
            .env(key.env())
            .profile(key.profile())
            .service_id(key.service_id())
            .load(&self.environment, Some(&self.profile))?;
        Some(value.into_owned())
    }
}

impl fmt::Debug for ServiceEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceEndpoints")
            .field("by_service", &self.by_service)
            .field("for_all", &self.for_all)
            .finish_non_exhaustive()
    }
}
