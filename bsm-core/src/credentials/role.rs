//! Roles, assumed with STS AssumeRole.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::{AssumeRoleError, AssumeRoleOutput};
use aws_sdk_sts::types::{
    Credentials as IssuedCredentials, PolicyDescriptorType, ProvidedContext, Tag,
};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use super::Refresher;
use super::cli_cache::{CachedRole, Store};
use super::mfa::{TokenCodes, TokenRequest};
use super::supply::{Asks, Supply};
use crate::error::{Error, ErrorKind};
use crate::profile::RoleLink;
use crate::transport;

/// How often a refresh tries AssumeRole. More would only be in the way of the pause after it.
const MAX_ATTEMPTS: u32 = 2;

/// How long an attempt may take, where the user has set no time-out.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked of STS, field by field as in its API.
#[derive(Clone, Default)]
pub(crate) struct RoleRequest {
    pub(crate) role_arn: String,
    pub(crate) role_session_name: Option<String>,
    pub(crate) duration: Option<Duration>,
    pub(crate) policy: Option<String>,
    pub(crate) policy_arns: Vec<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) transitive_tag_keys: Vec<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) mfa_serial: Option<String>,
    pub(crate) provided_contexts: Vec<(String, String)>,
}

/// Shows which role, and under which name: policies are long, and a context is a token.
impl fmt::Debug for RoleRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleRequest")
            .field("role_arn", &self.role_arn)
            .field("role_session_name", &self.role_session_name)
            .field("duration", &self.duration)
            .field("mfa_serial", &self.mfa_serial)
            .finish_non_exhaustive()
    }
}

impl From<RoleLink> for RoleRequest {
    fn from(link: RoleLink) -> Self {
        Self {
            role_arn: link.role_arn,
            role_session_name: link.session_name,
            duration: link.duration,
            external_id: link.external_id,
            mfa_serial: link.mfa_serial,
            ..Self::default()
        }
    }
}

/// With whose credentials, over which way and with whose help a role is assumed.
#[derive(Clone, Debug)]
pub(crate) struct Means<'a> {
    pub(crate) parent: &'a Refresher,
    /// How STS is reached.
    pub(crate) sts: &'a SdkConfig,
    pub(crate) mfa: Option<&'a TokenCodes>,
    pub(crate) cli_cache: Option<Store>,
}

/// The credentials of a role, got from STS with those of its parent.
///
/// It asks at every call; a [`Refresher`] in front of it keeps the answer.
#[derive(Debug)]
pub(crate) struct AssumedRole {
    request: RoleRequest,
    parent: Refresher,
    sts: SdkConfig,
    mfa: Option<TokenCodes>,
    session_name: String,
}

impl AssumedRole {
    /// Returns the source of a role's credentials.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for what STS would refuse.
    pub(crate) fn supply(request: RoleRequest, means: &Means<'_>) -> Result<Supply, Error> {
        request.check(means.parent.is_role())?;
        let asks = match (&request.mfa_serial, means.mfa) {
            (Some(_), Some(mfa)) if !mfa.is_interactive() => Asks::AsDoes(means.parent.clone()),
            (Some(_), _) => Asks::Somebody,
            (None, _) => Asks::AsDoes(means.parent.clone()),
        };
        let role = Self::new(request, means);
        let provider = match &means.cli_cache {
            Some(store) => SharedCredentialsProvider::new(CachedRole::new(role, store.clone())),
            None => SharedCredentialsProvider::new(role),
        };
        Ok(Supply {
            asks,
            ..Supply::of_role(provider)
        })
    }

    pub(super) fn new(request: RoleRequest, means: &Means<'_>) -> Self {
        let sts = sts_config(means.sts, request.mfa_serial.is_some());
        let session_name = request
            .role_session_name
            .clone()
            .unwrap_or_else(|| generated_session_name(&time_of(&sts)));
        Self {
            request,
            parent: means.parent.clone(),
            sts,
            mfa: means.mfa.cloned(),
            session_name,
        }
    }

    pub(super) fn request(&self) -> &RoleRequest {
        &self.request
    }

    pub(super) fn parent(&self) -> &Refresher {
        &self.parent
    }

    /// How STS is reached.
    pub(super) fn sts(&self) -> &SdkConfig {
        &self.sts
    }

    pub(super) fn time(&self) -> SharedTimeSource {
        time_of(&self.sts)
    }

    pub(super) async fn assume(&self) -> Result<Assumed, Error> {
        // Before the call, because its time-out is not for the parent's, or for a prompt.
        let parent = self.parent.credentials().await?;
        let code = match &self.request.mfa_serial {
            Some(serial) => Some(self.mfa_code(serial).await?),
            None => None,
        };
        let request = &self.request;
        tracing::debug!(
            role_arn = request.role_arn,
            session_name = self.session_name,
            mfa_serial = request.mfa_serial,
            "assuming a role"
        );
        let sts = self
            .sts
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(parent))
            .build();
        let answer = transport::client(&sts, aws_sdk_sts::Client::new)?
            .assume_role()
            .role_arn(&request.role_arn)
            .role_session_name(&self.session_name)
            .set_duration_seconds(request.duration.map(|duration| duration.as_secs() as i32))
            .set_policy(request.policy.clone())
            .set_policy_arns(some(&request.policy_arns, |arn| {
                PolicyDescriptorType::builder().arn(arn).build()
            }))
            .set_tags(request.tags()?)
            .set_transitive_tag_keys(some(&request.transitive_tag_keys, String::clone))
            .set_external_id(request.external_id.clone())
            .set_source_identity(request.source_identity.clone())
            .set_serial_number(request.mfa_serial.clone())
            .set_token_code(code.clone())
            .set_provided_contexts(some(&request.provided_contexts, |(arn, assertion)| {
                ProvidedContext::builder()
                    .provider_arn(arn)
                    .context_assertion(assertion)
                    .build()
            }))
            .send()
            .await
            .map_err(|error| request.failed(error, code.as_deref()))?;
        Assumed::new(request, answer)
    }

    async fn mfa_code(&self, serial: &str) -> Result<String, Error> {
        let Some(mfa) = &self.mfa else {
            return Err(Error::new(
                ErrorKind::MfaCodeUnavailable,
                format!(
                    "the role {} needs a code of the MFA device {serial}, and nobody can give one: \
                     set an mfa_token_provider, for example mfa::TerminalPrompt",
                    self.request.role_arn
                ),
            ));
        };
        let request = TokenRequest::new(serial, &self.request.role_arn, self.time());
        mfa.code(request).await
    }
}

/// What STS answered.
#[derive(Debug)]
pub(super) struct Assumed {
    pub(super) credentials: Credentials,
    /// The session's id and ARN.
    pub(super) user: Option<(String, String)>,
    pub(super) source_identity: Option<String>,
}

impl Assumed {
    fn new(request: &RoleRequest, answer: AssumeRoleOutput) -> Result<Self, Error> {
        Ok(Self {
            credentials: issued(answer.credentials, &request.role_arn, "AssumeRole")?,
            user: answer
                .assumed_role_user
                .map(|user| (user.assumed_role_id, user.arn)),
            source_identity: answer.source_identity,
        })
    }
}

impl RoleRequest {
    /// The account in the role's ARN.
    pub(super) fn account(&self) -> Option<&str> {
        account_of(&self.role_arn)
    }

    fn tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        let tag = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build();
        let tags: Result<Vec<_>, _> = self.tags.iter().map(tag).collect();
        match tags {
            Ok(tags) => Ok((!tags.is_empty()).then_some(tags)),
            Err(error) => Err(
                Error::new(ErrorKind::InvalidInput, "a session tag is incomplete")
                    .with_source(error),
            ),
        }
    }

    fn failed<R>(&self, error: SdkError<AssumeRoleError, R>, code: Option<&str>) -> Error
    where
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let is_wrong_code = self.mfa_serial.is_some() && is_wrong_code(&error);
        let assertions = self.provided_contexts.iter().map(|(_, text)| text.as_str());
        let secrets: Vec<_> = code
            .into_iter()
            .chain(self.external_id.as_deref())
            .chain(assertions)
            .collect();
        let doing = format!("assume the role {}", self.role_arn);
        let error = transport::failed(&doing, error, &secrets);
        match &self.mfa_serial {
            Some(serial) if is_wrong_code => Error::new(
                ErrorKind::MfaCodeRejected,
                format!(
                    "AWS refused the code of the MFA device {serial} for the role {}: it was \
                     mistyped, too old or used before; try again with the next code",
                    self.role_arn
                ),
            )
            .with_source(error),
            _ => error,
        }
    }
}

/// STS has no error code of its own for a wrong code.
fn is_wrong_code<R>(error: &SdkError<AssumeRoleError, R>) -> bool {
    error.as_service_error().is_some_and(|error| {
        error.code() == Some("AccessDenied")
            && error
                .message()
                .is_some_and(|message| message.contains("invalid MFA one time pass code"))
    })
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            provider::Result::Ok(self.assume().await?.credentials)
        })
    }
}

/// An MFA code is sent once: if the answer got lost, AWS may have taken it as used.
fn sts_config(sts: &SdkConfig, has_mfa: bool) -> SdkConfig {
    let retry = sts
        .retry_config()
        .cloned()
        .unwrap_or_else(RetryConfig::standard);
    let limit = if has_mfa { 1 } else { MAX_ATTEMPTS };
    let attempts = retry.max_attempts().min(limit);
    let timeouts = sts.timeout_config().cloned();
    let mut timeouts = timeouts.unwrap_or_else(|| TimeoutConfig::builder().build());
    let told = [
        timeouts.read_timeout(),
        timeouts.operation_timeout(),
        timeouts.operation_attempt_timeout(),
    ];
    if told.iter().all(Option::is_none) {
        let attempt = timeouts
            .into_builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT);
        timeouts = attempt.build();
    }
    sts.to_builder()
        .retry_config(retry.with_max_attempts(attempts))
        .timeout_config(timeouts)
        .build()
}

pub(super) fn time_of(config: &SdkConfig) -> SharedTimeSource {
    config.time_source().unwrap_or_default()
}

fn account_of(role_arn: &str) -> Option<&str> {
    role_arn.split(':').nth(4)
}

/// Takes over the credentials that STS issued for a role.
pub(super) fn issued(
    credentials: Option<IssuedCredentials>,
    role_arn: &str,
    provider: &'static str,
) -> Result<Credentials, Error> {
    let incomplete = || {
        Error::new(
            ErrorKind::Service,
            format!(
                "STS answered without credentials for {role_arn}: is the endpoint an AWS endpoint?"
            ),
        )
    };
    let issued = credentials.ok_or_else(incomplete)?;
    let expiry = SystemTime::try_from(issued.expiration).map_err(|_| incomplete())?;
    let mut credentials = Credentials::builder()
        .access_key_id(issued.access_key_id)
        .secret_access_key(issued.secret_access_key)
        .session_token(issued.session_token)
        .expiry(expiry)
        .provider_name(provider);
    if let Some(account) = account_of(role_arn) {
        credentials = credentials.account_id(account);
    }
    Ok(credentials.build())
}

/// STS distinguishes an empty list from none.
fn some<T, U>(items: &[T], to: impl FnMut(&T) -> U) -> Option<Vec<U>> {
    (!items.is_empty()).then(|| items.iter().map(to).collect())
}

pub(super) fn generated_session_name(time: &SharedTimeSource) -> String {
    let since_epoch = time.now().duration_since(UNIX_EPOCH);
    format!("bsm-session-{}", since_epoch.unwrap_or_default().as_secs())
}
