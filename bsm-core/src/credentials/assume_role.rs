//! Roles, assumed with STS AssumeRole.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_sts::types::{PolicyDescriptorType, ProvidedContext, Tag};
use aws_types::SdkConfig;

use crate::error::{Error, ErrorKind};
use crate::manager::BotoSesManager;
use crate::profile::RoleLink;

/// What is asked of STS, field by field as in its API.
#[derive(Clone, Debug, Default)]
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

impl RoleRequest {
    /// Finds what STS would refuse, before it is asked.
    ///
    /// Source: the [AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html) page.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
        let parts: Vec<_> = self.role_arn.splitn(6, ':').collect();
        if !matches!(parts[..], ["arn", _, "iam", "", account, resource]
            if account.len() == 12 && resource.starts_with("role/"))
        {
            return refuse(format!(
                "{:?} is not the ARN of a role: write it as arn:aws:iam::111122223333:role/Name",
                self.role_arn
            ));
        }
        if let Some(name) = &self.role_session_name {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
            if !(2..=64).contains(&name.len()) || !name.chars().all(allowed) {
                return refuse(format!(
                    "the role session name {name:?} is not acceptable: use 2 to 64 letters, digits \
                     and the characters _+=,.@-"
                ));
            }
        }
        if let Some(duration) = self.duration
            && !(900..=43_200).contains(&duration.as_secs())
        {
            return refuse(format!(
                "a role cannot be assumed for {} s: it is 900 s (15 minutes) to 43200 s (12 hours)",
                duration.as_secs()
            ));
        }
        Ok(())
    }
}

/// The credentials of a role, got from STS with those of `sts`.
///
/// It asks at every call; a [`Refresher`](super::Refresher) in front of it keeps the answer.
#[derive(Debug)]
pub(crate) struct AssumedRole {
    request: RoleRequest,
    sts: aws_sdk_sts::Client,
    session_name: String,
}

impl AssumedRole {
    pub(crate) fn new(request: RoleRequest, sts: &SdkConfig) -> Result<Self, Error> {
        request.check()?;
        let session_name = request
            .role_session_name
            .clone()
            .unwrap_or_else(generated_session_name);
        Ok(Self {
            request,
            sts: aws_sdk_sts::Client::new(sts),
            session_name,
        })
    }

    async fn assume(&self) -> Result<Credentials, Error> {
        let request = &self.request;
        if let Some(serial) = &request.mfa_serial {
            return Err(Error::new(
                ErrorKind::CredentialsUnavailable,
                format!(
                    "the role needs a code of the MFA device {serial}, and nobody can give one"
                ),
            ));
        }
        tracing::debug!(role_arn = request.role_arn, "assuming a role");
        let answer = self
            .sts
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
            .set_provided_contexts(some(&request.provided_contexts, |(arn, assertion)| {
                ProvidedContext::builder()
                    .provider_arn(arn)
                    .context_assertion(assertion)
                    .build()
            }))
            .send()
            .await
            .map_err(|error| {
                Error::from_call(&format!("assume the role {}", request.role_arn), error)
            })?;
        answer
            .credentials
            .ok_or_else(|| incomplete(&request.role_arn))
            .and_then(|credentials| {
                let expiry = SystemTime::try_from(credentials.expiration)
                    .map_err(|_| incomplete(&request.role_arn))?;
                let mut assumed = Credentials::builder()
                    .access_key_id(credentials.access_key_id)
                    .secret_access_key(credentials.secret_access_key)
                    .session_token(credentials.session_token)
                    .expiry(expiry)
                    .provider_name("AssumeRole");
                if let Some(account) = request.role_arn.split(':').nth(4) {
                    assumed = assumed.account_id(account);
                }
                Ok(assumed.build())
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
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move { provider::Result::Ok(self.assume().await?) })
    }
}

/// STS distinguishes an empty list from none.
fn some<T, U>(items: &[T], to: impl FnMut(&T) -> U) -> Option<Vec<U>> {
    (!items.is_empty()).then(|| items.iter().map(to).collect())
}

fn incomplete(role_arn: &str) -> Error {
    Error::new(
        ErrorKind::Service,
        format!(
            "STS answered without credentials for {role_arn}: is the endpoint an AWS endpoint?"
        ),
    )
}

pub(super) fn generated_session_name() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    format!("bsm-session-{}", since_epoch.unwrap_or_default().as_secs())
}

/// A role to assume with the credentials of a manager; see [`BotoSesManager::assume_role`].
///
/// The setters are the fields of STS
/// [AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
#[derive(Clone, Debug)]
#[must_use = "finish it with `.build()`, or with `.load().await` to assume the role at once"]
pub struct AssumeRole {
    parent: BotoSesManager,
    request: RoleRequest,
    region: Option<String>,
}

impl AssumeRole {
    pub(crate) fn new(parent: BotoSesManager, role_arn: String) -> Self {
        Self {
            parent,
            request: RoleRequest {
                role_arn,
                ..RoleRequest::default()
            },
            region: None,
        }
    }

    /// Names the session, in CloudTrail and in the ARN: 2 to 64 letters, digits and `_+=,.@-`.
    ///
    /// Default: `bsm-session-` and the time in seconds.
    pub fn role_session_name(mut self, name: impl Into<String>) -> Self {
        self.request.role_session_name = Some(name.into());
        self
    }

    /// Sets how long the credentials are valid: 15 minutes to 12 hours, at most what the role
    /// allows, and at most one hour if this manager's own credentials are those of a role.
    ///
    /// Default: one hour. They are refreshed in time, however long the manager lives.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.request.duration = Some(duration);
        self
    }

    /// Narrows the permissions by a policy in JSON.
    pub fn policy(mut self, policy: impl Into<String>) -> Self {
        self.request.policy = Some(policy.into());
        self
    }

    /// Narrows the permissions by a managed policy; may be called up to ten times.
    pub fn policy_arn(mut self, arn: impl Into<String>) -> Self {
        self.request.policy_arns.push(arn.into());
        self
    }

    /// Adds a session tag; may be called up to fifty times.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.tags.push((key.into(), value.into()));
        self
    }

    /// Lets a session tag go over to roles that are assumed from this one.
    pub fn transitive_tag_key(mut self, key: impl Into<String>) -> Self {
        self.request.transitive_tag_keys.push(key.into());
        self
    }

    /// Gives the external id that the role's trust policy asks for.
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.request.external_id = Some(id.into());
        self
    }

    /// Gives the source identity, which stays with every role that is assumed from this one.
    pub fn source_identity(mut self, identity: impl Into<String>) -> Self {
        self.request.source_identity = Some(identity.into());
        self
    }

    /// Adds a trusted context assertion.
    pub fn provided_context(
        mut self,
        provider_arn: impl Into<String>,
        assertion: impl Into<String>,
    ) -> Self {
        self.request
            .provided_contexts
            .push((provider_arn.into(), assertion.into()));
        self
    }

    /// Sets the region of the new manager. Default: this manager's region.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Makes the manager; the role is assumed when it is first needed.
    pub fn build(self) -> BotoSesManager {
        BotoSesManager::assumed(self.parent, self.request, self.region)
    }

    /// Makes the manager and assumes the role at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a field that STS would refuse;
    /// [`ErrorKind::AccessDenied`] if the role does not exist or does not trust this manager; and
    /// whatever this manager's own credentials can fail with.
    pub async fn load(self) -> Result<BotoSesManager, Error> {
        let assumed = self.build();
        assumed.credentials().await?;
        Ok(assumed)
    }
}
