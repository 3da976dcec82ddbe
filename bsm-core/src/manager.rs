//! The handle to a session.

// First, because rustdoc shows the blocks in the order of the modules, and the constructors come
// first on the page of the manager.
pub(crate) mod builder;

pub(crate) mod assume_role;
mod handover;
pub(crate) mod session_token;
#[cfg(feature = "sso-login")]
mod sso;
mod whoami;

use std::any::{Any, TypeId, type_name};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use chrono::{DateTime, Utc};
use parking_lot::{Mutex, ReentrantMutex};

use crate::error::{Error, ErrorKind};
use crate::session::settings::Settings;
use crate::session::{Derived, Explicit, Resolved, Session};
use crate::sync::generation::{Generation, Resettable};
use crate::sync::single_flight::AsyncOnce;
use crate::time::to_utc;
use crate::transport;
use crate::validation;

/// An AWS session: one identity, in one region.
///
/// A manager is a cheap handle to share between threads and tasks. Creating one does no I/O. It
/// resolves the profile, region, credentials, identity and clients when they are first needed, once
/// for any number of callers, and caches them. An error is not cached.
///
/// # Examples
///
/// ```no_run
/// # async fn f() -> Result<(), bsm_core::Error> {
/// use bsm_core::BotoSesManager;
///
/// let staging = BotoSesManager::from_profile("staging");
/// println!("{} in {}", staging.aws_account_id().await?, staging.aws_region().await?);
///
/// let admin = staging.assume_role("arn:aws:iam::222222222222:role/Admin").build();
/// let sts = admin.client(aws_sdk_sts::Client::new).await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "Session")]
#[doc(alias = "boto3")]
#[derive(Clone)]
pub struct BotoSesManager {
    inner: Inner,
}

#[derive(Clone)]
enum Inner {
    Owned(Arc<Shared>),
    /// The process default, which is never dropped. Without a reference count, tasks on all cores
    /// can clone it without contention.
    Static(&'static Shared),
}

impl Deref for Inner {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        match self {
            Self::Owned(shared) => shared,
            Self::Static(shared) => shared,
        }
    }
}

struct Shared {
    session: Arc<Session>,
    /// The region of this manager, if it is not the session's.
    region: Option<Region>,
    clients: Resettable<Clients>,
    /// The managers of the same session in other regions.
    regions: Mutex<HashMap<String, BotoSesManager>>,
}

/// The configuration and the clients of a manager in its region.
#[derive(Default)]
struct Clients {
    config: AsyncOnce<Arc<SdkConfig>>,
    by_type: Mutex<HashMap<TypeId, Arc<Slot>>>,
    by_name: Mutex<HashMap<ClientName, Arc<Slot>>>,
}

type ClientName = (TypeId, Cow<'static, str>);

/// One client.
type Slot = ReentrantMutex<OnceCell<Box<dyn Any + Send + Sync>>>;

impl Clients {
    fn slot(&self, client: TypeId) -> Arc<Slot> {
        Arc::clone(self.by_type.lock().entry(client).or_default())
    }

    fn named_slot(&self, client: TypeId, name: Cow<'static, str>) -> Arc<Slot> {
        Arc::clone(self.by_name.lock().entry((client, name)).or_default())
    }
}

impl BotoSesManager {
    pub(crate) fn with_session(explicit: Option<Explicit>, settings: Settings) -> Self {
        Self::view(Session::new(explicit, settings), None)
    }

    fn view(session: Arc<Session>, region: Option<Region>) -> Self {
        Self {
            inner: Inner::Owned(Arc::new(Shared {
                session,
                region,
                clients: Resettable::default(),
                regions: Mutex::default(),
            })),
        }
    }

    /// Returns a handle to a manager that is never dropped.
    pub(crate) fn of_the_process(&'static self) -> Self {
        Self {
            inner: Inner::Static(&self.inner),
        }
    }

    /// Returns the manager for the same identity in another region.
    ///
    /// Both share credentials and their refresh. Calling it again with the same region returns the
    /// same manager, with its cached clients.
    #[must_use]
    pub fn with_region(&self, region: impl Into<String>) -> Self {
        let region = region.into();
        if self.inner.region.as_ref().map(Region::as_ref) == Some(&region) {
            // Otherwise the map would get a second view in this region, with clients of its own.
            return self.clone();
        }
        // The map is this view's own: another view of the session has its own clients for a region.
        let mut regions = self.inner.regions.lock();
        let view = || Self::view(self.session().clone(), Some(Region::new(region.clone())));
        regions.entry(region.clone()).or_insert_with(view).clone()
    }
}

/// # Clients
impl BotoSesManager {
    /// Returns the client of a type, created with `new` on first use.
    ///
    /// It works with every client of the SDK. The manager caches clients by type, so `new` must
    /// create the same client for the same type. For a client with another configuration, see
    /// [`named_client`](Self::named_client).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// # let bsm = bsm_core::BotoSesManager::new();
    /// let sts = bsm.client(aws_sdk_sts::Client::new).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`sdk_config`](Self::sdk_config), and [`ErrorKind::InvalidConfig`] or
    /// [`ErrorKind::InvalidInput`] if the endpoint that is set for the client's service is not a
    /// URL.
    pub async fn client<C>(&self, new: impl FnOnce(&SdkConfig) -> C) -> Result<C, Error>
    where
        C: Clone + Send + Sync + 'static,
    {
        // One generation for the whole call: `clear_cache` in the meantime affects the next call.
        let cache = self.clients();
        let config = self.config(&cache).await?;
        self.client_of(&cache.slot(TypeId::of::<C>()), config, new)
    }

    /// Returns the client of a type and a name, created with `new` on first use.
    ///
    /// As [`client`](Self::client), for clients of one type that differ in their configuration: the manager
    /// caches one for each name, until [`clear_cache`](Self::clear_cache). `new` must create the same client
    /// for the same name.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// # let bsm = bsm_core::BotoSesManager::new();
    /// let patient = bsm
    ///     .named_client("patient", |config| {
    ///         let retries = aws_config::retry::RetryConfig::standard().with_max_attempts(10);
    ///         let config = aws_sdk_sts::config::Builder::from(config).retry_config(retries);
    ///         aws_sdk_sts::Client::from_conf(config.build())
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`client`](Self::client).
    pub async fn named_client<C>(
        &self,
        name: impl Into<Cow<'static, str>>,
        new: impl FnOnce(&SdkConfig) -> C,
    ) -> Result<C, Error>
    where
        C: Clone + Send + Sync + 'static,
    {
        let cache = self.clients();
        let config = self.config(&cache).await?;
        self.client_of(
            &cache.named_slot(TypeId::of::<C>(), name.into()),
            config,
            new,
        )
    }

    fn client_of<C>(
        &self,
        slot: &Slot,
        config: &SdkConfig,
        new: impl FnOnce(&SdkConfig) -> C,
    ) -> Result<C, Error>
    where
        C: Clone + Send + Sync + 'static,
    {
        // A lock for this client alone, which the thread that holds it can take again: `new` can ask for
        // clients itself.
        let slot = slot.lock();
        if slot.get().is_some() {
            tracing::trace!(session = %self, client = type_name::<C>(), "using the cached client");
        } else {
            tracing::debug!(session = %self, client = type_name::<C>(), "creating a client");
            let client = Box::new(transport::client(config, new)?);
            // If `new` has asked for the same client, that one is cached.
            let _ = slot.set(client);
        }
        let client = slot.get().and_then(|client| client.downcast_ref::<C>());
        Ok(client
            .expect("a client is cached under its own type")
            .clone())
    }

    /// Returns the configuration that clients are made from.
    ///
    /// Its credentials are this manager's and are refreshed. Its `Debug` form shows no secret.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ProfileNotFound`], [`ErrorKind::InvalidConfig`], [`ErrorKind::NoCredentials`]
    /// and [`ErrorKind::InvalidInput`] if the settings name no usable credentials;
    /// [`ErrorKind::NoRegion`] if no region could be found; [`ErrorKind::NoSession`] for
    /// [`none`](Self::none).
    pub async fn sdk_config(&self) -> Result<SdkConfig, Error> {
        self.config(&self.clients()).await.cloned()
    }

    fn clients(&self) -> Arc<Generation<Clients>> {
        self.inner.clients.at(self.session().generation())
    }

    async fn config<'a>(&self, cache: &'a Clients) -> Result<&'a SdkConfig, Error> {
        cache
            .config
            .get_or_resolve(|| {
                // The engine runs the future, which can outlive this call: it has its own handle.
                let manager = self.clone();
                async move {
                    let region = manager.region().await?;
                    let config = Arc::clone(&manager.session().resolved().await?.config);
                    // A manager without a region of its own shares the session's configuration.
                    if config.region() == Some(&region) {
                        return Ok(config);
                    }
                    Ok(Arc::new(config.to_builder().region(region).build()))
                }
            })
            .await
            .map(|config| &**config)
    }

    /// Invalidates everything that was resolved, for all clones and all regions of this manager.
    ///
    /// The next use reads the profile files and the environment again, fetches credentials, looks
    /// up the identity, and creates new clients. The same applies to roles that were assumed from
    /// this manager. A role's own manager invalidates only the role: the credentials it was assumed
    /// with are its parent's; clear them there.
    ///
    /// It never waits. Requests in flight continue with the values they have, and so do clients and
    /// configurations that you already have: get new ones. Files of the AWS CLI's cache are left
    /// alone: an entry with 15 minutes left is used again, see [`CliCache`](crate::CliCache).
    #[doc(alias = "refresh")]
    #[doc(alias = "invalidate")]
    pub fn clear_cache(&self) {
        tracing::debug!(session = %self, "cleared the cache of a session");
        self.session().clear();
    }
}

/// # Credentials
impl BotoSesManager {
    /// Returns the credentials, refreshing them first if necessary.
    ///
    /// # Errors
    ///
    /// Those of [`sdk_config`](Self::sdk_config) except the region's, and what the source of the
    /// credentials fails with: [`ErrorKind::AccessDenied`], [`ErrorKind::CredentialsRejected`],
    /// [`ErrorKind::CredentialsUnavailable`], [`ErrorKind::Unreachable`],
    /// [`ErrorKind::AccountMismatch`].
    pub async fn credentials(&self) -> Result<Credentials, Error> {
        let resolved = self.resolved().await?;
        resolved.credentials.credentials().await
    }

    /// Returns the credentials, refreshing them first if they expire within `at_least`.
    ///
    /// Use it before work that cannot refresh its credentials: a child process, a presigned URL, a
    /// database login.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials), and [`ErrorKind::CredentialsUnavailable`] if even new
    /// ones expire earlier.
    pub async fn credentials_for(&self, at_least: Duration) -> Result<Credentials, Error> {
        let resolved = self.resolved().await?;
        resolved.credentials.credentials_for(at_least).await
    }

    /// Returns when the credentials expire; `None` if they do not, or have not been resolved yet.
    #[doc(alias = "expiry")]
    pub fn expiration(&self) -> Option<DateTime<Utc>> {
        let resolved = self.session().resolved_if_ready()?;
        to_utc(resolved.credentials.expiration()?)
    }

    /// Returns `true` if the credentials expire within `margin` from now.
    ///
    /// Requests refresh credentials on their own, whatever this method returns. Credentials that do
    /// not expire, or have not been resolved yet, are not expired.
    pub fn is_expired(&self, margin: Duration) -> bool {
        let resolved = self.session().resolved_if_ready();
        resolved.is_some_and(|resolved| resolved.credentials.expires_within(margin))
    }
}

/// # Region and profile
impl BotoSesManager {
    /// Returns the region.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoRegion`], and those of the settings, as in [`sdk_config`](Self::sdk_config).
    pub async fn aws_region(&self) -> Result<String, Error> {
        Ok(self.region().await?.to_string())
    }

    /// Returns the profile that was named explicitly. A role's manager returns its parent's.
    pub fn profile_name(&self) -> Option<&str> {
        self.session().settings.profile_name.as_deref()
    }

    async fn region(&self) -> Result<Region, Error> {
        self.region_if_known().await?.ok_or_else(|| {
            Error::new(
                ErrorKind::NoRegion,
                format!(
                    "no region is known for {self}: give it one with .region(..), set AWS_REGION, \
                     or add a region to the profile"
                ),
            )
        })
    }

    pub(crate) async fn region_if_known(&self) -> Result<Option<Region>, Error> {
        // Nothing needs to be resolved for a region that is set. With a region guard, resolving the
        // session is what runs the guard.
        if let (Some(region), None) = (&self.inner.region, &self.session().settings.expect_region) {
            validation::check_region(region.as_ref(), "region", ErrorKind::InvalidInput)?;
            return Ok(Some(region.clone()));
        }
        let resolved = self.resolved().await?;
        let region = self.region_override().or_else(|| resolved.region.clone());
        Ok(region)
    }
}

impl BotoSesManager {
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.inner.session
    }

    /// Returns `true` if both are handles to one manager: the same session in the same region.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        // By address, because an owned and a static handle can lead to the same manager.
        std::ptr::eq::<Shared>(&*self.inner, &*other.inner)
    }

    /// Returns what a request to STS with this manager's credentials makes of its session.
    fn derive<R>(&self, request: R) -> Box<Derived<R>> {
        Box::new(Derived {
            parent: Arc::clone(self.session()),
            parent_region: self.region_override(),
            request,
        })
    }

    /// Resolves the session, after this manager's region has passed the region guard.
    async fn resolved(&self) -> Result<Arc<Resolved>, Error> {
        self.session().resolved_in(self.inner.region.as_ref()).await
    }

    pub(crate) fn region_override(&self) -> Option<Region> {
        self.inner.region.clone()
    }
}

impl Default for BotoSesManager {
    fn default() -> Self {
        Self::new()
    }
}

/// Creates a manager from an `SdkConfig` that was loaded elsewhere; see
/// [`from_config`](BotoSesManager::from_config).
///
/// # Examples
///
/// ```no_run
/// # async fn f() {
/// use bsm_core::BotoSesManager;
///
/// let bsm: BotoSesManager = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await.into();
/// # }
/// ```
impl From<SdkConfig> for BotoSesManager {
    fn from(config: SdkConfig) -> Self {
        Self::from_config(config)
    }
}

/// Names the manager as its user knows it: `profile "staging"`.
impl fmt::Display for BotoSesManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session().fmt(f)
    }
}

/// Shows profile, role, region and account as far as they are known, and no secret.
impl fmt::Debug for BotoSesManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.session();
        let known = || session.resolved_if_ready()?.region.clone();
        let region = self.region_override().or_else(known);
        let mut debug = f.debug_struct("BotoSesManager");
        debug
            .field("session", &format_args!("{self}"))
            .field("region", &region.as_ref().map(Region::as_ref));
        if let Some(caller) = session.caller_if_ready() {
            debug.field("caller", &format_args!("{caller}"));
        }
        debug.finish_non_exhaustive()
    }
}
