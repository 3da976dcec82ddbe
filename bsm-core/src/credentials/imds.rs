//! The role of an EC2 instance, and its region.
//!
//! The client is aws-config's, which handles the token of IMDSv2. Everything it would read from the
//! process's environment is set here, from the manager's own.

use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use aws_config::imds::client::{Client, EndpointMode, error::ImdsError};
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures_core::future::BoxFuture;

use super::metadata::{InvalidMetadata, Metadata};
use super::provider::CredentialProvider;
use crate::endpoint::{self, Form, Setting};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::http;
use crate::profile::Profile;
use crate::transport::{self, SdkFailure};

const ENDPOINT: [&str; 2] = [
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "ec2_metadata_service_endpoint",
];
const MODE: [&str; 2] = [
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "ec2_metadata_service_endpoint_mode",
];
const TIMEOUT: [&str; 2] = ["AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout"];
const ATTEMPTS: [&str; 2] = [
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
    "metadata_service_num_attempts",
];
const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

const IPV4: &str = "http://169.254.169.254";
const IPV6: &str = "http://[fd00:ec2::254]";

/// The limit for one value, including retries: a program that runs elsewhere must not wait longer to learn
/// that there is no instance.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);

/// The longest time-out that is accepted, so that a typo cannot wait for days.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// How much longer expired credentials are used: during an outage the service returns old ones, which
/// AWS continues to accept. The time is aws-config's.
const EXTENSION: std::ops::Range<u64> = 600..900;

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const REGION: &str = "/latest/meta-data/placement/region";

/// The metadata service of an instance.
#[derive(Debug)]
pub(crate) struct Instance {
    client: Client,
    endpoint: String,
    is_disabled: bool,
    limit: Duration,
    time: SharedTimeSource,
}

impl Instance {
    /// Reads the settings of the metadata service.
    ///
    /// It returns `None` for variables that were given in place of the process's own, unless they or
    /// the profile name an endpoint: a test must not reach the machine it runs on.
    ///
    /// `http_client` must not use a proxy: the keys would go through it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] that names the setting.
    pub(crate) fn from_settings(
        environment: &Environment,
        profile: &Profile,
        config: &SdkConfig,
        http_client: SharedHttpClient,
    ) -> Result<Option<Self>, Error> {
        let settings = Settings {
            environment,
            profile,
        };
        let given = settings.endpoint()?;
        if given.is_none() && !environment.is_process() {
            return Ok(None);
        }
        // As in botocore, an endpoint takes precedence over a mode.
        let endpoint = match given {
            Some(url) => url,
            None => settings.mode()?.to_owned(),
        };
        let provider = ProviderConfig::empty()
            .with_behavior_version(config.behavior_version())
            .with_time_source(config.time_source().unwrap_or_default())
            .with_http_client(http::bounded(http_client));
        let provider = match config.sleep_impl() {
            Some(sleep) => provider.with_sleep_impl(sleep),
            None => provider,
        };
        let mut client = Client::builder()
            .configure(&provider)
            .operation_timeout(OPERATION_TIMEOUT)
            .endpoint(&endpoint)
            .map_err(|_| invalid(&ENDPOINT, "is not a URL"))?;
        let mut limit = OPERATION_TIMEOUT;
        if let Some(timeout) = settings.timeout()? {
            let attempts = client.connect_timeout(timeout).read_timeout(timeout);
            // The setting is for one attempt. The default for the operation would cut off the
            // others.
            client = attempts.operation_timeout(MAX_TIMEOUT);
            limit = MAX_TIMEOUT;
        }
        if let Some(attempts) = settings.attempts()? {
            client = client.max_attempts(attempts);
        }
        let disabled = environment.var(DISABLED);
        Ok(Some(Self {
            client: client.build(),
            endpoint,
            // As in botocore and the SDKs, no other value disables the service.
            is_disabled: disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")),
            // The name of the role, and then its credentials.
            limit: limit * 2,
            time: config.time_source().unwrap_or_default(),
        }))
    }

    /// Returns the credentials of the instance's role.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoCredentials`] if there is no metadata service, or the instance has no role.
    async fn credentials(&self) -> Result<Credentials, Error> {
        if self.is_disabled {
            let why = format!("{DISABLED} is set");
            return Err(self.unavailable(ErrorKind::NoCredentials, &why));
        }
        tracing::debug!(
            endpoint = self.endpoint,
            "asking the instance for credentials"
        );
        let roles = self.get(ROLES).await?;
        // An instance profile contains one role.
        let role = roles.lines().next().unwrap_or_default().trim();
        // The name becomes part of the next path, and must not lead elsewhere.
        let is_name = !role.is_empty() && !role.contains(['/', '?', '#', ' ']);
        if !is_name {
            let why = "it named no role; check that the instance has one";
            return Err(self.unavailable(ErrorKind::CredentialsUnavailable, why));
        }
        let answer = self.get(&format!("{ROLES}{role}")).await?;
        let found = Metadata::parse(answer.as_bytes())
            .and_then(|found| found.into_credentials("IMDSv2", |expiry| self.extended(expiry)));
        found.map_err(|flaw| {
            let why = match flaw {
                InvalidMetadata::Malformed => "its answer holds no credentials".to_owned(),
                InvalidMetadata::Refused(code) => match transport::code(&code) {
                    Some(code) => format!(
                        "it answered {code}; check that the trust policy of the role allows EC2"
                    ),
                    None => "it answered with an error".to_owned(),
                },
            };
            self.unavailable(ErrorKind::CredentialsUnavailable, &why)
        })
    }

    /// Returns the region of the instance, or `None` if there is no answer.
    pub(crate) async fn region(&self) -> Option<Region> {
        if self.is_disabled {
            return None;
        }
        let region = self.get(REGION).await.ok()?;
        Some(Region::new(region.trim().to_owned()))
    }

    async fn get(&self, path: &str) -> Result<zeroize::Zeroizing<String>, Error> {
        let answer = transport::unlogged(self.client.get(path)).await;
        match answer {
            Ok(answer) => Ok(zeroize::Zeroizing::new(answer.into())),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: ImdsError) -> Error {
        let (kind, why) = match &error {
            // There is no service at all, or nothing lets this program reach it.
            ImdsError::FailedToLoadToken(token) if token.is_dispatch_failure() => (
                ErrorKind::NoCredentials,
                "it cannot be reached; name a profile unless this program runs on an instance"
                    .to_owned(),
            ),
            ImdsError::FailedToLoadToken(_) => (
                ErrorKind::CredentialsUnavailable,
                "it issued no token".to_owned(),
            ),
            ImdsError::ErrorResponse(answer) => match answer.response().status().as_u16() {
                404 => (
                    ErrorKind::NoCredentials,
                    "it answered with status 404; check that the instance has a role".to_owned(),
                ),
                status => (
                    ErrorKind::CredentialsUnavailable,
                    format!("it answered with status {status}"),
                ),
            },
            _ => (
                ErrorKind::Unreachable,
                "it did not respond in time".to_owned(),
            ),
        };
        let cause = SdkFailure::of_provider(CredentialsError::provider_error(error));
        self.unavailable(kind, &why).with_source(cause)
    }

    fn unavailable(&self, kind: ErrorKind, why: &str) -> Error {
        let message = format!(
            "no credentials from the instance metadata service at {}: {why}",
            endpoint::shown(&self.endpoint)
        );
        Error::new(kind, message)
    }

    fn extended(&self, expiry: SystemTime) -> SystemTime {
        let now = self.time.now();
        if now < expiry {
            return expiry;
        }
        tracing::warn!(
            "the instance returned expired credentials, which are used for some more minutes"
        );
        now + Duration::from_secs(fastrand::u64(EXTENSION))
    }
}

impl CredentialProvider for Instance {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.credentials())
    }

    fn step(&self) -> String {
        "the instance metadata service".to_owned()
    }

    fn limit(&self) -> Duration {
        self.limit
    }
}

/// The settings of the metadata service: of the environment, or else of the profile.
struct Settings<'a> {
    environment: &'a Environment,
    profile: &'a Profile,
}

impl Settings<'_> {
    fn get(&self, [variable, key]: &[&str; 2]) -> Option<String> {
        self.profile.setting(self.environment, variable, key)
    }

    fn endpoint(&self) -> Result<Option<String>, Error> {
        let [variable, key] = ENDPOINT;
        let Some(url) = self.get(&ENDPOINT) else {
            return Ok(None);
        };
        let setting = match self.environment.var(variable) {
            Some(_) => Setting::Variable(variable),
            None => Setting::Profile {
                key,
                profile: self.profile.name(),
            },
        };
        endpoint::check(&url, Form::Endpoint, setting)?;
        Ok(Some(url))
    }

    fn mode(&self) -> Result<&'static str, Error> {
        let Some(mode) = self.get(&MODE) else {
            return Ok(IPV4);
        };
        match EndpointMode::from_str(mode.trim()) {
            Ok(EndpointMode::IpV6) => Ok(IPV6),
            Ok(_) => Ok(IPV4),
            Err(_) => Err(invalid(&MODE, "is neither IPv4 nor IPv6")),
        }
    }

    fn timeout(&self) -> Result<Option<Duration>, Error> {
        let Some(seconds) = self.get(&TIMEOUT) else {
            return Ok(None);
        };
        let timeout = seconds.trim().parse().ok();
        let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        match timeout {
            // A time-out of zero would fail every attempt before it is sent.
            Some(timeout) if !timeout.is_zero() => Ok(Some(timeout.min(MAX_TIMEOUT))),
            _ => Err(invalid(&TIMEOUT, "is not a number of seconds")),
        }
    }

    fn attempts(&self) -> Result<Option<u32>, Error> {
        let Some(attempts) = self.get(&ATTEMPTS) else {
            return Ok(None);
        };
        match attempts.trim().parse() {
            Ok(attempts) if attempts > 0 => Ok(Some(attempts)),
            _ => Err(invalid(&ATTEMPTS, "is not a number of attempts")),
        }
    }
}

fn invalid([variable, key]: &[&str; 2], flaw: &str) -> Error {
    let message = format!("{variable}, or {key} in the profile, {flaw}");
    Error::new(ErrorKind::InvalidConfig, message)
}

#[cfg(test)]
mod tests {
    use aws_types::os_shim_internal::Env;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: Some(Env::from_slice(variables)),
            ..Environment::default()
        }
    }

    fn with<T>(variables: &[(&str, &str)], get: impl FnOnce(&Settings<'_>) -> T) -> T {
        let (environment, profile) = (environment(variables), Profile::empty("dev"));
        get(&Settings {
            environment: &environment,
            profile: &profile,
        })
    }

    #[test]
    fn the_mode_chooses_the_address() {
        let mode = |mode| with(&[(MODE[0], mode)], |settings| settings.mode());
        assert_eq!(mode("IPv6").unwrap(), IPV6);
        assert_eq!(mode("ipv4").unwrap(), IPV4);
        assert_eq!(with(&[], |settings| settings.mode()).unwrap(), IPV4);
        let error = mode("IPv5").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().starts_with(MODE[0]), "{error}");
    }

    #[test]
    fn numbers_are_checked() {
        for (value, is_timeout, is_attempts) in [
            ("1", true, true),
            ("0.5", true, false),
            ("0", false, false),
            ("-1", false, false),
            ("x", false, false),
            ("inf", false, false),
            ("1e99", false, false),
        ] {
            let timeout = with(&[(TIMEOUT[0], value)], |settings| settings.timeout());
            assert_eq!(timeout.is_ok(), is_timeout, "{value}");
            let attempts = with(&[(ATTEMPTS[0], value)], |settings| settings.attempts());
            assert_eq!(attempts.is_ok(), is_attempts, "{value}");
        }
        let long = with(&[(TIMEOUT[0], "9999999")], |settings| settings.timeout());
        assert_eq!(long.unwrap(), Some(MAX_TIMEOUT));
    }

    #[test]
    fn given_variables_name_the_service_or_there_is_none() {
        let config = SdkConfig::builder().build();
        let instance = |variables: &[(&str, &str)]| {
            let (environment, profile) = (environment(variables), Profile::empty("dev"));
            let http_client = http::shared(None, http::Proxies::default()).unwrap();
            Instance::from_settings(&environment, &profile, &config, http_client).unwrap()
        };
        assert!(instance(&[]).is_none());
        assert!(instance(&[(MODE[0], "IPv6")]).is_none());
        let found = instance(&[(ENDPOINT[0], "http://127.0.0.1:1/path/")]).unwrap();
        assert_eq!(found.endpoint, "http://127.0.0.1:1/path/");
    }
}
