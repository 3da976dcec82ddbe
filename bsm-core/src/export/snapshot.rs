//! Snapshots: sessions for another process of the same user.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::time::SharedTimeSource;
use chrono::{DateTime, Utc};
use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::exported_session::ExportedSession;
use crate::credentials::provider::{CredentialProvider, SharedProvider};
use crate::error::{Error, ErrorKind};
use crate::secret::{SecretText, json};
use crate::session::settings::Settings;
use crate::small_file;
use crate::time::{format_rfc3339, parse_rfc3339};
use crate::validation;

/// The marker of a snapshot.
const FORMAT: &str = "bsm-session-snapshot";

/// The version of the schema. A reader rejects any other.
const VERSION: u64 = 1;

/// The longest snapshot that is read: real ones have a few KiB, and a file such as `/dev/zero` has
/// no end.
const MAX_BYTES: usize = 256 * 1024;

/// A session at one moment: credentials with their expiry, region and endpoints.
///
/// See [`BotoSesManager::to_snapshot`](crate::BotoSesManager::to_snapshot). The `Debug` form shows no secret.
#[derive(Clone)]
pub struct Snapshot {
    session: ExportedSession,
}

impl Snapshot {
    pub(crate) fn new(session: ExportedSession) -> Self {
        Self { session }
    }

    /// Reads a snapshot from a file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if the file cannot be read, and those of
    /// [`from_json`](Self::from_json).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = small_file::read_bytes(path, MAX_BYTES as u64).map_err(|error| {
            if error.kind() == io::ErrorKind::FileTooLarge {
                return invalid("it is too long");
            }
            let message = format!(
                "the snapshot {} cannot be read: check that the process that wrote it has not \
                 removed it",
                path.display()
            );
            Error::new(ErrorKind::File, message).with_source(error)
        })?;
        let snapshot = Self::from_json(&*bytes)?;
        tracing::debug!(path = %path.display(), ?snapshot, "read a snapshot");
        Ok(snapshot)
    }

    /// Reads a snapshot from the text that [`to_json`](Self::to_json) wrote.
    ///
    /// An expired one is read: the manager made of it says that it has expired.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSnapshot`] for a damaged snapshot or something else altogether;
    /// [`ErrorKind::UnsupportedSnapshot`] for a version of the schema that this crate does not
    /// read.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, Error> {
        let json = json.as_ref();
        if json.len() > MAX_BYTES {
            return Err(invalid("it is too long"));
        }
        // The header alone first: another version can have a body that doesn't parse as this one.
        let header: Header = serde_json::from_slice(json).map_err(not_json)?;
        if header.format.as_deref() != Some(FORMAT) {
            return Err(invalid("it has another format"));
        }
        match header.version {
            Some(VERSION) => {}
            Some(version) => {
                return Err(Error::new(
                    ErrorKind::UnsupportedSnapshot,
                    format!(
                        "the snapshot is of version {version}, and this program reads version \
                         {VERSION}: use the same version of bsm-core on both sides"
                    ),
                ));
            }
            None => return Err(invalid("it has no version")),
        }
        let body: Body = serde_json::from_slice(json).map_err(not_json)?;
        Ok(Self {
            session: body.try_into()?,
        })
    }

    /// Returns the snapshot as JSON, secrets included.
    pub fn to_json(&self) -> SecretText {
        json(&Body::from(&self.session), self.session.json_capacity())
    }

    /// Returns the region, if the session had one.
    pub fn region(&self) -> Option<&str> {
        self.session.region.as_deref()
    }

    /// Returns when the credentials expire, if they do.
    pub fn expiration(&self) -> Option<DateTime<Utc>> {
        self.session.expiration()
    }

    /// Completes the settings, and returns the provider of the credentials.
    pub(crate) fn restore(self, settings: &mut Settings) -> SharedProvider {
        let ExportedSession {
            credentials,
            region,
            endpoint_url,
            service_endpoint_urls,
            ignore_configured_endpoint_urls: _,
            ca_bundle,
        } = self.session;
        settings.region = settings.region.take().or(region);
        settings.endpoint_url = settings.endpoint_url.take().or(endpoint_url);
        for (service, url) in service_endpoint_urls {
            settings.service_endpoint_urls.entry(service).or_insert(url);
        }
        // The snapshot has all endpoints of its session. Those of this process belong to others.
        settings.ignore_configured_endpoint_urls = true;
        // Nothing takes precedence over it, because no setter of the builder sets a bundle.
        settings.ca_bundle = ca_bundle;
        Arc::new(Restored {
            credentials,
            time: settings.time_source(),
        })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("access_key_id", &self.session.credentials.access_key_id())
            .field("region", &self.session.region)
            .field("expiration", &self.session.rfc3339_expiration())
            .finish_non_exhaustive()
    }
}

/// The credentials of a snapshot, as long as they are valid.
struct Restored {
    credentials: Credentials,
    time: SharedTimeSource,
}

impl CredentialProvider for Restored {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        // At each call: the session asks again shortly before the credentials expire.
        let now = self.time.now();
        let expired = self.credentials.expiry().filter(|expiry| *expiry <= now);
        Box::pin(async move {
            match expired {
                None => Ok(self.credentials.clone()),
                Some(expiry) => Err(snapshot_expired(expiry)),
            }
        })
    }

    fn step(&self) -> String {
        "the snapshot".to_owned()
    }

    fn limit(&self) -> Duration {
        // It waits for nothing, so there is nothing to limit.
        Duration::MAX
    }
}

impl fmt::Debug for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Restored(..)")
    }
}

/// The fields that identify a snapshot, whatever its version.
#[derive(Deserialize)]
struct Header {
    format: Option<String>,
    version: Option<u64>,
}

/// Version 1 of the schema.
#[derive(Deserialize, Serialize)]
struct Body {
    format: String,
    version: u64,
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    account_id: Option<String>,
    /// As in RFC 3339.
    expiration: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
    #[serde(default)]
    service_endpoint_urls: BTreeMap<String, String>,
    #[serde(default)]
    ca_bundle: Option<String>,
}

impl From<&ExportedSession> for Body {
    fn from(session: &ExportedSession) -> Self {
        let credentials = &session.credentials;
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: secret(credentials.secret_access_key()),
            session_token: credentials.session_token().map(secret),
            account_id: credentials.account_id().map(|id| id.as_str().to_owned()),
            expiration: session.rfc3339_expiration(),
            region: session.region.clone(),
            endpoint_url: session.endpoint_url.clone(),
            service_endpoint_urls: session.service_endpoint_urls.clone(),
            ca_bundle: session.ca_bundle.clone(),
        }
    }
}

impl TryFrom<Body> for ExportedSession {
    type Error = Error;

    fn try_from(body: Body) -> Result<Self, Error> {
        if body.access_key_id.is_empty() || body.secret_access_key.is_empty() {
            return Err(invalid("it has no keys"));
        }
        let mut credentials = Credentials::builder()
            .access_key_id(body.access_key_id)
            .secret_access_key(body.secret_access_key.as_str())
            .provider_name("snapshot");
        credentials.set_session_token(body.session_token.map(|token| token.to_string()));
        credentials.set_expiry(body.expiration.as_deref().map(expiry).transpose()?);
        // As in profile files, an empty account counts as none.
        if let Some(account_id) = body.account_id.filter(|id| !id.is_empty()) {
            if !validation::is_account(&account_id) {
                return Err(invalid("its account_id is not twelve digits"));
            }
            credentials = credentials.account_id(account_id);
        }
        Ok(Self {
            credentials: credentials.build(),
            region: body.region,
            endpoint_url: body.endpoint_url,
            service_endpoint_urls: body.service_endpoint_urls,
            ignore_configured_endpoint_urls: true,
            ca_bundle: body.ca_bundle,
        })
    }
}

fn expiry(text: &str) -> Result<SystemTime, Error> {
    let since_epoch = parse_rfc3339(text)
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .ok_or_else(|| invalid("its expiration is not a time"))?;
    // Whole seconds, as they are written.
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs()))
}

fn invalid(why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidSnapshot,
        format!("not a valid snapshot: {why}"),
    )
}

/// serde's message is left out, because it quotes what it stumbled over: perhaps a secret.
fn not_json(error: serde_json::Error) -> Error {
    invalid(&format!(
        "it is damaged at line {}, column {}",
        error.line(),
        error.column()
    ))
}

fn snapshot_expired(expiry: SystemTime) -> Error {
    let when = format_rfc3339(expiry).map(|time| format!(" at {time}"));
    Error::new(
        ErrorKind::SnapshotExpired,
        format!(
            "the credentials of the snapshot expired{}: take a new snapshot in the process that wrote it",
            when.unwrap_or_default()
        ),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &str = r#"{"format":"bsm-session-snapshot","version":1,
        "access_key_id":"ASIAEXAMPLE","secret_access_key":"hush","session_token":"psst",
        "expiration":"2030-01-02T03:04:05Z","region":"eu-central-1",
        "service_endpoint_urls":{"dynamodb":"http://localhost:8000"}}"#;

    fn kind(json: &str) -> ErrorKind {
        Snapshot::from_json(json).unwrap_err().kind()
    }

    #[test]
    fn a_snapshot_that_is_written_and_read_is_the_same() {
        let read = Snapshot::from_json(WHOLE).unwrap();
        let again = Snapshot::from_json(read.to_json().expose()).unwrap();
        assert_eq!(again.session.credentials, read.session.credentials);
        assert_eq!(again.region(), Some("eu-central-1"));
        assert_eq!(again.expiration(), read.expiration());
        assert_eq!(
            again.expiration().unwrap().to_rfc3339(),
            "2030-01-02T03:04:05+00:00"
        );
        assert_eq!(
            again.session.service_endpoint_urls["dynamodb"],
            "http://localhost:8000"
        );
    }

    #[test]
    fn a_damaged_or_foreign_snapshot_is_told_from_one_of_another_version() {
        for json in ["", "{", "[]", "7", "{}", r#"{"Version":1}"#, "\u{0}"] {
            assert_eq!(kind(json), ErrorKind::InvalidSnapshot, "{json:?}");
        }
        for (what, instead) in [
            ("\"hush\"", "\"\""),
            ("\"hush\"", "null"),
            ("2030", "203O"),
            ("2030-01-02", "1930-01-02"),
            ("\"version\":1,", ""),
            ("\"region\"", "\"account_id\":\"1\\n\",\"region\""),
        ] {
            let json = WHOLE.replace(what, instead);
            assert_eq!(kind(&json), ErrorKind::InvalidSnapshot, "{json}");
        }
        let newer = WHOLE.replace("\"version\":1", "\"version\":2");
        assert_eq!(kind(&newer), ErrorKind::UnsupportedSnapshot);
        let endless = format!("{WHOLE}{}", " ".repeat(MAX_BYTES));
        assert_eq!(kind(&endless), ErrorKind::InvalidSnapshot);
    }

    #[test]
    fn an_empty_account_is_none() {
        let json = WHOLE.replace("\"region\"", "\"account_id\":\"\",\"region\"");
        let read = Snapshot::from_json(json).unwrap();
        assert_eq!(read.session.credentials.account_id(), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_a_file_is_read() {
        // A FIFO is refused by the same check, and would wait without it.
        let error = Snapshot::read("/dev/null").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &[b' '; MAX_BYTES + 1]).unwrap();
        let error = Snapshot::read(file.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSnapshot);
    }

    #[test]
    fn an_error_does_not_quote_the_snapshot() {
        let json = WHOLE.replace("\"secret_access_key\":\"hush\"", "\"version\":\"hush\"");
        let error = Snapshot::from_json(json).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
        assert!(std::error::Error::source(&error).is_none());
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Snapshot::from_json(bytes);
        }

        #[test]
        fn reading_what_is_nearly_a_snapshot_never_panics(
            at in 0..WHOLE.len(),
            length in 0..20_usize,
            instead in "\\PC{0,20}|[0-9TZ:+-]{0,40}|[\\[\\]{}\",:]{0,9}",
        ) {
            let mut bytes = WHOLE.as_bytes().to_vec();
            bytes.splice(at..(at + length).min(WHOLE.len()), instead.bytes());
            if let Ok(snapshot) = Snapshot::from_json(&bytes) {
                let again = Snapshot::from_json(snapshot.to_json().expose()).unwrap();
                prop_assert_eq!(again.expiration(), snapshot.expiration());
                let _ = format!("{:?}", snapshot);
            }
        }

        #[test]
        fn any_text_survives(region in any::<String>(), secret in "[^\0]{1,40}") {
            let mut snapshot = Snapshot::from_json(WHOLE).unwrap();
            snapshot.session.region = Some(region);
            snapshot.session.credentials = Credentials::new("AKIA", secret, None, None, "test");
            let json = snapshot.to_json();
            let again = Snapshot::from_json(json.expose()).unwrap();
            prop_assert_eq!(again.region(), snapshot.region());
            prop_assert_eq!(again.session.credentials.secret_access_key(),
                snapshot.session.credentials.secret_access_key());
            prop_assert!(json.expose().len() <= snapshot.session.json_capacity());
        }
    }
}
