//! SSO OIDC: RegisterClient, StartDeviceAuthorization, CreateToken, and the page `/authorize`.

use std::time::Duration;

use aws_smithy_types::base64;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::tokens::{CODE_LIFETIME, Code, Device};
use super::{Exchange, oauth_error, page};
use crate::ids;
use crate::request::Form;
use crate::response::{ErrorResponse, Response};

/// The time between two polls of a device, as AWS asks for.
const INTERVAL: Duration = Duration::from_secs(1);

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegisterClient {
    client_name: String,
    client_type: String,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    grant_types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartDeviceAuthorization {
    client_id: String,
    client_secret: String,
    start_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateToken {
    client_id: String,
    client_secret: String,
    grant_type: String,
    device_code: Option<String>,
    code: Option<String>,
    refresh_token: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
}

impl Exchange<'_> {
    fn body<T: for<'a> Deserialize<'a>>(&self) -> Result<T, ErrorResponse> {
        serde_json::from_slice(&self.request.body)
            .map_err(|error| invalid_request(&error.to_string()))
    }

    pub(super) fn register_client(self) -> Result<Response, ErrorResponse> {
        let request: RegisterClient = self.body()?;
        if request.client_type != "public" || request.client_name.is_empty() {
            let message = "Invalid client metadata provided";
            return Err(oauth_error(
                400,
                "InvalidClientMetadataException",
                "invalid_client_metadata",
                message,
            ));
        }
        let needs_redirect = request
            .grant_types
            .iter()
            .any(|grant| grant == "authorization_code");
        if needs_redirect && request.redirect_uris.is_empty() {
            return Err(oauth_error(
                400,
                "InvalidRedirectUriException",
                "invalid_redirect_uri",
                "Missing redirect URI",
            ));
        }
        let now = self.clock.now();
        let mut tokens = self.tokens.lock();
        let id = tokens.register(request.redirect_uris, now);
        let client = &tokens.clients[&id];
        let issued_at = self.clock.unix_seconds();
        let lifetime = client.expires_at.duration_since(now).unwrap_or_default();
        Ok(Response::rest_json(json!({
            "clientId": id,
            "clientSecret": client.secret,
            "clientIdIssuedAt": issued_at,
            "clientSecretExpiresAt": issued_at + lifetime.as_secs(),
        })))
    }

    pub(super) fn start_device_authorization(self) -> Result<Response, ErrorResponse> {
        let request: StartDeviceAuthorization = self.body()?;
        let now = self.clock.now();
        let mut tokens = self.tokens.lock();
        if !tokens.knows(&request.client_id, &request.client_secret, now) {
            return Err(invalid_client());
        }
        if request.start_url != self.center.start_url {
            return Err(invalid_request("Invalid startUrl provided"));
        }
        let code = ids::token(64);
        let user_code = ids::user_code();
        let device = Device {
            client_id: request.client_id,
            user_code: user_code.clone(),
            is_allowed: None,
            expires_at: now + CODE_LIFETIME,
            polled_at: None,
        };
        tokens.devices.insert(code.clone(), device);
        let page = format!("{}/device", self.request.origin());
        Ok(Response::rest_json(json!({
            "deviceCode": code,
            "userCode": user_code,
            "verificationUri": page,
            "verificationUriComplete": format!("{page}?user_code={user_code}"),
            "expiresIn": CODE_LIFETIME.as_secs(),
            "interval": INTERVAL.as_secs(),
        })))
    }

    pub(super) fn create_token(self) -> Result<Response, ErrorResponse> {
        let request: CreateToken = self.body()?;
        let now = self.clock.now();
        let mut tokens = self.tokens.lock();
        if !tokens.knows(&request.client_id, &request.client_secret, now) {
            return Err(invalid_client());
        }
        // The checks below lock the tokens again, and the mutex is not reentrant.
        drop(tokens);
        match request.grant_type.as_str() {
            DEVICE_CODE => self.check_device(&request)?,
            "authorization_code" => self.check_code(&request)?,
            "refresh_token" => self.check_refresh_token(&request)?,
            _ => {
                return Err(oauth_error(
                    400,
                    "UnsupportedGrantTypeException",
                    "unsupported_grant_type",
                    "Unsupported grant type",
                ));
            }
        }
        tokens = self.tokens.lock();
        let (access, refresh) = tokens.issue(self.center, &request.client_id, now);
        Ok(Response::rest_json(json!({
            "accessToken": access,
            "tokenType": "Bearer",
            "expiresIn": self.center.token_seconds,
            "refreshToken": refresh,
        })))
    }

    /// The page on which the user allows or denies a sign-in on another device.
    pub(super) fn device(self) -> Result<Response, ErrorResponse> {
        let query = Form::of_query(self.request);
        let Some(decision) = query.get("decision") else {
            return Ok(Response::page(page::question(
                "/device",
                self.request.uri.query(),
            )));
        };
        let code = query.get("user_code").unwrap_or_default();
        let decided = self.tokens.lock().decide(Some(code), decision == "allow");
        Ok(Response::page(page::decided(decided > 0)))
    }

    fn check_device(self, request: &CreateToken) -> Result<(), ErrorResponse> {
        let now = self.clock.now();
        let code = request.device_code.as_deref().unwrap_or_default();
        let mut tokens = self.tokens.lock();
        let device = tokens.devices.get_mut(code);
        let Some(device) = device.filter(|device| device.client_id == request.client_id) else {
            return Err(invalid_grant("Invalid device code provided"));
        };
        if device.expires_at <= now {
            return Err(oauth_error(
                400,
                "ExpiredTokenException",
                "expired_token",
                "Device code has expired",
            ));
        }
        // A poll that comes too early also counts as the last one.
        let last = device.polled_at.replace(now);
        match device.is_allowed {
            Some(true) => {
                // A device code is good for one sign-in.
                tokens.devices.remove(code);
                Ok(())
            }
            Some(false) => Err(oauth_error(
                400,
                "AccessDeniedException",
                "access_denied",
                "The user denied the request",
            )),
            // The first two polls follow each other at once, because clients poll before they prompt.
            None if last.is_some_and(|last| now < last + INTERVAL / 4) => Err(oauth_error(
                400,
                "SlowDownException",
                "slow_down",
                "Polling too often",
            )),
            None => Err(oauth_error(
                400,
                "AuthorizationPendingException",
                "authorization_pending",
                "The user has not decided yet",
            )),
        }
    }

    fn check_code(self, request: &CreateToken) -> Result<(), ErrorResponse> {
        let now = self.clock.now();
        // A code is good for one use, whether or not that succeeds.
        let code = self
            .tokens
            .lock()
            .codes
            .remove(request.code.as_deref().unwrap_or_default());
        let Some(code) = code.filter(|code| code.client_id == request.client_id) else {
            return Err(invalid_grant("Invalid authorization code provided"));
        };
        let verifier = request.code_verifier.as_deref().unwrap_or_default();
        // RFC 7636 limits a verifier to 43 to 128 characters.
        let is_good = now < code.expires_at
            && request.redirect_uri.as_deref() == Some(&code.redirect_uri)
            && (43..=128).contains(&verifier.len())
            && challenge_of(verifier) == code.challenge;
        match is_good {
            true => Ok(()),
            false => Err(invalid_grant("Invalid grant provided")),
        }
    }

    fn check_refresh_token(self, request: &CreateToken) -> Result<(), ErrorResponse> {
        let token = request.refresh_token.as_deref().unwrap_or_default();
        let is_one_time = self.center.one_time_refresh_tokens;
        match self
            .tokens
            .lock()
            .redeem(token, &request.client_id, is_one_time)
        {
            true => Ok(()),
            false => Err(invalid_grant("Invalid refresh token provided")),
        }
    }

    /// The page that a browser opens: it asks the user, and then redirects to the client.
    pub(super) fn authorize(self) -> Result<Response, ErrorResponse> {
        let query = Form::of_query(self.request);
        let given = |name: &str| query.get(name).unwrap_or_default();
        let (client_id, redirect_uri) = (given("client_id"), given("redirect_uri"));
        let mut tokens = self.tokens.lock();
        let Some(client) = tokens.clients.get(client_id) else {
            return Err(invalid_client());
        };
        // The port is the client's choice at each sign-in (RFC 8252).
        let registered = |uri: &String| without_port(uri) == without_port(redirect_uri);
        if !client.redirect_uris.iter().any(registered) {
            return Err(invalid_request("Invalid redirect URI"));
        }
        let is_complete = given("response_type") == "code"
            && given("code_challenge_method") == "S256"
            && !given("code_challenge").is_empty()
            && !given("scopes").is_empty();
        if !is_complete {
            return Err(invalid_request("A parameter is missing"));
        }
        let state = given("state");
        let answer = match given("decision") {
            "" => {
                return Ok(Response::page(page::question(
                    "/authorize",
                    self.request.uri.query(),
                )));
            }
            "allow" => {
                let code = ids::token(40);
                let issued = Code {
                    client_id: client_id.to_owned(),
                    redirect_uri: redirect_uri.to_owned(),
                    challenge: given("code_challenge").to_owned(),
                    expires_at: self.clock.now() + CODE_LIFETIME,
                };
                tokens.codes.insert(code.clone(), issued);
                format!("code={code}")
            }
            _ => "error=access_denied".to_owned(),
        };
        // RFC 6749 requires the state in the redirect, whatever the user decides.
        let state: String = form_urlencoded::byte_serialize(state.as_bytes()).collect();
        Ok(Response::redirect(format!(
            "{redirect_uri}?{answer}&state={state}"
        )))
    }
}

fn challenge_of(verifier: &str) -> String {
    let digest = base64::encode(Sha256::digest(verifier.as_bytes()));
    // Base64 for URLs, without padding.
    let digest = digest.trim_end_matches('=').chars();
    let in_urls = digest.map(|digit| match digit {
        '+' => '-',
        '/' => '_',
        digit => digit,
    });
    in_urls.collect()
}

fn without_port(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.split(':').next().unwrap_or_default();
    format!("{scheme}://{host}/{path}")
}

fn invalid_client() -> ErrorResponse {
    oauth_error(
        401,
        "InvalidClientException",
        "invalid_client",
        "Invalid client or secret",
    )
}

fn invalid_grant(description: &str) -> ErrorResponse {
    oauth_error(400, "InvalidGrantException", "invalid_grant", description)
}

fn invalid_request(description: &str) -> ErrorResponse {
    oauth_error(
        400,
        "InvalidRequestException",
        "invalid_request",
        description,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        assert_eq!(
            challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn redirect_uris_are_compared_without_their_port() {
        assert_eq!(
            without_port("http://127.0.0.1:4711/oauth/callback"),
            without_port("http://127.0.0.1/oauth/callback")
        );
    }
}
