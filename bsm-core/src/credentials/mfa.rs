//! Codes of MFA devices: who gives them, and when they are asked for.
//!
//! A role whose trust policy asks for MFA is assumed with the six digits that a device shows at
//! the moment. A manager gets them from its [`MfaTokenProvider`], which
//! [`Builder::mfa_token_provider`](crate::Builder::mfa_token_provider) sets:
//!
//! | provider | code from | may run in the background |
//! |---|---|---|
//! | [`TerminalPrompt`] | the person at the terminal | no |
//! | [`TokenCommand`] | a program, for example `op item get aws --otp` | if told so |
//! | [`from_fn`] | a closure | no |
//! | `Totp` (feature `totp`) | the device's secret | yes |
//!
//! # When a code is asked for
//!
//! Once for any number of callers that wait, and again when the credentials have to be refreshed.
//! A provider that [interactive](MfaTokenProvider::is_interactive) is asked only for a
//! caller who waits for the answer, never by a refresh in the background: the code is asked for in
//! the last minute of the old credentials, or at the first use after it. Whoever answers slowly
//! stops nobody while they are valid, and whoever gives no code is left in peace until they expire.
//!
//! # A code is sent once
//!
//! AWS refuses a code that it has seen. So a code is sent to AWS once, whatever comes of it, by all
//! managers that share a provider: those which are built with the same one, and the roles assumed
//! from them. A provider that gives the same code again is asked for another. If AWS refuses a
//! code, the error is an [`ErrorKind::MfaCodeRejected`], and the next call asks anew.

mod command;
mod prompt;
#[cfg(feature = "totp")]
mod totp;

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::SharedTimeSource;

use crate::error::{Error, ErrorKind};

pub use command::TokenCommand;
pub use prompt::TerminalPrompt;
#[cfg(feature = "totp")]
pub use totp::Totp;

/// How long a device shows one code.
const STEP: Duration = Duration::from_secs(30);

/// How often a provider that gives used codes is asked for another one.
const MAX_TRIES: usize = 3;

/// How long a manager waits for its turn while a provider is busy with another one.
const TURN: Duration = Duration::from_secs(120);

/// How long AWS may know a code again: the steps around the one it belongs to, and some more.
const MEMORY: Duration = Duration::from_secs(300);

/// A boxed future, as [`MfaTokenProvider`] returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Gives the codes of MFA devices.
///
/// ```
/// use bsm_core::mfa::{BoxFuture, MfaTokenProvider, TokenRequest};
/// use bsm_core::{Error, ErrorKind};
///
/// struct Keychain;
///
/// impl MfaTokenProvider for Keychain {
///     fn token_code<'a>(&'a self, request: &'a TokenRequest) -> BoxFuture<'a, Result<String, Error>> {
///         Box::pin(async move {
///             look_up(request.serial()).ok_or_else(|| {
///                 Error::new(ErrorKind::MfaCodeUnavailable, "the keychain is locked: unlock it")
///             })
///         })
///     }
/// }
/// # fn look_up(_: &str) -> Option<String> { None }
/// ```
pub trait MfaTokenProvider: Send + Sync + 'static {
    /// Returns the six digits that the device shows now. White space around them and between them
    /// is left out.
    ///
    /// If [`request.is_repeat()`](TokenRequest::is_repeat), the code given before had been used:
    /// wait for the device's next one. One request is made at a time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MfaCodeUnavailable`] is for "nobody is there to give one".
    fn token_code<'a>(&'a self, request: &'a TokenRequest) -> BoxFuture<'a, Result<String, Error>>;

    /// Says whether somebody has to do something for a code, so that it is not to be asked for in
    /// the background. Default: yes.
    fn is_interactive(&self) -> bool {
        true
    }
}

/// Which code is asked for, and what for.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    serial: String,
    role_arn: String,
    time: SharedTimeSource,
    is_repeat: bool,
}

impl TokenRequest {
    pub(crate) fn new(serial: &str, role_arn: &str, time: SharedTimeSource) -> Self {
        Self {
            serial: serial.to_owned(),
            role_arn: role_arn.to_owned(),
            time,
            is_repeat: false,
        }
    }

    /// Returns the device's ARN, or the serial number of a hardware device.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Returns the ARN of the role that is to be assumed.
    pub fn role_arn(&self) -> &str {
        &self.role_arn
    }

    /// Says whether the code that was given before had been used already.
    pub fn is_repeat(&self) -> bool {
        self.is_repeat
    }

    /// Returns the time by the manager's clock.
    pub fn now(&self) -> SystemTime {
        self.time.now()
    }

    /// Waits until a device shows its next code: up to 30 seconds.
    pub async fn next_code(&self) {
        let into_step = self.since_epoch().as_millis() % STEP.as_millis();
        let left = STEP.as_millis() - into_step;
        tokio::time::sleep(Duration::from_millis(left.try_into().unwrap_or(0))).await;
    }

    fn since_epoch(&self) -> Duration {
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// Makes a provider of a closure.
///
/// A code that has been used is asked for again after the device has moved on to the next one.
///
/// ```
/// use bsm_core::{BotoSesManager, mfa};
///
/// let bsm = BotoSesManager::builder()
///     .profile_name("production")
///     .mfa_token_provider(mfa::from_fn(|request| async move {
///         ask_in_the_chat(&format!("code of {}?", request.serial())).await
///     }))
///     .build();
/// # async fn ask_in_the_chat(_: &str) -> Result<String, std::io::Error> { Ok(String::new()) }
/// ```
pub fn from_fn<F, Fut, E>(ask: F) -> FromFn<F>
where
    F: Fn(TokenRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, E>> + Send + 'static,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    FromFn { ask }
}

/// A closure as a provider; see [`from_fn`].
#[derive(Clone)]
pub struct FromFn<F> {
    ask: F,
}

impl<F, Fut, E> MfaTokenProvider for FromFn<F>
where
    F: Fn(TokenRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, E>> + Send + 'static,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn token_code<'a>(&'a self, request: &'a TokenRequest) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move {
            if request.is_repeat {
                request.next_code().await;
            }
            let code = (self.ask)(request.clone()).await;
            code.map_err(|error| no_code(request).with_source(error))
        })
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}

/// A provider, and the codes it has given. Clones share both.
#[derive(Clone)]
pub(crate) struct TokenCodes {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Box<dyn MfaTokenProvider>,
    /// Held while a code is asked for, so that there is one prompt at a time.
    used: tokio::sync::Mutex<VecDeque<Used>>,
}

struct Used {
    serial: String,
    code: String,
    at: SystemTime,
}

impl TokenCodes {
    pub(crate) fn new(provider: impl MfaTokenProvider) -> Self {
        Self {
            inner: Arc::new(Inner {
                provider: Box::new(provider),
                used: tokio::sync::Mutex::default(),
            }),
        }
    }

    pub(crate) fn is_interactive(&self) -> bool {
        self.inner.provider.is_interactive()
    }

    /// Asks for a code that has not been used, and notes it as used.
    pub(crate) async fn code(&self, mut request: TokenRequest) -> Result<String, Error> {
        let turn = tokio::time::timeout(TURN, self.inner.used.lock()).await;
        let mut used = turn.map_err(|_| busy(&request))?;
        for _ in 0..MAX_TRIES {
            tracing::debug!(serial = request.serial, "asking for an MFA code");
            let code = self.inner.provider.token_code(&request).await?;
            let code = six_digits(&code, &request)?;
            let now = request.now();
            used.retain(|used| used.is_remembered(now));
            if !used
                .iter()
                .any(|used| used.serial == request.serial && used.code == code)
            {
                used.push_back(Used {
                    serial: request.serial,
                    code: code.clone(),
                    at: now,
                });
                return Ok(code);
            }
            request.is_repeat = true;
        }
        Err(Error::new(
            ErrorKind::MfaCodeRejected,
            format!(
                "the code given for the MFA device {} has been used already: wait for the next one",
                request.serial
            ),
        ))
    }
}

impl Used {
    fn is_remembered(&self, now: SystemTime) -> bool {
        now.duration_since(self.at).is_ok_and(|ago| ago < MEMORY)
    }
}

impl fmt::Debug for TokenCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCodes")
            .field("is_interactive", &self.is_interactive())
            .finish_non_exhaustive()
    }
}

fn six_digits(given: &str, request: &TokenRequest) -> Result<String, Error> {
    let code: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    if code.is_empty() {
        return Err(no_code(request));
    }
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::new(
            ErrorKind::MfaCodeRejected,
            format!(
                "what was given as the code of the MFA device {} is not six digits",
                request.serial
            ),
        ));
    }
    Ok(code)
}

fn no_code(request: &TokenRequest) -> Error {
    Error::new(
        ErrorKind::MfaCodeUnavailable,
        format!(
            "the role {} needs a code of the MFA device {}, and none was given",
            request.role_arn, request.serial
        ),
    )
}

fn busy(request: &TokenRequest) -> Error {
    Error::new(
        ErrorKind::MfaCodeUnavailable,
        format!(
            "a code of the MFA device {} cannot be asked for: another one has been asked for all \
             the time",
            request.serial
        ),
    )
}

#[cfg(test)]
mod tests;
