//! The constructors and the builder of a manager.

use std::path::{Path, PathBuf};
use std::time::Duration;

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
use crate::credentials::{OnRefresh, RefreshEvent};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::export::Snapshot;
use crate::manager::BotoSesManager;
use crate::profile::{ProfileInfo, Profiles};
use crate::session::Explicit;
use crate::session::settings::{Settings, normalized_service_id};

/// # Constructors
impl BotoSesManager {
    /// Creates a manager for the default chain.
    ///
    /// Its credentials come from the first of these sources that is configured. The profile is the
    /// one that `AWS_DEFAULT_PROFILE` or `AWS_PROFILE` names, or else `default`.
    ///
    /// 1. access keys in the environment;
    /// 2. a role of the profile: `role_arn` with `source_profile` or `credential_source`;
    /// 3. a web identity: `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE`, or the profile's
    ///    settings in place of either;
    /// 4. the profile's SSO, access keys, login session or process;
    /// 5. the role of the container, or else of the instance.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Creates a manager for a profile.
    ///
    /// The environment never overrides the profile. The profile must exist.
    pub fn from_profile(name: impl Into<String>) -> Self {
        Self::builder().profile_name(name).build()
    }

    /// Creates a manager for long-lived keys.
    pub fn from_keys(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        Self::builder()
            .keys(access_key_id, secret_access_key)
            .build()
    }

    /// Creates a manager from an `SdkConfig` that was loaded elsewhere.
    pub fn from_config(config: SdkConfig) -> Self {
        Self::builder().sdk_config(config).build()
    }

    /// Creates a manager whose every use fails with [`ErrorKind::NoSession`].
    ///
    /// As the process default, it turns a forgotten scope into an error.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use bsm_core::{BotoSesManager, install_default};
    ///
    /// install_default(BotoSesManager::none()).unwrap();
    /// let error = BotoSesManager::current().credentials().await.unwrap_err();
    /// assert!(error.is_no_session());
    /// # }
    /// ```
    pub fn none() -> Self {
        Self::with_session(Some(Explicit::NoSession), Settings::default())
    }

    /// Lists the profiles in the config file and the credentials file, by name.
    ///
    /// For other files than the usual ones, see [`Builder::profiles`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), bsm_core::Error> {
    /// use bsm_core::BotoSesManager;
    ///
    /// for profile in BotoSesManager::profiles()? {
    ///     let region = profile.region().unwrap_or("no region");
    ///     println!("{}: {:?}, {region}", profile.name(), profile.kind());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if a file cannot be read or understood. A file that does not
    /// exist is an empty one.
    pub fn profiles() -> Result<Vec<ProfileInfo>, Error> {
        Self::builder().profiles()
    }

    /// Returns the builder of a manager, with all settings.
    ///
    /// # Examples
    ///
    /// ```
    /// use bsm_core::BotoSesManager;
    ///
    /// let production = BotoSesManager::builder()
    ///     .profile_name("production")
    ///     .region("eu-central-1")
    ///     .expect_account("333333333333")
    ///     .build();
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Builds a [`BotoSesManager`]; see [`BotoSesManager::builder`].
///
/// Settings are read and checked on first use of the manager, so building one cannot fail.
///
/// # Examples
///
/// ```
/// use bsm_core::BotoSesManager;
///
/// let staging = BotoSesManager::builder()
///     .profile_name("staging")
///     .region("eu-west-1")
///     .expect_account("222222222222")
///     .build();
/// assert_eq!(staging.profile_name(), Some("staging"));
/// ```
#[derive(Clone, Default)]
#[must_use = "finish it with `.build()`"]
pub struct Builder {
    /// `None` for the default chain, or for the profile that the settings name.
    explicit: Option<Explicit>,
    /// A snapshot completes the settings, so it has to wait for all of them.
    snapshot: Option<Box<Snapshot>>,
    settings: Settings,
}

impl Builder {
    /// Sets the profile. Keys in the environment never override it.
    ///
    /// Default: `AWS_DEFAULT_PROFILE`, then `AWS_PROFILE`, then `default`. Keys in the environment
    /// take precedence over a default profile.
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

    /// Sets long-lived keys. They take precedence over every other source.
    #[doc(alias = "access_key")]
    #[doc(alias = "static credentials")]
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

    /// Sets credentials, which can be temporary. They take precedence over every other source, and
    /// are not refreshed; for that, see [`credentials_provider`](Self::credentials_provider).
    pub fn credentials(self, credentials: Credentials) -> Self {
        self.explicit(Explicit::Keys(credentials))
    }

    /// Sets a provider of credentials. The manager calls it once for any number of callers, and
    /// again before the credentials expire.
    pub fn credentials_provider(self, provider: impl ProvideCredentials + 'static) -> Self {
        let provider = SharedCredentialsProvider::new(provider);
        self.explicit(Explicit::Provider(provider))
    }

    /// Sets how long the [credentials provider](Self::credentials_provider), or the one of an
    /// [`SdkConfig`](Self::sdk_config), may take. Default: 60 seconds.
    ///
    /// A call that takes longer is abandoned, and fails with
    /// [`ErrorKind::TimedOut`].
    pub fn credentials_provider_timeout(mut self, timeout: Duration) -> Self {
        self.settings.provider_timeout = Some(timeout);
        self
    }

    /// Takes credentials, region and endpoints from a snapshot; see
    /// [`BotoSesManager::from_snapshot`]. The builder's own settings take precedence.
    pub fn snapshot(mut self, snapshot: Snapshot) -> Self {
        self.explicit = None;
        self.snapshot = Some(Box::new(snapshot));
        self
    }

    /// Sets the complete configuration from an existing `SdkConfig`.
    ///
    /// Of the builder's other settings, only the region and the expected account and region apply.
    pub fn sdk_config(self, config: SdkConfig) -> Self {
        self.explicit(Explicit::SdkConfig(Box::new(config)))
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
            .insert(normalized_service_id(service), url.into());
        self
    }

    /// Sets how requests are retried. Default: `AWS_RETRY_MODE` and `AWS_MAX_ATTEMPTS`, then the
    /// profile's `retry_mode` and `max_attempts`, then the SDK's standard mode with 3 attempts.
    pub fn retry_config(mut self, retry_config: RetryConfig) -> Self {
        self.settings.retry_config = Some(retry_config);
        self
    }

    /// Sets the time-outs of requests. Default: the SDK's, 3.1 s to connect and no other.
    ///
    /// Requests of this crate's own, such as those to STS, are also limited by default: to 10 s for an
    /// attempt, and to what all attempts and the pauses between them take. A time-out that is set here, or
    /// disabled, applies to them as well.
    #[doc(alias = "timeout")]
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
    /// The manager calls STS GetCallerIdentity, which no policy can deny, each time it fetches or refreshes
    /// credentials, before it signs any other request with them.
    pub fn expect_account(mut self, account: impl Into<String>) -> Self {
        self.settings.expect_account = Some(account.into());
        self
    }

    /// Sets the provider of MFA codes, for this manager's profile and for roles that are
    /// assumed from it; see [`mfa`](crate::mfa).
    ///
    /// Default: none, so that a role with an `mfa_serial` fails with
    /// [`ErrorKind::MfaCodeUnavailable`]. A program never
    /// stops at a prompt that it did not set.
    pub fn mfa_token_provider(mut self, provider: impl MfaTokenProvider) -> Self {
        self.settings.mfa = Some(TokenCodes::new(provider));
        self
    }

    /// Calls a function at the end of each refresh of the manager's credentials, and of those of roles that
    /// are assumed from it: to count refreshes, and to raise an alarm while the old credentials are still
    /// valid.
    ///
    /// It is called on a thread of its own, for one event after the other, soon after the refresh: no caller
    /// waits for it, and it may block and use sessions. While it does not return, up to 1,000 events wait for it,
    /// and further ones are dropped, with an ERROR in the log. Its panic is logged. [`shutdown`](crate::shutdown)
    /// does not wait for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bsm_core::BotoSesManager;
    ///
    /// let staging = BotoSesManager::builder()
    ///     .profile_name("staging")
    ///     .on_refresh(|event| match event.error() {
    ///         Some(error) => eprintln!("{}: {error}", event.session()),
    ///         None => println!("{}: valid until {:?}", event.session(), event.expiration()),
    ///     })
    ///     .build();
    /// ```
    pub fn on_refresh(mut self, function: impl Fn(&RefreshEvent) + Send + Sync + 'static) -> Self {
        self.settings.on_refresh = Some(OnRefresh::new(function));
        self
    }

    /// Sets how long a `credential_process` may take. Default: 60 seconds.
    ///
    /// A process that takes longer is killed, and the call fails with
    /// [`ErrorKind::TimedOut`].
    pub fn process_timeout(mut self, timeout: Duration) -> Self {
        self.settings.process_timeout = Some(timeout);
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

    /// Sets an environment variable of a `credential_process`, in addition to those that it inherits
    /// from this process.
    ///
    /// A program that is itself the `credential_process` of a profile can tell by such a variable
    /// that it was started by itself, and end there.
    pub fn process_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let variable = (name.into(), value.into());
        self.settings.process_variables.push(variable);
        self
    }

    /// Shares the credentials of assumed roles with the AWS CLI and with other processes, through
    /// the CLI's own cache, and session tokens with other processes of this crate. Default: off.
    pub fn cli_cache(mut self, cache: CliCache) -> Self {
        self.settings.cli_cache = Some(cache);
        self
    }

    /// Reads the access keys of a profile again when its file has changed. Default: off.
    ///
    /// It is for long-lived programs whose keys another program rotates. While the manager is in use, the
    /// file is read at most once a minute, in the background. Keys that have changed are read a second
    /// time one second later, and STS GetCallerIdentity is asked whose they are. They are used if they are
    /// the same at both times and belong to the account of the old ones. If they belong to another
    /// account, every use of the manager fails with
    /// [`ErrorKind::AccountMismatch`] until the file has keys of the
    /// first account again, or until [`clear_cache`](BotoSesManager::clear_cache). So does every use of a role
    /// that was assumed with them. If they cannot be read, or AWS rejects them, the old ones stay in use.
    ///
    /// Nothing but the keys is read again: not the role, the region or the source. The first use asks
    /// GetCallerIdentity once, to know the account.
    pub fn reload_static_keys(mut self, reload: bool) -> Self {
        self.settings.reload_static_keys = reload;
        self
    }

    /// Fails every use of the manager, before any request, if its region is another one or none.
    ///
    /// It catches the region that an environment variable or a profile brought along. It also
    /// applies to [`with_region`](BotoSesManager::with_region) and to roles that are assumed from
    /// this manager.
    pub fn expect_region(mut self, region: impl Into<String>) -> Self {
        self.settings.expect_region = Some(region.into());
        self
    }

    /// Reads this config file. Default: `AWS_CONFIG_FILE`, then `~/.aws/config`.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.environment.config_file = Some(path.into());
        self
    }

    /// Reads this credentials file. Default: `AWS_SHARED_CREDENTIALS_FILE`, then
    /// `~/.aws/credentials`.
    #[doc(alias = "AWS_SHARED_CREDENTIALS_FILE")]
    pub fn shared_credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.environment.shared_credentials_file = Some(path.into());
        self
    }

    /// Reads the files `config` and `credentials` of this directory; see [`config_file`](Self::config_file) and
    /// [`shared_credentials_file`](Self::shared_credentials_file).
    pub fn profile_dir(self, directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref();
        self.config_file(directory.join("config"))
            .shared_credentials_file(directory.join("credentials"))
    }

    /// Uses these environment variables instead of the process's own.
    ///
    /// Such a manager requests credentials from a container or an instance only if these variables,
    /// or for an instance the profile, name its address.
    #[cfg(any(test, feature = "test-util"))]
    pub fn environment<'a>(
        mut self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let variables: Vec<_> = variables.into_iter().collect();
        let names = variables.iter().map(|(name, _)| (*name).to_owned());
        self.settings.environment.names = names.collect();
        self.settings.environment.variables =
            Some(aws_types::os_shim_internal::Env::from_slice(&variables));
        self
    }

    /// Lists the profiles of the files that the manager would read, by name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if a file cannot be read or
    /// understood. A file that does not exist is an empty one.
    pub fn profiles(&self) -> Result<Vec<ProfileInfo>, Error> {
        Ok(Profiles::load(&self.settings.environment)?.list())
    }

    /// Returns the paths of the config file and of the credentials file that the manager would read,
    /// whether they exist or not. Without a home directory, there may be none.
    pub fn profile_files(&self) -> Vec<PathBuf> {
        let environment = &self.settings.environment;
        let files = [environment.config_file(), environment.credentials_file()];
        files.into_iter().flatten().collect()
    }

    /// Builds the manager.
    pub fn build(mut self) -> BotoSesManager {
        let explicit = match self.snapshot {
            Some(snapshot) => Some(Explicit::Snapshot(snapshot.restore(&mut self.settings))),
            None => self.explicit,
        };
        BotoSesManager::with_session(explicit, self.settings)
    }

    /// Sets the origin of the credentials. The last call takes precedence over earlier ones.
    fn explicit(mut self, explicit: Explicit) -> Self {
        self.explicit = Some(explicit);
        self.snapshot = None;
        self
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
