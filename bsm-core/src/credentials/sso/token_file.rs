//! The token file of a login, in the format of the AWS CLI.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fmt, io};

use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use crate::credentials::python_json::{self, SPACED};
use crate::profile::Sso;
use crate::shared_file::{self, LockAttempt, Unusable};
use crate::time::{format_rfc3339, parse};
use crate::validation;

/// The longest token file that is read: real ones have a few KiB.
const MAX_BYTES: u64 = 1024 * 1024;

/// What a login is named after, and where it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SsoSession {
    /// The name of the `sso-session` section; profiles of the older form have none.
    pub(crate) name: Option<String>,
    pub(crate) start_url: String,
    pub(crate) region: String,
}

impl From<&Sso> for SsoSession {
    fn from(sso: &Sso) -> Self {
        Self {
            name: sso.session_name.clone(),
            start_url: sso.start_url.clone(),
            region: sso.region.clone(),
        }
    }
}

/// The token file of a login, and the lock beside it.
#[derive(Clone, Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
}

/// What is in a token file.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) access_token: Zeroizing<String>,
    pub(crate) expires_at: SystemTime,
    pub(crate) refresh: Option<Refresh>,
}

/// What it takes to renew a token.
#[derive(Clone)]
pub(crate) struct Refresh {
    pub(crate) client_id: String,
    pub(crate) client_secret: Zeroizing<String>,
    pub(crate) registration_expires_at: SystemTime,
    pub(crate) refresh_token: Zeroizing<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    access_token: Zeroizing<String>,
    expires_at: String,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
    registration_expires_at: Option<String>,
    refresh_token: Option<Zeroizing<String>>,
}

/// The fields are in the order of the AWS CLI's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    start_url: &'a str,
    region: &'a str,
    access_token: &'a str,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

impl TokenFile {
    /// Returns the file of a login in a home directory.
    pub(crate) fn in_home(home: &Path, session: &SsoSession) -> Self {
        // The AWS CLI's rule, so that it finds the same file.
        let name = session.name.as_deref().unwrap_or(&session.start_url);
        let digest = Sha1::digest(name.as_bytes());
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let directory = home.join(".aws").join("sso").join("cache");
        Self {
            path: directory.join(format!("{name}.json")),
        }
    }

    /// Tries to become the one process that asks the user to sign in. Never waits.
    #[cfg(feature = "sso-login")]
    pub(crate) async fn try_prompt_lock(&self) -> LockAttempt {
        shared_file::try_lock_async(self.path.with_extension("prompt.lock")).await
    }

    /// Removes the token; `false` if there is none.
    #[cfg(feature = "sso-login")]
    pub(crate) async fn remove(&self) -> io::Result<bool> {
        let path = self.path.clone();
        let removed = crate::small_file::blocking(move || std::fs::remove_file(path)).await;
        match removed.map_err(io::Error::other)? {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn read(&self) -> Result<Token, Unusable> {
        shared_file::read_parsed(&self.path, MAX_BYTES, Token::parse).await
    }

    /// Replaces the token.
    pub(crate) async fn write(&self, session: &SsoSession, token: &Token) -> io::Result<()> {
        let text = token.to_json(session);
        shared_file::replace_async(self.path.clone(), text).await
    }

    /// Tries to lock the login. Never waits.
    pub(crate) async fn try_lock(&self) -> LockAttempt {
        // Beside the token: a lock on the file itself would stay with the one that is replaced.
        shared_file::try_lock_async(self.path.with_extension("lock")).await
    }
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        let read: Read = serde_json::from_str(text).ok()?;
        // What no request could contain.
        if validation::flaw(&read.access_token).is_some() {
            return None;
        }
        // A token that lacks one of these is used until it expires.
        let refresh = || {
            Some(Refresh {
                client_id: read.client_id?,
                client_secret: read.client_secret?,
                registration_expires_at: parse(&read.registration_expires_at?)?,
                refresh_token: read.refresh_token.filter(|token| !token.is_empty())?,
            })
        };
        Some(Self {
            expires_at: parse(&read.expires_at)?,
            refresh: refresh(),
            access_token: read.access_token,
        })
    }

    /// Returns the text of the file, byte for byte as the AWS CLI writes it.
    fn to_json(&self, session: &SsoSession) -> Zeroizing<String> {
        let refresh = self.refresh.as_ref();
        let date = |time| format_rfc3339(time).unwrap_or_default();
        let written = Written {
            start_url: &session.start_url,
            region: &session.region,
            access_token: &self.access_token,
            expires_at: date(self.expires_at),
            client_id: refresh.map(|refresh| refresh.client_id.as_str()),
            client_secret: refresh.map(|refresh| refresh.client_secret.as_str()),
            registration_expires_at: refresh.map(|refresh| date(refresh.registration_expires_at)),
            refresh_token: refresh.map(|refresh| refresh.refresh_token.as_str()),
        };
        // Larger than any token: a buffer that grows leaves copies of its secrets in memory.
        let mut bytes = Vec::with_capacity(32 * 1024);
        python_json::dump(&mut bytes, &written, SPACED);
        Zeroizing::new(String::from_utf8(bytes).expect("the formatter writes ASCII"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("expires_at", &self.expires_at)
            .field("can_be_renewed", &self.refresh.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::shared_file::MAX_WRITE;

    fn session(name: Option<&str>) -> SsoSession {
        SsoSession {
            name: name.map(str::to_owned),
            start_url: "https://d-1.awsapps.com/start".to_owned(),
            region: "eu-west-1".to_owned(),
        }
    }

    const TEXT: &str = "{\"startUrl\": \"https://d-1.awsapps.com/start\", \"region\": \"eu-west-1\", \
        \"accessToken\": \"a\", \"expiresAt\": \"2026-11-22T14:47:40Z\", \"clientId\": \"c\", \
        \"clientSecret\": \"s\", \"registrationExpiresAt\": \"2027-02-20T14:47:40Z\", \
        \"refreshToken\": \"r\"}";

    #[test]
    fn the_file_of_a_login_has_the_name_that_the_aws_cli_gives_it() {
        let name = |session: &SsoSession| {
            let file = TokenFile::in_home(Path::new("/home/jane"), session);
            file.path()
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        // sha1 of "corp", and of the start URL.
        let corp = name(&session(Some("corp")));
        assert!(
            corp.starts_with("ee0bfd25") && corp.ends_with("450f.json"),
            "{corp}"
        );
        assert_eq!(
            name(&session(None)),
            "0c54b6c27e90660baa89eaad85ac1d5dae26cb7d.json"
        );
    }

    #[test]
    fn a_token_is_written_as_it_was_read() {
        let token = Token::parse(TEXT).unwrap();
        assert_eq!(*token.to_json(&session(Some("corp"))), TEXT);
        assert!(!format!("{token:?}").contains("\"a\""));
    }

    #[test]
    fn an_expiry_is_read_in_each_form_that_clis_have_written() {
        for date in [
            "2026-11-22T14:47:40UTC",
            "2026-11-22T14:47:40+00:00",
            "2026-11-22T14:47:40.0Z",
        ] {
            let token = Token::parse(&TEXT.replace("2026-11-22T14:47:40Z", date)).unwrap();
            assert_eq!(
                Some(token.expires_at),
                parse("2026-11-22T14:47:40Z"),
                "{date}"
            );
        }
    }

    #[test]
    fn a_token_without_what_renews_it_is_a_token() {
        for field in [
            "clientId",
            "clientSecret",
            "registrationExpiresAt",
            "refreshToken",
        ] {
            let text = TEXT.replace(&format!("\"{field}\""), "\"other\"");
            assert!(Token::parse(&text).unwrap().refresh.is_none(), "{field}");
        }
        for text in [
            "",
            "{",
            "[]",
            "{}",
            &TEXT.replace("\"a\"", "\"\""),
            &TEXT.replace("\"a\"", "\"a\\r\\n\""),
            &TEXT[..TEXT.len() / 2],
        ] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_in_the_middle_of_a_write_is_read_again_for_a_second() {
        let home = tempfile::tempdir().unwrap();
        let file = TokenFile::in_home(home.path(), &session(Some("corp")));
        assert!(matches!(file.read().await, Err(Unusable::Missing)));
        std::fs::create_dir_all(file.path().parent().unwrap()).unwrap();
        std::fs::write(file.path(), "").unwrap();
        let before = Instant::now();
        assert!(matches!(file.read().await, Err(Unusable::Damaged)));
        assert!(before.elapsed() >= MAX_WRITE);
        assert!(file.path().exists());
        let path = file.path().to_owned();
        let writer = tokio::spawn(async move {
            tokio::time::sleep(MAX_WRITE / 2).await;
            std::fs::write(path, TEXT).unwrap();
        });
        assert_eq!(*file.read().await.unwrap().access_token, "a");
        writer.await.unwrap();
    }
}
