//! The identity of a session.

use bsm_core::ErrorKind;
use bsm_local_aws::{Account, LocalAws, Profile, User};
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
    assert_eq!(playground.aws().call_count("sts", "GetCallerIdentity"), 1);
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
