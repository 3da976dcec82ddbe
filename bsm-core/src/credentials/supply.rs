//! What is known of a source of credentials before it is asked.

use aws_credential_types::provider::SharedCredentialsProvider;

use super::Refresher;

/// A source of credentials, and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Supply {
    pub(crate) provider: SharedCredentialsProvider,
    /// Whether the credentials are those of a role. A role that is assumed with them lasts at most
    /// an hour.
    pub(crate) is_role: bool,
    pub(crate) asks: Asks,
}

/// Whom a refresh disturbs.
///
/// A refresh that runs in the background must not make a prompt appear out of nowhere.
#[derive(Clone, Debug)]
pub(crate) enum Asks {
    Nobody,
    /// Somebody who is to give an MFA code.
    Somebody,
    /// Whomever the refresh of these disturbs, if they have to be refreshed first.
    AsDoes(Refresher),
}

impl Supply {
    /// A source whose credentials are those of a role.
    pub(crate) fn of_role(provider: SharedCredentialsProvider) -> Self {
        Self {
            is_role: true,
            ..Self::from(provider)
        }
    }

    /// Says whether a refresh now may need somebody.
    pub(super) fn may_disturb(&self) -> bool {
        match &self.asks {
            Asks::Nobody => false,
            Asks::Somebody => true,
            Asks::AsDoes(parent) => parent.may_disturb(),
        }
    }
}

impl From<SharedCredentialsProvider> for Supply {
    fn from(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            is_role: false,
            asks: Asks::Nobody,
        }
    }
}
