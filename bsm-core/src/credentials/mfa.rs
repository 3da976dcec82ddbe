//! MFA codes: where they come from and when they are requested.
//!
//! A role that requires MFA can only be assumed with the current six-digit code of a device. A
//! manager obtains codes from its [`MfaTokenProvider`], which
//! [`Builder::mfa_token_provider`](crate::Builder::mfa_token_provider) sets:
//!
//! | provider | code from | can run in the background |
//! |---|---|---|
//! | [`TerminalPrompt`] | the person at the terminal | no |
//! | [`TokenCommand`] | a program, for example `op item get aws --otp` | if [`unattended`](TokenCommand::unattended) |
//! | [`from_fn`] | a closure | no |
//! | `Totp` (feature `totp`) | the device's secret | yes |
//!
//! # When a code is requested
//!
//! All callers that are waiting for the same credentials share one code. An
//! [interactive](MfaTokenProvider::is_interactive) provider is called only while a caller is
//! waiting, never by a background refresh: either during the last minute before the cached
//! credentials expire, or on the first use after that. A slow answer blocks nobody as long as the
//! cached credentials are valid. If the user enters no code, there is no further prompt until the
//! credentials have expired.
//!
//! # A code is used once
//!
//! AWS rejects a code that it has already accepted. All managers that share a provider remember the
//! codes they have sent, per device, and request another one if the provider returns a used code.
//! Managers share a provider if they are built with the same one, or assumed from one another. If
//! AWS rejects a code, the call fails with [`ErrorKind::MfaCodeRejected`], and the next call
//! requests another code.

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

use crate::error::{Error, ErrorKind, ForeignError};

pub use command::TokenCommand;
pub use prompt::TerminalPrompt;
#[cfg(feature = "totp")]
pub use totp::Totp;

/// How long a device shows one code: the step of RFC 6238.
const STEP: Duration = Duration::from_secs(30);

/// The requests to a provider that returns used codes. Two steps pass during three requests, so a
/// correct provider has a new code.
const MAX_TRIES: usize = 3;

/// How long a code may take, with the wait for another prompt to end: a person may have to find the
/// device first.
pub(super) const LIMIT: Duration = Duration::from_secs(300);

/// How long a manager waits while the provider serves another one: two people typing a code, one
/// after the other.
const TURN: Duration = Duration::from_secs(120);

/// The time after which AWS can no longer have seen a code: five minutes, which covers the step
/// before and after plus clock drift.
const CODE_MEMORY: Duration = Duration::from_secs(300);

/// A boxed future, as [`MfaTokenProvider`] returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A provider of MFA codes.
///
/// # Examples
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
    /// Returns the six digits that the device shows now. White space is ignored.
    ///
    /// If [`request.is_repeat()`](TokenRequest::is_repeat), the previous code was already used:
    /// wait for the device's next one. There is one request at a time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MfaCodeUnavailable`] if the user enters no code.
    fn token_code<'a>(&'a self, request: &'a TokenRequest) -> BoxFuture<'a, Result<String, Error>>;

    /// Returns `true` if a person has to act for a code. Such a provider is never called in the
    /// background.
    ///
    /// Default: `true`.
    fn is_interactive(&self) -> bool {
        true
    }
}

/// A request for a code.
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

    /// Returns the ARN of the role to assume.
    pub fn role_arn(&self) -> &str {
        &self.role_arn
    }

    /// Returns `true` if the previous code was already used.
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

/// Creates a provider from a closure.
///
/// If the closure returns a used code, it is called again after the device's next step.
///
/// # Examples
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
            code.map_err(|error| no_code(request).with_source(ForeignError::hide(error)))
        })
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}

/// A provider, and the codes it has returned. Clones share both.
#[derive(Clone)]
pub(crate) struct TokenCodes {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Box<dyn MfaTokenProvider>,
    /// Locked during a request, so that there is one prompt at a time.
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

    /// Requests a code that has not been used, and records it as used.
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
        // A clock that was set back makes the time of use a future one. AWS's clock was not set back.
        now.duration_since(self.at)
            .map_or(true, |ago| ago < CODE_MEMORY)
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
            "cannot prompt for a code of the MFA device {}: another prompt was still open",
            request.serial
        ),
    )
}

#[cfg(test)]
mod tests;
