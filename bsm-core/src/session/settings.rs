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
use crate::environment::Ambient;
use crate::error::{Error, ErrorKind};
use crate::http;
use crate::profile::{Profile, Profiles, Services, SettingsWithoutKeys};
use crate::session::redacted::redacted_tokens;
use crate::session::resolution::Resolution;

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

    /// Returns the HTTP client: the one that was given, or the shared one for the CA bundle that
    /// `AWS_CA_BUNDLE` or the profile's `ca_bundle` names.
    pub(crate) fn http_client(&self, profile: &Profile) -> Result<SharedHttpClient, Error> {
        if let Some(http_client) = &self.http_client {
            return Ok(http_client.clone());
        }
        match self.setting("AWS_CA_BUNDLE", profile, "ca_bundle") {
            Some(path) => {
                let path = PathBuf::from(path);
                let path = self.ambient.in_home(path.clone()).unwrap_or(path);
                http::shared_with_ca_bundle(&path)
            }
            None => Ok(http::shared()),
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
            .with_contents(
                EnvConfigFileKind::Config,
                for_aws_config(&self.ambient, profiles, profile),
            )
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
        // What aws-config would read from the given variables is in the profile that was written for it. Handing
        // them over takes its feature test-util, which compiles a third of the SDK a second time.
        if self.ambient.environment.is_some() {
            loader = loader.empty_test_environment();
        }
        let config = loader.load().await;
        let endpoints = self.service_endpoints(profiles, profile);
        let mut builder = config.to_builder();
        builder.set_region(region);
        builder.set_endpoint_url(endpoints.for_any_service());
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
const OF_THE_SDK: [&str; 12] = [
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
    "use_dualstack_endpoint",
    "use_fips_endpoint",
];

/// Writes the SDK's settings, from the environment or else the profile, as a profile for aws-config's parser.
fn for_aws_config(ambient: &Ambient, profiles: &Profiles, profile: &Profile) -> String {
    let lines = |get: &dyn Fn(&str) -> Option<String>, keys: &[&str]| {
        keys.iter()
            .filter_map(|key| Some((key, get(key)?)))
            // Nothing that the parser could take for a comment or for another setting.
            .filter(|(_, value)| !value.contains(['\n', '#', ';']))
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect::<String>()
    };
    let setting = |key: &str| {
        let variable = ambient.var(&format!("AWS_{}", key.to_ascii_uppercase()));
        variable.or_else(|| profile.get(key).map(str::to_owned))
    };
    let mut text = format!("[default]\n{}", lines(&setting, &OF_THE_SDK));
    // Bearer tokens come from an sso-session.
    if let Some(name) = profile.get("sso_session")
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && let Some(session) = profiles.sso_session(name)
    {
        let of_session = |key: &str| Some(session.get(key)?.text()?.to_owned());
        let settings = lines(&of_session, &["sso_region", "sso_start_url"]);
        text.push_str(&format!(
            "sso_session = {name}\n[sso-session {name}]\n{settings}"
        ));
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
    /// The endpoint of a service that none is given for.
    fn for_any_service(&self) -> Option<String> {
        let configured = || {
            let variable = self.ambient.var("AWS_ENDPOINT_URL");
            variable.or_else(|| self.of_profile.get("endpoint_url").map(str::to_owned))
        };
        let told = self.for_all.clone();
        told.or_else(|| (!self.ignore_configured).then(configured)?)
    }
}

impl LoadServiceConfig for ServiceEndpoints {
    /// The order is botocore's: the service's variable, the variable for all, the profile's
    /// `services` section, the profile.
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = service_key(key.service_id());
        if key.env() == "AWS_ENDPOINT_URL" {
            let told = self.by_service.get(&service);
            if let Some(url) = told.or(self.for_all.as_ref()) {
                return Some(url.clone());
            }
            if self.ignore_configured {
                return None;
            }
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

impl fmt::Debug for ServiceEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceEndpoints")
            .field("by_service", &self.by_service)
            .field("for_all", &self.for_all)
            .finish_non_exhaustive()
    }
}
