//! The flow with an authorization code and PKCE (RFC 7636): a browser on this machine.

use aws_config::SdkConfig;
use aws_sdk_ssooidc::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_smithy_types::base64;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::listener::Listener;
use super::prompt::SignInRequest;
use super::{Attempt, failed_token};
use crate::credentials::sso::Token;
use crate::credentials::sso::registration::{Grant, Registration};
use crate::endpoint;
use crate::error::{Error, ErrorKind};
use crate::transport;

/// The bytes of the verifier: 64 characters in Base64, as the AWS CLI's has.
const VERIFIER: usize = 48;

/// The bytes of the state.
const STATE: usize = 24;

impl Attempt<'_> {
    pub(super) async fn with_authorization_code(&self) -> Result<Token, Error> {
        let client = self.register(Grant::AuthorizationCode).await?;
        let (state, verifier) = (random(STATE)?, random(VERIFIER)?);
        // Bound before anything is opened, so that the browser finds it.
        let listener = Listener::bind(state.to_string()).await?;
        let redirect_uri = listener.redirect_uri();
        let request = SignInRequest {
            url: self
                .address(&client, &redirect_uri, &state, &verifier)
                .await?,
            user_code: None,
            start_url: self.access.session.start_url.clone(),
        };
        let code = self.prompting(&request, listener.code()).await?;
        let call = transport::client(&self.access.config, aws_sdk_ssooidc::Client::new)?
            .create_token()
            .grant_type(Grant::AuthorizationCode.as_str())
            .client_id(&client.client_id)
            .client_secret(client.client_secret.as_str())
            .redirect_uri(redirect_uri)
            .code(code.as_str())
            .code_verifier(verifier.as_str());
        let answer = transport::unlogged(call.send()).await.map_err(|error| {
            let secrets = [client.client_secret.as_str(), &code, &verifier];
            failed_token(error, &secrets)
        })?;
        self.token(answer, client)
    }

    /// Returns the address of the page on which the user signs in.
    async fn address(
        &self,
        client: &Registration,
        redirect_uri: &str,
        state: &str,
        verifier: &str,
    ) -> Result<String, Error> {
        let endpoint = endpoint(&self.access.config).await?;
        let endpoint = endpoint.trim_end_matches('/');
        let challenge = url_safe(&Sha256::digest(verifier));
        let scopes = self.access.scopes.join(" ");
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &client.client_id),
            ("redirect_uri", redirect_uri),
            ("state", state),
            ("code_challenge_method", "S256"),
            // The name that the AWS CLI sends. OAuth's own is `scope`.
            ("scopes", &scopes),
            ("code_challenge", &challenge),
        ]);
        Ok(format!("{endpoint}/authorize?{}", query.finish()))
    }
}

/// Returns the endpoint of SSO OIDC, as its client would choose it.
async fn endpoint(config: &SdkConfig) -> Result<String, Error> {
    let configured = endpoint::of_service("SSO OIDC", config);
    let configured = configured.or_else(|| config.endpoint_url().map(str::to_owned));
    if let Some(url) = configured {
        return Ok(url);
    }
    let unusable = |error: aws_sdk_ssooidc::error::BoxError| {
        let message = "SSO OIDC has no endpoint in the sso_region: check it";
        Error::new(ErrorKind::InvalidConfig, message).with_source(error)
    };
    // FIPS is left out, because SSO has no FIPS hosts.
    let params = Params::builder()
        .set_region(config.region().map(ToString::to_string))
        .set_use_dual_stack(config.use_dual_stack())
        .build();
    let params = params.map_err(|error| unusable(error.into()))?;
    let resolver = DefaultResolver::new();
    let resolved = ResolveEndpoint::resolve_endpoint(&resolver, &params).await;
    Ok(resolved.map_err(unusable)?.url().to_owned())
}

/// Returns random bytes in Base64 for URLs.
fn random(bytes: usize) -> Result<Zeroizing<String>, Error> {
    let mut random = Zeroizing::new(vec![0; bytes]);
    getrandom::fill(&mut random).map_err(|error| {
        // As text, because getrandom's error needs its feature `std` to be a cause.
        let message = "the operating system returned no random numbers, without which a sign-in is \
                       not safe";
        Error::new(ErrorKind::SignInFailed, message).with_source(error.to_string())
    })?;
    Ok(Zeroizing::new(url_safe(&random)))
}

/// Base64 for URLs, without padding (RFC 7636, appendix A).
fn url_safe(bytes: &[u8]) -> String {
    let text = base64::encode(bytes);
    text.trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            url_safe(&Sha256::digest(verifier)),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_verifier_is_as_long_as_the_aws_clis_and_never_the_same() {
        let (one, other) = (random(VERIFIER).unwrap(), random(VERIFIER).unwrap());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        let is_safe = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
        assert!(one.chars().all(is_safe), "{}", one.as_str());
    }
}
