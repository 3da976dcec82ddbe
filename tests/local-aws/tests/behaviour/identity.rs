//! Identities: users, role sessions, chained role sessions and aliases.

use aws_sdk_iam as iam;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use bsm_local_aws::{Account, LocalAws, Role, Trust, standard};

use crate::support::*;

async fn who(
    aws: &LocalAws,
    credentials: aws_credential_types::Credentials,
) -> GetCallerIdentityOutput {
    sts(aws, credentials)
        .get_caller_identity()
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_identity_of_a_user_has_its_account_and_arn() {
    let aws = LocalAws::start().await.unwrap();
    let user = who(&aws, dev()).await;
    assert_eq!(user.account(), Some("111111111111"));
    assert_eq!(user.arn(), Some("arn:aws:iam::111111111111:user/dev"));
    assert!(user.user_id().unwrap().starts_with("AIDA"));
}

#[tokio::test]
async fn the_identity_of_a_role_session_has_its_role_and_session_name() {
    let aws = LocalAws::start().await.unwrap();
    let answer = sts(&aws, dev())
        .assume_role()
        .role_arn(standard::STAGING_ROLE_ARN)
        .role_session_name("ci-7")
        .send()
        .await
        .unwrap();
    let user = answer.assumed_role_user.unwrap();
    assert_eq!(
        user.arn,
        "arn:aws:sts::222222222222:assumed-role/Staging/ci-7"
    );
    let (role_id, session_name) = user.assumed_role_id.split_once(':').unwrap();
    assert!(role_id.starts_with("AROA"));
    assert_eq!(session_name, "ci-7");

    let caller = who(&aws, session(answer.credentials.unwrap())).await;
    assert_eq!(caller.account(), Some("222222222222"));
    assert_eq!(caller.arn(), Some(user.arn.as_str()));
    assert_eq!(caller.user_id(), Some(user.assumed_role_id.as_str()));
}

#[tokio::test]
async fn a_chained_session_has_the_identity_of_the_last_role() {
    let hop = Role::new("Hop")
        .path("/team/")
        .trust(Trust::principal(standard::STAGING_ROLE_ARN));
    let last = Account::new("444444444444").role(hop);
    let aws = LocalAws::standard().account(last).start().await.unwrap();
    let staging = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let chained = assume(&aws, staging, "arn:aws:iam::444444444444:role/team/Hop").await;
    let caller = who(&aws, chained).await;
    // The ARN of a role session does not contain the path of the role.
    assert_eq!(
        caller.arn(),
        Some("arn:aws:sts::444444444444:assumed-role/Hop/test")
    );
    assert_eq!(
        aws.sessions()[1].issued_to,
        "arn:aws:sts::222222222222:assumed-role/Staging/test"
    );
}

#[tokio::test]
async fn every_session_has_its_own_keys() {
    let aws = LocalAws::start().await.unwrap();
    let first = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let second = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    assert!(first.access_key_id().starts_with("ASIA"));
    assert_eq!(first.access_key_id().len(), 20);
    assert_eq!(first.secret_access_key().len(), 40);
    assert_ne!(first.access_key_id(), second.access_key_id());
    assert_ne!(first.secret_access_key(), second.secret_access_key());
    assert_ne!(first.session_token(), second.session_token());
}

#[tokio::test]
async fn the_alias_of_the_callers_account_is_returned() {
    let aws = LocalAws::standard()
        .account(Account::new("444444444444"))
        .start()
        .await
        .unwrap();
    let aliases = async |credentials| {
        let client = iam::Client::from_conf(config!(iam, aws, credentials, US).build());
        client
            .list_account_aliases()
            .send()
            .await
            .unwrap()
            .account_aliases
    };
    assert_eq!(aliases(dev()).await, ["default-co"]);
    let staging = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    assert_eq!(aliases(staging).await, ["staging-co"]);
}

#[tokio::test]
async fn an_account_without_an_alias_returns_none() {
    let role = Role::new("R").trust(Trust::principal(standard::USER_ARN));
    let aws = LocalAws::standard()
        .account(Account::new("444444444444").role(role))
        .start()
        .await
        .unwrap();
    let credentials = assume(&aws, dev(), "arn:aws:iam::444444444444:role/R").await;
    let client = iam::Client::from_conf(config!(iam, aws, credentials, US).build());
    assert!(
        client
            .list_account_aliases()
            .send()
            .await
            .unwrap()
            .account_aliases
            .is_empty()
    );
}
