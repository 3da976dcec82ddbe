//! Fleets of the accounts of an organization.

#![cfg(all(feature = "organizations", feature = "test-util"))]
#![expect(
    clippy::unwrap_used,
    reason = "a failure in the surroundings of a test fails the test"
)]

use std::collections::BTreeSet;

use bsm_core::fleet::{Fleet, OrganizationAccounts, Status};
use bsm_core::{BotoSesManager, ErrorKind};
use bsm_local_aws::standard::{DEFAULT_ACCOUNT, STAGING_ACCOUNT};
use bsm_local_aws::{Fault, LocalAws, Organization};
use tempfile::TempDir;

/// 45 accounts in two units, and three elsewhere.
struct World {
    aws: LocalAws,
    home: TempDir,
}

fn id(number: u64) -> String {
    format!("{:012}", 700_000_000_000 + number)
}

impl World {
    fn start() -> Self {
        let organization = Organization::new(DEFAULT_ACCOUNT)
            .accounts_in("Workloads/Production", (0..25).map(id))
            .accounts_in("Workloads/Test", (25..45).map(id))
            .accounts_in("Sandbox", [id(45), id(46)])
            .accounts_in("", [id(47)])
            .suspended(id(1))
            .tag(id(2), "team", "a")
            .tag(id(3), "team", "b")
            .delegated_administrator(STAGING_ACCOUNT)
            .accounts_in("", [STAGING_ACCOUNT]);
        let aws = LocalAws::standard();
        let aws = aws.organization(organization).start_blocking().unwrap();
        let home = TempDir::new().unwrap();
        aws.write_profiles(home.path()).unwrap();
        Self { aws, home }
    }

    fn manager(&self, profile: &str) -> BotoSesManager {
        BotoSesManager::builder()
            .profile_name(profile)
            .config_file(self.home.path().join("config"))
            .shared_credentials_file(self.home.path().join("credentials"))
            .environment([])
            .build()
    }

    fn accounts(&self) -> OrganizationAccounts {
        Fleet::from_organization(&self.manager("default"), "OrganizationAccountAccessRole")
    }

    /// The ids of the unit with this name.
    async fn unit(&self, path: &[&str]) -> String {
        let config = self.manager("default").sdk_config().await.unwrap();
        let client = aws_sdk_organizations::Client::new(&config);
        let roots = client.list_roots().send().await.unwrap();
        let mut parent = roots.roots()[0].id().unwrap().to_owned();
        for name in path {
            let units = client.list_organizational_units_for_parent();
            let units = units.parent_id(&parent).send().await.unwrap();
            let mut units = units.organizational_units().iter();
            let unit = units.find(|unit| unit.name() == Some(name)).unwrap();
            parent = unit.id().unwrap().to_owned();
        }
        self.aws.clear_calls();
        parent
    }

    fn calls(&self, operation: &str) -> usize {
        self.aws.call_count("organizations", operation)
    }
}

/// The accounts of a fleet.
fn ids(fleet: &Fleet) -> BTreeSet<String> {
    let plan = fleet.plan();
    let names = plan.iter().map(|call| call.account());
    let id = |name: &str| match name.split(':').nth(4) {
        Some(id) => id.to_owned(),
        None => name.to_owned(),
    };
    names.map(id).collect()
}

fn numbers(range: impl IntoIterator<Item = u64>) -> BTreeSet<String> {
    range.into_iter().map(id).collect()
}

#[tokio::test]
async fn all_active_accounts_are_listed_with_as_few_calls_as_there_can_be() {
    let world = World::start();
    let fleet = world.accounts().await.unwrap();
    let mut expected = numbers((0..48).filter(|number| *number != 1));
    expected.extend([DEFAULT_ACCOUNT.to_owned(), STAGING_ACCOUNT.to_owned()]);
    assert_eq!(ids(&fleet), expected);
    // 50 accounts, 20 in a page.
    assert_eq!(world.calls("ListAccounts"), 3);
    assert_eq!(
        world
            .aws
            .calls()
            .iter()
            .filter(|call| call.service == "organizations")
            .count(),
        3
    );
    let all = world.accounts().any_status().await.unwrap();
    assert_eq!(all.plan().len(), 50);
}

#[tokio::test]
async fn units_accounts_and_tags_are_filters() {
    let world = World::start();
    let workloads = world.unit(&["Workloads"]).await;
    let test = world.unit(&["Workloads", "Test"]).await;

    let fleet = world.accounts().within([&workloads]).without([&test]);
    let fleet = fleet.without([id(0)]).await.unwrap();
    assert_eq!(ids(&fleet), numbers(2..25));
    assert_eq!(world.calls("ListAccounts"), 0, "only the units are listed");
    assert_eq!(world.calls("ListParents"), 0);

    let fleet = world.accounts().within([test, id(45)]).await.unwrap();
    assert_eq!(ids(&fleet), numbers((25..45).chain([45])));

    world.aws.clear_calls();
    let tagged = world.accounts().within([id(2), id(3)]).tag("team", "a");
    assert_eq!(ids(&tagged.await.unwrap()), numbers([2]));
    assert_eq!(world.calls("ListTagsForResource"), 2);

    let error = world.accounts().within(["Workloads"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn each_account_gets_its_own_role_and_the_own_account_the_manager_itself() {
    let world = World::start();
    let fleet = world
        .accounts()
        .within([id(5), id(6), DEFAULT_ACCOUNT.to_owned()]);
    let mut seen = Vec::new();
    let mut run = fleet
        .await
        .unwrap()
        .for_each(async |account| account.manager().aws_account_id().await);
    while let Some(finished) = futures_util::StreamExt::next(&mut run).await {
        seen.push(finished.into_outcome().value().unwrap());
    }
    seen.sort();
    assert_eq!(seen, [DEFAULT_ACCOUNT.to_owned(), id(5), id(6)]);
    assert_eq!(run.report().count(Status::Done), 3);
    assert_eq!(world.aws.call_count("sts", "AssumeRole"), 2);
}

#[tokio::test]
async fn a_delegated_administrator_may_ask_and_others_are_told_who_may() {
    let world = World::start();
    let delegated = world.manager("staging");
    let fleet = Fleet::from_organization(&delegated, "Audit").await.unwrap();
    assert_eq!(fleet.plan().len(), 49);
    let production = world.manager("production");
    let error = Fleet::from_organization(&production, "Audit")
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("AWSOrganizationsNotInUseException"),
        "{error}"
    );
    let member = world.accounts().within([id(5)]).await.unwrap();
    let report = member
        .for_each(async |account| {
            let fleet = Fleet::from_organization(account.manager(), "Audit").await;
            fleet.map(drop)
        })
        .await;
    let entry = report.entries().next().unwrap();
    assert!(entry.error().unwrap().contains("AccessDenied"), "{entry:?}");
}

#[tokio::test]
async fn a_throttled_list_is_continued() {
    let world = World::start();
    let fault = Fault::error(400, "TooManyRequestsException", "Rate exceeded");
    world
        .aws
        .faults()
        .add(fault.service("organizations").above(50.0, 1.0));
    let fleet = world.accounts().await.unwrap();
    assert_eq!(fleet.plan().len(), 49);
}
