//! The error of this crate.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;

/// Why a session could not do what it was asked.
///
/// An error states one fact and the way out in its message; what caused it is in
/// [`source()`](StdError::source). It is cheap to clone, because callers that wait for the same
/// resolution or refresh all receive the same error.
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

/// The kinds of [`Error`], by what a program can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A profile that was asked for is in none of the profile files.
    ProfileNotFound,
    /// A profile, a profile file or an environment variable says something that cannot be used.
    InvalidConfig,
    /// An argument is not acceptable, found before anything was sent.
    InvalidInput,
    /// No region was given and none could be found.
    NoRegion,
    /// No credentials were given and none could be found.
    NoCredentials,
    /// A source of credentials was found, but did not deliver any.
    CredentialsUnavailable,
    /// A code of an MFA device is needed, and nobody could give one.
    MfaCodeUnavailable,
    /// A code of an MFA device was mistyped, wrong, or used before. The next call asks for another.
    MfaCodeRejected,
    /// The credentials are no longer valid, or were refused as unknown or wrong.
    CredentialsRejected,
    /// AWS refused the call: the identity lacks the permission.
    AccessDenied,
    /// The credentials belong to another account than the one that was expected.
    AccountMismatch,
    /// The region is another one than the one that was expected.
    RegionMismatch,
    /// A snapshot is damaged, or is none at all.
    InvalidSnapshot,
    /// A snapshot was written by a version of this crate that this one does not understand.
    UnsupportedSnapshot,
    /// The credentials of a snapshot have expired.
    SnapshotExpired,
    /// A file of this crate's own could not be read or written.
    File,
    /// No AWS session is in scope, and the process was told to have no default.
    NoSession,
    /// A process default has already been installed.
    DefaultAlreadyInstalled,
    /// The endpoint could not be reached, or did not answer in time.
    Unreachable,
    /// AWS answered with another error.
    Service,
    /// The call needs a tokio runtime, and there is none, or it is shutting down.
    Runtime,
}

impl Error {
    /// Creates an error for adapters and for sources of credentials that are written outside of
    /// this crate.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    /// Adds the cause of this error.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
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

    /// Says whether a profile that was asked for does not exist.
    pub fn is_profile_not_found(&self) -> bool {
        self.kind() == ErrorKind::ProfileNotFound
    }

    /// Says whether no region could be found.
    pub fn is_no_region(&self) -> bool {
        self.kind() == ErrorKind::NoRegion
    }

    /// Says whether no credentials could be found.
    pub fn is_no_credentials(&self) -> bool {
        self.kind() == ErrorKind::NoCredentials
    }

    /// Says whether a code of an MFA device was needed that nobody could give.
    pub fn is_mfa_code_unavailable(&self) -> bool {
        self.kind() == ErrorKind::MfaCodeUnavailable
    }

    /// Says whether the code of an MFA device was wrong; the next call asks for another one.
    pub fn is_mfa_code_rejected(&self) -> bool {
        self.kind() == ErrorKind::MfaCodeRejected
    }

    /// Says whether AWS refused the call for want of permission.
    pub fn is_access_denied(&self) -> bool {
        self.kind() == ErrorKind::AccessDenied
    }

    /// Says whether the credentials belong to another account than the expected one.
    pub fn is_account_mismatch(&self) -> bool {
        self.kind() == ErrorKind::AccountMismatch
    }

    /// Says whether the region is another one than the expected one.
    pub fn is_region_mismatch(&self) -> bool {
        self.kind() == ErrorKind::RegionMismatch
    }

    /// Says whether the credentials of a snapshot have expired.
    pub fn is_snapshot_expired(&self) -> bool {
        self.kind() == ErrorKind::SnapshotExpired
    }

    /// Says whether there is no session in scope; see [`BotoSesManager::none`](crate::BotoSesManager::none).
    pub fn is_no_session(&self) -> bool {
        self.kind() == ErrorKind::NoSession
    }

    /// Says whether the endpoint could not be reached.
    pub fn is_unreachable(&self) -> bool {
        self.kind() == ErrorKind::Unreachable
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

/// Carries the error through the SDK, which resolves credentials inside of a request.
impl From<Error> for CredentialsError {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NoCredentials | ErrorKind::NoSession => Self::not_loaded(error),
            ErrorKind::ProfileNotFound | ErrorKind::InvalidConfig | ErrorKind::InvalidInput => {
                Self::invalid_configuration(error)
            }
            _ => Self::provider_error(error),
        }
    }
}
