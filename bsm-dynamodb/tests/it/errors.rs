//! Errors name the table, the operation and the manager, and say what to do.

use std::error::Error as _;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use bsm_core::BotoSesManager;
use bsm_dynamodb::{Error, ErrorKind, Model, slot};
use bsm_local_aws::{Fault, LocalAws, Role, Trust, standard};
use serde::{Deserialize, Serialize};

use crate::support::{Playground, user_model};

user_model!(User);

/// The message of an error and of each of its causes.
fn report(error: &Error) -> Vec<String> {
    std::iter::successors(Some(error as &dyn std::error::Error), |&error| {
        error.source()
    })
    .map(ToString::to_string)
    .collect()
}

async fn get(manager: &BotoSesManager) -> Error {
    manager
        .scope(User::get("someone@example.com"))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_missing_table() {
    let local = Playground::start().await;
    let error = get(&local.profile("staging")).await;
    assert!(error.is_table_not_found());
    assert_eq!((error.table(), error.operation()), ("users", "GetItem"));
    assert_eq!(error.aws_code(), Some("ResourceNotFoundException"));
    assert_eq!(
        error.to_string(),
        "GetItem on table users (profile \"staging\", us-east-1): the table does not exist in this \
         account and region: create it with create_table(), or use the session that has it"
    );
}

#[tokio::test]
async fn a_missing_item() {
    let local = Playground::start().await;
    let staging = local.profile("staging");
    staging.scope(User::create_table().wait()).await.unwrap();
    let error = get(&staging).await;
    assert!(error.is_item_not_found());
    assert!(
        error
            .to_string()
            .ends_with("the table has no item with this key"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_profile_is_explained_once() {
    let local = Playground::start().await;
    let error = get(&local.profile("stagign")).await;
    assert!(error.is_session());
    assert!(error.session_error().unwrap().is_profile_not_found());
    let report = report(&error);
    let reason = error.session_error().unwrap().to_string();
    assert_eq!(
        report[0],
        format!("GetItem on table users (profile \"stagign\"): {reason}")
    );
    assert!(reason.contains("stagign"), "{report:#?}");
    assert!(reason.contains("staging"), "{report:#?}");
    assert!(!report[1..].contains(&reason), "{report:#?}");
}

#[tokio::test]
async fn an_operation_without_a_session() {
    let error = get(&BotoSesManager::none()).await;
    let reason = error.session_error().unwrap();
    assert!(reason.is_no_session(), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("GetItem on table users (no session): {reason}")
    );
    let error = BotoSesManager::none().sync_scope(slot::<User>).client();
    assert!(error.await.unwrap_err().is_no_session());
}

#[tokio::test]
async fn a_session_without_a_region() {
    let keys = BotoSesManager::builder().keys("AKIA", "secret");
    let nowhere = keys.config_file("none").shared_credentials_file("none");
    let error = get(&nowhere.environment([]).build()).await;
    assert!(error.session_error().unwrap().is_no_region(), "{error:?}");
}

#[tokio::test]
async fn unknown_access_keys() {
    let local = Playground::start().await;
    let keys = local.builder().keys("AKIAWRONG", "secret");
    let manager = keys
        .region("us-east-1")
        .endpoint_url(local.aws.endpoint_url());
    let error = get(&manager.build()).await;
    assert_eq!(error.kind(), ErrorKind::CredentialsRejected, "{error:?}");
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed() {
    let local = Playground::start().await;
    local
        .aws
        .faults()
        .add(Fault::error(403, "AccessDenied", "no").service("sts"));
    let error = get(&local.profile("staging")).await;
    assert!(
        error.session_error().unwrap().is_access_denied(),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_unreachable_endpoint() {
    let local = Playground::start().await;
    let staging = local.builder().profile_name("default");
    let error = get(&staging.endpoint_url("http://127.0.0.1:1").build()).await;
    assert!(error.is_unreachable(), "{error:?}");
    assert!(error.to_string().contains("endpoint_url"), "{error}");
    assert!(error.to_string().contains("http://127.0.0.1:1 "), "{error}");
    let failure = bsm_core::SdkFailure::find_in(&error).unwrap();
    assert_eq!(failure.endpoint(), Some("http://127.0.0.1:1"));
}

#[tokio::test]
async fn a_denied_action() {
    let reader = Role::new("Staging")
        .trust(Trust::principal(standard::USER_ARN))
        .deny("dynamodb:GetItem");
    let local = Playground::with(
        LocalAws::standard().account(bsm_local_aws::Account::new("444444444444").role(reader)),
    );
    let local = local.await;
    let role = local
        .profile("default")
        .assume_role("arn:aws:iam::444444444444:role/Staging");
    let error = get(&role.build()).await;
    assert!(error.is_access_denied(), "{error:?}");
    assert!(error.to_string().contains("444444444444"), "{error}");
}

#[tokio::test]
async fn an_item_that_does_not_fit_the_model() {
    #[derive(Debug, Serialize, Deserialize, Model)]
    #[model(table = "users")]
    struct Aged {
        #[model(hash_key)]
        id: String,
        age: u8,
    }
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "users")]
    struct Named {
        #[model(hash_key)]
        id: String,
        age: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Named::create_table().wait().await.unwrap();
    let named = Named {
        id: "1".into(),
        age: "very secret".into(),
    };
    named.save().await.unwrap();
    let error = Aged::get("1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem);
    let report = report(&error);
    assert_eq!(
        report[1],
        "attribute `age`: expected a number, found a string"
    );
    assert!(!format!("{error:?} {report:?}").contains("very secret"));
}

#[tokio::test]
async fn the_cause_says_what_aws_said_and_is_not_repeated() {
    let local = Playground::start().await;
    let error = get(&local.profile("default")).await;
    assert!(
        error
            .source()
            .unwrap()
            .to_string()
            .contains("service error")
    );
    let report = report(&error);
    assert!(!report[0].contains("Requested resource"), "{report:#?}");
    assert!(report[1].contains("Requested resource"), "{report:#?}");
    assert_eq!(
        report.len(),
        2,
        "the SDK's own error is no cause: {report:#?}"
    );
    let failure = bsm_core::SdkFailure::find_in(&error).unwrap();
    assert_eq!(failure.code(), error.aws_code());
    assert_eq!(failure.status(), Some(400));
    assert!(failure.request_id().is_some());
    let original = failure.expose_sdk_error();
    assert!(original.downcast_ref::<SdkError<GetItemError>>().is_some());
    assert!(!format!("{error:?}").contains("someone@example.com"));
    let original = error.into_sdk_error().expect("a request failed");
    let original = *original.downcast::<SdkError<GetItemError>>().unwrap();
    assert!(
        original
            .into_service_error()
            .is_resource_not_found_exception()
    );
}

#[tokio::test]
async fn an_error_without_a_request_has_none_of_the_sdk() {
    let none = bsm_core::BotoSesManager::none();
    let read = none.scope(User::get("x")).await;
    let error = read.unwrap_err().into_sdk_error().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Session);
    assert!(error.session_error().is_some());
}

#[tokio::test]
async fn a_conflict_with_another_request_is_retried_and_a_kind_of_its_own() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    let codes = [
        "TransactionConflictException",
        "ReplicatedWriteConflictException",
    ];
    for code in codes {
        let fault = || Fault::error(400, code, "conflict").operation("PutItem");
        let id = local.aws.faults().add(fault().times(1));
        User::new("1").save().await.unwrap();
        local.aws.faults().remove(id);
        let id = local.aws.faults().add(fault());
        let calls = local.accounts("PutItem").len();
        let error = User::new("1").save().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{code}");
        assert!(error.is_conflict() && !error.may_have_been_applied());
        assert_eq!(local.accounts("PutItem").len() - calls, 3, "attempts");
        local.aws.faults().remove(id);
    }
    for (code, kind) in [
        (
            "TransactionInProgressException",
            ErrorKind::TransactionInProgress,
        ),
        (
            "ItemCollectionSizeLimitExceededException",
            ErrorKind::ItemCollectionTooLarge,
        ),
        ("LimitExceededException", ErrorKind::LimitExceeded),
    ] {
        let fault = Fault::error(400, code, "no").operation("PutItem");
        let id = local.aws.faults().add(fault);
        let error = User::new("1").save().await.unwrap_err();
        assert_eq!((error.kind(), error.is_conflict()), (kind, false));
        local.aws.faults().remove(id);
    }
}

#[tokio::test]
async fn an_empty_key_is_an_invalid_request() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    let error = User::new("").save().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
}

#[test]
fn errors_are_send_and_sync_and_small() {
    fn check<T: Send + Sync + 'static>() -> usize {
        size_of::<T>()
    }
    assert_eq!(check::<Error>(), size_of::<usize>());
}
