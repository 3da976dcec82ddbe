//! Roles that are assumed with STS AssumeRole.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::{AssumeRoleError, AssumeRoleOutput};
use aws_sdk_sts::types::{
    Credentials as IssuedCredentials, PolicyDescriptorType, ProvidedContext, Tag,
};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use futures_core::future::BoxFuture;

use super::Refresher;
use super::mfa::{self, TokenCodes, TokenRequest};
use super::provider::CredentialProvider;
use super::role_request::RoleRequest;
use crate::error::{Error, ErrorKind};
use crate::transport::server_clock::{ClockSkew, ServerClock};
use crate::transport::{self, time_limits};

/// The provider of a role's credentials, which STS issues for those of the parent.
///
/// It calls STS every time; a [`Refresher`] in front of it caches the credentials.
#[derive(Debug)]
pub(crate) struct AssumedRole {
    request: RoleRequest,
    parent: Refresher,
    sts: SdkConfig,
    mfa: Option<TokenCodes>,
    session_name: String,
}

impl AssumedRole {
    pub(super) fn new(
        request: RoleRequest,
        parent: &Refresher,
        sts: &SdkConfig,
        mfa: Option<&TokenCodes>,
    ) -> Self {
        let sts = match request.mfa_serial {
            Some(_) => without_retries(sts),
            None => sts.clone(),
        };
        // Generated once, as in botocore: all refreshes are one session in CloudTrail.
        let session_name = request
            .role_session_name
            .clone()
            .unwrap_or_else(|| generated_session_name(&time_of(&sts)));
        Self {
            request,
            parent: parent.clone(),
            sts,
            mfa: mfa.cloned(),
            session_name,
        }
    }

    pub(super) fn request(&self) -> &RoleRequest {
        &self.request
    }

    pub(super) fn parent(&self) -> &Refresher {
        &self.parent
    }

    /// Returns the configuration of requests to STS.
    pub(super) fn sts(&self) -> &SdkConfig {
        &self.sts
    }

    pub(super) fn time(&self) -> SharedTimeSource {
        time_of(&self.sts)
    }

    pub(super) async fn assume(&self) -> Result<Assumed, Error> {
        // Outside the call to STS: its time-out must not include the parent's refresh, or a prompt.
        let parent = self.parent.credentials().await?;
        let sts = self
            .sts
            .to_builder()
            // Not the refresher: an error is scrubbed of the very credentials that signed.
            .credentials_provider(SharedCredentialsProvider::new(parent.clone()))
            .build();
        // Before the prompt: the user must not enter a code that cannot be sent.
        let sts = transport::client(&sts, aws_sdk_sts::Client::new)?;
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
        let call = sts
            .assume_role()
            .role_arn(&request.role_arn)
            .role_session_name(&self.session_name)
            // `check` has limited it to 43,200 s.
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
            }));
        let clock = ServerClock::default();
        let call = call.customize().interceptor(clock.clone());
        let answer = transport::unlogged(call.send())
            .await
            .map_err(|error| request.failed(error, code.as_deref(), &parent))?;
        Assumed::new(request, answer, clock.skew())
    }

    async fn mfa_code(&self, serial: &str) -> Result<String, Error> {
        let request = TokenRequest::new(serial, Some(&self.request.role_arn), &self.sts);
        mfa::code(self.mfa.as_ref(), request).await
    }
}

/// The response of AssumeRole.
#[derive(Debug)]
pub(super) struct Assumed {
    pub(super) credentials: Credentials,
    /// The session's id and ARN.
    pub(super) user: Option<(String, String)>,
    pub(super) source_identity: Option<String>,
}

impl Assumed {
    fn new(
        request: &RoleRequest,
        answer: AssumeRoleOutput,
        skew: Option<ClockSkew>,
    ) -> Result<Self, Error> {
        let issue = Issue {
            purpose: &request.role_arn,
            account: request.account(),
            provider: "AssumeRole",
            skew,
        };
        Ok(Self {
            credentials: issue.of(answer.credentials)?,
            user: answer
                .assumed_role_user
                .map(|user| (user.assumed_role_id, user.arn)),
            source_identity: answer.source_identity,
        })
    }
}

impl RoleRequest {
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

    fn failed<R>(
        &self,
        error: SdkError<AssumeRoleError, R>,
        code: Option<&str>,
        signer: &Credentials,
    ) -> Error
    where
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        // Without a code in the request, the message cannot be about one.
        let is_wrong_code = self.mfa_serial.is_some() && is_wrong_code(&error);
        let assertions = self.provided_contexts.iter().map(|(_, text)| text.as_str());
        let secrets: Vec<_> = code
            .into_iter()
            .chain(self.external_id.as_deref())
            .chain(assertions)
            .chain(transport::secrets_of(signer))
            .collect();
        let doing = format!("assume the role {}", self.role_arn);
        let error = transport::failed(&doing, error, &secrets);
        match &self.mfa_serial {
            Some(serial) if is_wrong_code => {
                mfa::rejected(serial, &format!("the role {}", self.role_arn)).with_source(error)
            }
            // AWS has one sentence for all of it, also for a role that does not exist.
            _ if error.is_access_denied() => error.with_remedy(match self.external_id {
                Some(_) => {
                    "check that the role exists, that its trust policy allows this identity with the external \
                     id that was sent, and that the identity's policies allow sts:AssumeRole on it"
                }
                None => {
                    "check that the role exists, that its trust policy allows this identity (no external id \
                     was sent), and that the identity's policies allow sts:AssumeRole on it"
                }
            }),
            _ => error,
        }
    }
}

// STS has no error code of its own for a wrong code.
pub(super) fn is_wrong_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.as_service_error().is_some_and(|error| {
        error.code() == Some("AccessDenied")
            && error
                .message()
                .is_some_and(|message| message.contains("invalid MFA one time pass code"))
    })
}

impl CredentialProvider for AssumedRole {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(async { Ok(self.assume().await?.credentials) })
    }

    fn step(&self) -> String {
        format!("the role {}", self.request.role_arn)
    }

    fn limit(&self) -> Duration {
        let code = mfa::limit(self.request.mfa_serial.as_deref());
        self.parent
            .limit()
            .saturating_add(code)
            .saturating_add(time_limits::of_request(&self.sts))
    }

    fn is_role(&self) -> bool {
        true
    }

    fn may_prompt(&self) -> bool {
        mfa::may_prompt(self.request.mfa_serial.as_deref(), self.mfa.as_ref())
            || self.parent.may_prompt()
    }

    fn check_source(&self) -> Result<(), Error> {
        self.parent.check()
    }
}

/// Returns the configuration of requests with an MFA code.
///
/// A code is sent once: if the response is lost, AWS may count the code as used.
pub(super) fn without_retries(sts: &SdkConfig) -> SdkConfig {
    let retry = sts.retry_config().cloned();
    let retry = retry.unwrap_or_else(RetryConfig::standard);
    sts.to_builder()
        .retry_config(retry.with_max_attempts(1))
        .build()
}

pub(super) fn time_of(config: &SdkConfig) -> SharedTimeSource {
    config.time_source().unwrap_or_default()
}

/// What is known of credentials that STS issued, besides its response.
pub(super) struct Issue<'a> {
    /// What they are for, as an error names it: an ARN, or `the session token`.
    pub(super) purpose: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) provider: &'static str,
    pub(super) skew: Option<ClockSkew>,
}

impl Issue<'_> {
    /// Converts the credentials.
    pub(super) fn of(&self, credentials: Option<IssuedCredentials>) -> Result<Credentials, Error> {
        let incomplete = || {
            Error::new(
                ErrorKind::Service,
                format!(
                    "STS answered without credentials for {}: check that the endpoint is an AWS \
                     endpoint",
                    self.purpose
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
            .provider_name(self.provider);
        if let Some(account) = self.account {
            credentials = credentials.account_id(account);
        }
        let mut credentials = credentials.build();
        if let Some(skew) = self.skew {
            // The expiry stays AWS's own: the refresher converts it to the local clock.
            credentials.set_property(skew);
        }
        Ok(credentials)
    }
}

// STS distinguishes an empty list from none.
fn some<T, U>(items: &[T], to: impl FnMut(&T) -> U) -> Option<Vec<U>> {
    (!items.is_empty()).then(|| items.iter().map(to).collect())
}

pub(super) fn generated_session_name(time: &SharedTimeSource) -> String {
    let since_epoch = time.now().duration_since(UNIX_EPOCH);
    format!("bsm-session-{}", since_epoch.unwrap_or_default().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_with_mfa_leaves_room_for_a_person_and_for_the_prompt_before_theirs() {
        let person = Duration::from_secs(300);
        assert_eq!(mfa::limit(None), Duration::ZERO);
        assert!(mfa::limit(Some("GAHT12345678")) >= 2 * person);
    }
}
