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

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock, Weak};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_runtime_api::shared::IntoShared;
use aws_smithy_types::config_bag::ConfigBag;
use parking_lot::{Mutex, RwLock};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::runtime::{self, Handle};

use crate::endpoint::{self, Form, Setting};
use crate::error::{Error, ErrorKind};
use crate::small_file;

/// How long a CA bundle may be. That of Mozilla is 0.2 MiB.
const MAX_BUNDLE: u64 = 16 * 1024 * 1024;

/// Returns the HTTP client that all managers of this process share.
pub(crate) fn shared() -> SharedHttpClient {
    static SHARED: OnceLock<SharedHttpClient> = OnceLock::new();
    SHARED
        .get_or_init(|| PoolPerRuntime::new(TlsContext::default()).into_shared())
        .clone()
}

/// Returns the HTTP client that all managers with this CA bundle share.
///
/// As in botocore, its certificates are trusted in place of the system's. The bundle is read again
/// for each session, and a client is kept for each content that it had.
pub(crate) fn shared_with_ca_bundle(path: &Path) -> Result<SharedHttpClient, Error> {
    static CLIENTS: LazyLock<Mutex<HashMap<Vec<u8>, SharedHttpClient>>> =
        LazyLock::new(Mutex::default);
    let bundle = small_file::read_bytes(path, MAX_BUNDLE).map_err(|error| {
        let message = format!(
            "the CA bundle {} cannot be read: check AWS_CA_BUNDLE, or ca_bundle in the profile",
            path.display()
        );
        Error::new(ErrorKind::InvalidConfig, message).with_source(error)
    })?;
    let mut clients = CLIENTS.lock();
    if let Some(client) = clients.get(&*bundle) {
        return Ok(client.clone());
    }
    let context = tls_context(path, &bundle)?;
    let client: SharedHttpClient = PoolPerRuntime::new(context).into_shared();
    clients.insert(bundle.to_vec(), client.clone());
    Ok(client)
}

/// Checks the proxies that the environment names.
///
/// The SDK ignores a malformed proxy, and connects directly where the user wanted a proxy.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`] that names the variable.
pub(crate) fn check_proxies(var: impl Fn(&str) -> Option<String>) -> Result<(), Error> {
    // As in the SDK, the first name of each pair takes precedence, even if it is empty.
    const VARIABLES: [[&str; 2]; 3] = [
        ["HTTP_PROXY", "http_proxy"],
        ["HTTPS_PROXY", "https_proxy"],
        ["ALL_PROXY", "all_proxy"],
    ];
    for names in VARIABLES {
        let found = names.iter().find_map(|name| Some((name, var(name)?)));
        if let Some((name, url)) = found
            && !url.is_empty()
            // The SDK has no client for these, and ignores them.
            && !url.starts_with("socks")
        {
            endpoint::check(&url, Form::Proxy, Setting::Variable(name))?;
        }
    }
    Ok(())
}

/// A pool for each runtime, until the runtime shuts down.
#[derive(Debug)]
struct PoolPerRuntime {
    tls: TlsContext,
    pools: Arc<Pools>,
}

/// The pools by runtime; `None` is that of threads without a runtime.
type Pools = RwLock<HashMap<Option<runtime::Id>, SharedHttpClient>>;

impl PoolPerRuntime {
    fn new(tls: TlsContext) -> Self {
        Self {
            tls,
            pools: Arc::default(),
        }
    }

    fn pool(&self) -> SharedHttpClient {
        let handle = Handle::try_current().ok();
        let runtime = handle.as_ref().map(Handle::id);
        if let Some(pool) = self.pools.read().get(&runtime) {
            return pool.clone();
        }
        let pool = match self.pools.write().entry(runtime) {
            Entry::Occupied(pool) => return pool.get().clone(),
            Entry::Vacant(entry) => entry.insert(new_pool(self.tls.clone())).clone(),
        };
        if let Some(handle) = handle {
            let pools = Arc::downgrade(&self.pools);
            let removal = RemovePool { pools, runtime };
            // Without the lock: a runtime that is shutting down drops the task at once.
            handle.spawn(async move {
                let _removal = removal;
                std::future::pending::<()>().await;
            });
        }
        pool
    }
}

/// Removes the pool of a runtime. A task of that runtime holds it, and ends only with the runtime.
struct RemovePool {
    pools: Weak<Pools>,
    runtime: Option<runtime::Id>,
}

impl Drop for RemovePool {
    fn drop(&mut self) {
        if let Some(pools) = self.pools.upgrade() {
            let pool = pools.write().remove(&self.runtime);
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
        name_endpoint(self.pool().http_connector(settings, components))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.pool().connector_metadata()
    }
}

/// Returns an HTTP client whose errors name the endpoint, which the SDK's do not.
pub(crate) fn naming_endpoints(client: SharedHttpClient) -> SharedHttpClient {
    NamesEndpoints(client).into_shared()
}

#[derive(Debug)]
struct NamesEndpoints(SharedHttpClient);

impl HttpClient for NamesEndpoints {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        name_endpoint(self.0.http_connector(settings, components))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

fn name_endpoint(connector: SharedHttpConnector) -> SharedHttpConnector {
    SharedHttpConnector::new(NamesEndpoint(connector))
}

#[derive(Debug)]
struct NamesEndpoint(SharedHttpConnector);

impl HttpConnector for NamesEndpoint {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let url = request.uri().to_owned();
        if endpoint::is_unusable(&url) {
            let error = Box::new(endpoint::unusable());
            return HttpConnectorFuture::ready(Err(ConnectorError::user(error)));
        }
        let response = self.0.call(request);
        HttpConnectorFuture::new(async move {
            match response.await {
                Ok(response) => Ok(response),
                Err(error) => Err(at_endpoint(&url, error)),
            }
        })
    }
}

/// Adds the endpoint to an error that otherwise stays what it is: retries depend on its kind.
fn at_endpoint(url: &str, error: ConnectorError) -> ConnectorError {
    let Some(endpoint) = endpoint::origin(url) else {
        return error;
    };
    let other = error.as_other();
    let constructor = match &error {
        error if error.is_timeout() => ConnectorError::timeout,
        error if error.is_user() => ConnectorError::user,
        error if error.is_io() => ConnectorError::io,
        _ => |source| ConnectorError::other(source, None),
    };
    let connection = error.connection_metadata().cloned();
    let source = Box::new(AtEndpoint {
        endpoint,
        source: error.into_source(),
    });
    let error = match other {
        Some(_) => ConnectorError::other(source, other),
        None => constructor(source),
    };
    match connection {
        Some(connection) => error.with_connection(connection),
        None => error,
    }
}

/// The endpoint of a request that got no response, and why.
#[derive(Debug)]
pub(crate) struct AtEndpoint {
    endpoint: String,
    source: BoxError,
}

impl AtEndpoint {
    /// Returns the scheme, host and port.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Display for AtEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no response from {}", self.endpoint)
    }
}

impl std::error::Error for AtEndpoint {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

fn new_pool(tls: TlsContext) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// Trusts what is usable in a bundle. The SDK would panic on the rest, of which bundles have some.
fn tls_context(path: &Path, bundle: &[u8]) -> Result<TlsContext, Error> {
    let unusable = || {
        let message = format!(
            "there is no usable certificate in the CA bundle {}: it has to be a PEM file",
            path.display()
        );
        Error::new(ErrorKind::InvalidConfig, message)
    };
    let mut store = TrustStore::empty();
    let mut usable = RootCertStore::empty();
    for block in certificates(&String::from_utf8_lossy(bundle)) {
        match CertificateDer::from_pem_slice(block.as_bytes()) {
            Ok(certificate) if usable.add(certificate.clone()).is_ok() => {
                store.add_pem_certificate(block);
            }
            _ => tracing::warn!(bundle = %path.display(), "passing over an unusable certificate"),
        }
    }
    if usable.is_empty() {
        return Err(unusable());
    }
    let context = TlsContext::builder().with_trust_store(store).build();
    context.map_err(|error| unusable().with_source(error))
}

/// Cuts a PEM file into its certificates.
fn certificates(bundle: &str) -> impl Iterator<Item = &str> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = bundle.split_inclusive(END);
    blocks.filter_map(|block| {
        let begin = block.find("-----BEGIN CERTIFICATE-----")?;
        Some(&block[begin..]).filter(|block| block.ends_with(END))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use aws_smithy_async::time::SystemTimeSource;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;

    use super::*;

    /// A root made for this test, with `openssl req -x509 -newkey ec -nodes -subj /CN=test`.
    const ROOT: &str = "\
-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUQGcrk8GdOUdtNTCwgjV2W9X5PAowCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjMwNjUwNDJaGA8yMTI2MTAzMDA2NTA0
MlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGRM
ePi/nltdxkhTXKDNqAzr2/lxjSsD2scgnVnwJZv4+mtNyTgkyBUK6IrU3BUK7COE
NXYnjTAEFiNh9L8Xg1qjUzBRMB0GA1UdDgQWBBSzGZcCVvv8n+eE0tAoSLyMC2qZ
QjAfBgNVHSMEGDAWgBSzGZcCVvv8n+eE0tAoSLyMC2qZQjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIE7W2211i/zhypuJY+xDvXzi2y1cqQ01YKTr
z5UZIZM+AiBQoKE8Kbpfnx+q18G2CzbT/09h54vdvulvBqGrYyzdPQ==
-----END CERTIFICATE-----";

    fn bundle(contents: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(contents.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_bundle_is_trusted_and_its_client_is_shared() {
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
        let contents = format!("# a comment\n{garbage}\n{ROOT}\n{garbage}\n");
        let one = shared_with_ca_bundle(bundle(&contents).path()).unwrap();
        let other = shared_with_ca_bundle(bundle(&contents).path()).unwrap();
        let settings = HttpConnectorSettings::default();
        let components = RuntimeComponentsBuilder::for_tests()
            .with_time_source(Some(SystemTimeSource::new()))
            .build()
            .unwrap();
        // Making a connector is where an unusable certificate would panic.
        for client in [one, other] {
            let _ = client.http_connector(&settings, &components);
        }
    }

    #[tokio::test]
    async fn a_request_to_an_unusable_endpoint_is_not_sent_whatever_its_prefix() {
        #[derive(Debug)]
        struct Unreached;
        impl HttpConnector for Unreached {
            fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
                panic!("sent to {}", request.uri());
            }
        }

        let connector = name_endpoint(SharedHttpConnector::new(Unreached));
        for url in [
            endpoint::UNUSABLE.to_owned(),
            endpoint::UNUSABLE.replace("://", "://bucket."),
        ] {
            let mut request = HttpRequest::new(aws_smithy_types::body::SdkBody::empty());
            request.set_uri(url).unwrap();
            let error = connector.call(request).await.unwrap_err();
            assert!(error.is_user(), "{error:?}");
        }
    }

    #[test]
    fn a_bundle_that_is_missing_or_empty_is_a_typed_error() {
        for path in [Path::new("/no/such/bundle.pem"), bundle("no pem").path()] {
            let error = shared_with_ca_bundle(path).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
            assert!(error.to_string().contains("CA bundle"), "{error}");
        }
    }
}
