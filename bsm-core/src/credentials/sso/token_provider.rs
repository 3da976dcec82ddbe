//! A login: its access token, renewed once for all processes.
//!
//! | token | what a caller gets |
//! |---|---|
//! | valid for 15 minutes or more | the token |
//! | valid for less | the token, after one attempt a minute to renew it, without waiting for another process |
//! | expired | a new one: one process renews it under a lock, and the others wait and read the file again |
//! | expired, and cannot be renewed | an error that names the command to type |

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Token as BearerToken;
use aws_credential_types::provider::error::TokenError;
use aws_credential_types::provider::future::ProvideToken as TokenFuture;
use aws_credential_types::provider::token::ProvideToken;
use aws_sdk_sts::error::ProvideErrorMetadata as _;
use aws_smithy_async::time::SharedTimeSource;
use parking_lot::Mutex as SyncMutex;
use sha1::{Digest as _, Sha1};
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::token_file::{Refresh, SsoSession, Token, TokenFile};
use crate::error::{Error, ErrorKind};
use crate::shared_file::{Lock, LockAttempt, Turn, Unusable};
use crate::sync::single_flight::detached;
use crate::transport::{self, time_limits};
use crate::validation;

/// When a token is renewed ahead of its expiry, as in botocore.
const ADVISORY: Duration = Duration::from_secs(15 * 60);

/// The time between two attempts to renew a token that is still valid, as in botocore.
const RETRY_WHILE_VALID: Duration = Duration::from_secs(60);

/// The same for an expired token: the managers of a process that starts share one attempt.
const RETRY: Duration = Duration::from_secs(2);

/// The longest lifetime of a token that is believed.
const MAX_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// The access token of a login.
#[derive(Clone)]
pub(crate) struct SsoTokenProvider {
    session: SsoSession,
    /// The profile to name in a command; `None` if only the sso-session is known.
    profile: Option<String>,
    file: TokenFile,
    oidc: SdkConfig,
    time: SharedTimeSource,
}

/// What the managers of this process know about a login that is not in its file.
#[derive(Default)]
struct Attempts {
    last: Option<(SystemTime, Error)>,
    /// A token that could not be written.
    unwritten: Option<Token>,
}

impl SsoTokenProvider {
    /// `oidc` is the configuration of requests to SSO OIDC.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialsUnavailable`] if there is no home directory, and so no login.
    pub(crate) fn new(
        session: SsoSession,
        profile: Option<String>,
        home: Option<PathBuf>,
        oidc: SdkConfig,
    ) -> Result<Self, Error> {
        let Some(home) = home else {
            let profile = profile.unwrap_or_default();
            let message = format!(
                "profile {profile:?} uses SSO, but there is no home directory, where the AWS CLI keeps logins: \
                 set HOME"
            );
            return Err(Error::new(ErrorKind::CredentialsUnavailable, message));
        };
        Ok(Self {
            file: TokenFile::in_home(&home, &session),
            time: oidc.time_source().unwrap_or_default(),
            session,
            profile,
            oidc,
        })
    }

    /// Returns how long a token can take to come.
    pub(super) fn limit(&self) -> Duration {
        // The attempt of another process, and then one of our own.
        time_limits::of_request(&self.oidc).saturating_mul(2)
    }

    /// Returns a valid access token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SignInRequired`] if a person has to sign in, and what a failed attempt to renew the
    /// token fails with.
    pub(crate) async fn access_token(&self) -> Result<Zeroizing<String>, Error> {
        Ok(self.token().await?.access_token)
    }

    /// Returns an access token other than one that was refused, if there is one by now.
    pub(super) async fn other_than(&self, refused: &str) -> Result<Zeroizing<String>, Error> {
        let token = self.token().await?;
        match *token.access_token == *refused {
            true => Err(self.sign_in("is no longer accepted")),
            false => Ok(token.access_token),
        }
    }

    /// Returns a valid token. A cancelled caller doesn't cancel the request that renews it: AWS may have
    /// used up the refresh token by then, and only the answer contains the next one.
    async fn token(&self) -> Result<Token, Error> {
        let login = self.clone();
        detached(async move { login.current_or_renewed().await }).await
    }

    async fn current_or_renewed(&self) -> Result<Token, Error> {
        let found = self.read().await?;
        let now = self.time.now();
        let attempts = self.attempts();
        if now + ADVISORY < found.expires_at {
            return Ok(found);
        }
        if found.expires_at <= now {
            // One manager at a time: the next one finds the new token, or the error of the attempt.
            let attempts = tokio::time::timeout(self.limit(), attempts.lock()).await;
            let mut attempts = attempts.map_err(|_| self.busy())?;
            return self.renewed(&mut attempts).await;
        }
        // The token is valid, so a caller never waits for another one's attempt.
        let Ok(mut attempts) = attempts.try_lock() else {
            return Ok(found);
        };
        if found.refresh.is_none() || attempts.is_pausing(RETRY_WHILE_VALID, now) {
            return Ok(found);
        }
        let lock = match self.file.try_lock().await {
            LockAttempt::Acquired(lock) => Some(lock),
            // The holder renews the token, and this one is still valid.
            LockAttempt::Held => return Ok(found),
            LockAttempt::Unsupported => None,
        };
        // Under the lock: its last holder may have renewed the token.
        // A renewed token that could not be written is newer than the file.
        let found = self.read_or_unwritten(&attempts).await?;
        if self.time.now() + ADVISORY < found.expires_at {
            return Ok(found);
        }
        match self.refresh(&found, lock, &mut attempts).await {
            Ok(renewed) => Ok(renewed),
            Err(error) => {
                tracing::warn!(%error, "an SSO login could not be renewed; it is still valid");
                Ok(found)
            }
        }
    }

    /// Returns a valid token in place of an expired one: renewed here, or by another process meanwhile.
    async fn renewed(&self, attempts: &mut Attempts) -> Result<Token, Error> {
        // Without one if the user has set no time limit.
        let give_up = Instant::now().checked_add(self.limit());
        loop {
            let attempt = self.file.try_lock().await;
            // After the lock: its last holder may have renewed the login.
            let found = self.read_or_unwritten(attempts).await?;
            let now = self.time.now();
            if now < found.expires_at {
                return Ok(found);
            }
            if let Some(error) = attempts.failed_within(RETRY, now) {
                return Err(error);
            }
            match attempt.turn(give_up).await {
                Turn::Taken(lock) => return self.refresh(&found, lock, attempts).await,
                Turn::Again => {}
                Turn::Late => return Err(self.busy()),
            }
        }
    }

    /// Renews a token with a request to SSO OIDC.
    async fn refresh(
        &self,
        old: &Token,
        lock: Option<Lock>,
        attempts: &mut Attempts,
    ) -> Result<Token, Error> {
        let now = self.time.now();
        let refresh = match &old.refresh {
            // SSO OIDC refuses a client whose registration has expired, so the request is saved.
            Some(refresh) if now < refresh.registration_expires_at => refresh,
            _ => return Err(self.sign_in("has expired")),
        };
        let digest = digest(&refresh.refresh_token);
        let mut lock = lock;
        // Another process has noted that the refresh token is used up.
        if lock.as_mut().is_some_and(|lock| lock.note() == digest) {
            return Err(self.sign_in("has expired"));
        }
        match self.create_token(refresh, now).await {
            Ok(renewed) => {
                tracing::debug!(session = self.session.name, "renewed an SSO login");
                attempts.last = None;
                attempts.unwritten = None;
                if let Err(error) = self.file.write(&self.session, &renewed).await {
                    let path = self.file.path().display();
                    tracing::warn!(%error, %path, "a renewed SSO login could not be written");
                    // A refresh token may be good for one use: the next one exists only here.
                    attempts.unwritten = Some(renewed.clone());
                }
                Ok(renewed)
            }
            Err(error) => {
                // Other errors may pass, so the next process makes its own attempt.
                if error.kind() == ErrorKind::SignInRequired
                    && let Some(lock) = &mut lock
                    && let Err(error) = lock.leave_note(&digest)
                {
                    tracing::debug!(%error, "the end of an SSO login could not be recorded for other processes");
                }
                attempts.last = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    async fn create_token(&self, refresh: &Refresh, now: SystemTime) -> Result<Token, Error> {
        let call = transport::client(&self.oidc, aws_sdk_ssooidc::Client::new)?
            .create_token()
            .grant_type("refresh_token")
            .client_id(&refresh.client_id)
            .client_secret(refresh.client_secret.as_str())
            .refresh_token(refresh.refresh_token.as_str());
        let answer = transport::unlogged(call.send()).await.map_err(|error| {
            let is_final = error.as_service_error().is_some_and(|error| {
                let code = error.code().unwrap_or_default();
                FINAL.contains(&code)
            });
            let secrets = [refresh.client_secret.as_str(), &refresh.refresh_token];
            let error = transport::failed("renew the SSO login", error, &secrets);
            match is_final {
                true => self.sign_in("has expired").with_source(error),
                false => error,
            }
        })?;
        let lifetime = Duration::from_secs(answer.expires_in.max(0).unsigned_abs().into());
        let is_usable = |token: &String| validation::flaw(token).is_none();
        let Some(access_token) = answer.access_token.filter(is_usable) else {
            return Err(Error::new(
                ErrorKind::Service,
                "SSO OIDC answered without a usable token: check that the endpoint is an AWS \
                 endpoint",
            ));
        };
        let next = answer.refresh_token.map(Zeroizing::new);
        Ok(Token {
            access_token: Zeroizing::new(access_token),
            // Identity Center ends sessions after 90 days at most.
            expires_at: now + lifetime.min(MAX_LIFETIME),
            refresh: Some(Refresh {
                // RFC 6749: without a new refresh token, the old one stays valid.
                refresh_token: next.unwrap_or_else(|| refresh.refresh_token.clone()),
                ..refresh.clone()
            }),
        })
    }

    async fn read(&self) -> Result<Token, Error> {
        self.file.read().await.map_err(|none| match none {
            Unusable::Missing => self.sign_in("does not exist"),
            Unusable::Damaged => self.sign_in("is damaged"),
            Unusable::Unreadable(error) => self.sign_in("cannot be read").with_source(error),
        })
    }

    async fn read_or_unwritten(&self, attempts: &Attempts) -> Result<Token, Error> {
        let found = self.read().await;
        match (&attempts.unwritten, found) {
            // A later one in the file is that of a sign-in, or of another process.
            (Some(ours), Ok(found)) if found.expires_at < ours.expires_at => Ok(ours.clone()),
            (Some(ours), Err(_)) => Ok(ours.clone()),
            (_, found) => found,
        }
    }

    /// The attempts of this process, which all managers of the login share.
    fn attempts(&self) -> Arc<Mutex<Attempts>> {
        static ATTEMPTS: LazyLock<SyncMutex<HashMap<PathBuf, Arc<Mutex<Attempts>>>>> =
            LazyLock::new(SyncMutex::default);
        // By file: managers with other settings share the login, and its refresh token.
        let path = self.file.path().to_owned();
        ATTEMPTS.lock().entry(path).or_default().clone()
    }

    fn sign_in(&self, what: &str) -> Error {
        let login = match &self.session.name {
            Some(name) => format!("the login of sso-session {name:?}"),
            None => format!("the SSO login at {}", self.session.start_url),
        };
        let option = match (&self.profile, &self.session.name) {
            (Some(profile), _) => format!("--profile {profile}"),
            (None, name) => format!("--sso-session {}", name.as_deref().unwrap_or_default()),
        };
        let message = format!("{login} {what}: sign in with `aws sso login {option}`");
        Error::new(ErrorKind::SignInRequired, message)
    }

    fn busy(&self) -> Error {
        Error::new(
            ErrorKind::TimedOut,
            format!(
                "timed out waiting for another process that is renewing the SSO login in {}",
                self.file.path().display()
            ),
        )
    }
}

/// The codes with which SSO OIDC refuses a refresh token or its client for good.
const FINAL: [&str; 7] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidClientException",
    "InvalidGrantException",
    "InvalidRequestException",
    "UnauthorizedClientException",
    "UnsupportedGrantTypeException",
];

impl Attempts {
    /// Returns whether an attempt failed a short time ago, for whatever reason: while the token is valid, the
    /// next one can wait.
    fn is_pausing(&self, pause: Duration, now: SystemTime) -> bool {
        let failed = self.last.as_ref();
        let ago = failed.and_then(|(at, _)| now.duration_since(*at).ok());
        ago.is_some_and(|ago| ago < pause)
    }

    fn failed_within(&self, pause: Duration, now: SystemTime) -> Option<Error> {
        let (at, error) = self.last.as_ref()?;
        // A clock that was set back ends the pause as well.
        let ago = now.duration_since(*at).ok()?;
        // A sign-in of the user must be noticed at once. The note in the lock file prevents
        // requests until then.
        (ago < pause && error.kind() != ErrorKind::SignInRequired).then(|| error.clone())
    }
}

/// Names a refresh token without being one.
fn digest(token: &str) -> String {
    let digest = Sha1::digest(token.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The token as services with bearer tokens get it.
impl ProvideToken for SsoTokenProvider {
    fn provide_token<'a>(&'a self) -> TokenFuture<'a>
    where
        Self: 'a,
    {
        TokenFuture::new(async move {
            let token = self.token().await.map_err(TokenError::provider_error)?;
            Ok(BearerToken::new(
                token.access_token.as_str(),
                Some(token.expires_at),
            ))
        })
    }
}

impl fmt::Debug for SsoTokenProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsoTokenProvider")
            .field("session", &self.session)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}
