//! A source of credentials, with the facts that are known before it is called.

use aws_credential_types::provider::SharedCredentialsProvider;

use super::Refresher;

/// A provider of credentials, and what is known about it.
#[derive(Clone, Debug)]
pub(crate) struct CredentialSource {
    pub(crate) provider: SharedCredentialsProvider,
    /// Whether the credentials are those of a role. A role that is assumed with them lasts at most
    /// an hour.
    pub(crate) is_role: bool,
    pub(crate) interaction: Interaction,
}

/// Whether a refresh prompts a person.
///
/// A refresh in the background must never prompt: nobody would know why.
#[derive(Clone, Debug)]
pub(crate) enum Interaction {
    None,
    /// For an MFA code.
    Prompt,
    /// If the parent's credentials must be refreshed first, and their refresh prompts.
    Inherited(Refresher),
}

impl CredentialSource {
    /// Returns a source whose credentials are those of a role.
    pub(crate) fn of_role(provider: SharedCredentialsProvider) -> Self {
        Self {
            is_role: true,
            ..Self::from(provider)
        }
    }

    /// Returns `true` if a refresh now can prompt.
    pub(super) fn may_prompt(&self) -> bool {
        match &self.interaction {
            Interaction::None => false,
            Interaction::Prompt => true,
            Interaction::Inherited(parent) => parent.may_prompt(),
        }
    }
}

impl From<SharedCredentialsProvider> for CredentialSource {
    fn from(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            is_role: false,
            interaction: Interaction::None,
        }
    }
}
