//! The proof that a request is sent by the program that has signed in: DPoP, [RFC 9449].
//!
//! [RFC 9449]: https://datatracker.ietf.org/doc/html/rfc9449

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64_simd::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateSec1KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// The key of a login, which its refresh token is bound to.
#[derive(Debug)]
pub(super) struct ProofKey(EcdsaKeyPair);

impl ProofKey {
    /// Parses the key of a login's file; `None` if it is not one.
    pub(super) fn parse(pem: &str) -> Option<Self> {
        let der = PrivateSec1KeyDer::from_pem_slice(pem.as_bytes()).ok()?;
        let key = EcdsaKeyPair::from_private_key_der(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            der.secret_sec1_der(),
        );
        key.ok().map(Self)
    }

    /// Returns the proof for one POST request; `None` if the system has no random numbers.
    pub(super) fn of_post(&self, url: &str, now: SystemTime) -> Option<String> {
        let random = SystemRandom::new();
        let mut id = [0; 16];
        aws_lc_rs::rand::SecureRandom::fill(&random, &mut id).ok()?;
        // An uncompressed point: a 4, and both coordinates.
        let point = self.0.public_key().as_ref().get(1..65)?;
        let (x, y) = point.split_at(32);
        let header = json!({
            "typ": "dpop+jwt",
            "alg": "ES256",
            "jwk": {"kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y)},
        });
        let claims = json!({
            "jti": base64(&id),
            "htm": "POST",
            "htu": url,
            "iat": now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        });
        let part = |part: Value| base64(part.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.0.sign(&random, signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", base64(signature.as_ref())))
    }
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}
