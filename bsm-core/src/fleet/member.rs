//! The accounts of a fleet, and what the closure gets of one.

use std::collections::HashSet;
use std::sync::Arc;

use crate::fleet::entry::Call;
use crate::identity::arn;
use crate::manager::BotoSesManager;
use crate::manager::assume_role::AssumeRole;
use crate::manager::builder::Builder;
use crate::profile::ProfileKind;

/// An account of a fleet.
#[derive(Clone)]
pub(super) struct Member {
    /// Unique in its fleet.
    pub(super) name: Arc<str>,
    pub(super) origin: Origin,
}

/// What an account's manager is made from, when it is the account's turn.
#[derive(Clone)]
pub(super) enum Origin {
    Manager(BotoSesManager),
    // Boxed: otherwise each manager of a large fleet would take the size of a builder.
    Profile(Box<ProfileOrigin>),
    Role(Box<AssumeRole>),
}

/// A profile, and how it gets its credentials.
#[derive(Clone)]
pub(super) struct ProfileOrigin {
    pub(super) builder: Builder,
    pub(super) kind: ProfileKind,
}

impl Member {
    pub(super) fn new(name: String, origin: Origin) -> Self {
        Self {
            name: name.into(),
            origin,
        }
    }

    pub(super) fn call(&self, region: Option<Arc<str>>) -> Call {
        Call {
            account: Arc::clone(&self.name),
            region,
        }
    }

    /// Returns the account's id, if it is known without a request.
    fn account_id(&self) -> Option<&str> {
        match &self.origin {
            Origin::Role(role) => arn::account(role.role_arn()),
            Origin::Manager(_) | Origin::Profile(_) => None,
        }
    }
}

impl Origin {
    pub(super) fn manager(&self) -> BotoSesManager {
        match self {
            Self::Manager(manager) => manager.clone(),
            Self::Profile(profile) => profile.builder.clone().build(),
            Self::Role(role) => AssumeRole::clone(role).build(),
        }
    }
}

/// Leaves out roles that occur twice, and numbers other accounts with the same name.
pub(super) fn with_unique_names(members: impl Iterator<Item = Member>) -> Vec<Member> {
    let mut names = HashSet::new();
    let mut unique = Vec::new();
    for mut member in members {
        let first = Arc::clone(&member.name);
        let mut number = 1;
        while !names.insert(Arc::clone(&member.name)) {
            number += 1;
            member.name = format!("{first} ({number})").into();
        }
        // The number of a role would only hide that its work is done twice.
        if number == 1 || !matches!(member.origin, Origin::Role(_)) {
            unique.push(member);
        }
    }
    unique
}

/// One account in one region, as the closure of [`Fleet::for_each`](super::Fleet::for_each) gets it.
///
/// The closure runs in the scope of [`manager`](Self::manager), so code that uses
/// [`BotoSesManager::current`] needs nothing of it.
#[derive(Clone, Debug)]
pub struct Account {
    name: Arc<str>,
    id: Option<String>,
    region: Option<String>,
    manager: BotoSesManager,
}

impl Account {
    pub(super) fn new(member: &Member, region: Option<&str>, manager: &BotoSesManager) -> Self {
        Self {
            name: Arc::clone(&member.name),
            id: member.account_id().map(str::to_owned),
            region: region.map(str::to_owned),
            manager: match region {
                Some(region) => manager.with_region(region),
                None => manager.clone(),
            },
        }
    }

    /// Returns the account's name in the report: the profile, the role's ARN, or what the manager prints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the twelve-digit account id if it is part of the role's ARN.
    ///
    /// For other accounts, ask [`manager`](Self::manager) with
    /// [`aws_account_id`](BotoSesManager::aws_account_id), which sends a request.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the region, if the fleet has regions.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns the manager, in the region of the call.
    pub fn manager(&self) -> &BotoSesManager {
        &self.manager
    }
}
