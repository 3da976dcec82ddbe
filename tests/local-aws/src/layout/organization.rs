//! An organization of AWS Organizations.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Account, Role, Trust};

/// The role that Organizations creates in the accounts that it creates.
const MEMBER_ROLE: &str = "OrganizationAccountAccessRole";

/// An organization: a management account, and members in organizational units.
///
/// Members need not be accounts of the server: those that are not are created, with the role
/// `OrganizationAccountAccessRole`, which the management account may assume.
///
/// ```
/// use bsm_local_aws::{LocalAws, Organization};
///
/// let members = (0..5_000_u64).map(|number| format!("{:012}", 200_000_000_000 + number));
/// let organization = Organization::new("111111111111")
///     .accounts_in("Workloads/Production", members)
///     .suspended("200000000007");
/// let aws = LocalAws::standard().organization(organization).start_blocking()?;
/// # Ok::<_, bsm_local_aws::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    pub(crate) management: String,
    #[serde(default = "default_role")]
    pub(crate) member_role: String,
    /// The path of the unit of each account; empty for the root.
    #[serde(default)]
    pub(crate) members: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) suspended: BTreeSet<String>,
    #[serde(default)]
    pub(crate) delegated_administrators: BTreeSet<String>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, BTreeMap<String, String>>,
}

impl Organization {
    /// Creates an organization. The management account is in its root.
    pub fn new(management: impl Into<String>) -> Self {
        Self {
            management: management.into(),
            member_role: default_role(),
            members: BTreeMap::new(),
            suspended: BTreeSet::new(),
            delegated_administrators: BTreeSet::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Adds accounts to the unit with this path of names, such as `Workloads/Production`. The units are created.
    /// An empty path is the root.
    pub fn accounts_in(
        mut self,
        path: &str,
        accounts: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let accounts = accounts.into_iter();
        self.members
            .extend(accounts.map(|account| (account.into(), path.to_owned())));
        self
    }

    /// Closes an account.
    pub fn suspended(mut self, account: impl Into<String>) -> Self {
        self.suspended.insert(account.into());
        self
    }

    /// Lets a member ask about the organization, as the management account can.
    pub fn delegated_administrator(mut self, account: impl Into<String>) -> Self {
        self.delegated_administrators.insert(account.into());
        self
    }

    /// Adds a tag to an account.
    pub fn tag(
        mut self,
        account: impl Into<String>,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        let tags = self.tags.entry(account.into()).or_default();
        tags.insert(key.into(), value.into());
        self
    }

    /// Sets the role that members get which are no accounts of the server.
    pub fn member_role(mut self, name: impl Into<String>) -> Self {
        self.member_role = name.into();
        self
    }

    /// Creates the members that are not among the accounts.
    pub(crate) fn add_members(&self, accounts: &mut Vec<Account>) {
        let known: BTreeSet<_> = accounts.iter().map(|account| account.id.clone()).collect();
        // Organizations trusts the management account as a whole, and not one of its users.
        let role = Role::new(&self.member_role).trust(Trust::principal(&self.management));
        let missing = self.members.keys().filter(|id| !known.contains(*id));
        accounts.extend(missing.map(|id| Account::new(id).role(role.clone())));
    }
}

fn default_role() -> String {
    MEMBER_ROLE.to_owned()
}
