//! Signing in to IAM Identity Center (SSO), and out of it. Feature `sso-login`.
//!
//! [`BotoSesManager::sso_login`] signs in as `aws sso login` does, and writes the same files: every program
//! of the user uses the login. There are two ways:
//!
//! | way | the user | chosen if |
//! |---|---|---|
//! | authorization code, with PKCE | signs in with a browser on this machine | there is a display |
//! | device code | opens an address anywhere, and compares a code | there is none, or it is [asked for](SignIn::device_code) |
//!
//! A [`SignInPrompt`] tells the user what to do:
//!
//! | prompt | does |
//! |---|---|
//! | [`Browser`] | opens the browser, and writes the address to the standard error |
//! | [`Terminal`] | writes the address and the code to the standard error |
//! | [`from_fn`] | calls a closure |
//!
//! [`BotoSesManager::sso_login`]: crate::BotoSesManager::sso_login

mod authorization_code;
mod device_code;
mod listener;
mod portal;
mod prompt;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_ssooidc::error::ProvideErrorMetadata;
use aws_sdk_ssooidc::operation::create_token::CreateTokenOutput;
use aws_smithy_runtime_api::client::result::SdkError;
use tokio::time::Instant;
use zeroize::Zeroizing;

pub(crate) use self::portal::sign_out;
pub use self::portal::{SsoRole, SsoRoles};
pub use self::prompt::{BoxFuture, Browser, SignInPrompt, SignInRequest, Terminal, from_fn};
use crate::credentials::sso::registration::{Grant, Registration};
use crate::credentials::sso::{Refresh, SsoSession, Token, TokenFile};
use crate::error::{Error, ErrorKind};
use crate::session::Session;
use crate::session::sso::SsoAccess;
use crate::shared_file::{Lock, Turn};
use crate::transport::{self, SdkFailure};

/// How long a user has by default: as long as AWS's codes are valid, and as the AWS CLI waits.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The longest lifetime of a token that is believed.
const MAX_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// A sign-in to IAM Identity Center; see [`BotoSesManager::sso_login`](crate::BotoSesManager::sso_login).
///
/// Nothing happens before it is awaited, on a tokio runtime with its timers and I/O enabled. Dropping the
/// future ends the sign-in, and closes what it has opened.
///
/// # Errors
///
/// - [`ErrorKind::InvalidConfig`] if the profile has no login, or its settings are incomplete;
/// - [`ErrorKind::SignInFailed`] if the user denies the access, or the answer is not to this sign-in;
/// - [`ErrorKind::TimedOut`] if the user takes longer than the [time-out](Self::timeout), or another process
///   that is signing in to the same login does;
/// - [`ErrorKind::File`] if the token cannot be written;
/// - what the requests to Identity Center fail with.
#[must_use = "it signs in when it is awaited"]
pub struct SignIn {
    session: Arc<Session>,
    sso_session: Option<String>,
    is_by_device_code: bool,
    prompt: Option<Box<dyn SignInPrompt>>,
    timeout: Duration,
}

impl SignIn {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            sso_session: None,
            is_by_device_code: false,
            prompt: None,
            timeout: TIMEOUT,
        }
    }

    /// Signs in to the `sso-session` section of this name, instead of that of the manager's profile.
    pub fn sso_session(mut self, name: impl Into<String>) -> Self {
        self.sso_session = Some(name.into());
        self
    }

    /// Signs in with a device code, in a browser on any machine.
    ///
    /// Default: with an authorization code, in a browser on this machine, unless there is no display or the
    /// profile is of the older form, without an `sso_session`.
    pub fn device_code(mut self) -> Self {
        self.is_by_device_code = true;
        self
    }

    /// Sets the prompt, which shows the user what to do.
    ///
    /// Default: [`Browser`] with an authorization code, and [`Terminal`] with a device code.
    pub fn prompt(mut self, prompt: impl SignInPrompt) -> Self {
        self.prompt = Some(Box::new(prompt));
        self
    }

    /// Sets how long the user has. Default: ten minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn run(self) -> Result<SsoLogin, Error> {
        let access = self.session.sso_access(self.sso_session.as_deref()).await?;
        let is_by_device_code =
            self.is_by_device_code || !access.has_display || access.session.name.is_none();
        let prompt = self.prompt.unwrap_or_else(|| match is_by_device_code {
            true => Box::new(Terminal::new()),
            false => Box::new(Browser::new()),
        });
        let attempt = Attempt {
            file: TokenFile::in_home(&access.home, &access.session),
            access: &access,
            prompt: &*prompt,
        };
        let signed_in = attempt.run(is_by_device_code, self.timeout);
        let signed_in = tokio::time::timeout(self.timeout, signed_in).await;
        let signed_in = signed_in
            .map_err(|_| Error::timed_out(self.timeout, "the user to sign in: sign in again"))??;
        // Outside of the user's time: a token that was issued in its last second cannot be issued again.
        if signed_in.is_new {
            attempt.write(&signed_in.token).await?;
        }
        // An error that it remembers from before the sign-in has no reason any more.
        self.session.clear();
        Ok(SsoLogin::new(
            access.session.clone(),
            Some(&signed_in.token),
        ))
    }
}

impl IntoFuture for SignIn {
    type Output = Result<SsoLogin, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("sso_session", &self.sso_session)
            .field("is_by_device_code", &self.is_by_device_code)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A login of IAM Identity Center: an `sso-session`, or the start URL of profiles of the older form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoLogin {
    session: SsoSession,
    expires_at: Option<SystemTime>,
    can_be_renewed: bool,
}

impl SsoLogin {
    pub(crate) fn new(session: SsoSession, token: Option<&Token>) -> Self {
        Self {
            session,
            expires_at: token.map(|token| token.expires_at),
            can_be_renewed: token.is_some_and(|token| token.refresh.is_some()),
        }
    }

    /// Returns the name of the `sso-session` section; `None` for profiles of the older form.
    pub fn sso_session(&self) -> Option<&str> {
        self.session.name.as_deref()
    }

    /// Returns the address of the portal.
    pub fn start_url(&self) -> &str {
        &self.session.start_url
    }

    /// Returns the region of Identity Center.
    pub fn region(&self) -> &str {
        &self.session.region
    }

    /// Returns when the access token expires or expired; `None` without a login.
    pub fn expiration(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        crate::time::to_utc(self.expires_at?)
    }

    /// Returns `true` if a program can renew the token without the user, for as long as Identity Center
    /// allows.
    pub fn can_be_renewed(&self) -> bool {
        self.can_be_renewed
    }
}

/// Returns the logins that the profile files know, with what their token files say.
pub(crate) async fn logins(session: &Session) -> Result<Vec<SsoLogin>, Error> {
    let (home, sessions) = session.sso_sessions().await?;
    let mut logins = Vec::new();
    for session in sessions {
        let token = match &home {
            // A file that is damaged is no login.
            Some(home) => TokenFile::in_home(home, &session).read().await.ok(),
            None => None,
        };
        logins.push(SsoLogin::new(session, token.as_ref()));
    }
    Ok(logins)
}

/// A sign-in that is under way.
struct Attempt<'a> {
    access: &'a SsoAccess,
    file: TokenFile,
    prompt: &'a dyn SignInPrompt,
}

/// The token that a sign-in has come to.
struct SignedIn {
    token: Token,
    /// `false` if another process got it, and has written it.
    is_new: bool,
    /// Held until the token is written, so that no other process prompts before that.
    _prompt: Option<Lock>,
}

impl Attempt<'_> {
    async fn run(&self, is_by_device_code: bool, timeout: Duration) -> Result<SignedIn, Error> {
        // Before the wait: a token that differs from this one is the login of another process.
        let before = self.file.read().await.ok();
        let (prompt, has_waited) = self.only_prompt(timeout).await?;
        // Another process has signed in while this one waited.
        if has_waited
            && let Ok(token) = self.file.read().await
            && before.is_none_or(|before| *before.access_token != *token.access_token)
            && self.now() < token.expires_at
        {
            return Ok(SignedIn {
                token,
                is_new: false,
                _prompt: prompt,
            });
        }
        tracing::debug!(
            start_url = self.access.session.start_url,
            is_by_device_code,
            "signing in to IAM Identity Center"
        );
        let token = match self.flow(is_by_device_code).await {
            // AWS has forgotten the client before its registration expired. The file would fail every
            // sign-in until then.
            Err(error) if is_unknown_client(&error) => {
                let SsoAccess {
                    home,
                    session,
                    scopes,
                    ..
                } = self.access;
                Registration::remove(home, session, scopes).await;
                self.flow(is_by_device_code).await?
            }
            token => token?,
        };
        Ok(SignedIn {
            token,
            is_new: true,
            _prompt: prompt,
        })
    }

    async fn flow(&self, is_by_device_code: bool) -> Result<Token, Error> {
        match is_by_device_code {
            true => self.with_device_code().await,
            false => self.with_authorization_code().await,
        }
    }

    /// Waits until no other process of this machine prompts for the same login. Returns whether one did.
    async fn only_prompt(&self, timeout: Duration) -> Result<(Option<Lock>, bool), Error> {
        // `None` for a time-out such as `Duration::MAX`, which means no limit.
        let give_up = Instant::now().checked_add(timeout);
        let mut has_waited = false;
        loop {
            match self.file.try_prompt_lock().await.turn(give_up).await {
                Turn::Taken(lock) => return Ok((lock, has_waited)),
                Turn::Again => has_waited = true,
                Turn::Late => {
                    return Err(Error::timed_out(
                        timeout,
                        "another process that is signing in",
                    ));
                }
            }
        }
    }

    /// Writes the token, not while another process renews the old one.
    async fn write(&self, token: &Token) -> Result<(), Error> {
        // Longer than a renewal takes: then its holder has stopped.
        let give_up = Instant::now() + Duration::from_secs(60);
        let _lock = loop {
            match self.file.try_lock().await.turn(Some(give_up)).await {
                Turn::Taken(lock) => break lock,
                Turn::Again => {}
                // Without the lock is better than not at all: the user has just signed in.
                Turn::Late => break None,
            }
        };
        let written = self.file.write(&self.access.session, token).await;
        written.map_err(|error| {
            let path = self.file.path().display();
            let message = format!("the login cannot be written to {path}: check its directory");
            Error::new(ErrorKind::File, message).with_source(error)
        })
    }

    async fn register(&self, grant: Grant) -> Result<Registration, Error> {
        let SsoAccess {
            home,
            session,
            scopes,
            config,
            ..
        } = self.access;
        Registration::get(home, session, scopes, grant, config).await
    }

    /// Shows the request to the user, and waits for the outcome meanwhile.
    async fn prompting<T>(
        &self,
        request: &SignInRequest,
        outcome: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut outcome = pin!(outcome);
        // A prompt may return only when the user closes it, and the outcome must not wait for it.
        tokio::select! {
            shown = self.prompt.show(request) => shown?,
            outcome = &mut outcome => return outcome,
        }
        outcome.await
    }

    fn token(&self, answer: CreateTokenOutput, client: Registration) -> Result<Token, Error> {
        let lifetime = Duration::from_secs(answer.expires_in.max(0).unsigned_abs().into());
        let access_token = answer.access_token.filter(|token| !token.is_empty());
        let access_token = access_token.ok_or_else(|| {
            Error::new(
                ErrorKind::Service,
                "SSO OIDC answered without a token: check that the endpoint is an AWS endpoint",
            )
        })?;
        Ok(Token {
            access_token: Zeroizing::new(access_token),
            // 90 days is the longest session that IAM Identity Center can be configured for.
            expires_at: whole_seconds(self.now()) + lifetime.min(MAX_LIFETIME),
            refresh: answer.refresh_token.map(|refresh_token| Refresh {
                client_id: client.client_id,
                client_secret: client.client_secret,
                registration_expires_at: client.expires_at,
                refresh_token: Zeroizing::new(refresh_token),
            }),
        })
    }

    fn now(&self) -> SystemTime {
        self.access.config.time_source().unwrap_or_default().now()
    }
}

/// Returns whether SSO OIDC does not know the client of a sign-in.
fn is_unknown_client(error: &Error) -> bool {
    let failure = SdkFailure::find_in(error);
    failure.is_some_and(|failure| failure.code() == Some("InvalidClientException"))
}

/// Returns the time as a token file has it, so that all processes see the same.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Turns the failure of CreateToken into an error of the sign-in.
fn failed_token<E, R>(error: SdkError<E, R>, secrets: &[&str]) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let is_refused = error.as_service_error().is_some_and(|error| {
        let code = error.code().unwrap_or_default();
        ["InvalidGrantException", "InvalidClientException"].contains(&code)
    });
    let failed = transport::failed("get the token of the sign-in", error, secrets);
    match is_refused {
        true => Error::new(
            ErrorKind::SignInFailed,
            "IAM Identity Center refused the sign-in: sign in again",
        )
        .with_source(failed),
        false => failed,
    }
}
