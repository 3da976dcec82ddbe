//! Credentials that can do less than the session's own.
//!
//! STS narrows when it issues credentials: a session policy, session tags. What it has issued cannot be
//! widened. So the last role of a session is assumed with these parameters, and a session without a role
//! cannot be narrowed.

use std::path::Path;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use bsm_core::{AssumeRole, BotoSesManager, Builder, ProfileInfo, ProfileKind};
use clap::Args;

use crate::failure::{Class, Failure};

/// STS accepts 2,048 characters, and says so itself. This is against reading a device.
const MAX_POLICY: u64 = 64 * 1024;

/// How long the source of a role may take. Every step has a limit of its own; the longest is that of a
/// prompt.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The options for credentials that can do less.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Restrict the credentials")]
pub(crate) struct Narrow {
    /// Allow only what the AWS managed policy ReadOnlyAccess allows
    #[arg(long)]
    read_only: bool,
    /// Also restrict the credentials to this policy: a JSON file, or the ARN of a managed policy; repeat it
    /// for more ARNs
    #[arg(long, value_name = "FILE|ARN")]
    policy: Vec<String>,
    /// Add a session tag; repeat it for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    tag: Vec<(String, String)>,
    /// Set the source identity, which stays with every role that is assumed from this one
    #[arg(long, value_name = "NAME")]
    source_identity: Option<String>,
}

impl Narrow {
    pub(super) fn is_empty(&self) -> bool {
        !self.read_only
            && self.policy.is_empty()
            && self.tag.is_empty()
            && self.source_identity.is_none()
    }

    /// Adds the options to a role.
    pub(super) fn apply(
        &self,
        mut role: AssumeRole,
        role_arn: &str,
    ) -> Result<AssumeRole, Failure> {
        let mut inline = None;
        for policy in &self.policy {
            if policy.starts_with("arn:") {
                role = role.policy_arn(policy);
            } else if inline.replace(policy).is_some() {
                return Err(Failure::usage(
                    "STS takes one policy in JSON: merge the files given to --policy",
                ));
            }
        }
        if let Some(path) = inline {
            role = role.policy(read_policy(Path::new(path))?);
        }
        if self.read_only {
            // The managed policies of AWS have an ARN in each partition.
            let partition = role_arn.split(':').nth(1).unwrap_or("aws");
            role = role.policy_arn(format!("arn:{partition}:iam::aws:policy/ReadOnlyAccess"));
        }
        for (key, value) in &self.tag {
            role = role.tag(key, value);
        }
        if let Some(identity) = &self.source_identity {
            role = role.source_identity(identity);
        }
        Ok(role)
    }
}

/// The credentials of another session.
#[derive(Debug)]
struct CredentialsOf(BotoSesManager);

impl ProvideCredentials for CredentialsOf {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.0.credentials().await;
            credentials.map_err(CredentialsError::provider_error)
        })
    }
}

/// Takes the role out of a profile, so that it can be assumed with more parameters than a profile can
/// have.
pub(super) fn role_of_profile(
    builder: Builder,
    profile: &ProfileInfo,
) -> Result<(BotoSesManager, AssumeRole), Failure> {
    let name = profile.name();
    let source = profile.setting("source_profile");
    let (Some(arn), Some(source)) = (profile.setting("role_arn"), source) else {
        return Err(not_narrowable(name));
    };
    // A profile that is its own source has the keys that assume the role, but a manager of that
    // profile would assume the role first.
    if profile.kind() != ProfileKind::Role || source == name {
        return Err(not_narrowable(name));
    }
    // Region, endpoints, FIPS and retries are those of the profile that was named. Of its source it takes
    // the credentials alone, as if the profile were used itself.
    let source = CredentialsOf(builder.clone().profile_name(source).build());
    let parent = builder
        .profile_name(name)
        .credentials_provider(source)
        .credentials_provider_timeout(SOURCE_TIMEOUT)
        .build();
    let mut role = parent.assume_role(arn);
    if let Some(id) = profile.setting("external_id") {
        role = role.external_id(id);
    }
    if let Some(serial) = profile.setting("mfa_serial") {
        role = role.mfa_serial(serial);
    }
    if let Some(session) = profile.setting("role_session_name") {
        role = role.role_session_name(session);
    }
    let seconds = profile.setting("duration_seconds");
    // botocore ignores a value that is not a number.
    if let Some(seconds) = seconds.and_then(|seconds| seconds.trim().parse().ok()) {
        role = role.duration(Duration::from_secs(seconds));
    }
    Ok((parent, role))
}

pub(super) fn not_narrowable(profile: &str) -> Failure {
    Failure::usage(format!(
        "the credentials of profile {profile:?} cannot be restricted, because they do not come \
         from a role with a source_profile: add --role with the ARN of a role that they can assume"
    ))
}

fn read_policy(path: &Path) -> Result<String, Failure> {
    let text = bsm_core::read_text(path, MAX_POLICY).map_err(|error| {
        Failure::usage(format!(
            "the policy {} cannot be read: {error}",
            path.display()
        ))
    })?;
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) {
        Ok(_) => Ok(text.to_string()),
        Err(error) => Err(Failure::new(
            Class::Usage,
            format!(
                "the policy {} is not a JSON object: {error}",
                path.display()
            ),
        )),
    }
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
