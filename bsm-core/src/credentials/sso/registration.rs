//! The registration of a client with SSO OIDC, in the file that the AWS CLI keeps it in.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::SsoSession;
use crate::credentials::python_json::{self, SPACED};
use crate::error::{Error, ErrorKind};
use crate::time::{format_rfc3339, parse};
use crate::transport;
use crate::{shared_file, small_file};

/// The longest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// A registration that ends sooner is not used for a sign-in, as in botocore.
const MIN_LEFT: Duration = Duration::from_secs(15 * 60);

/// The path to which a browser returns. Its port is that of each sign-in's own listener (RFC 8252).
pub(crate) const REDIRECT_PATH: &str = "/oauth/callback";

/// How a client may get a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    AuthorizationCode,
    DeviceCode,
}

impl Grant {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }
}

/// A registered client.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) client_id: String,
    pub(crate) client_secret: Zeroizing<String>,
    pub(crate) expires_at: SystemTime,
}

/// The fields are in the order of the AWS CLI's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    expires_at: String,
    scopes: Option<&'a [String]>,
    grant_types: &'a [&'a str],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    client_id: String,
    client_secret: Zeroizing<String>,
    expires_at: String,
    #[serde(default)]
    grant_types: Vec<String>,
}

impl Registration {
    /// Returns the registration of an earlier sign-in, or registers a client.
    pub(crate) async fn get(
        home: &Path,
        session: &SsoSession,
        scopes: &[String],
        grant: Grant,
        config: &SdkConfig,
    ) -> Result<Self, Error> {
        let path = path(home, session, scopes);
        let now = config.time_source().unwrap_or_default().now();
        if let Some(found) = read(path.clone(), grant).await
            && now + MIN_LEFT < found.expires_at
        {
            return Ok(found);
        }
        let registered = register(session, scopes, grant, config, now).await?;
        // Without the file, the next sign-in registers another client.
        if let Err(error) = registered.write(path.clone(), scopes, grant).await {
            tracing::debug!(%error, path = %path.display(), "the registration of an SSO client could not be written");
        }
        Ok(registered)
    }

    /// Removes the registration that [`get`](Self::get) would return, so that it registers another client.
    pub(crate) async fn remove(home: &Path, session: &SsoSession, scopes: &[String]) {
        let path = path(home, session, scopes);
        let removed = small_file::blocking(move || std::fs::remove_file(path)).await;
        let removed = removed.map_err(std::io::Error::other).flatten();
        if let Err(error) = removed {
            tracing::debug!(%error, "the registration of an SSO client could not be removed");
        }
    }

    async fn write(&self, path: PathBuf, scopes: &[String], grant: Grant) -> Result<(), Error> {
        let written = Written {
            client_id: &self.client_id,
            client_secret: &self.client_secret,
            expires_at: format_rfc3339(self.expires_at).unwrap_or_default(),
            scopes: (!scopes.is_empty()).then_some(scopes),
            grant_types: &[grant.as_str(), "refresh_token"],
        };
        // Larger than any registration: a buffer that grows leaves copies of its secrets in memory.
        let mut text = Zeroizing::new(Vec::with_capacity(32 * 1024));
        python_json::dump(&mut text, &written, SPACED);
        let replaced = small_file::blocking(move || shared_file::replace(&path, &text)).await?;
        replaced.map_err(|error| {
            Error::new(ErrorKind::File, "the file cannot be written").with_source(error)
        })
    }
}

/// Returns the path that the AWS CLI gives the registration.
fn path(home: &Path, session: &SsoSession, scopes: &[String]) -> PathBuf {
    // The fields and their spelling are the AWS CLI's: both find the same registration.
    let named_after = json!({
        "region": session.region,
        "scopes": (!scopes.is_empty()).then_some(scopes),
        "session_name": session.name,
        "startUrl": session.start_url,
        "tool": "botocore",
    });
    let digest = Sha1::digest(python_json::dumps_sorted(named_after, SPACED));
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let directory = home.join(".aws").join("sso").join("cache");
    directory.join(format!("{name}.json"))
}

async fn read(path: PathBuf, grant: Grant) -> Option<Registration> {
    let read = small_file::blocking(move || small_file::read(&path, MAX_BYTES)).await;
    let read: Read = serde_json::from_str(&read.ok()?.ok()?).ok()?;
    // One that names no grants is of an older CLI, which knew device codes only.
    let is_for = |grant: Grant| read.grant_types.iter().any(|it| it == grant.as_str());
    let is_old = read.grant_types.is_empty() && grant == Grant::DeviceCode;
    (is_old || is_for(grant)).then_some(Registration {
        expires_at: parse(&read.expires_at)?,
        client_id: read.client_id,
        client_secret: read.client_secret,
    })
}

async fn register(
    session: &SsoSession,
    scopes: &[String],
    grant: Grant,
    config: &SdkConfig,
    now: SystemTime,
) -> Result<Registration, Error> {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut call = transport::client(config, aws_sdk_ssooidc::Client::new)?
        .register_client()
        .client_name(format!("bsm-client-{seconds}"))
        .client_type("public")
        .grant_types(grant.as_str())
        .grant_types("refresh_token")
        .set_scopes((!scopes.is_empty()).then(|| scopes.to_vec()));
    if grant == Grant::AuthorizationCode {
        // Without a port, as RFC 8252 has it for loopback.
        call = call
            .redirect_uris(format!("http://127.0.0.1{REDIRECT_PATH}"))
            .issuer_url(&session.start_url);
    }
    let answer = transport::unlogged(call.send())
        .await
        .map_err(|error| transport::failed("register a client for the sign-in", error, &[]))?;
    let seconds = u64::try_from(answer.client_secret_expires_at).unwrap_or_default();
    let expires_at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    match (answer.client_id, answer.client_secret, expires_at) {
        (Some(client_id), Some(client_secret), Some(expires_at)) => Ok(Registration {
            client_id,
            client_secret: Zeroizing::new(client_secret),
            expires_at,
        }),
        _ => Err(Error::new(
            ErrorKind::Service,
            "SSO OIDC answered without a client: check that the endpoint is an AWS endpoint",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_name_that_the_aws_cli_gives_it() {
        let session = SsoSession {
            name: Some("corp".to_owned()),
            start_url: "https://corp.awsapps.com/start".to_owned(),
            region: "eu-west-1".to_owned(),
        };
        let scopes = ["sso:account:access".to_owned()];
        let text = r#"{"region": "eu-west-1", "scopes": ["sso:account:access"], "session_name": "corp", "startUrl": "https://corp.awsapps.com/start", "tool": "botocore"}"#;
        let digest = Sha1::digest(text);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = format!("{digest}.json");
        let path = path(Path::new("/home/jane"), &session, &scopes);
        assert_eq!(path.file_name().unwrap().to_str(), Some(&*expected));
    }

    #[tokio::test]
    async fn a_registration_is_read_as_it_was_written_and_for_its_own_grants_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("client.json");
        let registration = Registration {
            client_id: "c".to_owned(),
            client_secret: Zeroizing::new("s".to_owned()),
            expires_at: parse("2027-02-20T14:47:40Z").unwrap(),
        };
        let scopes = ["sso:account:access".to_owned()];
        let grant = Grant::AuthorizationCode;
        registration
            .write(path.clone(), &scopes, grant)
            .await
            .unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\"clientId\": \"c\", \"clientSecret\": \"s\", \"expiresAt\": \"2027-02-20T14:47:40Z\", \
             \"scopes\": [\"sso:account:access\"], \"grantTypes\": [\"authorization_code\", \
             \"refresh_token\"]}"
        );
        assert_eq!(read(path.clone(), grant).await.unwrap().client_id, "c");
        assert!(read(path.clone(), Grant::DeviceCode).await.is_none());
        for damaged in ["", "{", "[]", "{\"clientId\": 1}"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(read(path.clone(), grant).await.is_none(), "{damaged}");
        }
    }
}
