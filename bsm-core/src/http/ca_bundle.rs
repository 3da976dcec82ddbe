//! CA bundles: certificates that are trusted in place of the system's.

use std::path::Path;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};
use crate::small_file;

/// How long a CA bundle may be. That of Mozilla is 0.2 MiB.
const MAX_BUNDLE: u64 = 16 * 1024 * 1024;

/// Reads a bundle.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`].
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    small_file::read_bytes(path, MAX_BUNDLE).map_err(|error| {
        let message = format!(
            "the CA bundle {} cannot be read: check AWS_CA_BUNDLE, or ca_bundle in the profile",
            path.display()
        );
        Error::new(ErrorKind::InvalidConfig, message).with_source(error)
    })
}

/// Trusts the usable certificates of a bundle. The SDK would panic on the others, and real bundles have some.
pub(super) fn tls_context(path: &Path, bundle: &[u8]) -> Result<TlsContext, Error> {
    let unusable = || {
        let message = format!(
            "the CA bundle {} has no usable certificate: use a PEM file",
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
            _ => tracing::warn!(bundle = %path.display(), "skipping an unusable certificate"),
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
    use aws_smithy_runtime_api::client::http::{HttpClient as _, HttpConnectorSettings};
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;

    use super::*;
    use crate::http::{Proxies, shared};

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
        let one = shared(Some(bundle(&contents).path()), Proxies::default()).unwrap();
        let other = shared(Some(bundle(&contents).path()), Proxies::default()).unwrap();
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

    #[test]
    fn a_bundle_that_is_missing_or_empty_is_a_typed_error() {
        for path in [Path::new("/no/such/bundle.pem"), bundle("no pem").path()] {
            let error = shared(Some(path), Proxies::default()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
            assert!(error.to_string().contains("CA bundle"), "{error}");
        }
    }
}
