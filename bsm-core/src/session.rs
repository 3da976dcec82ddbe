//! A session: one identity, shared by all managers for it.

mod bearer_tokens;
pub(crate) mod destinations;
pub(crate) mod redacted;
pub(crate) mod resolution;
pub(crate) mod sdk_config;
pub(crate) mod settings;
#[cfg(feature = "sso-login")]
pub(crate) mod sso;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tracing::Instrument as _;

use self::bearer_tokens::BearerTokens;
use self::destinations::Destinations;
use self::resolution::{CredentialOrigin, Resolution};
use self::sdk_config::{sts_config, sts_region, with_required_parts};
use self::settings::Settings;
use crate::credentials::cli_cache::CachedSessionToken;
use crate::credentials::provider::{SharedProvider, UserProvider};
use crate::credentials::provider_factory::{AssumeRoleContext, ProviderFactory, assumed_role};
use crate::credentials::role_request::RoleRequest;
use crate::credentials::session_token::{SessionTokenProvider, SessionTokenRequest};
use crate::credentials::{AccountGuard, Observer, Refresher};
use crate::endpoint::{self, Form, Setting, shown};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::identity::{CallerIdentity, PerCredentials};
use crate::profile::Profiles;
use crate::sync::generation::{Generation, Resettable};
use crate::sync::single_flight::AsyncOnce;
use crate::validation;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An identity: its settings, and everything that has been resolved from them.
pub(crate) struct Session {
    /// `None` for the default chain, or for the profile that the settings name.
    explicit: Option<Explicit>,
    pub(crate) settings: Settings,
    /// How often the session has been cleared.
    cleared: AtomicU64,
    state: Resettable<State>,
}

/// What a manager was explicitly made from.
#[derive(Clone)]
pub(crate) enum Explicit {
    Keys(Credentials),
    Provider(SharedCredentialsProvider),
    /// The credentials of a snapshot.
    Snapshot(SharedProvider),
    SdkConfig(Box<SdkConfig>),
    Role(Box<Derived<RoleRequest>>),
    SessionToken(Box<Derived<SessionTokenRequest>>),
    /// No session at all: every use fails.
    NoSession,
}

/// What STS issues for the credentials of another session.
#[derive(Clone)]
pub(crate) struct Derived<R> {
    pub(crate) parent: Arc<Session>,
    /// The region of the parent's manager, if it is not the parent session's.
    pub(crate) parent_region: Option<Region>,
    pub(crate) request: R,
}

/// What has been resolved since the session was last cleared.
#[derive(Default)]
struct State {
    resolved: AsyncOnce<Arc<Resolved>>,
}

/// A resolved session. No request has been sent for it, except to instance metadata for the region.
pub(crate) struct Resolved {
    /// The complete configuration for managers without a region of their own.
    pub(crate) config: Arc<SdkConfig>,
    pub(crate) region: Option<Region>,
    sts_region: Region,
    pub(crate) credentials: Refresher,
    /// Settings that a process must share to send its requests to the same places.
    pub(crate) destinations: Destinations,
    /// Also set by the account guard.
    identity: Arc<PerCredentials<CallerIdentity>>,
    #[cfg(feature = "iam")]
    alias: PerCredentials<Option<String>>,
}

impl Session {
    pub(crate) fn new(explicit: Option<Explicit>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            explicit,
            settings,
            cleared: AtomicU64::default(),
            state: Resettable::default(),
        })
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.settings.environment
    }

    /// Invalidates everything that was resolved, for this session and the roles assumed from it.
    pub(crate) fn clear(&self) {
        // Pairs with the load in `generation`: a reader of the new number also sees what the caller
        // did before it cleared the session.
        self.cleared.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns the number of the session's generation: it grows when this session or one of its
    /// parents is cleared.
    pub(crate) fn generation(&self) -> u64 {
        let own = self.cleared.load(Ordering::Acquire);
        match &self.explicit {
            Some(Explicit::Role(role)) => own + role.parent.generation(),
            Some(Explicit::SessionToken(token)) => own + token.parent.generation(),
            _ => own,
        }
    }

    fn state(&self) -> Arc<Generation<State>> {
        self.state.at(self.generation())
    }

    pub(crate) async fn resolved(self: &Arc<Self>) -> Result<Arc<Resolved>, Error> {
        self.state()
            .resolved
            .get_or_resolve(|| Arc::clone(self).resolve())
            .await
            .cloned()
    }

    /// Resolves the session for a manager with a region of its own, which the region guard checks
    /// first.
    pub(crate) async fn resolved_in(
        self: &Arc<Self>,
        region: Option<&Region>,
    ) -> Result<Arc<Resolved>, Error> {
        if let Some(region) = region {
            validation::check_region(region.as_ref(), "region", ErrorKind::InvalidInput)?;
            check_region(self.settings.expect_region.as_deref(), Some(region))?;
        }
        self.resolved().await
    }

    /// Returns the resolved session if it is there already; never starts to resolve it.
    pub(crate) fn resolved_if_ready(&self) -> Option<Arc<Resolved>> {
        self.state().resolved.get().cloned()
    }

    pub(crate) fn caller_if_ready(&self) -> Option<CallerIdentity> {
        let resolved = self.resolved_if_ready()?;
        resolved
            .identity
            .get(&resolved.credentials.cached_if_any()?)
    }

    /// Returns the identity of the credentials as they are now.
    pub(crate) async fn caller(self: &Arc<Self>) -> Result<CallerIdentity, Error> {
        let resolved = self.resolved().await?;
        // Each time, because a provider may return another identity's after a refresh.
        let credentials = resolved.credentials.credentials().await?;
        if let Some(caller) = resolved.identity.get(&credentials) {
            tracing::trace!(arn = caller.arn(), "using the cached identity");
            return Ok(caller);
        }
        let look_up = || {
            let (credentials, sts) = (credentials.clone(), resolved.sts());
            async move { CallerIdentity::of(&credentials, &sts).await }
        };
        resolved
            .identity
            .get_or_resolve(&credentials, look_up)
            .await
    }

    #[cfg(feature = "iam")]
    pub(crate) async fn alias(self: &Arc<Self>) -> Result<Option<String>, Error> {
        let resolved = self.resolved().await?;
        let credentials = resolved.credentials.credentials().await?;
        let look_up = || {
            let (credentials, sts) = (credentials.clone(), resolved.sts());
            async move { crate::identity::account_alias(&credentials, &sts).await }
        };
        resolved.alias.get_or_resolve(&credentials, look_up).await
    }

    /// Describes where the credentials come from, without a request.
    pub(crate) fn credentials_source(&self) -> Result<String, Error> {
        Ok(match &self.explicit {
            None => Resolution::new(&self.settings, None)?.origin.to_string(),
            Some(Explicit::Keys(_)) => "keys given to the builder".to_owned(),
            Some(Explicit::Provider(_) | Explicit::Snapshot(_)) => {
                "a provider given to the builder".to_owned()
            }
            Some(Explicit::SdkConfig(_)) => "an SdkConfig given to the builder".to_owned(),
            Some(Explicit::Role(role)) => format!(
                "role {}, with {}",
                role.request.role_arn,
                role.parent.credentials_source()?
            ),
            Some(Explicit::SessionToken(token)) => {
                format!(
                    "a session token, with {}",
                    token.parent.credentials_source()?
                )
            }
            Some(Explicit::NoSession) => return Err(no_session()),
        })
    }

    // The future is boxed, because a role's session resolves its parent's: the type would be
    // infinite.
    fn resolve(self: Arc<Self>) -> BoxFuture<Result<Arc<Resolved>, Error>> {
        let span = tracing::debug_span!("resolve", profile = self.settings.profile_name);
        let resolve = async move {
            let outcome = self.resolve_now().await;
            match &outcome {
                Ok(resolved) => tracing::debug!(
                    region = resolved.region.as_ref().map(Region::as_ref),
                    endpoint_url = resolved.config.endpoint_url().map(shown).as_deref(),
                    "resolved a session"
                ),
                Err(error) => tracing::debug!(
                    kind = ?error.kind(),
                    %error,
                    "a session could not be resolved"
                ),
            }
            outcome.map(Arc::new)
        };
        Box::pin(resolve.instrument(span))
    }

    async fn resolve_now(&self) -> Result<Resolved, Error> {
        let parts = match &self.explicit {
            Some(Explicit::NoSession) => return Err(no_session()),
            // Here and for roles, no `Resolution` checks the builder's region.
            Some(Explicit::SdkConfig(config)) => {
                self.settings.check_region()?;
                self.resolve_from_sdk_config(config)?
            }
            Some(Explicit::Role(role)) => {
                self.settings.check_region()?;
                self.resolve_role(role).await?
            }
            Some(Explicit::SessionToken(token)) => self.resolve_session_token(token).await?,
            Some(Explicit::Keys(keys)) => {
                self.resolve_from_environment(Some(Arc::new(keys.clone())))
                    .await?
            }
            Some(Explicit::Provider(provider)) => {
                let provider =
                    UserProvider::shared(provider.clone(), self.settings.provider_timeout());
                self.resolve_from_environment(Some(provider)).await?
            }
            Some(Explicit::Snapshot(credentials)) => {
                self.resolve_from_environment(Some(Arc::clone(credentials)))
                    .await?
            }
            None => self.resolve_from_environment(None).await?,
        };
        let Parts {
            config,
            region,
            sts_region,
            source,
            destinations,
        } = parts;
        // The settings' own regions are checked, and named, where they are read. This one may also come
        // from an SdkConfig or from the instance.
        if let Some(region) = &region {
            validation::check_region(region.as_ref(), "the region", ErrorKind::InvalidConfig)?;
        }
        check_region(self.settings.expect_region.as_deref(), region.as_ref())?;
        // Shared with the guard, whose request to STS need not be repeated for `caller`.
        let identity = Arc::default();
        let source = match &self.settings.expect_account {
            Some(account) => Arc::new(AccountGuard::new(
                account.clone(),
                source,
                sts_config(&config, &sts_region),
                Arc::clone(&identity),
            )),
            None => source,
        };
        let observer = Observer::of_session(self.to_string());
        let observer = observer.with_function(self.settings.on_refresh.clone());
        let credentials = Refresher::new(source, self.settings.time_source(), observer);
        let config = self.bearer_tokens().only(config);
        let config = config
            .to_builder()
            .region(region.clone())
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .build();
        Ok(Resolved {
            config: Arc::new(config),
            region,
            sts_region,
            credentials,
            destinations,
            identity,
            #[cfg(feature = "iam")]
            alias: PerCredentials::default(),
        })
    }

    fn bearer_tokens(&self) -> BearerTokens {
        let is_chosen =
            self.settings.profile_name.is_some() || self.settings.expect_account.is_some();
        match self.explicit {
            None | Some(Explicit::SdkConfig(_)) if is_chosen => BearerTokens::OfProfile,
            None | Some(Explicit::SdkConfig(_)) => BearerTokens::All,
            Some(_) => BearerTokens::None,
        }
    }

    fn resolve_from_sdk_config(&self, config: &SdkConfig) -> Result<Parts, Error> {
        let source = config.credentials_provider().ok_or_else(|| {
            Error::new(
                ErrorKind::NoCredentials,
                "the SdkConfig has no credentials provider: load it with aws_config, or set one",
            )
        })?;
        if let Some(url) = config.endpoint_url() {
            endpoint::check(url, Form::Endpoint, Setting::SdkConfig)?;
        }
        let region = self.explicit_region().or_else(|| config.region().cloned());
        Ok(Parts {
            sts_region: sts_region(region.as_ref(), None),
            region,
            config: with_required_parts(config, &self.settings)?,
            source: UserProvider::shared(source, self.settings.provider_timeout()),
            // An `SdkConfig` does not list the services that have endpoints of their own.
            destinations: Destinations::default(),
        })
    }

    async fn resolve_session_token(
        &self,
        token: &Derived<SessionTokenRequest>,
    ) -> Result<Parts, Error> {
        let (resolved, region) = self.resolve_parent(token).await?;
        let provider = SessionTokenProvider::new(
            token.request.clone(),
            &resolved.credentials,
            &resolved.sts(),
            self.settings.mfa.as_ref(),
        )?;
        Ok(Parts {
            config: SdkConfig::clone(&resolved.config),
            sts_region: resolved.sts_region.clone(),
            region,
            source: match self.settings.cli_cache() {
                Some(store) => Arc::new(CachedSessionToken::new(provider, store)),
                None => Arc::new(provider),
            },
            destinations: resolved.destinations.clone(),
        })
    }

    /// Returns the resolved parent, and the region of this session.
    async fn resolve_parent<R>(
        &self,
        derived: &Derived<R>,
    ) -> Result<(Arc<Resolved>, Option<Region>), Error> {
        let parent_region = derived.parent_region.as_ref();
        let resolved = derived.parent.resolved_in(parent_region).await?;
        let region = self
            .explicit_region()
            .or_else(|| parent_region.cloned())
            .or_else(|| resolved.region.clone());
        Ok((resolved, region))
    }

    async fn resolve_role(&self, role: &Derived<RoleRequest>) -> Result<Parts, Error> {
        let (resolved, region) = self.resolve_parent(role).await?;
        // The parent signs the request, so its region comes first.
        let known = resolved.region.as_ref().or(region.as_ref());
        let sts_region = sts_region(known, Some(&role.request.role_arn));
        let context = AssumeRoleContext {
            parent: &resolved.credentials,
            sts: &sts_config(&resolved.config, &sts_region),
            mfa: self.settings.mfa.as_ref(),
            cli_cache: self.settings.cli_cache(),
        };
        Ok(Parts {
            config: SdkConfig::clone(&resolved.config),
            sts_region: region.clone().unwrap_or(sts_region),
            region,
            source: assumed_role(role.request.clone(), &context)?,
            destinations: resolved.destinations.clone(),
        })
    }

    /// Resolves the session from settings, environment and profile files.
    async fn resolve_from_environment(
        &self,
        explicit: Option<SharedProvider>,
    ) -> Result<Parts, Error> {
        let settings = &self.settings;
        let profiles = Profiles::load_blocking(&settings.environment).await?;
        let resolution = Resolution::with(settings, profiles, explicit)?;
        resolution.check_region(settings)?;
        let (profiles, profile) = (&resolution.profiles, &resolution.profile);
        let mut region = resolution.region.clone().map(Region::new);
        let config = sdk_config::load(settings, profiles, profile, region.clone()).await?;
        let destinations = Destinations::new(settings, profiles, profile);
        let sts_region = sts_region(region.as_ref(), resolution.origin.role_arn());
        let sts = sts_config(&config, &sts_region);
        let providers = ProviderFactory {
            session: self.to_string(),
            environment: &settings.environment,
            mfa: settings.mfa.as_ref(),
            cli_cache: settings.cli_cache(),
            process_streams: settings.process_streams,
            process_timeout: settings.process_timeout(),
            process_variables: &settings.process_variables,
            time_source: settings.time_source(),
            reload_static_keys: settings.reload_static_keys,
            config: &config,
            sts: &sts,
            profile,
            are_retries_set: sdk_config::sets_attempts(settings, profile),
            direct: sdk_config::direct_http_client(settings, profile).await?,
        };
        if let Some(Explicit::Keys(keys)) = &self.explicit {
            validation::check(keys, &validation::KeySettingNames::of_builder())?;
        }
        let source = match resolution.origin {
            CredentialOrigin::Explicit(provider) => provider,
            CredentialOrigin::Environment(keys) => Arc::new(keys),
            CredentialOrigin::Profile(chain) => providers.for_chain(chain)?,
            CredentialOrigin::ContainerOrInstance => {
                let machine = providers
                    .container_or_instance()?
                    .ok_or_else(nothing_found)?;
                // Only here: a session with a profile or keys must not wait for a metadata service
                // that is not there.
                if region.is_none() {
                    region = providers.instance_region().await;
                }
                machine
            }
        };
        Ok(Parts {
            config,
            // The instance may have named a region meanwhile.
            sts_region: region.clone().unwrap_or(sts_region),
            region,
            source,
            destinations,
        })
    }

    fn explicit_region(&self) -> Option<Region> {
        self.settings.region.clone().map(Region::new)
    }
}

/// Names the session as its user knows it: `profile "staging"`.
impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.explicit, &self.settings.profile_name) {
            (Some(Explicit::NoSession), _) => f.write_str("no session"),
            (Some(Explicit::Role(role)), _) => {
                write!(f, "role {} through {}", role.request.role_arn, role.parent)
            }
            (Some(Explicit::SessionToken(token)), _) => {
                write!(f, "session token of {}", token.parent)
            }
            (Some(Explicit::SdkConfig(_)), _) => f.write_str("an SdkConfig"),
            // An access key id is no secret: AWS shows it in CloudTrail.
            (Some(Explicit::Keys(keys)), _) => write!(f, "keys {}", keys.access_key_id()),
            (Some(Explicit::Provider(_) | Explicit::Snapshot(_)), _) => {
                f.write_str("a credentials provider")
            }
            (None, Some(profile)) => write!(f, "profile {profile:?}"),
            (None, None) => f.write_str("the default chain"),
        }
    }
}

impl Resolved {
    /// Returns the configuration for requests to STS with the credentials of this session.
    pub(crate) fn sts(&self) -> SdkConfig {
        sts_config(&self.config, &self.sts_region)
    }
}

/// The parts of a resolved session, before the guards are applied.
struct Parts {
    config: SdkConfig,
    region: Option<Region>,
    /// The region, or one of the partition that the role is in.
    sts_region: Region,
    source: SharedProvider,
    destinations: Destinations,
}

/// Fails for a region other than the expected one.
fn check_region(expected: Option<&str>, region: Option<&Region>) -> Result<(), Error> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let found = match region.map(Region::as_ref) {
        Some(region) if region == expected => return Ok(()),
        Some(region) => format!("the region is {region}"),
        None => "no region is known".to_owned(),
    };
    Err(Error::new(
        ErrorKind::RegionMismatch,
        format!(
            "{found}, but {expected} was expected: nothing was sent; check AWS_REGION, the \
             profile, and the regions given to region() and expect_region()"
        ),
    ))
}

fn no_session() -> Error {
    Error::new(
        ErrorKind::NoSession,
        "no AWS session is in scope: run this inside scope() or awsenv(), or spawn it with \
         in_current_scope()",
    )
}

fn nothing_found() -> Error {
    Error::new(
        ErrorKind::NoCredentials,
        "no credentials were found in the environment or the default profile: name a profile, or \
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
}
