//! Clearing the caches of a manager.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bsm_local_aws::standard::{PRODUCTION_ACCOUNT, STAGING_ACCOUNT, STAGING_ROLE_ARN};
use bsm_tests::Playground;

#[tokio::test]
async fn files_credentials_identity_and_clients_are_resolved_again() {
    let playground = Playground::start().await;
    let manager = playground.profile("staging");
    let clone = manager.clone();
    let elsewhere = manager.with_region("eu-central-1");
    assert_eq!(clone.aws_account_id().await.unwrap(), STAGING_ACCOUNT);
    assert_eq!(elsewhere.aws_account_id().await.unwrap(), STAGING_ACCOUNT);

    let config = playground.dir().join("config");
    let text = std::fs::read_to_string(&config).unwrap();
    let moved = text.replace("222222222222:role/Staging", "333333333333:role/Production");
    assert_ne!(moved, text);
    std::fs::write(&config, moved).unwrap();
    assert_eq!(clone.aws_account_id().await.unwrap(), STAGING_ACCOUNT);

    manager.clear_cache();
    assert!(clone.expiration().is_none());
    for manager in [&manager, &clone, &elsewhere] {
        assert_eq!(manager.aws_account_id().await.unwrap(), PRODUCTION_ACCOUNT);
        let client = manager.client(aws_sdk_sts::Client::new).await.unwrap();
        let caller = client.get_caller_identity().send().await.unwrap();
        assert_eq!(caller.account(), Some(PRODUCTION_ACCOUNT));
    }
    assert_eq!(playground.aws.call_count("sts", "AssumeRole"), 2);
}

#[tokio::test]
async fn clearing_a_parent_clears_its_roles_but_not_the_reverse() {
    let playground = Playground::start().await;
    let parent = playground.profile("default");
    let role = parent.assume_role(STAGING_ROLE_ARN).build();
    let sibling = parent.assume_role(STAGING_ROLE_ARN).build();
    let use_all = async || {
        for manager in [&parent, &role, &sibling] {
            manager.aws_account_id().await.unwrap();
        }
        playground.aws.call_count("sts", "AssumeRole")
    };
    assert_eq!(use_all().await, 2);
    role.clear_cache();
    assert_eq!(use_all().await, 3);
    parent.clear_cache();
    assert_eq!(use_all().await, 5);
    assert_eq!(use_all().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_does_not_disturb_concurrent_users() {
    let playground = Playground::start().await;
    let manager = playground.profile("staging");
    let done = Arc::new(AtomicBool::new(false));
    let users: Vec<_> = (0..8)
        .map(|_| {
            let (manager, done) = (manager.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(manager.aws_account_id().await.unwrap(), STAGING_ACCOUNT);
                    manager.client(aws_sdk_sts::Client::new).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..20 {
        manager.clear_cache();
        manager.credentials().await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for user in users {
        user.await.unwrap();
    }
}
