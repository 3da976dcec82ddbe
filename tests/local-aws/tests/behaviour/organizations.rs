//! AWS Organizations: accounts, units, tags, and who may ask.

use aws_sdk_organizations as organizations;
use bsm_local_aws::{LocalAws, Organization, standard};
use organizations::types::{AccountStatus, ParentType};

use crate::support::*;

fn client(aws: &LocalAws) -> organizations::Client {
    organizations::Client::from_conf(config!(organizations, aws, dev(), US).build())
}

fn world() -> LocalAws {
    let members = (0..2_000_u64).map(|number| format!("{:012}", 700_000_000_000 + number));
    let organization = Organization::new(standard::DEFAULT_ACCOUNT)
        .accounts_in("Workloads/Production", members)
        .accounts_in("", ["800000000000"])
        .suspended("800000000000")
        .tag("800000000000", "team", "a");
    let aws = LocalAws::standard().organization(organization);
    aws.start_blocking().unwrap()
}

#[tokio::test]
async fn accounts_come_in_pages_and_units_have_parents() {
    let aws = world();
    let client = client(&aws);
    let pages = client.list_accounts().into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    let accounts = pages
        .into_iter()
        .flat_map(|page| page.accounts.unwrap_or_default());
    let accounts: Vec<_> = accounts.collect();
    assert_eq!(accounts.len(), 2_002);
    assert_eq!(aws.call_count("organizations", "ListAccounts"), 101);
    let closed = accounts.iter().find(|it| it.id() == Some("800000000000"));
    assert_eq!(closed.unwrap().status(), Some(&AccountStatus::Suspended));

    let parents = async |child: &str| {
        let parents = client.list_parents().child_id(child).send().await.unwrap();
        parents.parents()[0].clone()
    };
    let unit = parents("700000000007").await;
    assert_eq!(unit.r#type(), Some(&ParentType::OrganizationalUnit));
    let above = parents(unit.id().unwrap()).await;
    let root = parents(above.id().unwrap()).await;
    assert_eq!(root.r#type(), Some(&ParentType::Root));
    let roots = client.list_roots().send().await.unwrap();
    assert_eq!(roots.roots()[0].id(), root.id());
    let in_unit = client
        .list_accounts_for_parent()
        .parent_id(unit.id().unwrap());
    let in_unit = in_unit.max_results(5).send().await.unwrap();
    assert_eq!(in_unit.accounts().len(), 5);
    assert!(in_unit.next_token().is_some());
    let tags = client.list_tags_for_resource().resource_id("800000000000");
    assert_eq!(tags.send().await.unwrap().tags()[0].value(), "a");
    let described = client.describe_organization().send().await.unwrap();
    let management = described.organization.unwrap().master_account_id;
    assert_eq!(management.as_deref(), Some(standard::DEFAULT_ACCOUNT));
}

#[tokio::test]
async fn what_does_not_exist_and_who_may_not_ask_are_aws_errors() {
    let aws = world();
    let client = client(&aws);
    let code = |response: ErrorResponse| response.code;
    let missing = client.list_parents().child_id("999999999999").send().await;
    assert_eq!(code(error_response(missing)), "ChildNotFoundException");
    let missing = client
        .list_accounts_for_parent()
        .parent_id("ou-none-00000000");
    let missing = missing.send().await;
    assert_eq!(code(error_response(missing)), "ParentNotFoundException");
    let missing = client.list_tags_for_resource().resource_id("999999999999");
    let missing = missing.send().await;
    assert_eq!(code(error_response(missing)), "TargetNotFoundException");
    let too_many = client.list_accounts().max_results(21).send().await;
    assert_eq!(code(error_response(too_many)), "InvalidInputException");

    let member = "arn:aws:iam::700000000007:role/OrganizationAccountAccessRole";
    let member = assume(&aws, dev(), member).await;
    let member = config!(organizations, aws, member, US).build();
    let member = organizations::Client::from_conf(member);
    let refused = member.list_accounts().send().await;
    assert_eq!(code(error_response(refused)), "AccessDeniedException");
    assert!(member.describe_organization().send().await.is_ok());

    let alone = LocalAws::start().await.unwrap();
    let none = organizations::Client::from_conf(config!(organizations, alone, dev(), US).build());
    let none = none.list_accounts().send().await;
    assert_eq!(
        code(error_response(none)),
        "AWSOrganizationsNotInUseException"
    );
}
