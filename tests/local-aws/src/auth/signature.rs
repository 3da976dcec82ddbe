//! Verification of SigV4 signatures.
//!
//! The server verifies a signature by recomputing it: `aws-sigv4` signs the received request with
//! the stored secret, and the two signatures must be equal.
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use chrono::NaiveDateTime;

use super::identity_store::{AccessKey, IdentityStore};
use crate::clock::{Clock, basic};
use crate::request::Request;
use crate::response::ErrorResponse;
use crate::service::Protocol;

const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";
const CONTENT_HASH: &str = "x-amz-content-sha256";

/// The maximum difference between the date of a request and the server's clock: AWS's five minutes.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// A parsed `Authorization` header.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) access_key_id: String,
    pub(crate) region: String,
    pub(crate) service: String,
    signed_headers: Vec<String>,
    signature: String,
}

/// Why authentication failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AuthError {
    MissingToken,
    Incomplete(String),
    UnknownKey,
    SkewedTime(String),
    WrongSignature,
    Expired,
}

impl Authorization {
    /// Parses the header.
    pub(crate) fn from_request(request: &Request) -> Result<Self, AuthError> {
        let header = request
            .header("authorization")
            .ok_or(AuthError::MissingToken)?;
        let fields = header
            .strip_prefix("AWS4-HMAC-SHA256")
            .ok_or(AuthError::MissingToken)?;
        // Some clients put a space behind the commas, and some do not.
        let field = |name: &str| {
            fields
                .split([',', ' '])
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| {
                    let missing = format!("Authorization header requires '{name}' parameter.");
                    AuthError::Incomplete(format!("{missing} Authorization={header}"))
                })
        };
        let credential = field("Credential")?;
        // The date is not compared here: a scope with another one has another signature.
        let &[access_key_id, _date, region, service, "aws4_request"] =
            credential.split('/').collect::<Vec<_>>().as_slice()
        else {
            let message = format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{credential}'"
            );
            return Err(AuthError::Incomplete(message));
        };
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: field("SignedHeaders")?
                .split(';')
                .map(str::to_lowercase)
                .collect(),
            signature: field("Signature")?.to_owned(),
        })
    }

    /// Verifies the signature, the session token and the expiry of the credentials.
    ///
    /// The order of the checks is AWS's, so that a request with several faults gets the same error.
    pub(crate) fn verify(
        &self,
        request: &Request,
        identities: &IdentityStore,
        clock: &Clock,
    ) -> Result<Arc<AccessKey>, AuthError> {
        let signed_at = self.signed_at(request)?;
        // An old request with an unknown key gets the error of the time.
        check_time(signed_at, clock)?;
        let key = identities
            .key(&self.access_key_id)
            .ok_or(AuthError::UnknownKey)?;
        // AWS does not say whether the key or the token is wrong.
        if request.header(TOKEN) != key.token() {
            return Err(AuthError::UnknownKey);
        }
        if self.signature_with(&key, request, signed_at).as_deref() != Some(&*self.signature) {
            return Err(AuthError::WrongSignature);
        }
        // Last, because only the owner of the secret may learn that the credentials have expired.
        match &key.session {
            Some(session) if session.expiration <= clock.now() => Err(AuthError::Expired),
            _ => Ok(key),
        }
    }

    fn signed_at(&self, request: &Request) -> Result<SystemTime, AuthError> {
        let value = request.header(DATE).ok_or_else(|| {
            let message = "Authorization header requires existence of either a 'X-Amz-Date' or a \
                           'Date' header.";
            AuthError::Incomplete(message.to_owned())
        })?;
        let parsed = NaiveDateTime::parse_from_str(value, "%Y%m%dT%H%M%SZ").map_err(|_| {
            AuthError::Incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{value}'. See \
                 http://en.wikipedia.org/wiki/ISO_8601"
            ))
        })?;
        Ok(parsed.and_utc().into())
    }

    /// Computes the expected signature. Returns `None` if the request cannot be signed.
    fn signature_with(
        &self,
        key: &AccessKey,
        request: &Request,
        signed_at: SystemTime,
    ) -> Option<String> {
        let token = key.token().map(str::to_owned);
        let secret = key.secret.expose();
        let identity =
            Credentials::new(&self.access_key_id, secret, token, None, "bsm-local-aws").into();
        let mut settings = SigningSettings::default();
        // Clients exclude different headers; `SignedHeaders` alone decides which ones count.
        settings.excluded_headers = None;
        settings.session_token_mode = match self.signs(TOKEN) {
            true => SessionTokenMode::Include,
            false => SessionTokenMode::Exclude,
        };
        // S3 signs paths as they are: its keys may contain everything.
        let is_s3 = self.service == "s3";
        if is_s3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(signed_at)
            .settings(settings)
            .build()
            .ok()?
            .into();
        let headers = request
            .headers
            .iter()
            // aws-sigv4 adds the date and the token itself.
            .filter(|(name, _)| self.signs(name.as_str()) && *name != DATE && *name != TOKEN)
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        // The scheme is not signed, but aws-sigv4 requires a complete URI.
        let uri = format!(
            "http://{}{}",
            request.header("host")?,
            request.uri.path_and_query()?
        );
        let body = match request.header(CONTENT_HASH) {
            // The placeholders with which S3's clients leave the body out of the signature.
            Some(hash)
                if is_s3 && (hash == "UNSIGNED-PAYLOAD" || hash.starts_with("STREAMING-")) =>
            {
                SignableBody::Precomputed(hash.to_owned())
            }
            _ => SignableBody::Bytes(&request.body),
        };
        let signable = SignableRequest::new(request.method.as_str(), uri, headers, body).ok()?;
        Some(sign(signable, &parameters).ok()?.into_parts().1)
    }

    fn signs(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|signed| signed == header)
    }
}

impl AuthError {
    /// Returns the error that the service reports.
    ///
    /// See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
    /// and <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>.
    pub(crate) fn into_error_response(self, protocol: Protocol) -> ErrorResponse {
        // The JSON protocol answers 400 to everything; the query protocol tells a malformed request from one
        // that is not allowed.
        let query_status = match self {
            Self::Incomplete(_) => 400,
            _ => 403,
        };
        let (json_code, query_code, message) = match self.clone() {
            Self::MissingToken => (
                "MissingAuthenticationTokenException",
                "MissingAuthenticationToken",
                "Request is missing Authentication Token".to_owned(),
            ),
            Self::Incomplete(message) => (
                "IncompleteSignatureException",
                "IncompleteSignature",
                message,
            ),
            Self::UnknownKey => (
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "The security token included in the request is invalid.".to_owned(),
            ),
            Self::SkewedTime(message) => (
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                message,
            ),
            Self::WrongSignature => (
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method. Consult the service \
                 documentation for details."
                    .to_owned(),
            ),
            Self::Expired => (
                "ExpiredTokenException",
                "ExpiredToken",
                "The security token included in the request is expired".to_owned(),
            ),
        };
        match protocol {
            Protocol::Json => ErrorResponse::new(400, json_code, message),
            Protocol::RestJson => ErrorResponse::new(401, "UnauthorizedException", message),
            Protocol::Query(_) => ErrorResponse::new(query_status, query_code, message),
            #[cfg(feature = "s3")]
            Protocol::RestXml => match self {
                Self::MissingToken => ErrorResponse::new(403, "AccessDenied", "Access Denied"),
                Self::Incomplete(_) => {
                    ErrorResponse::new(400, "AuthorizationHeaderMalformed", message)
                }
                Self::UnknownKey => ErrorResponse::new(
                    403,
                    "InvalidAccessKeyId",
                    "The AWS Access Key Id you provided does not exist in our records.",
                ),
                Self::SkewedTime(_) => ErrorResponse::new(403, "RequestTimeTooSkewed", message),
                Self::WrongSignature => ErrorResponse::new(403, query_code, message),
                Self::Expired => {
                    ErrorResponse::new(400, "ExpiredToken", "The provided token has expired.")
                }
            },
        }
    }
}

/// Checks that the request was signed recently.
///
/// The time of the machine is accepted as well as the server's clock, so that clients that cannot
/// share the clock, such as the AWS CLI, still reach a server whose clock was moved.
fn check_time(signed_at: SystemTime, clock: &Clock) -> Result<(), AuthError> {
    let now = clock.now();
    if [now, SystemTime::now()]
        .into_iter()
        .any(|time| distance(time, signed_at) <= TOLERANCE)
    {
        return Ok(());
    }
    let (signed, server) = (basic(signed_at), basic(now));
    Err(AuthError::SkewedTime(if signed_at < now {
        let limit = basic(now - TOLERANCE);
        format!("Signature expired: {signed} is now earlier than {limit} ({server} - 5 min.)")
    } else {
        let limit = basic(now + TOLERANCE);
        format!(
            "Signature not yet current: {signed} is still later than {limit} ({server} + 5 min.)"
        )
    }))
}

fn distance(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|error| error.duration())
}
