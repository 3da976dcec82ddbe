//! The accounts of an organization of AWS Organizations.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::error::ProvideErrorMetadata;
use aws_sdk_organizations::types::{Account, AccountStatus};
use aws_smithy_runtime_api::client::result::SdkError;

use super::Fleet;
use super::member::{Member, Origin};
use super::pace::{Pace, is_throttled};
use crate::error::{Error, ErrorKind};
use crate::identity::arn;
use crate::manager::BotoSesManager;
use crate::transport;
use crate::validation;

/// The most pages of one list: an organization has at most 10,000 accounts, which fill 500 pages. The rest is
/// for pages that hold fewer, or none.
const MAX_PAGES: usize = 5_000;

/// The accounts of an organization, to make a fleet of; see [`Fleet::from_organization`].
///
/// Awaiting it sends the requests, as few as there can be: the pages of ListAccounts, or those of the units
/// that are named, and ListTagsForResource only where a tag is asked for. All fleets of a process share one
/// pace for them, as for AssumeRole.
///
/// # Errors
///
/// [`ErrorKind::AccessDenied`] if the credentials are not those of the management account or of a delegated
/// administrator, [`ErrorKind::InvalidInput`] for something that is neither a unit nor an account, and what
/// the requests fail with.
#[derive(Clone, Debug)]
#[must_use = "it lists the accounts when it is awaited"]
pub struct OrganizationAccounts {
    base: BotoSesManager,
    role_name: String,
    within: Vec<String>,
    without: Vec<String>,
    tags: Vec<(String, String)>,
    is_any_status: bool,
}

impl OrganizationAccounts {
    pub(super) fn new(base: BotoSesManager, role_name: String) -> Self {
        Self {
            base,
            role_name,
            within: Vec::new(),
            without: Vec::new(),
            tags: Vec::new(),
            is_any_status: false,
        }
    }

    /// Takes only these accounts, and those of these units and all units below: ids such as `ou-abcd-12345678`,
    /// `r-abcd` or `111122223333`. Default: all.
    pub fn within(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.within.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Leaves these accounts out, and those of these units and all units below.
    pub fn without(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.without.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Takes only accounts with this tag. Several tags must all be there.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Also takes accounts that are suspended or being closed, in which no role can be assumed.
    pub fn any_status(mut self) -> Self {
        self.is_any_status = true;
        self
    }

    async fn fleet(self) -> Result<Fleet, Error> {
        // Before the first request: a malformed id fails whatever the credentials are.
        let within = Ids::parse(&self.within)?;
        let without = Ids::parse(&self.without)?;
        let organization = Organization::open(&self.base).await?;
        let mut accounts = match (within.units.is_empty(), within.accounts.is_empty()) {
            (true, _) => organization.accounts(None).await?,
            // Accounts that are named beside units can be anywhere.
            (false, false) => organization.accounts(None).await?,
            (false, true) => BTreeMap::new(),
        };
        let mut of_units = BTreeMap::new();
        for unit in &within.units {
            of_units.extend(organization.accounts_below(unit).await?);
        }
        if !within.is_empty() {
            // Before the accounts of the units are added: they need not be named.
            accounts.retain(|id, _| within.accounts.contains(id));
            accounts.extend(of_units);
        }
        for unit in &without.units {
            for id in organization.accounts_below(unit).await?.keys() {
                accounts.remove(id);
            }
        }
        let is_active = |account: &Account| account.status() == Some(&AccountStatus::Active);
        accounts.retain(|id, account| {
            !without.accounts.contains(id) && (self.is_any_status || is_active(account))
        });
        // After all other filters, because each account that is left costs one request.
        if !self.tags.is_empty() {
            for id in accounts.keys().cloned().collect::<Vec<_>>() {
                let tags = organization.tags(&id).await?;
                if !self.tags.iter().all(|tag| tags.contains(tag)) {
                    accounts.remove(&id);
                }
            }
        }
        Ok(organization.fleet(&self.base, &self.role_name, accounts.into_keys()))
    }
}

impl IntoFuture for OrganizationAccounts {
    type Output = Result<Fleet, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fleet())
    }
}

/// Ids of accounts, and of units and roots.
struct Ids {
    accounts: BTreeSet<String>,
    units: BTreeSet<String>,
}

impl Ids {
    fn parse(ids: &[String]) -> Result<Self, Error> {
        let (mut accounts, mut units) = (BTreeSet::new(), BTreeSet::new());
        for id in ids {
            if validation::is_account(id) {
                accounts.insert(id.clone());
            } else if id.starts_with("ou-") || id.starts_with("r-") {
                units.insert(id.clone());
            } else {
                let message = format!(
                    "{id:?} is neither an account nor a unit: write twelve digits, or an id that begins with \
                     ou- or r-"
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        }
        Ok(Self { accounts, units })
    }

    fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.units.is_empty()
    }
}

/// The organization of a manager's account.
struct Organization {
    client: Client,
    pace: Arc<Pace>,
    /// The account of the manager, and its partition.
    own_account: String,
    partition: String,
}

impl Organization {
    async fn open(base: &BotoSesManager) -> Result<Self, Error> {
        let caller = base.caller_identity().await?;
        let partition = arn::partition(caller.arn()).unwrap_or("aws").to_owned();
        let resolved = base.session().resolved().await?;
        let config = &resolved.config;
        // Organizations has one endpoint in each partition, which any of its regions leads to.
        let region = config.region().cloned();
        let region = region
            .unwrap_or_else(|| crate::session::sdk_config::sts_region(None, Some(caller.arn())));
        let config = config.to_builder().region(region).build();
        let config = transport::time_limits::with_time_limits(&transport::bounded(&config));
        // The prefix below separates this rate from that of STS: a local endpoint serves both.
        let endpoint = config.endpoint_url().unwrap_or(&partition);
        Ok(Self {
            pace: Pace::of(&format!("organizations {endpoint}")),
            client: transport::client(&config, Client::new)?,
            own_account: caller.account().to_owned(),
            partition,
        })
    }

    /// Returns the accounts below a unit, at any depth.
    async fn accounts_below(&self, unit: &str) -> Result<BTreeMap<String, Account>, Error> {
        let mut found = BTreeMap::new();
        let mut left = vec![unit.to_owned()];
        // Each unit once: an endpoint that names one as its own descendant has no end.
        let mut seen = BTreeSet::new();
        while let Some(unit) = left.pop() {
            if seen.insert(unit.clone()) {
                found.extend(self.accounts(Some(&unit)).await?);
                left.extend(self.units(&unit).await?);
            }
        }
        Ok(found)
    }

    /// Returns all accounts, or those directly below a unit.
    async fn accounts(&self, unit: Option<&str>) -> Result<BTreeMap<String, Account>, Error> {
        let accounts = match unit {
            None => {
                all_pages(|token| async move {
                    let call = self.client.list_accounts().set_next_token(token);
                    let doing = "list the accounts of the organization";
                    let page = self.paced(doing, || call.clone().send()).await?;
                    Ok((page.accounts, page.next_token))
                })
                .await
            }
            Some(unit) => {
                all_pages(|token| async move {
                    let call = self.client.list_accounts_for_parent().parent_id(unit);
                    let call = call.set_next_token(token);
                    let doing = format!("list the accounts of the unit {unit}");
                    let page = self.paced(&doing, || call.clone().send()).await?;
                    Ok((page.accounts, page.next_token))
                })
                .await
            }
        };
        let with_id = |account: Account| Some((account.id()?.to_owned(), account));
        Ok(accounts?.into_iter().filter_map(with_id).collect())
    }

    async fn units(&self, parent: &str) -> Result<impl Iterator<Item = String>, Error> {
        let units = all_pages(|token| async move {
            let call = self.client.list_organizational_units_for_parent();
            let call = call.parent_id(parent).set_next_token(token);
            let doing = format!("list the units below {parent}");
            let page = self.paced(&doing, || call.clone().send()).await?;
            Ok((page.organizational_units, page.next_token))
        });
        Ok(units.await?.into_iter().filter_map(|unit| unit.id))
    }

    async fn tags(&self, account: &str) -> Result<Vec<(String, String)>, Error> {
        let tags = all_pages(|token| async move {
            let call = self.client.list_tags_for_resource().resource_id(account);
            let call = call.set_next_token(token);
            let doing = format!("list the tags of the account {account}");
            let page = self.paced(&doing, || call.clone().send()).await?;
            Ok((page.tags, page.next_token))
        });
        let tags = tags.await?.into_iter();
        Ok(tags.map(|tag| (tag.key, tag.value)).collect())
    }

    /// Sends a request when it is its turn, and again if it is throttled.
    async fn paced<T, E, R, F>(&self, doing: &str, send: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, SdkError<E, R>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        // As many as STS is asked in vain before the pace has found what is possible.
        const ATTEMPTS: usize = 20;
        let mut attempts = 0;
        loop {
            let permit = self.pace.acquire().await;
            let error = match send().await {
                Ok(output) => {
                    self.pace.succeeded();
                    return Ok(output);
                }
                Err(error) => transport::failed(doing, error, &[]),
            };
            attempts += 1;
            // Any other error leaves the rate as it is: it says nothing about the rate.
            if !is_throttled(&error) || attempts == ATTEMPTS {
                return Err(error);
            }
            self.pace.throttled(permit);
        }
    }

    /// Returns the fleet of the role in each account. In the manager's own account that is the manager itself,
    /// because no role of an organization is there.
    fn fleet(
        &self,
        base: &BotoSesManager,
        role_name: &str,
        accounts: impl Iterator<Item = String>,
    ) -> Fleet {
        Fleet::of(accounts.map(|id| {
            let arn = format!("arn:{}:iam::{id}:role/{role_name}", self.partition);
            match id == self.own_account {
                true => Member::new(id, Origin::Manager(base.clone())),
                false => {
                    let role = base.assume_role(arn.clone()).expect_account(id);
                    Member::new(arn, Origin::Role(Box::new(role)))
                }
            }
        }))
    }
}

/// Returns the elements of all pages of a list. `page` requests the page of a token, and returns its
/// elements and the token of the next one.
async fn all_pages<T, F>(page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<(Option<Vec<T>>, Option<String>), Error>>,
{
    let mut found = Vec::new();
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let (elements, next) = page(token).await?;
        // A page can be empty although more follow.
        found.extend(elements.unwrap_or_default());
        token = next.filter(|next| !next.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
    Err(Error::new(
        ErrorKind::Service,
        "AWS Organizations returned a list without an end: check that the endpoint is an AWS \
         endpoint",
    ))
}
