//! The `SdkConfig` of a session: how it is loaded, and where its requests go.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::token::SharedTokenProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::{RetryConfig, RetryMode};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::redacted::redacted;
use super::settings::{Settings, normalized_service_id};
use crate::credentials::sso::{SsoSession, SsoTokenProvider, sso_config};
use crate::endpoint::{self, Form, Setting};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::http::{self, Proxies};
use crate::identity::arn;
use crate::profile::{Profile, Profiles, Services, SettingsWithoutKeys, check_sso_region};
use crate::small_file;
use crate::transport::{self, time_limits::with_time_limits};

/// The SDK's behaviour, pinned: `BehaviorVersion::latest()` changes when a dependency is updated.
fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// The region of requests to STS if the session has none, by the partition of the role's ARN: an identity
/// exists in its own partition alone.
///
/// Source: `implicitGlobalRegion` in the SDKs' `partitions.json`.
const STS_REGIONS: [(&str, &str); 7] = [
    ("aws-cn", "cn-northwest-1"),
    ("aws-us-gov", "us-gov-west-1"),
    ("aws-eusc", "eusc-de-east-1"),
    ("aws-iso", "us-iso-east-1"),
    ("aws-iso-b", "us-isob-east-1"),
    ("aws-iso-e", "eu-isoe-west-1"),
    ("aws-iso-f", "us-isof-south-1"),
];

/// Loads the configuration of the settings, their environment and their profile, without
/// credentials.
pub(crate) async fn load(
    settings: &Settings,
    profiles: &Profiles,
    profile: &Profile,
    region: Option<Region>,
) -> Result<SdkConfig, Error> {
    let files = EnvConfigFiles::builder()
        .with_contents(
            EnvConfigFileKind::Config,
            to_sdk_profile(&settings.environment, profile)?,
        )
        .build();
    let mut loader = aws_config::defaults(behavior_version())
        .profile_files(files)
        // The section that `to_sdk_profile` writes, whatever AWS_PROFILE names.
        .profile_name("default")
        // Without a region, aws-config asks the instance for one.
        .region(region.clone().unwrap_or(Region::from_static("us-east-1")))
        .retry_config(retry_config(settings, profile)?)
        .http_client(http_client(settings, profile).await?)
        .time_source(settings.time_source())
        // The SDK's cache would hide the refresher's windows.
        .identity_cache(IdentityCache::no_cache())
        // The session adds its own provider; aws-config's chain must not stand in for it.
        .no_credentials();
    if let Some(timeout_config) = &settings.timeout_config {
        loader = loader.timeout_config(timeout_config.clone());
    }
    if let Some(app_name) = &settings.app_name {
        loader = loader.app_name(app_name.clone());
    }
    // The profile above already contains what aws-config would read from the given variables. Passing
    // the variables themselves requires its feature `test-util`, which recompiles a third of the SDK.
    if settings.environment.variables.is_some() {
        loader = loader.empty_test_environment();
    }
    let config = loader.load().await;
    let endpoints = ServiceEndpoints::new(settings, profiles, profile);
    let mut builder = config.to_builder();
    // Replaces the placeholder, which must not become the region of a client.
    builder.set_region(region);
    builder.set_endpoint_url(endpoints.for_any_service()?);
    builder.set_service_config(Some(endpoints));
    let config = builder.build();
    // After the endpoints, which also apply to requests for tokens.
    let tokens = bearer_tokens(settings, profiles, profile, &config);
    let mut builder = config.to_builder();
    builder.set_token_provider(tokens);
    Ok(builder.build())
}

/// Returns the provider of bearer tokens, if the profile has an sso-session: the login's access token.
fn bearer_tokens(
    settings: &Settings,
    profiles: &Profiles,
    profile: &Profile,
    config: &SdkConfig,
) -> Option<SharedTokenProvider> {
    let name = profile.get("sso_session")?;
    let section = profiles.sso_session(name)?;
    let of_section = |key: &str| Some(section.get(key)?.text()?.to_owned());
    let region = of_section("sso_region")?;
    // An error is for those who use the login: other services of the session don't need it.
    check_sso_region(&region, name).ok()?;
    let session = SsoSession {
        name: Some(name.to_owned()),
        start_url: of_section("sso_start_url")?,
        region,
    };
    let oidc = sso_config(config, &session.region, sets_attempts(settings, profile));
    let (profile, home) = (profile.name().to_owned(), settings.environment.home());
    // Without a home directory, only services that take bearer tokens fail.
    let login = SsoTokenProvider::new(session, Some(profile), home, oidc).ok()?;
    Some(SharedTokenProvider::new(login))
}

/// Returns `true` if the user chose the number of attempts.
pub(crate) fn sets_attempts(settings: &Settings, profile: &Profile) -> bool {
    let setting = || profile.setting(&settings.environment, "AWS_MAX_ATTEMPTS", "max_attempts");
    settings.retry_config.is_some() || setting().is_some()
}

/// Completes a configuration that the user built: a client panics if one of these parts is missing.
pub(crate) fn with_required_parts(
    config: &SdkConfig,
    settings: &Settings,
) -> Result<SdkConfig, Error> {
    let mut builder = redacted(config).to_builder();
    if config.behavior_version().is_none() {
        builder.set_behavior_version(Some(behavior_version()));
    }
    if config.sleep_impl().is_none() {
        builder.set_sleep_impl(default_async_sleep());
    }
    if config.time_source().is_none() {
        builder.set_time_source(Some(settings.time_source()));
    }
    let http_client = config
        .http_client()
        .or_else(|| settings.http_client.clone());
    let http_client = match http_client {
        Some(http_client) => http::naming_endpoints(http_client),
        None => http::shared(None, settings.environment.proxies()?)?,
    };
    builder.set_http_client(Some(http_client));
    // The SDK's cache would hide the refresher's windows.
    builder.set_identity_cache(Some(IdentityCache::no_cache()));
    Ok(builder.build())
}

/// Returns the configuration for requests to STS.
pub(crate) fn sts_config(config: &SdkConfig, region: &Region) -> SdkConfig {
    let bounded = transport::bounded(config);
    with_time_limits(&bounded.to_builder().region(region.clone()).build())
}

/// Returns the region of requests to STS: the session's, or else one in which the role exists. STS
/// answers in every region of a partition.
pub(crate) fn sts_region(region: Option<&Region>, role_arn: Option<&str>) -> Region {
    let partition = || role_arn.and_then(arn::partition).unwrap_or("aws");
    region.cloned().unwrap_or_else(|| {
        let partition = partition();
        let mut regions = STS_REGIONS.iter();
        let found = regions.find(|(known, _)| *known == partition);
        // The implicit global region of `aws`, also for partitions that are not listed.
        Region::from_static(found.map_or("us-east-1", |(_, region)| region))
    })
}

/// Returns the HTTP client of the settings, or else the shared one for the CA bundle that
/// `AWS_CA_BUNDLE` or the profile's `ca_bundle` names, and the environment's proxies.
async fn http_client(settings: &Settings, profile: &Profile) -> Result<SharedHttpClient, Error> {
    client_with(settings, profile, || settings.environment.proxies()).await
}

/// As [`http_client`], without proxies, for hosts that only this machine reaches.
///
/// A client that the user set stays what it is.
pub(crate) async fn direct_http_client(
    settings: &Settings,
    profile: &Profile,
) -> Result<SharedHttpClient, Error> {
    client_with(settings, profile, || Ok(Proxies::default())).await
}

async fn client_with(
    settings: &Settings,
    profile: &Profile,
    proxies: impl FnOnce() -> Result<Proxies, Error>,
) -> Result<SharedHttpClient, Error> {
    if let Some(http_client) = &settings.http_client {
        return Ok(http::naming_endpoints(http_client.clone()));
    }
    let proxies = proxies()?;
    match ca_bundle(settings, profile) {
        // The bundle is read from a file, which may block.
        Some(path) => small_file::blocking(move || http::shared(Some(&path), proxies)).await?,
        None => http::shared(None, proxies),
    }
}

/// Returns the CA bundle of the settings, or else of environment and profile.
pub(super) fn ca_bundle(settings: &Settings, profile: &Profile) -> Option<PathBuf> {
    let environment = &settings.environment;
    let configured = || profile.setting(environment, "AWS_CA_BUNDLE", "ca_bundle");
    let path = PathBuf::from(settings.ca_bundle.clone().or_else(configured)?);
    Some(environment.in_home(path.clone()).unwrap_or(path))
}

/// Returns the retry configuration of the settings, or else of environment and profile.
///
/// aws-config panics on values that botocore accepts, so these two are read here.
fn retry_config(settings: &Settings, profile: &Profile) -> Result<RetryConfig, Error> {
    if let Some(retry_config) = &settings.retry_config {
        return Ok(retry_config.clone());
    }
    let environment = &settings.environment;
    let mode = profile.setting(environment, "AWS_RETRY_MODE", "retry_mode");
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
    let attempts = profile.setting(environment, "AWS_MAX_ATTEMPTS", "max_attempts");
    let Some(attempts) = attempts else {
        return Ok(config);
    };
    let attempts: u32 = attempts.trim().parse().map_err(|error| {
        let message = format!("max_attempts is {attempts:?}: write a number, 1 or more");
        Error::new(ErrorKind::InvalidConfig, message).with_source(error)
    })?;
    // botocore accepts 0; the SDK panics on it.
    Ok(config.with_max_attempts(attempts.max(1)))
}

/// The settings of a profile that the SDK reads itself, and this crate does not.
const SDK_KEYS: [&str; 12] = [
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

/// Returns the SDK's settings, from the environment or else the profile, in the form of aws-config's
/// parser.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`] for a value that the parser would read as something else.
fn to_sdk_profile(environment: &Environment, profile: &Profile) -> Result<String, Error> {
    let found = SDK_KEYS.iter().filter_map(|key| {
        let variable = format!("AWS_{}", key.to_ascii_uppercase());
        Some((key, profile.setting(environment, &variable, key)?))
    });
    let lines = found.map(|(key, value)| match is_one_setting(&value) {
        true => Ok(format!("{key} = {value}\n")),
        false => Err(Error::new(
            ErrorKind::InvalidConfig,
            format!("{key} {value:?} contains a line break or a comment; remove it"),
        )),
    });
    let lines: String = lines.collect::<Result<_, _>>()?;
    Ok(format!("[default]\n{lines}"))
}

/// Returns `true` if aws-config's parser reads a value as it is: it takes a `#` or a `;` behind a
/// blank for a comment.
fn is_one_setting(value: &str) -> bool {
    // The value follows a blank in its line.
    let mut before = ' ';
    for c in value.chars() {
        if matches!(c, '\n' | '\r') || (matches!(c, '#' | ';') && before.is_whitespace()) {
            return false;
        }
        before = c;
    }
    true
}

/// The settings of single services: those of the builder, then of the environment and the profile.
///
/// It replaces aws-config's own, whose `Debug` prints the secrets of every profile.
struct ServiceEndpoints {
    by_service: BTreeMap<String, String>,
    for_all: Option<String>,
    environment: Environment,
    services: Services,
    of_profile: SettingsWithoutKeys,
    ignore_configured: bool,
}

impl ServiceEndpoints {
    fn new(settings: &Settings, profiles: &Profiles, profile: &Profile) -> Self {
        Self {
            by_service: settings.service_endpoint_urls.clone(),
            for_all: settings.endpoint_url.clone(),
            environment: settings.environment.clone(),
            services: profiles.services_of(profile),
            of_profile: profile.settings_without_keys(),
            ignore_configured: settings.ignores_configured_endpoints(profile),
        }
    }

    /// Returns the endpoint of a service that none is given for.
    ///
    /// It is checked at once, even if every service in use has an endpoint of its own. Those of
    /// single services are checked when a client for one is created, as in botocore, so that
    /// nothing but that service fails.
    fn for_any_service(&self) -> Result<Option<String>, Error> {
        const VARIABLE: &str = "AWS_ENDPOINT_URL";
        const KEY: &str = "endpoint_url";
        let found = if let Some(url) = &self.for_all {
            Some((url.clone(), Setting::Builder { method: KEY }))
        } else if self.ignore_configured {
            None
        } else if let Some(url) = self.environment.var(VARIABLE) {
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

    /// Returns the endpoint of a service, or a URL that cannot be reached in place of a malformed
    /// one.
    fn for_service(&self, service: &str) -> Option<String> {
        if let Some(url) = self.by_service.get(service) {
            let setting = Setting::BuilderService { service };
            return Some(endpoint::usable(url.clone(), setting));
        }
        if self.for_all.is_some() || self.ignore_configured {
            return self.for_all.clone();
        }
        let variable = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
        if let Some(url) = self.environment.var(&variable) {
            return Some(endpoint::usable(url, Setting::Variable(&variable)));
        }
        // `for_any_service` has checked this one when the session was resolved.
        if let Some(url) = self.environment.var("AWS_ENDPOINT_URL") {
            return Some(url);
        }
        match self.services.get(service, "endpoint_url") {
            Some(url) => {
                let section = self.of_profile.get("services").unwrap_or_default();
                let setting = Setting::ServicesSection { service, section };
                Some(endpoint::usable(url.to_owned(), setting))
            }
            // Checked by `for_any_service` as well.
            None => self.of_profile.get("endpoint_url").map(str::to_owned),
        }
    }
}

impl LoadServiceConfig for ServiceEndpoints {
    /// The order is botocore's: the service's variable, the variable for all, the profile's
    /// `services` section, the profile.
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = normalized_service_id(key.service_id());
        if key.env() == "AWS_ENDPOINT_URL" {
            return self.for_service(&service);
        }
        let of_service = format!("{}_{}", key.env(), service.to_ascii_uppercase());
        let variable = self.environment.var(&of_service);
        if let Some(value) = variable.or_else(|| self.environment.var(key.env())) {
            return Some(value);
        }
        let of_service = self.services.get(&service, key.profile());
        of_service
            .or_else(|| self.of_profile.get(key.profile()))
            .map(str::to_owned)
    }
}

/// Shows which services have an endpoint, but not the endpoints: a URL can contain a password.
impl fmt::Debug for ServiceEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceEndpoints")
            .field("by_service", &self.by_service.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_setting_unless_it_has_a_comment_or_a_line_break() {
        for value in ["https://x/start#/", "a;b", ""] {
            assert!(is_one_setting(value), "{value:?}");
        }
        for value in ["#x", "a #b", "a\t;b", "a\nuse_fips_endpoint = true"] {
            assert!(!is_one_setting(value), "{value:?}");
        }
    }

    #[test]
    fn sts_is_asked_in_the_partition_of_the_role() {
        for (partition, region) in [
            ("aws", "us-east-1"),
            ("aws-cn", "cn-northwest-1"),
            ("aws-us-gov", "us-gov-west-1"),
            ("aws-eusc", "eusc-de-east-1"),
            ("aws-iso", "us-iso-east-1"),
            ("aws-iso-b", "us-isob-east-1"),
            ("aws-iso-e", "eu-isoe-west-1"),
            ("aws-iso-f", "us-isof-south-1"),
            ("aws-unheard-of", "us-east-1"),
        ] {
            let role = format!("arn:{partition}:iam::111122223333:role/R");
            assert_eq!(sts_region(None, Some(&role)).as_ref(), region);
            let own = Region::from_static("eu-west-1");
            assert_eq!(sts_region(Some(&own), Some(&role)), own);
        }
        assert_eq!(sts_region(None, None).as_ref(), "us-east-1");
        assert_eq!(sts_region(None, Some("R")).as_ref(), "us-east-1");
    }

    #[tokio::test]
    async fn an_http_client_that_came_with_an_sdk_config_names_endpoints() {
        let config = SdkConfig::builder()
            .http_client(aws_smithy_runtime_api::client::http::http_client_fn(
                |_, _| unreachable!("no request is sent"),
            ))
            .build();
        let config = with_required_parts(&config, &Settings::default()).unwrap();
        let client = format!("{:?}", config.http_client());
        assert!(client.contains("NamesEndpoints"), "{client}");
    }
}
