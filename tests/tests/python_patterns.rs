//! Patterns that fail in the Python originals, and the accounts that they must reach, according to the
//! call log of the local AWS.
//!
//! The patterns were measured with pynamodb-session-manager 0.1.2 and boto-session-manager 2.1.1.
//! Child processes and snapshots have their own tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bsm_core::BotoSesManager;
use bsm_dynamodb::{Model, reset_connection, slot, use_boto_session, with_boto_session};
use bsm_local_aws::standard::{DEFAULT_ACCOUNT, PRODUCTION_ACCOUNT, STAGING_ACCOUNT};
use bsm_tests::Playground;
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

/// Declares models for one test, because a binding applies to the whole process.
macro_rules! models {
    ($($model:ident)*) => {$(
        #[derive(Serialize, Deserialize, Model)]
        #[model(table = "users")]
        struct $model {
            #[model(hash_key)]
            id: String,
        }
    )*};
}

/// The accounts that an operation reached, in the order of its calls.
fn accounts_of(playground: &Playground, operation: &str) -> Vec<String> {
    let calls = playground.aws.calls().into_iter();
    calls
        .filter(|call| call.operation == operation)
        .filter_map(|call| call.account)
        .collect()
}

/// In Python: 911 to 1002 of 2000 acknowledged writes in the wrong account.
#[test]
fn two_threads_with_one_model_write_to_their_own_accounts() {
    models!(User);
    let runtime = Runtime::new().unwrap();
    let playground = runtime.block_on(Playground::start());
    let managers = ["staging", "production"].map(|profile| playground.profile(profile));
    for manager in &managers {
        let created = with_boto_session::<User, _>(manager, User::create_table().wait());
        runtime.block_on(created).unwrap();
    }

    std::thread::scope(|threads| {
        for manager in &managers {
            threads.spawn(move || {
                let runtime = Runtime::new().unwrap();
                for number in 0..1_000 {
                    let _session = use_boto_session::<User>(manager);
                    let user = User {
                        id: format!("{manager} {number}"),
                    };
                    runtime.block_on(user.save().into_future()).unwrap();
                }
            });
        }
    });

    for (account, manager) in [STAGING_ACCOUNT, PRODUCTION_ACCOUNT].iter().zip(&managers) {
        let items = playground.aws.table_items(account, "us-east-1", "users");
        let items = items.unwrap();
        assert_eq!(items.len(), 1_000);
        let prefix = manager.to_string();
        let id = |item: &serde_json::Value| item["id"]["S"].as_str().map(str::to_owned);
        assert!(
            items
                .iter()
                .filter_map(id)
                .all(|id| id.starts_with(&prefix))
        );
    }
    assert_eq!(slot::<User>().manager().profile_name(), None);
}

/// In Python it reads the default account.
#[tokio::test]
async fn a_scan_created_in_a_block_uses_the_account_of_the_block_after_it() {
    models!(User);
    let playground = Playground::start().await;
    let (staging, production) = (
        playground.profile("staging"),
        playground.profile("production"),
    );
    with_boto_session::<User, _>(&staging, User::create_table().wait())
        .await
        .unwrap();
    let users = {
        let _session = use_boto_session::<User>(&staging);
        User::scan().stream()
    };
    let users: Vec<User> = production.scope(users.try_collect()).await.unwrap();
    assert!(users.is_empty());
    assert_eq!(accounts_of(&playground, "Scan"), [STAGING_ACCOUNT]);
}

/// In Python the second model stays in that account permanently.
#[tokio::test]
async fn the_first_use_of_a_model_in_a_block_does_not_bind_it() {
    models!(First Second);
    let playground = Playground::start().await;
    let (staging, default) = (playground.profile("staging"), playground.profile("default"));
    {
        let _session = use_boto_session::<(First, Second)>(&staging);
        assert!(!Second::exists().await.unwrap());
    }
    default
        .scope(async { Second::exists().await })
        .await
        .unwrap();
    assert_eq!(
        accounts_of(&playground, "DescribeTable"),
        [STAGING_ACCOUNT, DEFAULT_ACCOUNT]
    );
}

/// In Python: enter A, enter B, exit A, exit B leaves the process on A.
#[test]
fn blocks_that_end_in_the_order_in_which_they_began_leave_no_override() {
    models!(User);
    let (a, b) = (
        BotoSesManager::from_profile("a"),
        BotoSesManager::from_profile("b"),
    );
    let in_a = use_boto_session::<User>(&a);
    let in_b = use_boto_session::<User>(&b);
    drop(in_a);
    assert_eq!(slot::<User>().manager().profile_name(), Some("b"));
    drop(in_b);
    assert_eq!(slot::<User>().manager().profile_name(), None);
}

/// In Python the region of the last manager stays.
#[tokio::test]
async fn a_reset_restores_the_declared_region() {
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "users", region = "eu-west-1")]
    struct User {
        #[model(hash_key)]
        id: String,
    }
    let playground = Playground::start().await;
    let (staging, default) = (playground.profile("staging"), playground.profile("default"));
    drop(use_boto_session::<User>(&staging).restore_on_exit(false));
    User::exists().await.unwrap();
    reset_connection::<User>();
    default.scope(async { User::exists().await }).await.unwrap();

    let calls = playground.aws.calls().into_iter();
    let reached: Vec<_> = calls
        .filter(|call| call.operation == "DescribeTable")
        .map(|call| (call.account.unwrap(), call.region.unwrap()))
        .collect();
    let reached: Vec<_> = reached
        .iter()
        .map(|(a, r)| (a.as_str(), r.as_str()))
        .collect();
    assert_eq!(
        reached,
        [
            (STAGING_ACCOUNT, "us-east-1"),
            (DEFAULT_ACCOUNT, "eu-west-1")
        ]
    );
}

/// In Python: ExpiredToken on every later use.
#[tokio::test]
async fn a_bound_model_works_after_its_credentials_expire() {
    models!(User);
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    drop(use_boto_session::<User>(&staging).restore_on_exit(false));
    for _ in 0..3 {
        assert!(!User::exists().await.unwrap());
        playground.aws.clock().advance(Duration::from_secs(7_200));
    }
    reset_connection::<User>();
    assert_eq!(
        accounts_of(&playground, "DescribeTable"),
        [STAGING_ACCOUNT; 3]
    );
}

/// In Python a second region gets the first one's client, and 16 cold threads make 16 clients.
#[test]
fn one_client_is_created_for_each_region() {
    let runtime = Runtime::new().unwrap();
    let playground = runtime.block_on(Playground::start());
    let staging = playground.profile("staging");
    let made = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..16 {
            threads.spawn(|| {
                let client = |config: &aws_config::SdkConfig| {
                    made.fetch_add(1, Ordering::SeqCst);
                    aws_sdk_dynamodb::Client::new(config)
                };
                let runtime = Runtime::new().unwrap();
                for region in ["us-east-1", "eu-west-1"] {
                    let there = staging.with_region(region);
                    let client = runtime.block_on(there.client(client)).unwrap();
                    assert_eq!(client.config().region().unwrap().as_ref(), region);
                }
            });
        }
    });
    assert_eq!(made.load(Ordering::SeqCst), 2);
}
