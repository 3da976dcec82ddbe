//! One identity: what all managers for it share.

pub(crate) mod redacted;
pub(crate) mod resolution;
pub(crate) mod settings;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use aws_config::imds::region::ImdsRegionProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::default_async_sleep;
use tracing::Instrument as _;

use crate::credentials::role::{AssumedRole, Means, RoleRequest};
use crate::credentials::source::Sources;
use crate::credentials::{AccountGuard, Refresher, Supply};
use crate::endpoint::{self, Form, Setting, shown};
use crate::error::{Error, ErrorKind};
use crate::identity::CallerIdentity;
use crate::manager::BotoSesManager;
use crate::session::redacted::redacted;
use crate::session::resolution::{Chosen, Resolution};
use crate::session::settings::{Settings, behavior_version};
use crate::sync::generation::{Generation, Resettable};
use crate::sync::single_flight::AsyncOnce;
use crate::validation;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// STS answers in every region; this one is asked where none is known.
const STS_REGION: &str = "us-east-1";

/// An identity: where its credentials come from, and all that was found out about it.
pub(crate) struct Session {
    pub(crate) origin: Origin,
    pub(crate) settings: Settings,
    /// Grows by one whenever everything is to be forgotten.
    cleared: AtomicU64,
    known: Resettable<Known>,
}

/// What was found out about a session.
#[derive(Default)]
struct Known {
    resolved: AsyncOnce<Arc<Resolved>>,
    caller: AsyncOnce<CallerIdentity>,
    #[cfg(feature = "iam")]
    alias: AsyncOnce<Option<String>>,
}

/// Where the credentials of a session come from.
pub(crate) enum Origin {
    /// The default chain, or a profile if the settings name one.
    Ambient,
    Keys(Credentials),
    Provider(SharedCredentialsProvider),
    Config(Box<SdkConfig>),
    Role {
        parent: BotoSesManager,
        request: Box<RoleRequest>,
    },
    /// Nowhere: every use fails.
    None,
}

/// What is known of a session once its files have been read. No request has been made for it.
pub(crate) struct Resolved {
    /// Complete, for managers that have no region of their own.
    pub(crate) config: Arc<SdkConfig>,
    pub(crate) region: Option<Region>,
    pub(crate) credentials: Refresher,
    /// What the account guard has found out.
    guarded: Arc<OnceLock<CallerIdentity>>,
}

impl Session {
    pub(crate) fn new(origin: Origin, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            origin,
            settings,
            cleared: AtomicU64::default(),
            known: Resettable::default(),
        })
    }

    /// Forgets all that was found out, for this session and the roles assumed from it.
    pub(crate) fn clear(&self) {
        self.cleared.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns a number that grows whenever this session or one that it stands on is cleared.
    pub(crate) fn generation(&self) -> u64 {
        let own = self.cleared.load(Ordering::Acquire);
        match &self.origin {
            Origin::Role { parent, .. } => own + parent.session().generation(),
            _ => own,
        }
    }

    fn known(&self) -> Arc<Generation<Known>> {
        self.known.at(self.generation())
    }

    pub(crate) async fn resolved(self: &Arc<Self>) -> Result<Arc<Resolved>, Error> {
        self.known()
            .resolved
            .get_or_resolve(|| Arc::clone(self).resolve())
            .await
            .cloned()
    }

    /// What is known so far, without finding out more.
    pub(crate) fn peek(&self) -> Option<Arc<Resolved>> {
        self.known().resolved.get().cloned()
    }

    pub(crate) fn peek_caller(&self) -> Option<CallerIdentity> {
        self.known().caller.get().cloned()
    }

    pub(crate) async fn caller(self: &Arc<Self>) -> Result<CallerIdentity, Error> {
        let known = self.known();
        if let Some(caller) = known.caller.get() {
            tracing::trace!(arn = caller.arn(), "the identity is known");
            return Ok(caller.clone());
        }
        let ask = async |session: Arc<Self>| {
            let resolved = session.resolved().await?;
            let credentials = resolved.credentials.credentials().await?;
            match resolved.guarded.get() {
                Some(caller) => Ok(caller.clone()),
                None => CallerIdentity::of(&credentials, &resolved.sts()).await,
            }
        };
        let caller = known.caller.get_or_resolve(|| ask(Arc::clone(self)));
        caller.await.cloned()
    }

    #[cfg(feature = "iam")]
    pub(crate) async fn alias(self: &Arc<Self>) -> Result<Option<String>, Error> {
        self.known()
            .alias
            .get_or_resolve(|| {
                let session = Arc::clone(self);
                async move {
                    let resolved = session.resolved().await?;
                    crate::identity::account_alias(&resolved.sts()).await
                }
            })
            .await
            .cloned()
    }

    /// A role's session resolves its parent's, so the type of the future has to be erased.
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
        let found = match &self.origin {
            Origin::None => return Err(no_session()),
            Origin::Config(config) => {
                self.settings.check_region()?;
                self.found_in_config(config)?
            }
            Origin::Role { parent, request } => {
                self.settings.check_region()?;
                self.found_through_role(parent, request).await?
            }
            Origin::Ambient | Origin::Keys(_) | Origin::Provider(_) => self.found_around().await?,
        };
        let Found {
            config,
            region,
            source,
        } = found;
        check_region(self.settings.expect_region.as_deref(), region.as_ref())?;
        let guarded = Arc::default();
        let source = match &self.settings.expect_account {
            Some(account) => Supply {
                provider: SharedCredentialsProvider::new(AccountGuard::new(
                    account.clone(),
                    source.provider,
                    sts_config(&config, region.as_ref()),
                    Arc::clone(&guarded),
                )),
                ..source
            },
            None => source,
        };
        let credentials = Refresher::new(source, self.settings.time_source());
        let config = config
            .to_builder()
            .region(region.clone())
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .build();
        Ok(Resolved {
            config: Arc::new(config),
            region,
            credentials,
            guarded,
        })
    }

    fn found_in_config(&self, config: &SdkConfig) -> Result<Found, Error> {
        let source = config.credentials_provider().ok_or_else(|| {
            Error::new(
                ErrorKind::NoCredentials,
                "the SdkConfig has no credentials provider: load it with aws_config, or set one",
            )
        })?;
        if let Some(url) = config.endpoint_url() {
            endpoint::check(url, Form::Endpoint, Setting::SdkConfig)?;
        }
        // A hand-built config may lack what a client cannot do without, and would panic.
        let mut builder = redacted(config).to_builder();
        if config.behavior_version().is_none() {
            builder.set_behavior_version(Some(behavior_version()));
        }
        if config.sleep_impl().is_none() {
            builder.set_sleep_impl(default_async_sleep());
        }
        if config.time_source().is_none() {
            builder.set_time_source(Some(self.settings.time_source()));
        }
        if config.http_client().is_none() {
            let shared = || crate::http::shared();
            builder.set_http_client(Some(
                self.settings.http_client.clone().unwrap_or_else(shared),
            ));
        }
        builder.set_identity_cache(Some(aws_config::identity::IdentityCache::no_cache()));
        Ok(Found {
            region: self.told_region().or_else(|| config.region().cloned()),
            config: builder.build(),
            source: source.into(),
        })
    }

    async fn found_through_role(
        &self,
        parent: &BotoSesManager,
        request: &RoleRequest,
    ) -> Result<Found, Error> {
        let resolved = parent.resolved().await?;
        let region = self
            .told_region()
            .or_else(|| parent.region_override())
            .or_else(|| resolved.region.clone());
        let means = Means {
            parent: &resolved.credentials,
            sts: &resolved.sts(),
            mfa: self.settings.mfa.as_ref(),
            cli_cache: self.settings.cli_cache(),
        };
        Ok(Found {
            config: SdkConfig::clone(&resolved.config),
            region,
            source: AssumedRole::supply(request.clone(), &means)?,
        })
    }

    /// From the environment, the profile files, and what was told explicitly.
    async fn found_around(&self) -> Result<Found, Error> {
        let settings = &self.settings;
        let told = !matches!(self.origin, Origin::Ambient);
        let found = Resolution::of(settings, told)?;
        found.check_region(settings)?;
        let config = settings.load(&found).await?;
        let mut region = found.region.map(Region::new);
        let sts = sts_config(&config, region.as_ref());
        let sources = Sources {
            settings,
            sts: &sts,
        };
        let source = match (&self.origin, found.chosen) {
            (Origin::Keys(keys), _) => {
                validation::check(keys, &validation::Names::of_builder())?;
                SharedCredentialsProvider::new(keys.clone()).into()
            }
            (Origin::Provider(provider), _) => provider.clone().into(),
            (_, Chosen::Environment(keys)) => SharedCredentialsProvider::new(keys).into(),
            (_, Chosen::Plan(plan)) => sources.of_plan(plan)?,
            (_, Chosen::Told | Chosen::Machine) => {
                let machine = sources.of_the_machine()?.ok_or_else(nothing_found)?;
                if region.is_none() {
                    region = ImdsRegionProvider::builder()
                        .configure(&sources.provider_config())
                        .build()
                        .region()
                        .await;
                }
                machine.into()
            }
        };
        Ok(Found {
            config,
            region,
            source,
        })
    }

    fn told_region(&self) -> Option<Region> {
        self.settings.region.clone().map(Region::new)
    }
}

impl Resolved {
    /// How STS is reached with the credentials of this session.
    pub(crate) fn sts(&self) -> SdkConfig {
        sts_config(&self.config, self.region.as_ref())
    }
}

struct Found {
    config: SdkConfig,
    region: Option<Region>,
    source: Supply,
}

fn sts_config(config: &SdkConfig, region: Option<&Region>) -> SdkConfig {
    let region = region.cloned().unwrap_or(Region::from_static(STS_REGION));
    config.to_builder().region(region).build()
}

/// Refuses a region other than the expected one.
pub(crate) fn check_region(expected: Option<&str>, region: Option<&Region>) -> Result<(), Error> {
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
            "{found}, but {expected} was expected: nothing was sent; check AWS_REGION, the profile and \
             the region given, or the one given to expect_region"
        ),
    ))
}

pub(crate) fn no_session() -> Error {
    Error::new(
        ErrorKind::NoSession,
        "no AWS session is in scope: run this inside of awsenv() or scope(), or install a default \
         other than BotoSesManager::none()",
    )
}

fn nothing_found() -> Error {
    Error::new(
        ErrorKind::NoCredentials,
        "no credentials were found in the environment or the default profile: name a profile, or \
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
}
