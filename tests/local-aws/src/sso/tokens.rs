//! Clients, device codes, authorization codes and tokens.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::clock::iso8601;
use crate::ids;
use crate::layout::IdentityCenter;

/// How long a client registration lasts, as AWS's do.
const CLIENT_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// How long a device code or an authorization code can be used, as AWS's can.
pub(super) const CODE_LIFETIME: Duration = Duration::from_secs(600);

/// Everything that has been issued.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) clients: HashMap<String, Client>,
    pub(super) devices: HashMap<String, Device>,
    pub(super) codes: HashMap<String, Code>,
    /// Access tokens, when each expires, and the client it belongs to.
    access: HashMap<String, (SystemTime, String)>,
    /// Refresh tokens, and the client each belongs to.
    refresh: HashMap<String, String>,
}

/// A registered client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) secret: String,
    pub(super) expires_at: SystemTime,
    pub(super) redirect_uris: Vec<String>,
}

/// A device authorization.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) client_id: String,
    pub(super) user_code: String,
    /// `None` until the user decides.
    pub(super) is_allowed: Option<bool>,
    pub(super) expires_at: SystemTime,
    pub(super) polled_at: Option<SystemTime>,
}

/// An authorization code.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) expires_at: SystemTime,
}

/// The tokens of a sign-in, as the AWS CLI keeps them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SsoToken {
    /// The start URL of the portal.
    pub start_url: String,
    /// The region of Identity Center.
    pub region: String,
    /// The access token.
    pub access_token: String,
    /// When the access token expires.
    pub expires_at: SystemTime,
    /// The id of the registered client.
    pub client_id: String,
    /// The secret of the registered client.
    pub client_secret: String,
    /// When the registration expires.
    pub registration_expires_at: SystemTime,
    /// The refresh token.
    pub refresh_token: String,
}

impl SsoToken {
    /// Returns the text of the token file, byte for byte as the AWS CLI writes it.
    pub fn to_json(&self) -> String {
        let fields = [
            ("startUrl", &self.start_url),
            ("region", &self.region),
            ("accessToken", &self.access_token),
            ("expiresAt", &iso8601(self.expires_at)),
            ("clientId", &self.client_id),
            ("clientSecret", &self.client_secret),
            (
                "registrationExpiresAt",
                &iso8601(self.registration_expires_at),
            ),
            ("refreshToken", &self.refresh_token),
        ];
        // The AWS CLI writes with `json.dumps`, which puts a space behind colons and commas.
        let fields = fields.map(|(name, value)| format!("{}: {}", json!(name), json!(value)));
        format!("{{{}}}", fields.join(", "))
    }
}

impl Tokens {
    /// Registers a client and returns its id.
    pub(super) fn register(&mut self, redirect_uris: Vec<String>, now: SystemTime) -> String {
        let id = ids::token(22);
        let client = Client {
            secret: ids::token(120),
            expires_at: now + CLIENT_LIFETIME,
            redirect_uris,
        };
        self.clients.insert(id.clone(), client);
        id
    }

    /// Returns `true` if a client is registered with this secret.
    pub(super) fn knows(&self, id: &str, secret: &str, now: SystemTime) -> bool {
        let client = self.clients.get(id);
        client.is_some_and(|client| client.secret == secret && now < client.expires_at)
    }

    /// Issues an access token and a refresh token.
    pub(super) fn issue(
        &mut self,
        center: &IdentityCenter,
        client_id: &str,
        now: SystemTime,
    ) -> (String, String) {
        let (access, refresh) = (ids::token(200), ids::token(200));
        let lifetime = Duration::from_secs(center.token_seconds);
        let expiry = now + lifetime;
        self.access
            .insert(access.clone(), (expiry, client_id.to_owned()));
        // A refresh token has no expiry of its own: the registration of its client limits it.
        self.refresh.insert(refresh.clone(), client_id.to_owned());
        (access, refresh)
    }

    /// Uses a refresh token. Returns `true` if it is good.
    pub(super) fn redeem(&mut self, refresh: &str, client_id: &str, is_one_time: bool) -> bool {
        let is_good = self.refresh.get(refresh).map(String::as_str) == Some(client_id);
        if is_good && is_one_time {
            self.refresh.remove(refresh);
        }
        is_good
    }

    /// Returns `true` if an access token is valid.
    pub(super) fn is_valid(&self, access: &str, now: SystemTime) -> bool {
        let token = self.access.get(access);
        token.is_some_and(|(expiry, _)| now < *expiry)
    }

    /// Ends the session of an access token: its client's refresh tokens are good for nothing from then on.
    pub(super) fn revoke(&mut self, access: &str) {
        if let Some((_, client)) = self.access.remove(access) {
            self.refresh.retain(|_, other| *other != client);
        }
    }

    pub(super) fn sign_in(&mut self, center: &IdentityCenter, now: SystemTime) -> SsoToken {
        // Without redirect URIs, because these tokens are issued without a browser.
        let client_id = self.register(Vec::new(), now);
        let (access_token, refresh_token) = self.issue(center, &client_id, now);
        let client = &self.clients[&client_id];
        SsoToken {
            start_url: center.start_url.clone(),
            region: center.region.clone(),
            access_token,
            expires_at: now + Duration::from_secs(center.token_seconds),
            client_secret: client.secret.clone(),
            registration_expires_at: client.expires_at,
            client_id,
            refresh_token,
        }
    }

    /// Decides about one device authorization, or about all that wait. Returns their number.
    pub(super) fn decide(&mut self, user_code: Option<&str>, is_allowed: bool) -> usize {
        // A decision is final, so only those that wait are changed.
        let waiting = self.devices.values_mut().filter(|device| {
            device.is_allowed.is_none() && user_code.is_none_or(|code| device.user_code == code)
        });
        waiting
            .map(|device| device.is_allowed = Some(is_allowed))
            .count()
    }
}
