//! An operation is bound to its account when it starts, and never changes it.

use bsm_dynamodb::{Model, slot, with_boto_session};
use futures_util::TryStreamExt as _;

use crate::support::{DEFAULT, PRODUCTION, Playground, STAGING, user_model};

user_model!(User);

/// The table `users` in three accounts, with one item: the name of its profile.
async fn three_accounts() -> Playground {
    let local = Playground::start().await;
    for profile in ["default", "staging", "production"] {
        let fill = async {
            User::create_table().wait().await.unwrap();
            User::new(profile).save().await.unwrap();
        };
        local.profile(profile).scope(fill).await;
    }
    local
}

#[tokio::test]
async fn an_operation_created_outside_a_scope_is_bound_where_it_is_awaited() {
    let local = three_accounts().await;
    let _default = local.profile("default").awsenv();
    let get = User::get("staging");
    assert!(local.profile("staging").scope(get).await.is_ok());
    let scan = User::scan().collect();
    let found = local.profile("production").scope(scan).await.unwrap();
    assert_eq!(found, [User::new("production")]);
}

#[tokio::test]
async fn a_started_operation_keeps_its_account_wherever_it_is_polled() {
    let local = three_accounts().await;
    let staging = local.profile("staging");
    let started = staging.sync_scope(|| User::get("staging").into_future());
    let elsewhere = local.profile("production").scope(started);
    assert!(tokio::spawn(elsewhere).await.unwrap().is_ok());
}

#[tokio::test]
async fn streams_are_bound_where_they_are_created() {
    let local = three_accounts().await;
    let _default = local.profile("default").awsenv();
    let staging = local.profile("staging");
    let (items, pages) = staging.sync_scope(|| (User::scan().stream(), User::scan().pages()));

    let production = local.profile("production");
    let items: Vec<_> = production.scope(items.try_collect()).await.unwrap();
    assert_eq!(items, [User::new("staging")]);
    let pages: Vec<_> = tokio::spawn(pages.try_collect()).await.unwrap().unwrap();
    let found: Vec<_> = pages
        .into_iter()
        .flat_map(bsm_dynamodb::Page::into_items)
        .collect();
    assert_eq!(found, [User::new("staging")]);
}

#[tokio::test]
async fn a_batch_is_bound_where_it_is_awaited_and_keeps_its_account() {
    let local = three_accounts().await;
    let _default = local.profile("default").awsenv();
    let batch = || {
        let batch = User::batch_write();
        batch.save_all([User::new("new")]).delete_all(["staging"])
    };
    let staging = local.profile("staging");
    with_boto_session::<User, _>(&staging, batch())
        .await
        .unwrap();
    assert_eq!(local.ids(STAGING, "users"), ["new"]);
    assert_eq!(local.ids(DEFAULT, "users"), ["default"]);

    let started = local
        .profile("production")
        .sync_scope(|| batch().into_future());
    staging.scope(started).await.unwrap();
    assert_eq!(local.ids(PRODUCTION, "users"), ["new", "production"]);
    assert_eq!(local.ids(DEFAULT, "users"), ["default"]);
}

#[tokio::test]
async fn a_slot_is_bound_where_it_is_created_and_returns_the_sdks_client() {
    let local = three_accounts().await;
    let slot = local.profile("staging").sync_scope(slot::<User>);
    local.aws.clear_calls();
    let client = local.profile("production").scope(slot.client());
    let client = client.await.unwrap();
    client.list_tables().send().await.unwrap();
    assert_eq!(local.accounts("ListTables"), [STAGING]);
}

#[tokio::test]
async fn concurrent_operations_keep_their_accounts() {
    let local = three_accounts().await;
    local.aws.clear_calls();
    let find = |profile: &'static str| {
        let manager = local.profile(profile);
        async move {
            for _ in 0..20 {
                let found = manager.scope(User::scan().collect()).await.unwrap();
                assert_eq!(found, [User::new(profile)]);
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::join!(find("default"), find("staging"), find("production"));
    let tasks = ["default", "staging", "production"].map(|profile| tokio::spawn(find(profile)));
    for task in tasks {
        task.await.unwrap();
    }
    let mut accounts = local.accounts("Scan");
    accounts.sort();
    let wanted = [DEFAULT, STAGING, PRODUCTION].map(|account| vec![account; 40]);
    assert_eq!(accounts, wanted.concat());
}
