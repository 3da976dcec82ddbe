//! The identity of a session.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::future::ProvideCredentials as ProvideCredentialsFuture;
use bsm_core::{BotoSesManager, ErrorKind};
use bsm_local_aws::standard::STAGING_ACCOUNT;
use bsm_local_aws::{Account, Clock, LocalAws, Profile, User};
use bsm_tests::Playground;

#[tokio::test]
async fn who_am_i_is_masked_in_display_and_complete_in_json() {
    let playground = Playground::start().await;
    let who = playground.profile("staging").who_am_i().await.unwrap();
    let shown = who.to_string();
    assert!(!shown.contains("222222222222"), "{shown}");
    assert!(shown.contains("22********22"), "{shown}");
    let json = serde_json::to_value(&who).unwrap();
    assert_eq!(json["account"], "222222222222");
    assert_eq!(json["region"], "us-east-1");
}

#[tokio::test]
async fn concurrent_callers_cause_one_get_caller_identity_call() {
    let playground = Playground::start().await;
    let manager = playground.profile("default");
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move {
                manager.aws_account_id().await.unwrap();
                manager.aws_account_user_id().await.unwrap();
                manager.principal_arn().await.unwrap();
                manager.who_am_i().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(playground.aws.call_count("sts", "GetCallerIdentity"), 1);
}

#[tokio::test]
async fn a_missing_alias_and_a_missing_permission_are_distinguished() {
    let user = |name: &str| {
        User::new(name).access_key(format!("AKIA{}", name.to_uppercase()), "secret-of-a-user")
    };
    let aws = LocalAws::builder()
        .account(
            Account::new("444444444444")
                .alias("four")
                .user(user("named")),
        )
        .account(Account::new("555555555555").user(user("unnamed")))
        .account(
            Account::new("666666666666")
                .alias("six")
                .user(user("denied").deny("iam:ListAccountAliases")),
        )
        .profile(Profile::new("named").user("arn:aws:iam::444444444444:user/named"))
        .profile(Profile::new("unnamed").user("arn:aws:iam::555555555555:user/unnamed"))
        .profile(Profile::new("denied").user("arn:aws:iam::666666666666:user/denied"))
        .start()
        .await
        .unwrap();
    let dir = tempfile::TempDir::new().unwrap();
    aws.write_profiles(dir.path()).unwrap();
    let manager = |name: &str| {
        bsm_core::BotoSesManager::builder()
            .config_file(dir.path().join("config"))
            .shared_credentials_file(dir.path().join("credentials"))
            .environment([])
            .profile_name(name)
            .build()
    };
    let named = manager("named");
    assert_eq!(
        named.aws_account_alias().await.unwrap().as_deref(),
        Some("four")
    );
    named.aws_account_alias().await.unwrap();
    assert_eq!(aws.call_count("iam", "ListAccountAliases"), 1);
    assert_eq!(manager("unnamed").aws_account_alias().await.unwrap(), None);
    let error = manager("denied").aws_account_alias().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
}

/// A provider whose credentials move to another account with each refresh.
#[derive(Debug)]
struct Moving {
    clock: Clock,
    calls: AtomicUsize,
}

impl ProvideCredentials for Moving {
    fn provide_credentials<'a>(&'a self) -> ProvideCredentialsFuture<'a>
    where
        Self: 'a,
    {
        let (id, secret) = match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => ("AKIAFOUR", "secret-of-four"),
            _ => ("AKIAFIVE", "secret-of-five"),
        };
        let expiry = self.clock.now() + Duration::from_secs(3600);
        let credentials = Credentials::new(id, secret, None, Some(expiry), "moving");
        ProvideCredentialsFuture::ready(Ok(credentials))
    }
}

#[tokio::test]
async fn the_identity_is_that_of_the_credentials_after_a_refresh_into_another_account() {
    let account = |id: &str, alias: &str, name: &str| {
        let key = format!("AKIA{}", name.to_uppercase());
        let user = User::new(name).access_key(key, format!("secret-of-{name}"));
        Account::new(id).alias(alias).user(user)
    };
    let aws = LocalAws::builder()
        .account(account("444444444444", "alias-of-four", "four"))
        .account(account("555555555555", "alias-of-five", "five"))
        .start()
        .await
        .unwrap();
    let manager = BotoSesManager::builder()
        .credentials_provider(Moving {
            clock: aws.clock(),
            calls: AtomicUsize::new(0),
        })
        .environment([])
        .region("us-east-1")
        .endpoint_url(aws.endpoint_url())
        .time_source(aws.clock())
        .build();
    for (id, name) in [("444444444444", "four"), ("555555555555", "five")] {
        for _ in 0..2 {
            assert_eq!(manager.aws_account_id().await.unwrap(), id);
            let arn = format!("arn:aws:iam::{id}:user/{name}");
            assert_eq!(manager.principal_arn().await.unwrap(), arn);
            assert_eq!(manager.who_am_i().await.unwrap().caller().account(), id);
            assert!(format!("{manager:?}").contains(&arn), "{manager:?}");
            let alias = manager.aws_account_alias().await.unwrap();
            assert_eq!(alias, Some(format!("alias-of-{name}")));
        }
        aws.clock().advance(Duration::from_secs(7200));
    }
    assert_eq!(aws.call_count("sts", "GetCallerIdentity"), 2);
    assert_eq!(aws.call_count("iam", "ListAccountAliases"), 2);
}

#[tokio::test]
async fn a_guarded_account_is_looked_up_once_for_each_refresh() {
    let playground = Playground::start().await;
    let staging = playground
        .builder()
        .profile_name("staging")
        .expect_account(STAGING_ACCOUNT)
        .build();
    for refreshes in 1..=2 {
        assert_eq!(staging.aws_account_id().await.unwrap(), STAGING_ACCOUNT);
        staging.who_am_i().await.unwrap();
        let calls = playground.aws.call_count("sts", "GetCallerIdentity");
        assert_eq!(calls, refreshes);
        playground.aws.clock().advance(Duration::from_secs(7200));
    }
}
