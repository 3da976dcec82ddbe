//! Making a manager.

use std::path::PathBuf;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::HttpClient;
use aws_smithy_runtime_api::shared::IntoShared as _;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::app_name::AppName;

use crate::credentials::cli_cache::CliCache;
use crate::credentials::mfa::{MfaTokenProvider, TokenCodes};
use crate::credentials::process::ProcessStdio;
use crate::error::Error;
use crate::export::Snapshot;
use crate::manager::BotoSesManager;
use crate::profile::ProfileInfo;
use crate::session::Origin;
use crate::session::settings::{Settings, service_key};

/// Makes a [`BotoSesManager`]; see [`BotoSesManager::builder`].
///
/// Nothing is read and nothing is checked until the manager is used, so that building one cannot
/// fail.
#[derive(Clone, Default)]
#[must_use = "finish it with `.build()`"]
pub struct Builder {
    origin: Told,
    settings: Settings,
}

/// Which credentials the builder was told to use.
#[derive(Clone, Default)]
enum Told {
    #[default]
    Ambient,
    Keys(Credentials),
    Provider(SharedCredentialsProvider),
    Config(Box<SdkConfig>),
    Snapshot(Box<Snapshot>),
}

impl Builder {
    /// Names the profile. It is never overridden by keys in the environment.
    ///
    /// Default: `AWS_DEFAULT_PROFILE`, then `AWS_PROFILE`, then `default`, and then keys in the
    /// environment do come first.
    pub fn profile_name(mut self, name: impl Into<String>) -> Self {
        self.settings.profile_name = Some(name.into());
        self
    }

    /// Sets the region.
    ///
    /// Default: `AWS_REGION`, then `AWS_DEFAULT_REGION`, then the profile's `region`. Only a
    /// manager of the default chain that finds no keys at all asks the metadata service as well.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.settings.region = Some(region.into());
        self
    }

    /// Gives long-lived keys. They come before everything else.
    pub fn keys(
        self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        self.credentials(Credentials::new(
            access_key_id,
            secret_access_key,
            None,
            None,
            "keys",
        ))
    }

    /// Gives credentials, which may be temporary. They come before everything else, and are not
    /// refreshed: see [`credentials_provider`](Self::credentials_provider) for that.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.origin = Told::Keys(credentials);
        self
    }

    /// Gives a source of credentials. It is asked once for any number of callers, and again in
    /// time before what it gave expires.
    pub fn credentials_provider(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.origin = Told::Provider(SharedCredentialsProvider::new(provider));
        self
    }

    /// Takes credentials, region and endpoints from a snapshot; see
    /// [`BotoSesManager::from_snapshot`]. What the builder says itself comes first.
    pub fn snapshot(mut self, snapshot: Snapshot) -> Self {
        self.origin = Told::Snapshot(Box::new(snapshot));
        self
    }

    /// Takes over an existing `SdkConfig`, with all that it says.
    ///
    /// Of the builder's own settings, only the region and what is expected apply on top of it.
    pub fn sdk_config(mut self, config: SdkConfig) -> Self {
        self.origin = Told::Config(Box::new(config));
        self
    }

    /// Sends the requests for all services, STS included, to this URL.
    ///
    /// Default: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, the profile's `services` section
    /// and its `endpoint_url`, unless `ignore_configured_endpoint_urls` is set.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.settings.endpoint_url = Some(url.into());
        self
    }

    /// Sends the requests for one service to this URL: `dynamodb`, `sts`, `cost_explorer`.
    ///
    /// The name is the one in the service's variable `AWS_ENDPOINT_URL_<SERVICE>`, in any case.
    pub fn service_endpoint_url(mut self, service: &str, url: impl Into<String>) -> Self {
        self.settings
            .service_endpoint_urls
            .insert(service_key(service), url.into());
        self
    }

    /// Sets how requests are retried. Default: `AWS_RETRY_MODE` and `AWS_MAX_ATTEMPTS`, then the
    /// profile's `retry_mode` and `max_attempts`, then the SDK's standard mode with 3 attempts.
    pub fn retry_config(mut self, retry_config: RetryConfig) -> Self {
        self.settings.retry_config = Some(retry_config);
        self
    }

    /// Sets the time-outs of requests. Default: the SDK's, 3.1 s to connect and no other.
    pub fn timeout_config(mut self, timeout_config: TimeoutConfig) -> Self {
        self.settings.timeout_config = Some(timeout_config);
        self
    }

    /// Adds a name to the user agent of every request.
    pub fn app_name(mut self, app_name: AppName) -> Self {
        self.settings.app_name = Some(app_name);
        self
    }

    /// Uses another HTTP client than the one that all managers of the process share.
    pub fn http_client(mut self, http_client: impl HttpClient + 'static) -> Self {
        self.settings.http_client = Some(http_client.into_shared());
        self
    }

    /// Uses another clock, for the expiry of credentials and for signing.
    pub fn time_source(mut self, time_source: impl TimeSource + 'static) -> Self {
        self.settings.time_source = Some(SharedTimeSource::new(time_source));
        self
    }

    /// Fails every use of the manager if its credentials belong to another account.
    ///
    /// The account is asked of STS GetCallerIdentity, which no policy can deny, each time that the
    /// credentials are fetched or refreshed, and before any other request is made with them.
    pub fn expect_account(mut self, account: impl Into<String>) -> Self {
        self.settings.expect_account = Some(account.into());
        self
    }

    /// Sets who gives the codes of MFA devices, for this manager's profile and for roles that are
    /// assumed from it; see [`mfa`](crate::mfa).
    ///
    /// Default: nobody, so that a role with an `mfa_serial` fails with
    /// [`ErrorKind::MfaCodeUnavailable`](crate::ErrorKind::MfaCodeUnavailable). No program is
    /// stopped by a prompt that it did not ask for.
    pub fn mfa_token_provider(mut self, provider: impl MfaTokenProvider) -> Self {
        self.settings.mfa = Some(TokenCodes::new(provider));
        self
    }

    /// Sets what a `credential_process` gets as its standard input. Default:
    /// [`ProcessStdio::Terminal`], so that it can ask a person who is there.
    pub fn process_stdin(mut self, stdin: ProcessStdio) -> Self {
        self.settings.process_streams.stdin = stdin;
        self
    }

    /// Sets what a `credential_process` gets as its standard error. Default:
    /// [`ProcessStdio::Terminal`].
    ///
    /// What is not shown is not logged either, because it may contain secrets:
    /// [`Error::process_stderr`](crate::Error::process_stderr) returns the end of it if the process
    /// fails.
    pub fn process_stderr(mut self, stderr: ProcessStdio) -> Self {
        self.settings.process_streams.stderr = stderr;
        self
    }

    /// Shares the credentials of assumed roles with the AWS CLI and with other processes, through
    /// the CLI's own cache. Default: off.
    pub fn cli_cache(mut self, cache: CliCache) -> Self {
        self.settings.cli_cache = Some(cache);
        self
    }

    /// Fails every use of the manager, before any request, if its region is another one or none.
    ///
    /// It catches the region that an environment variable or a profile brought along. It holds for
    /// [`with_region`](BotoSesManager::with_region) and for roles that are assumed from this
    /// manager, too.
    pub fn expect_region(mut self, region: impl Into<String>) -> Self {
        self.settings.expect_region = Some(region.into());
        self
    }

    /// Reads this config file. Default: `AWS_CONFIG_FILE`, then `~/.aws/config`.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.ambient.config_file = Some(path.into());
        self
    }

    /// Reads this credentials file. Default: `AWS_SHARED_CREDENTIALS_FILE`, then
    /// `~/.aws/credentials`.
    pub fn shared_credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.ambient.shared_credentials_file = Some(path.into());
        self
    }

    /// Uses these environment variables instead of the process's own.
    ///
    /// Such a manager does not ask a container or an instance for credentials, either.
    #[cfg(any(test, feature = "test-util"))]
    pub fn environment<'a>(
        mut self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let variables: Vec<_> = variables.into_iter().collect();
        self.settings.ambient.environment =
            Some(aws_types::os_shim_internal::Env::from_slice(&variables));
        self
    }

    /// Lists the profiles of the files that the manager would read, by name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if a file cannot be read or
    /// understood. A file that does not exist is an empty one.
    pub fn profiles(&self) -> Result<Vec<ProfileInfo>, Error> {
        Ok(self.settings.ambient.profiles()?.list())
    }

    /// Makes the manager.
    pub fn build(mut self) -> BotoSesManager {
        let origin = match self.origin {
            Told::Ambient => Origin::Ambient,
            Told::Keys(keys) => Origin::Keys(keys),
            Told::Provider(provider) => Origin::Provider(provider),
            Told::Config(config) => Origin::Config(config),
            Told::Snapshot(snapshot) => Origin::Provider(SharedCredentialsProvider::new(
                snapshot.restore(&mut self.settings),
            )),
        };
        BotoSesManager::with_session(origin, self.settings)
    }
}

/// Shows the profile and the region that were named, and no secret.
impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("profile_name", &self.settings.profile_name)
            .field("region", &self.settings.region)
            .finish_non_exhaustive()
    }
}
