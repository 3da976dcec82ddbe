//! What a manager was told, and how that becomes an [`SdkConfig`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::{RetryConfig, RetryMode};
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::app_name::AppName;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::credentials::cli_cache::{CliCache, Store};
use crate::credentials::mfa::TokenCodes;
use crate::credentials::process::Streams;
use crate::endpoint::{self, Form, Setting};
use crate::environment::Ambient;
use crate::error::{Error, ErrorKind};
use crate::http;
use crate::profile::{Profile, Profiles, Services, SettingsWithoutKeys};
use crate::session::redacted::redacted_tokens;
use crate::session::resolution::Resolution;
use crate::validation;

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
    /// What a `credential_process` gets as its standard streams.
    pub(crate) process_streams: Streams,
    pub(crate) ambient: Ambient,
}

impl Settings {
    pub(crate) fn time_source(&self) -> SharedTimeSource {
        self.time_source.clone().unwrap_or_default()
    }

    /// Returns the HTTP client: the one that was given, or the shared one for the CA bundle that
    /// `AWS_CA_BUNDLE` or the profile's `ca_bundle` names.
    pub(crate) fn http_client(&self, profile: &Profile) -> Result<SharedHttpClient, Error> {
        if let Some(http_client) = &self.http_client {
            return Ok(http::naming_endpoints(http_client.clone()));
        }
        // These clients read the process's own environment, whichever one the settings give.
        http::check_proxies(|name| std::env::var(name).ok())?;
        match self.setting("AWS_CA_BUNDLE", profile, "ca_bundle") {
            Some(path) => {
                let path = PathBuf::from(path);
                let path = self.ambient.in_home(path.clone()).unwrap_or(path);
                http::shared_with_ca_bundle(&path)
            }
            None => Ok(http::shared()),
        }
    }

    /// Checks the region that the builder was given.
    pub(crate) fn check_region(&self) -> Result<(), Error> {
        match &self.region {
            Some(region) => validation::check_region(region, "region", ErrorKind::InvalidInput),
            None => Ok(()),
        }
    }

    /// The AWS CLI's cache, if it is to be used and there is a place for it.
    pub(crate) fn cli_cache(&self) -> Option<Store> {
        self.cli_cache.as_ref()?.store(self.ambient.home())
    }

    /// Loads what aws-config knows of these settings, their environment and their profile, without
    /// credentials.
    pub(crate) async fn load(&self, found: &Resolution) -> Result<SdkConfig, Error> {
        let Resolution {
            profiles, profile, ..
        } = found;
        let files = EnvConfigFiles::builder()
            .with_contents(EnvConfigFileKind::Config, for_aws_config(profiles, profile))
            .build();
        let region = found.region.clone().map(Region::new);
        let mut loader = aws_config::defaults(behavior_version())
            .profile_files(files)
            .profile_name("default")
            // Without one, aws-config asks the instance for it, if only to make a token provider.
            .region(region.clone().unwrap_or(Region::from_static("us-east-1")))
            .retry_config(self.retry_config(profile)?)
            .http_client(self.http_client(profile)?)
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
        let endpoints = self.service_endpoints(profiles, profile);
        let mut builder = config.to_builder();
        builder.set_region(region);
        builder.set_endpoint_url(endpoints.for_any_service()?);
        builder.set_service_config(Some(endpoints));
        // Without an sso-session there are no tokens to be had.
        let tokens = profile.get("sso_session").and(config.token_provider());
        builder.set_token_provider(tokens.map(redacted_tokens));
        Ok(builder.build())
    }

    /// aws-config panics on values that botocore accepts, so these two are read here.
    fn retry_config(&self, profile: &Profile) -> Result<RetryConfig, Error> {
        if let Some(retry_config) = &self.retry_config {
            return Ok(retry_config.clone());
        }
        let mode = self.setting("AWS_RETRY_MODE", profile, "retry_mode");
        let mode = match mode.as_deref() {
            None => RetryMode::Standard,
            Some("legacy") => {
                tracing::warn!("retry_mode legacy is treated as standard: the SDK has no other");
                RetryMode::Standard
            }
            Some(mode) => RetryMode::from_str(mode).map_err(|_| {
                let message =
                    format!("the retry_mode {mode:?} is not one of standard, adaptive and legacy");
                Error::new(ErrorKind::InvalidConfig, message)
            })?,
        };
        let config = match mode {
            RetryMode::Adaptive => RetryConfig::adaptive(),
            _ => RetryConfig::standard(),
        };
        let attempts = self.setting("AWS_MAX_ATTEMPTS", profile, "max_attempts");
        let Some(attempts) = attempts else {
            return Ok(config);
        };
        let attempts: u32 = attempts.trim().parse().map_err(|error| {
            let message = format!("max_attempts is {attempts:?}: write a number, 1 or more");
            Error::new(ErrorKind::InvalidConfig, message).with_source(error)
        })?;
        Ok(config.with_max_attempts(attempts.max(1)))
    }

    /// Reads a setting of the environment, or else of the profile.
    fn setting(&self, variable: &str, profile: &Profile, key: &str) -> Option<String> {
        let value = self.ambient.var(variable);
        value.or_else(|| profile.get(key).map(str::to_owned))
    }

    /// Says whether endpoint URLs of the environment and the profile are to be passed over.
    pub(crate) fn ignores_configured_endpoints(&self, profile: &Profile) -> bool {
        self.setting(
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            profile,
            "ignore_configured_endpoint_urls",
        )
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn service_endpoints(&self, profiles: &Profiles, profile: &Profile) -> ServiceEndpoints {
        ServiceEndpoints {
            by_service: self.service_endpoint_urls.clone(),
            for_all: self.endpoint_url.clone(),
            ambient: self.ambient.clone(),
            services: profiles.services_of(profile),
            of_profile: profile.settings_without_keys(),
            ignore_configured: self.ignores_configured_endpoints(profile),
        }
    }
}

/// What the SDK itself reads of a profile, where nothing here does.
const OF_THE_SDK: [&str; 13] = [
    "account_id_endpoint_mode",
    "auth_scheme_preference",
    "defaults_mode",
    "disable_clock_skew_correction",
    "disable_request_compression",
    "request_checksum_calculation",
    "request_min_compression_size_bytes",
    "response_checksum_validation",
    "sdk_ua_app_id",
    "sigv4a_signing_region_set",
    "sso_session",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
];

/// Writes a profile as aws-config's parser reads it, with nothing in it that can trip that.
fn for_aws_config(profiles: &Profiles, profile: &Profile) -> String {
    let lines = |get: &dyn Fn(&str) -> Option<String>, keys: &[&str]| {
        keys.iter()
            .filter_map(|key| Some((key, get(key)?)))
            .filter(|(_, value)| !value.contains(['\n', '#', ';']))
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect::<String>()
    };
    let of_profile = |key: &str| profile.get(key).map(str::to_owned);
    let mut text = format!("[default]\n{}", lines(&of_profile, &OF_THE_SDK));
    // Bearer tokens come from an sso-session.
    if let Some(name) = profile.get("sso_session")
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && let Some(session) = profiles.sso_session(name)
    {
        let of_session = |key: &str| Some(session.get(key)?.text()?.to_owned());
        let settings = lines(&of_session, &["sso_region", "sso_start_url"]);
        text.push_str(&format!("[sso-session {name}]\n{settings}"));
    }
    text
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
    ambient: Ambient,
    services: Services,
    of_profile: SettingsWithoutKeys,
    ignore_configured: bool,
}

impl ServiceEndpoints {
    /// Returns the endpoint of a service that none is given for.
    ///
    /// It is checked at once, also where every service in use has an endpoint of its own: it is
    /// everybody's. Those of single services are checked when a client for one is created, as in
    /// botocore, so that nothing but that service fails.
    fn for_any_service(&self) -> Result<Option<String>, Error> {
        const VARIABLE: &str = "AWS_ENDPOINT_URL";
        const KEY: &str = "endpoint_url";
        let found = if let Some(url) = &self.for_all {
            Some((url.clone(), Setting::Builder { method: KEY }))
        } else if self.ignore_configured {
            None
        } else if let Some(url) = self.ambient.var(VARIABLE) {
            Some((url, Setting::Variable(VARIABLE)))
        } else {
            let profile = self.of_profile.profile();
            let url = self.of_profile.get(KEY);
            url.map(|url| (url.to_owned(), Setting::Profile { key: KEY, profile }))
        };
        let Some((url, setting)) = found else {
            return Ok(None);
        };
        endpoint::check(&url, Form::Endpoint, setting)?;
        Ok(Some(url))
    }

    /// Returns the endpoint of a service, or a URL that cannot be reached in place of a malformed one.
    fn for_service(&self, service: &str) -> Option<String> {
        if let Some(url) = self.by_service.get(service) {
            let setting = Setting::BuilderService { service };
            return Some(endpoint::usable(url.clone(), setting));
        }
        if self.for_all.is_some() || self.ignore_configured {
            return self.for_all.clone();
        }
        let variable = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
        if let Some(url) = self.ambient.var(&variable) {
            return Some(endpoint::usable(url, Setting::Variable(&variable)));
        }
        if let Some(url) = self.ambient.var("AWS_ENDPOINT_URL") {
            return Some(url);
        }
        match self.services.get(service, "endpoint_url") {
            Some(url) => {
                let section = self.of_profile.get("services").unwrap_or_default();
                let setting = Setting::ServicesSection { service, section };
                Some(endpoint::usable(url.to_owned(), setting))
            }
            None => self.of_profile.get("endpoint_url").map(str::to_owned),
        }
    }
}

impl LoadServiceConfig for ServiceEndpoints {
    /// The order is botocore's: the service's variable, the variable for all, the profile's
    /// `services` section, the profile.
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = service_key(key.service_id());
        if key.env() == "AWS_ENDPOINT_URL" {
            return self.for_service(&service);
        }
        let of_service = format!("{}_{}", key.env(), service.to_ascii_uppercase());
        let variable = self.ambient.var(&of_service);
        if let Some(value) = variable.or_else(|| self.ambient.var(key.env())) {
            return Some(value);
        }
        let of_service = self.services.get(&service, key.profile());
        of_service
            .or_else(|| self.of_profile.get(key.profile()))
            .map(str::to_owned)
    }
}

/// Shows for which services endpoints were given, and not which ones: a URL may hold a password.
impl fmt::Debug for ServiceEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceEndpoints")
            .field("by_service", &self.by_service.keys())
            .finish_non_exhaustive()
    }
}
