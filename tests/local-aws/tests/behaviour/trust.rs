//! Trust policies: which principals may assume a role.

use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use bsm_local_aws::{Account, LocalAws, Role, Trust, User, standard};

use crate::support::*;

const ROLE: &str = "arn:aws:iam::444444444444:role/Target";

async fn with_trust(trust: Trust) -> LocalAws {
    let role = Role::new("Target").trust(trust);
    LocalAws::standard()
        .account(Account::new("444444444444").role(role))
        .start()
        .await
        .unwrap()
}

async fn assume_target(
    aws: &LocalAws,
    credentials: aws_credential_types::Credentials,
    external_id: Option<&str>,
) -> Result<AssumeRoleOutput, SdkError<AssumeRoleError, HttpResponse>> {
    sts(aws, credentials)
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("test")
        .set_external_id(external_id.map(str::to_owned))
        .send()
        .await
}

fn denied() -> ErrorResponse {
    ErrorResponse {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: "User: arn:aws:iam::111111111111:user/dev is not authorized to perform: \
                  sts:AssumeRole on resource: arn:aws:iam::444444444444:role/Target"
            .to_owned(),
    }
}

#[tokio::test]
async fn an_unknown_role_and_a_role_that_does_not_trust_the_caller_give_the_same_error() {
    let aws = with_trust(Trust::principal("arn:aws:iam::111111111111:user/other")).await;
    assert_eq!(
        error_response(assume_target(&aws, dev(), None).await),
        denied()
    );
    let aws = LocalAws::start().await.unwrap();
    assert_eq!(
        error_response(assume_target(&aws, dev(), None).await),
        denied()
    );
}

#[tokio::test]
async fn a_role_can_trust_a_whole_account_or_everyone() {
    for principal in ["arn:aws:iam::111111111111:root", "111111111111", "*"] {
        let aws = with_trust(Trust::principal(principal)).await;
        assume_target(&aws, dev(), None).await.unwrap();
    }
}

#[tokio::test]
async fn a_role_can_trust_another_role_or_one_session_of_it() {
    let session = "arn:aws:sts::222222222222:assumed-role/Staging/test";
    for principal in [standard::STAGING_ROLE_ARN, session] {
        let aws = with_trust(Trust::principal(principal)).await;
        assert_eq!(
            error_response(assume_target(&aws, dev(), None).await),
            denied()
        );
        let staging = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
        assume_target(&aws, staging, None).await.unwrap();
    }
}

#[tokio::test]
async fn one_matching_trust_statement_is_enough() {
    let role = Role::new("Target")
        .trust(Trust::principal(standard::USER_ARN).external_id("never"))
        .trust(Trust::principal("999999999999").and_principal(standard::USER_ARN));
    let account = Account::new("444444444444").role(role);
    let aws = LocalAws::standard().account(account).start().await.unwrap();
    assume_target(&aws, dev(), None).await.unwrap();
}

#[tokio::test]
async fn a_required_external_id_must_be_passed() {
    let aws = with_trust(Trust::principal(standard::USER_ARN).external_id("ticket-42")).await;
    assert_eq!(
        error_response(assume_target(&aws, dev(), None).await),
        denied()
    );
    assert_eq!(
        error_response(assume_target(&aws, dev(), Some("ticket-43")).await),
        denied()
    );
    assume_target(&aws, dev(), Some("ticket-42")).await.unwrap();
    assert_eq!(aws.sessions()[0].external_id.as_deref(), Some("ticket-42"));
}

#[tokio::test]
async fn a_user_that_is_denied_assume_role_cannot_assume_any_role() {
    let user = User::new("intern")
        .access_key("AKIALOCALINTERN00001", "s")
        .deny("sts:*");
    let role = Role::new("Target").trust(Trust::principal("111111111111"));
    let aws = LocalAws::builder()
        .account(Account::new("111111111111").user(user))
        .account(Account::new("444444444444").role(role))
        .start()
        .await
        .unwrap();
    let intern = keys("AKIALOCALINTERN00001", "s");
    let error = error_response(assume_target(&aws, intern.clone(), None).await);
    assert_eq!((error.status, error.code.as_str()), (403, "AccessDenied"));
    assert!(
        error
            .message
            .ends_with(" with an explicit deny in an identity-based policy")
    );
    // GetCallerIdentity requires no permission and cannot be denied.
    sts(&aws, intern)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
}
