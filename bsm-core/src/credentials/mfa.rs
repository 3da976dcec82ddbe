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
//! credentials expire, or on the first use after that. A slow answer doesn't block callers as long
//! as the cached credentials are valid. If the user enters no code, there is no further prompt until the
//! credentials have expired.
//!
//! # A code is used once
//!
//! AWS rejects a code that it has already accepted. The process remembers the codes that it has sent,
//! per device, and requests another one if the provider returns a used code. An interactive provider is
//! asked three times; any other waits for the device's next code, up to five minutes. If AWS rejects a
//! code, the call fails with [`ErrorKind::MfaCodeRejected`], and the next call requests another code.
//!
//! So a device yields one role every 30 seconds. For several roles, get one session token with the code,
//! and assume the roles with it: see
//! [`BotoSesManager::session_token`](crate::BotoSesManager::session_token).
//!
//! # One prompt at a time
//!
//! A process never shows two prompts at once, whatever the number of managers, runtimes and threads. A
//! prompt without an answer is given up after five minutes, with [`ErrorKind::MfaCodeUnavailable`].

mod codes;
mod command;
mod prompt;
#[cfg(feature = "totp")]
mod totp;

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::SharedTimeSource;
use aws_types::SdkConfig;

use crate::endpoint;
use crate::error::{Error, ErrorKind, ForeignError};

pub(crate) use codes::TokenCodes;
pub use command::TokenCommand;
pub use prompt::TerminalPrompt;
#[cfg(feature = "totp")]
pub use totp::Totp;

/// How long a device shows one code: the step of RFC 6238.
const STEP: Duration = Duration::from_secs(30);

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
    /// wait for the device's next one. There is one request at a time, and for interactive providers one
    /// in the whole process.
    ///
    /// It is called on the tokio runtime of a caller. If that runtime shuts down or stands still, it can
    /// be called again on another one's. It must not use the session that it gives the code for.
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

    /// Returns `true` for the providers of this crate, which do not care on which runtime they run.
    #[doc(hidden)]
    fn runs_anywhere(&self, _: Internal) -> bool {
        false
    }
}

/// Keeps a method of a public trait from being called or implemented elsewhere.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Internal(());

/// A request for a code.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    serial: String,
    role_arn: Option<String>,
    /// The endpoint that the code is sent to; `None` for AWS's own.
    endpoint: Option<String>,
    time: SharedTimeSource,
    is_repeat: bool,
}

impl TokenRequest {
    /// `sts` says where the code is sent to.
    pub(super) fn new(serial: &str, role_arn: Option<&str>, sts: &SdkConfig) -> Self {
        Self {
            serial: serial.to_owned(),
            role_arn: role_arn.map(str::to_owned),
            endpoint: sts_endpoint(sts),
            time: sts.time_source().unwrap_or_default(),
            is_repeat: false,
        }
    }

    /// Returns the device's ARN, or the serial number of a hardware device.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Returns the ARN of the role to assume; `None` if the code is for a
    /// [session token](crate::BotoSesManager::session_token).
    pub fn role_arn(&self) -> Option<&str> {
        self.role_arn.as_deref()
    }

    /// Names what needs the code.
    fn purpose(&self) -> String {
        match &self.role_arn {
            Some(role_arn) => format!("the role {role_arn}"),
            None => "the session token".to_owned(),
        }
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
        // At most a step of 30,000 ms, so the conversion cannot fail.
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

/// How long a person can take for a code that no other prompt delays.
pub(super) const MAX_ANSWER: Duration = codes::LIMIT;

/// Returns how long a code can take, if one is needed: it can have to wait for another prompt first.
pub(super) fn limit(serial: Option<&str>) -> Duration {
    serial.map_or(Duration::ZERO, |_| 2 * codes::LIMIT)
}

/// Returns `true` if a code is needed, and a person has to give it.
pub(super) fn may_prompt(serial: Option<&str>, provider: Option<&TokenCodes>) -> bool {
    // Without a provider the call must fail, and only a waiting caller gets the advice.
    serial.is_some() && provider.is_none_or(TokenCodes::is_interactive)
}

/// The error for a code that AWS rejected.
pub(super) fn rejected(serial: &str, purpose: &str) -> Error {
    Error::new(
        ErrorKind::MfaCodeRejected,
        format!(
            "AWS rejected the code of the MFA device {serial} for {purpose}: it was mistyped, too old \
             or used before; try again with the next code"
        ),
    )
}

/// Requests a code of the provider, if there is one.
pub(super) async fn code(
    provider: Option<&TokenCodes>,
    request: TokenRequest,
) -> Result<String, Error> {
    let no_provider = || {
        Error::new(
            ErrorKind::MfaCodeUnavailable,
            format!(
                "{} needs a code of the MFA device {}, but there is no provider: set an \
                 mfa_token_provider, for example mfa::TerminalPrompt",
                request.purpose(),
                request.serial
            ),
        )
    };
    provider
        .ok_or_else(no_provider)?
        .code(request.clone())
        .await
}

/// Returns the endpoint that the configuration has for STS; AWS's own has none.
fn sts_endpoint(sts: &SdkConfig) -> Option<String> {
    endpoint::of_service("sts", sts).or_else(|| sts.endpoint_url().map(str::to_owned))
}

fn no_code(request: &TokenRequest) -> Error {
    Error::new(
        ErrorKind::MfaCodeUnavailable,
        format!(
            "{} needs a code of the MFA device {}, and none was given",
            request.purpose(),
            request.serial
        ),
    )
}

#[cfg(test)]
mod tests;
