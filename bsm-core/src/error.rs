//! The error of this crate.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;

/// An error of a session.
///
/// The message states one fact and the remedy; the cause is in [`source()`](StdError::source). An
/// error is cheap to clone, because all callers that wait for the same resolution or refresh
/// receive the same error.
///
/// Branch on [`kind()`](Error::kind), or on one of the predicates:
///
/// ```
/// # async fn f() {
/// use bsm_core::BotoSesManager;
///
/// match BotoSesManager::from_profile("staging").credentials().await {
///     Ok(credentials) => println!("using {}", credentials.access_key_id()),
///     Err(error) if error.is_profile_not_found() => eprintln!("{error}"),
///     Err(error) => panic!("{error}"),
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`], grouped by what a program can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A profile that was asked for is in none of the profile files.
    ProfileNotFound,
    /// A profile, a profile file or an environment variable has an invalid value.
    InvalidConfig,
    /// An argument is invalid. Nothing was sent.
    InvalidInput,
    /// No region was given and none could be found.
    NoRegion,
    /// No credentials were given and none could be found.
    NoCredentials,
    /// A source of credentials was found, but returned none.
    CredentialsUnavailable,
    /// There is no login of IAM Identity Center (SSO), or it has expired: a person must sign in.
    SignInRequired,
    /// A sign-in to IAM Identity Center (SSO) was refused, or its answer does not belong to it.
    SignInFailed,
    /// An MFA code is needed, and the provider returned none.
    MfaCodeUnavailable,
    /// An MFA code was mistyped, wrong, or used before. The next call requests another one.
    MfaCodeRejected,
    /// The credentials are no longer valid, or were refused as unknown or wrong.
    CredentialsRejected,
    /// AWS refused the call: the identity lacks the permission.
    AccessDenied,
    /// The credentials belong to another account than the one that was expected.
    AccountMismatch,
    /// The region differs from the expected one.
    RegionMismatch,
    /// The data is damaged, or isn't a snapshot.
    InvalidSnapshot,
    /// A snapshot was written by a version of this crate that this one does not understand.
    UnsupportedSnapshot,
    /// The credentials of a snapshot have expired.
    SnapshotExpired,
    /// A file of this crate's own could not be read or written.
    File,
    /// No AWS session is in scope, and the process default is
    /// [`BotoSesManager::none`](crate::BotoSesManager::none).
    NoSession,
    /// A process default has already been installed.
    DefaultAlreadyInstalled,
    /// The endpoint could not be reached, or did not answer in time.
    Unreachable,
    /// A process, a credentials provider or another step of a session took longer than its time limit.
    TimedOut,
    /// AWS answered with another error.
    Service,
    /// The work for the session could not end: a provider or callback panicked, waits for the session that
    /// it serves, or needs a tokio runtime that is not there; or [`shutdown`](crate::shutdown) was called.
    Runtime,
}

impl Error {
    /// Creates an error for adapters and for sources of credentials that are written outside
    /// this crate.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    /// Creates the error of a step that took longer than its limit, and was abandoned.
    pub(crate) fn timed_out(limit: Duration, step: &str) -> Self {
        let seconds = limit.as_secs_f64();
        let message = format!("timed out after {seconds} s waiting for {step}");
        Self::new(ErrorKind::TimedOut, message)
    }

    /// Adds what to do to the message of a new error.
    pub(crate) fn with_remedy(self, remedy: &str) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => Self(Arc::new(Inner {
                message: format!("{}; {remedy}", inner.message).into(),
                ..inner
            })),
            // Another handle has the error already, as it is.
            Err(shared) => Self(shared),
        }
    }

    /// Adds the cause of this error.
    ///
    /// Programs print causes, so `source` and its own causes must contain no secrets. An error of the
    /// SDK does: its `Debug` form prints the request and the response. Pass its code instead.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        // A new `Inner`, because clones can share the old one, whose cause cannot be cloned.
        Self(Arc::new(Inner {
            kind: self.0.kind,
            message: self.0.message.clone(),
            source: Some(source.into()),
        }))
    }

    /// Returns the kind of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns `true` if a profile that was asked for does not exist.
    pub fn is_profile_not_found(&self) -> bool {
        self.kind() == ErrorKind::ProfileNotFound
    }

    /// Returns `true` if no region could be found.
    pub fn is_no_region(&self) -> bool {
        self.kind() == ErrorKind::NoRegion
    }

    /// Returns `true` if no credentials could be found.
    pub fn is_no_credentials(&self) -> bool {
        self.kind() == ErrorKind::NoCredentials
    }

    /// Returns `true` if a person has to sign in to IAM Identity Center (SSO) first.
    pub fn is_sign_in_required(&self) -> bool {
        self.kind() == ErrorKind::SignInRequired
    }

    /// Returns `true` if an MFA code was needed and the provider returned none.
    pub fn is_mfa_code_unavailable(&self) -> bool {
        self.kind() == ErrorKind::MfaCodeUnavailable
    }

    /// Returns `true` if the MFA code was wrong. The next call requests another one.
    pub fn is_mfa_code_rejected(&self) -> bool {
        self.kind() == ErrorKind::MfaCodeRejected
    }

    /// Returns `true` if AWS rejected the request because the identity lacks permission.
    pub fn is_access_denied(&self) -> bool {
        self.kind() == ErrorKind::AccessDenied
    }

    /// Returns `true` if the credentials belong to another account than the expected one.
    pub fn is_account_mismatch(&self) -> bool {
        self.kind() == ErrorKind::AccountMismatch
    }

    /// Returns `true` if the region is another one than the expected one.
    pub fn is_region_mismatch(&self) -> bool {
        self.kind() == ErrorKind::RegionMismatch
    }

    /// Returns `true` if the credentials of a snapshot have expired.
    pub fn is_snapshot_expired(&self) -> bool {
        self.kind() == ErrorKind::SnapshotExpired
    }

    /// Returns `true` if there is no session in scope; see
    /// [`BotoSesManager::none`](crate::BotoSesManager::none).
    pub fn is_no_session(&self) -> bool {
        self.kind() == ErrorKind::NoSession
    }

    /// Returns `true` if the endpoint could not be reached.
    pub fn is_unreachable(&self) -> bool {
        self.kind() == ErrorKind::Unreachable
    }

    /// Returns `true` if a process, a credentials provider or another step of a session took longer
    /// than its time limit.
    pub fn is_timed_out(&self) -> bool {
        self.kind() == ErrorKind::TimedOut
    }

    /// Returns the cause by value if it has this type, and nothing else has the error.
    pub(crate) fn into_source<T: StdError + 'static>(self) -> Result<Box<T>, Self> {
        let mut inner = Arc::try_unwrap(self.0).map_err(Self)?;
        let source = inner.source.take().map(|source| source.downcast());
        inner.source = match source {
            Some(Ok(source)) => return Ok(source),
            Some(Err(source)) => Some(source),
            None => None,
        };
        Err(Self(Arc::new(inner)))
    }

    /// Finds the error of this crate in the chain of causes of another error.
    ///
    /// A request whose credentials could not be resolved fails inside the SDK; this gets back the
    /// reason that the session gave.
    pub fn find_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

/// An error of a user's callback. Only its outermost message is printed.
///
/// Its causes and its `Debug` form may be those of the SDK, which print requests and responses.
pub(crate) struct ForeignError(String);

impl ForeignError {
    /// Returns the error to use as a cause in place of a callback's own: this crate's if it is one or
    /// was caused by one, which is safe to print.
    pub(crate) fn hide(
        error: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Box<dyn StdError + Send + Sync> {
        let error = error.into();
        match Error::find_in(&*error) {
            Some(ours) => Box::new(ours.clone()),
            // An SdkError's own message is its kind, such as "service error".
            None => Box::new(Self(error.to_string())),
        }
    }
}

impl fmt::Display for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForeignError").field(&self.0).finish()
    }
}

impl StdError for ForeignError {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug
            .field("kind", &self.0.kind)
            .field("message", &self.0.message);
        if let Some(source) = self.source() {
            // Not its `Debug` form, which for foreign errors can contain requests.
            debug.field("source", &source.to_string());
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Carries the error through the SDK, which resolves credentials inside a request.
impl From<Error> for CredentialsError {
    fn from(error: Error) -> Self {
        match error.kind() {
            // After `not_loaded`, and only then, a chain of aws-config asks its next provider.
            ErrorKind::NoCredentials | ErrorKind::NoSession => Self::not_loaded(error),
            ErrorKind::ProfileNotFound | ErrorKind::InvalidConfig | ErrorKind::InvalidInput => {
                Self::invalid_configuration(error)
            }
            _ => Self::provider_error(error),
        }
    }
}
