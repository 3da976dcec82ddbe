//! One HTTP client for all managers with the same proxies and the same CA bundle.
//!
//! Each SDK client that is made without an HTTP client builds a pool of its own, so a thousand
//! accounts would mean a thousand pools. Here they share one, with three differences from the SDK's
//! own default client, which it otherwise equals (rustls with aws-lc):
//!
//! - A pooled connection is driven by the runtime that opened it, and dies, or worse, stands still,
//!   with that runtime. So there is one pool *per runtime*, chosen at each request.
//! - The SDK validates an HTTP client whenever a service client is made, by building a connector
//!   and throwing it away, which costs more than all the rest of making the client. The connector
//!   is the SDK's own, so the check is left out.
//! - The proxies are those of the manager's environment, see [`Proxies`].

mod bounded;
mod ca_bundle;
mod naming;
mod proxies;
mod wrapped;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Weak};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared as _;
use parking_lot::{Mutex, RwLock};
use tokio::runtime::{self, Handle};

pub(crate) use self::bounded::bounded;
pub(crate) use self::naming::{AtEndpoint, naming_endpoints};
pub(crate) use self::proxies::Proxies;
use crate::error::Error;

/// Returns the HTTP client that all managers with this CA bundle and these proxies share.
///
/// As in botocore, the bundle's certificates are trusted in place of the system's. The bundle is read
/// again for each session, and a client is kept for each content that it had.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the bundle cannot be used.
pub(crate) fn shared(
    ca_bundle: Option<&Path>,
    proxies: Proxies,
) -> Result<SharedHttpClient, Error> {
    type Clients = HashMap<(Option<Vec<u8>>, Proxies), SharedHttpClient>;
    static CLIENTS: LazyLock<Mutex<Clients>> = LazyLock::new(Mutex::default);
    let bundle = ca_bundle.map(ca_bundle::read).transpose()?;
    let key = (bundle.as_ref().map(|bundle| bundle.to_vec()), proxies);
    // Held until the client is inserted: sessions that start together must share its pools.
    let mut clients = CLIENTS.lock();
    if let Some(client) = clients.get(&key) {
        return Ok(client.clone());
    }
    let tls = match (ca_bundle, &bundle) {
        (Some(path), Some(bundle)) => ca_bundle::tls_context(path, bundle)?,
        _ => TlsContext::default(),
    };
    let pools = PoolPerRuntime::new(tls, key.1.clone());
    let client: SharedHttpClient = pools.into_shared();
    clients.insert(key, client.clone());
    Ok(client)
}

/// A pool for each runtime, until the runtime shuts down.
#[derive(Debug)]
struct PoolPerRuntime {
    tls: TlsContext,
    proxies: Proxies,
    pools: Arc<Pools>,
}

/// The pools by runtime; `None` is that of threads without a runtime.
type Pools = RwLock<HashMap<Option<runtime::Id>, Arc<Pool>>>;

/// The connections of one runtime: those that go to their host directly, and those that go through a
/// proxy.
#[derive(Debug)]
struct Pool {
    direct: SharedHttpClient,
    through: HashMap<String, SharedHttpClient>,
}

impl PoolPerRuntime {
    fn new(tls: TlsContext, proxies: Proxies) -> Self {
        Self {
            tls,
            proxies,
            pools: Arc::default(),
        }
    }

    fn pool(&self) -> Arc<Pool> {
        let handle = Handle::try_current().ok();
        let runtime = handle.as_ref().map(Handle::id);
        if let Some(pool) = self.pools.read().get(&runtime) {
            return Arc::clone(pool);
        }
        // Built without the lock. If another thread is faster, its pool stays.
        let pool = Arc::new(Pool::new(&self.tls, &self.proxies));
        let entry = Arc::clone(self.pools.write().entry(runtime).or_insert(pool.clone()));
        // Only the thread whose pool was inserted starts the task, so there is one per runtime.
        if let Some(handle) = handle
            && Arc::ptr_eq(&entry, &pool)
        {
            let until_the_end = PoolGuard {
                // Weak: the task of a runtime must not keep the pools of a dropped client.
                pools: Arc::downgrade(&self.pools),
                runtime,
            };
            handle.spawn(async move {
                let _until_the_end = until_the_end;
                std::future::pending::<()>().await;
            });
        }
        entry
    }
}

/// Drops the pool of a runtime that shuts down: it drops the task that holds this.
///
/// So there are as many pools as runtimes, however many those are, and none outlives its own.
struct PoolGuard {
    pools: Weak<Pools>,
    runtime: Option<runtime::Id>,
}

impl Drop for PoolGuard {
    fn drop(&mut self) {
        if let Some(pools) = self.pools.upgrade() {
            let pool = pools.write().remove(&self.runtime);
            // Outside the lock: closing connections runs code of other crates.
            drop(pool);
        }
    }
}

impl HttpClient for PoolPerRuntime {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let pool = self.pool();
        let direct = pool.direct.http_connector(settings, components);
        if pool.through.is_empty() {
            return naming::name_endpoint(direct);
        }
        let through = pool.through.iter();
        let through = through
            .map(|(proxy, pool)| (proxy.clone(), pool.http_connector(settings, components)))
            .collect();
        naming::name_endpoint(SharedHttpConnector::new(Routed {
            proxies: self.proxies.clone(),
            direct,
            through,
        }))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.pool().direct.connector_metadata()
    }
}

/// A connector that chooses the way of each request.
#[derive(Debug)]
struct Routed {
    proxies: Proxies,
    direct: SharedHttpConnector,
    through: HashMap<String, SharedHttpConnector>,
}

impl HttpConnector for Routed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let proxy = self.proxies.of(request.uri());
        let through = proxy.and_then(|proxy| self.through.get(proxy));
        // Every proxy has a pool, so only requests without a proxy go directly.
        through.unwrap_or(&self.direct).call(request)
    }
}

impl Pool {
    fn new(tls: &TlsContext, proxies: &Proxies) -> Self {
        let through = proxies.urls().filter_map(|url| {
            // The URL was checked where it was read.
            let proxy = ProxyConfig::all(url).ok()?;
            Some((url.to_owned(), connections(tls.clone(), proxy)))
        });
        Self {
            direct: connections(tls.clone(), ProxyConfig::disabled()),
            through: through.collect(),
        }
    }
}

fn connections(tls: TlsContext, proxy: ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(proxy.clone()));
        connector.build()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_keeps_its_pool_until_it_shuts_down() {
        // More than a large machine has cores.
        const RUNTIMES: usize = 200;
        let client = PoolPerRuntime::new(TlsContext::default(), Proxies::default());
        let runtime = || {
            let builder = &mut runtime::Builder::new_current_thread();
            builder.build().unwrap()
        };
        let runtimes: Vec<_> = (0..RUNTIMES).map(|_| runtime()).collect();
        let pools = || {
            let pools = runtimes
                .iter()
                .map(|runtime| runtime.block_on(async { client.pool() }));
            pools.collect::<Vec<_>>()
        };
        let (first, second) = (pools(), pools());
        let same = first.iter().zip(&second).filter(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!(same.count(), RUNTIMES);
        drop(runtimes);
        assert!(client.pools.read().is_empty());
    }
}
