//! One HTTP client for every manager of the process.
//!
//! Each SDK client that is made without an HTTP client builds a pool of its own, so a thousand
//! accounts would mean a thousand pools. Here they share one, with two differences from the SDK's
//! own default client, which it otherwise equals (rustls with aws-lc, proxies from the
//! environment):
//!
//! - A pooled connection is driven by the runtime that opened it, and dies, or worse, stands still,
//!   with that runtime. So there is one pool *per runtime*, chosen at each request.
//! - The SDK validates an HTTP client whenever a service client is made, by building a connector
//!   and throwing it away, which costs more than all the rest of making the client. The connector
//!   is the SDK's own, so the check is left out.

use std::sync::OnceLock;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;
use parking_lot::RwLock;
use tokio::runtime::{self, Handle};

/// Runtimes whose pools are kept. One more displaces the oldest, which costs it a reconnect.
const MAX_POOLS: usize = 32;

/// Returns the HTTP client that all managers of this process share.
pub(crate) fn shared() -> SharedHttpClient {
    static SHARED: OnceLock<SharedHttpClient> = OnceLock::new();
    SHARED
        .get_or_init(|| PoolPerRuntime::default().into_shared())
        .clone()
}

#[derive(Debug, Default)]
struct PoolPerRuntime {
    pools: RwLock<Vec<(Option<runtime::Id>, SharedHttpClient)>>,
}

impl PoolPerRuntime {
    fn pool(&self) -> SharedHttpClient {
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        let find = |pools: &[(_, SharedHttpClient)]| {
            let found = pools.iter().find(|(owner, _)| *owner == runtime);
            found.map(|(_, pool)| pool.clone())
        };
        if let Some(pool) = find(&self.pools.read()) {
            return pool;
        }
        let mut pools = self.pools.write();
        find(&pools).unwrap_or_else(|| {
            if pools.len() == MAX_POOLS {
                pools.remove(0);
            }
            let pool = new_pool();
            pools.push((runtime, pool.clone()));
            pool
        })
    }
}

impl HttpClient for PoolPerRuntime {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.pool().http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.pool().connector_metadata()
    }
}

fn new_pool() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector =
            ConnectorBuilder::default().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}
