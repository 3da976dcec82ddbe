//! The file of a login, which `aws login` writes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::credentials::python_json::{self, SPACED};
use crate::environment::Environment;
use crate::shared_file::{self, LockAttempt, Unusable};
use crate::time::parse;

/// The longest file that is read. Real ones have a few KiB.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct LoginFile(PathBuf);

/// A login: credentials, and what renews them. The fields are in the order of the AWS CLI's.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Login {
    pub(super) access_token: AccessToken,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_type: Option<String>,
    pub(super) refresh_token: Zeroizing<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id_token: Option<Zeroizing<String>>,
    pub(super) client_id: String,
    pub(super) dpop_key: Zeroizing<String>,
}

/// The credentials of a login.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessToken {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Zeroizing<String>,
    pub(super) session_token: Zeroizing<String>,
    pub(super) account_id: String,
    pub(super) expires_at: String,
}

impl LoginFile {
    /// Returns the file of a `login_session`; `None` if neither a directory nor the home directory is known.
    pub(crate) fn of(environment: &Environment, session: &str) -> Option<Self> {
        let set = environment.var("AWS_LOGIN_CACHE_DIRECTORY");
        let in_home = || Some(environment.home()?.join(".aws").join("login").join("cache"));
        let directory = set.map(PathBuf::from).or_else(in_home)?;
        let hash = digest(&SHA256, session.trim().as_bytes());
        let name: String = hash
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Some(Self(directory.join(format!("{name}.json"))))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) async fn read(&self) -> Result<Login, Unusable> {
        shared_file::read_parsed(&self.0, MAX_BYTES, Login::parse).await
    }

    pub(super) async fn write(&self, login: &Login) -> io::Result<()> {
        shared_file::replace_async(self.0.clone(), login.to_json()).await
    }

    /// Tries to lock the login. Never waits.
    pub(super) async fn try_lock(&self) -> LockAttempt {
        shared_file::try_lock_async(self.0.with_extension("lock")).await
    }
}

impl Login {
    fn parse(text: &str) -> Option<Self> {
        let login: Self = serde_json::from_str(text).ok()?;
        parse(&login.access_token.expires_at)?;
        Some(login)
    }

    pub(super) fn expires_at(&self) -> SystemTime {
        // `parse` has refused any other.
        parse(&self.access_token.expires_at).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    pub(super) fn credentials(&self) -> Credentials {
        let token = &self.access_token;
        Credentials::builder()
            .access_key_id(token.access_key_id.as_str())
            .secret_access_key(token.secret_access_key.as_str())
            .session_token(token.session_token.as_str())
            .account_id(token.account_id.as_str())
            .expiry(self.expires_at())
            .provider_name("Login")
            .build()
    }

    fn to_json(&self) -> Zeroizing<Vec<u8>> {
        // Larger than any login: a buffer that grows leaves copies of its secrets in memory.
        let mut bytes = Vec::with_capacity(64 * 1024);
        python_json::dump(&mut bytes, self, SPACED);
        Zeroizing::new(bytes)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("expires_at", &self.access_token.expires_at)
            .finish_non_exhaustive()
    }
}
