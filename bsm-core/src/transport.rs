//! Failures of the SDK, turned into something that is safe to print.
//!
//! An error of the SDK holds the request and the response: tokens, MFA codes, items, issued keys.
//! Its `Debug` form prints them, and some `Display` forms do. No such error becomes the cause of one
//! of ours: it passes through [`SdkFailure`] first.

use std::any::Any;
use std::error::Error as StdError;
use std::{fmt, io};

use aws_config::imds::client::error::ImdsError;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::endpoint::error::ResolveEndpointError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::error::operation::BuildError;
use aws_types::SdkConfig;
use aws_types::request_id::RequestId as _;
use tracing::Dispatch;
use tracing::instrument::{WithDispatch, WithSubscriber as _};

use crate::endpoint;
use crate::error::{Error, ErrorKind};
use crate::http::{self, AtEndpoint};

mod get;
mod sentence;
pub(crate) mod server_clock;
pub(crate) mod time_limits;

pub(crate) use self::get::{Get, Refused};
pub(crate) use sentence::code;
use sentence::{request_id, scrubbed, without_quotes, without_values};

/// The part of a failed request that is safe to print.
///
/// It is the [`source()`](StdError::source) of this crate's errors in place of the SDK's error, which
/// prints the whole request and response. It keeps the error code, AWS's message without the values
/// that AWS quotes in it, the request id, the status, the endpoint, and the reason of the connector.
///
/// [`find_in`](Self::find_in) gets it out of an error. [`expose_sdk_error`](Self::expose_sdk_error)
/// returns what the SDK returned, and [`into_sdk_error`](Self::into_sdk_error) returns it by value.
///
/// # Examples
///
/// ```no_run
/// # async fn f() {
/// use bsm_core::{BotoSesManager, SdkFailure};
///
/// if let Err(error) = BotoSesManager::from_profile("staging").credentials().await
///     && let Some(failure) = SdkFailure::find_in(&error)
/// {
///     eprintln!("{error} (request id {:?})", failure.request_id());
/// }
/// # }
/// ```
pub struct SdkFailure {
    step: FailureStep,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    status: Option<u16>,
    endpoint: Option<String>,
    reason: Option<String>,
    /// Whether the outer error's message already contains the code and AWS's message.
    is_in_message: bool,
    original: Box<dyn StdError + Send + Sync>,
}

/// The step at which a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureStep {
    /// The request could not be built. Nothing was sent.
    Build,
    /// The request could not be addressed: its endpoint is not a URL. Nothing was sent.
    Endpoint,
    /// There was no connection, or it broke.
    Connection,
    /// A time limit passed.
    Timeout,
    /// The response could not be read.
    Response,
    /// The service responded with an error.
    Service,
    /// A credentials provider failed.
    Provider,
}

impl Error {
    /// Returns the SDK's own error by value, to be downcast to an
    /// [`SdkError`] of the operation.
    ///
    /// Its `Debug` form prints the request or the response, secrets included: do not log it.
    ///
    /// # Errors
    ///
    /// Returns this error if no request was its cause, or if it has clones: callers that wait for the same
    /// work get the same error, and share its cause. Then use
    /// [`SdkFailure::expose_sdk_error`](crate::SdkFailure::expose_sdk_error).
    pub fn into_sdk_error(self) -> Result<Box<dyn StdError + Send + Sync>, Self> {
        let failure = self.into_source::<SdkFailure>()?;
        Ok(failure.into_sdk_error())
    }
}

impl SdkFailure {
    /// Creates the printable part of an SDK error; `secrets` are values of the request that no message
    /// may repeat.
    ///
    /// # Errors
    ///
    /// Returns this crate's own error if that is why the request failed: the session's credentials
    /// are resolved while a request is sent.
    pub(crate) fn without<E, R>(error: SdkError<E, R>, secrets: &[&str]) -> Result<Self, Error>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        if let Some(ours) = Error::find_in(&error) {
            return Err(ours.clone());
        }
        let response = match &error {
            SdkError::ServiceError(context) => Some(context.raw() as &dyn Any),
            SdkError::ResponseError(context) => Some(context.raw() as &dyn Any),
            _ => None,
        };
        let response = response.and_then(|raw| raw.downcast_ref::<HttpResponse>());
        let (step, reason) = match &error {
            SdkError::ServiceError(_) => (FailureStep::Service, None),
            SdkError::ResponseError(_) => (FailureStep::Response, None),
            // The SDK's own words about its parameters name fields, and have no values.
            SdkError::ConstructionFailure(_) => {
                let reason = find::<BuildError>(&error).map(ToString::to_string);
                (FailureStep::Build, reason)
            }
            SdkError::TimeoutError(_) => (FailureStep::Timeout, error.source().and_then(timeout)),
            SdkError::DispatchFailure(failure) => failure
                .as_connector_error()
                .map_or((FailureStep::Connection, None), connection),
            _ => (FailureStep::Connection, None),
        };
        // Interceptors may fail with a response at hand, so the metadata is the service's only here.
        let metadata = match step {
            FailureStep::Service => Some(error.meta()),
            _ => None,
        };
        // An endpoint that repeats the request may do so anywhere.
        let harmless = |text: &&str| scrubbed(text, secrets) == *text;
        let owned = |text: &str| text.to_owned();
        let message = metadata.and_then(|metadata| metadata.message());
        let id = metadata.and_then(|metadata| metadata.request_id());
        Ok(Self {
            step,
            code: metadata
                .and_then(|metadata| code(metadata.code()?))
                .filter(harmless)
                .map(owned),
            // Scrubbed first: a secret that is cut at a quotation mark would no longer be found.
            message: message.map(|message| without_values(&scrubbed(message, secrets))),
            request_id: id.and_then(request_id).filter(harmless).map(owned),
            status: response.map(|response| response.status().as_u16()),
            endpoint: find::<AtEndpoint>(&error).map(|at| at.endpoint().to_owned()),
            reason,
            is_in_message: false,
            original: error.into(),
        })
    }

    /// Creates the printable part of the error of a credentials provider that is not ours.
    pub(crate) fn of_provider(error: CredentialsError) -> Self {
        // Providers of aws-config fail with requests of their own, and put what an endpoint responded
        // with into their messages. So this keeps the causes that quote no response.
        let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
        let reason = causes.find_map(harmless_reason);
        Self {
            step: FailureStep::Provider,
            code: None,
            message: None,
            request_id: None,
            status: None,
            endpoint: find::<AtEndpoint>(&error).map(|at| at.endpoint().to_owned()),
            reason,
            is_in_message: false,
            original: error.into(),
        }
    }

    /// Finds the failure in the chain of causes of another error.
    pub fn find_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        find::<Self>(error)
    }

    /// Returns the step at which the request failed.
    pub fn step(&self) -> FailureStep {
        self.step
    }

    /// Returns the error code of AWS, such as `AccessDenied`.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the message of AWS up to the first value that it quotes, which is replaced by `...`.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns the id under which AWS knows the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns the scheme, host and port of an endpoint that could not be reached.
    ///
    /// It is known if the HTTP client was provided by a manager.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// Returns the SDK's own error, to be downcast to an
    /// [`SdkError`] of the operation.
    ///
    /// Its `Debug` form prints the request or the response, secrets and items included: do not log it.
    pub fn expose_sdk_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.original
    }

    /// Returns the SDK's own error by value; see [`expose_sdk_error`](Self::expose_sdk_error).
    pub fn into_sdk_error(self) -> Box<dyn StdError + Send + Sync> {
        self.original
    }

    /// Records that the outer error's message already contains the code and AWS's message.
    pub(crate) fn in_message(mut self) -> Self {
        self.is_in_message = true;
        self
    }
}

/// Creates a client for a request of our own.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`] or [`ErrorKind::InvalidInput`] if the service's endpoint is not a URL.
pub(crate) fn client<C>(config: &SdkConfig, new: impl FnOnce(&SdkConfig) -> C) -> Result<C, Error> {
    endpoint::refuse_unusable(|| new(config))
}

/// Returns the configuration of requests of our own, which read only so much of a response.
pub(crate) fn bounded(config: &SdkConfig) -> SdkConfig {
    let mut builder = config.to_builder();
    builder.set_http_client(config.http_client().map(http::bounded));
    builder.build()
}

/// Runs a request of our own without the SDK's log, which at level TRACE quotes the response: an
/// endpoint may repeat the request in it, and STS issues keys.
pub(crate) fn unlogged<F: Future>(request: F) -> WithDispatch<F> {
    request.with_subscriber(Dispatch::none())
}

/// Returns what an endpoint must not repeat from the credentials that signed a request.
pub(crate) fn secrets_of(credentials: &Credentials) -> impl Iterator<Item = &str> {
    // Without the access key id, which is no secret.
    std::iter::once(credentials.secret_access_key()).chain(credentials.session_token())
}

/// Completes "could not ..." with the reason, and picks the kind.
pub(crate) fn failed<E, R>(doing: &str, error: SdkError<E, R>, secrets: &[&str]) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let failure = match SdkFailure::without(error, secrets) {
        Ok(failure) => failure,
        Err(ours) => return ours,
    };
    let kind = match failure.step {
        FailureStep::Connection | FailureStep::Timeout | FailureStep::Response => {
            ErrorKind::Unreachable
        }
        FailureStep::Build | FailureStep::Endpoint => ErrorKind::InvalidConfig,
        FailureStep::Service | FailureStep::Provider => {
            kind_of_code(failure.code.as_deref().unwrap_or_default())
        }
    };
    let message = format!("could not {doing}: {}", failure.advice());
    Error::new(kind, message).with_source(failure.in_message())
}

impl SdkFailure {
    /// Returns one clause of fact and one of remedy, for the message of an error.
    pub(crate) fn advice(&self) -> String {
        let endpoint = match &self.endpoint {
            Some(endpoint) => format!("the endpoint {endpoint}"),
            None => "the endpoint".to_owned(),
        };
        match (self.step, &self.code) {
            (FailureStep::Connection, _) => format!(
                "{endpoint} could not be reached: check the network, the region and any endpoint_url"
            ),
            (FailureStep::Timeout, _) => format!(
                "{endpoint} did not respond in time: check the network, the region and any \
                 endpoint_url"
            ),
            (FailureStep::Response, _) | (FailureStep::Service, None) => {
                "the response could not be read: check that the endpoint is an AWS endpoint".into()
            }
            (FailureStep::Build, _) => {
                "the request could not be built: check its parameters".into()
            }
            (FailureStep::Endpoint, _) => {
                "the endpoint is not a URL: check the region and any endpoint_url".into()
            }
            (FailureStep::Service, Some(code)) => match &self.message {
                Some(message) => format!("AWS answered {code}: {message}"),
                None => format!("AWS answered {code}"),
            },
            (FailureStep::Provider, _) => "the credentials provider failed".into(),
        }
    }
}

/// Returns the error that the SDK carried, or turns that of a foreign provider into one of ours.
impl From<CredentialsError> for Error {
    fn from(error: CredentialsError) -> Self {
        if let Some(ours) = Self::find_in(&error) {
            return ours.clone();
        }
        let (kind, message) = match &error {
            CredentialsError::CredentialsNotLoaded(_) => (
                ErrorKind::NoCredentials,
                "no credentials were found: name a profile, set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, or run where AWS provides a role",
            ),
            CredentialsError::ProviderTimedOut(_) => (
                ErrorKind::Unreachable,
                "timed out waiting for the credentials provider",
            ),
            CredentialsError::InvalidConfiguration(_) => (
                ErrorKind::InvalidConfig,
                "the credentials provider is not configured correctly: the cause says why",
            ),
            _ => (
                ErrorKind::CredentialsUnavailable,
                "the credentials provider failed: the cause says why",
            ),
        };
        Self::new(kind, message).with_source(SdkFailure::of_provider(error))
    }
}

/// Sorts an error code of AWS into a kind; [`ErrorKind::Service`] is that of all others.
///
/// Source: the "Common errors" pages of the STS, IAM and DynamoDB API references, and "Error responses" of
/// the S3 API reference.
pub(crate) fn kind_of_code(code: &str) -> ErrorKind {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "ForbiddenException"
        | "UnauthorizedOperation" => ErrorKind::AccessDenied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "UnauthorizedException"
        | "UnrecognizedClientException" => ErrorKind::CredentialsRejected,
        _ => ErrorKind::Service,
    }
}

/// Sorts an error that came up while a request was sent.
fn connection(error: &ConnectorError) -> (FailureStep, Option<String>) {
    // The SDK wraps its own failures to address a request as an unclassified connector error.
    if find::<ResolveEndpointError>(error).is_some() {
        return (FailureStep::Endpoint, None);
    }
    // The request itself is at fault, so advice about the network would mislead.
    if error.is_user() {
        return (FailureStep::Build, None);
    }
    let cause = std::iter::successors(error.source(), |&cause| cause.source())
        .find_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io_reason);
    let reason = cause.unwrap_or_else(|| {
        // Other causes print what they like, so their classification has to do.
        let reason = match error.as_other() {
            _ if error.is_timeout() => "the connection timed out",
            // The SDK gives a kind to one unclassified error: hyper's incomplete message.
            Some(_) => "the connection was closed before the response was complete",
            None if error.is_io() => "the connection broke",
            None => "the connection failed",
        };
        reason.to_owned()
    });
    (FailureStep::Connection, Some(reason))
}

/// Returns what a cause of a provider's error says, if that cannot be a part of a response.
fn harmless_reason(cause: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<ConnectorError>() {
        return connection(error).1;
    }
    if let Some(ImdsError::ErrorResponse(error)) = cause.downcast_ref() {
        return Some(format!(
            "HTTP status {}",
            error.response().status().as_u16()
        ));
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(without_quotes(&error.to_string()));
    }
    cause.downcast_ref::<io::Error>().map(io_reason)
}

/// Returns the system's, TLS's or the resolver's words, and of any other error only the kind.
fn io_reason(error: &io::Error) -> String {
    /// The standard library has no kind for a failed lookup.
    const DNS: &str = "failed to lookup address information";
    let text = error.to_string();
    let is_tls = || {
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>())
    };
    if error.raw_os_error().is_some() || text.starts_with(DNS) || is_tls() {
        return without_quotes(&text);
    }
    error.kind().to_string()
}

/// Returns which limit passed. The SDK's time-out error holds a kind and a duration, nothing else.
fn timeout(error: &(dyn StdError + 'static)) -> Option<String> {
    Some(without_quotes(&error.to_string()))
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}

/// Says what the error above it does not say.
impl fmt::Display for SdkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            FailureStep::Service if self.code.is_some() => f.write_str("service error")?,
            FailureStep::Service | FailureStep::Response => f.write_str("unreadable response")?,
            FailureStep::Build => f.write_str("the request could not be built")?,
            FailureStep::Endpoint => f.write_str("the endpoint is not a URL")?,
            FailureStep::Connection => f.write_str("connection failed")?,
            FailureStep::Timeout => f.write_str("timed out")?,
            FailureStep::Provider => f.write_str("the credentials provider failed")?,
        }
        if let (Some(code), false) = (&self.code, self.is_in_message) {
            write!(f, " {code}")?;
        }
        if let (Some(message), false) = (&self.message, self.is_in_message) {
            write!(f, ": {message}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        match (self.status, &self.request_id) {
            (Some(status), Some(id)) => write!(f, " (HTTP status {status}, request id {id})"),
            (Some(status), None) => write!(f, " (HTTP status {status})"),
            (None, _) => Ok(()),
        }
    }
}

/// Shows what can be printed, and nothing of the SDK's error.
impl fmt::Debug for SdkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkFailure")
            .field("step", &self.step)
            .field("code", &self.code)
            .field("message", &self.message)
            .field("request_id", &self.request_id)
            .field("status", &self.status)
            .field("endpoint", &self.endpoint)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// The chain ends here: the SDK's error below is reached by
/// [`expose_sdk_error`](SdkFailure::expose_sdk_error) only.
impl StdError for SdkFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_shows_the_causes_that_quote_nothing() {
        #[derive(Debug)]
        struct Quoting(io::Error);
        impl fmt::Display for Quoting {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the token SECRET is unknown")
            }
        }
        impl StdError for Quoting {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }

        let text = CredentialsError::provider_error("Error (Denied): the token SECRET is unknown");
        let failure = SdkFailure::of_provider(text);
        assert_eq!(failure.to_string(), "the credentials provider failed");

        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let failure = SdkFailure::of_provider(CredentialsError::provider_error(Quoting(refused)));
        assert_eq!(
            failure.to_string(),
            "the credentials provider failed: connection refused"
        );
        let custom = Quoting(io::Error::other("SECRET"));
        let failure = SdkFailure::of_provider(CredentialsError::provider_error(custom));
        assert!(!format!("{failure} {failure:?}").contains("SECRET"));
    }
}
