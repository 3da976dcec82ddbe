//! Error messages: what is wrong, and what to do about it.

use bsm_core::{BotoSesManager, ErrorKind};
use bsm_tests::Playground;

#[tokio::test]
async fn a_missing_profile_is_reported_with_the_files_and_the_existing_profiles() {
    let playground = Playground::start().await;
    let error = playground
        .profile("stagign")
        .credentials()
        .await
        .unwrap_err();

    assert!(error.is_profile_not_found());
    let dir = playground.dir().display();
    assert_eq!(
        error.to_string(),
        format!(
            "profile \"stagign\" does not exist in {dir}/config or {dir}/credentials; \
             existing profiles: default, production, staging; did you mean \"staging\"?"
        )
    );
}

#[tokio::test]
async fn a_missing_region_fails_immediately_with_a_message_how_to_set_one() {
    let playground = Playground::start().await;
    let bsm = BotoSesManager::builder()
        .keys("AKIAIOSFODNN7EXAMPLE", "secret")
        .endpoint_url(playground.aws.endpoint_url())
        .config_file(playground.dir().join("none"))
        .shared_credentials_file(playground.dir().join("none"))
        .environment([])
        .build();
    let error = bsm.client(aws_sdk_dynamodb::Client::new).await.unwrap_err();

    assert!(error.is_no_region());
    assert_eq!(
        error.to_string(),
        "no region is known for keys AKIAIOSFODNN7EXAMPLE: give it one with .region(..), set \
         AWS_REGION, or add a region to the profile"
    );
}

#[tokio::test]
async fn unknown_access_keys_are_rejected() {
    let playground = Playground::start().await;
    let bsm = playground
        .builder()
        .keys("AKIAIOSFODNN7EXAMPLE", "not-the-secret")
        .build();
    let error = bsm.caller_identity().await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::CredentialsRejected);
    let mut printed = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        printed += &format!("{error}\n");
        next = error.source();
    }
    // The message has the code, and no cause repeats it.
    assert!(
        error.to_string().contains("InvalidClientTokenId"),
        "{error}"
    );
    assert_eq!(
        printed.matches("InvalidClientTokenId").count(),
        1,
        "{printed}"
    );
    assert!(!format!("{error:?}").contains("not-the-secret"));
}

#[tokio::test]
async fn an_endpoint_without_a_server_is_unreachable() {
    let playground = Playground::start().await;
    let bsm = playground
        .builder()
        .profile_name("default")
        .endpoint_url("http://127.0.0.1:9")
        .build();
    let error = bsm.caller_identity().await.unwrap_err();

    assert!(error.is_unreachable(), "{error:?}");
    assert!(error.to_string().contains("check the network"), "{error}");
    assert!(error.to_string().contains("http://127.0.0.1:9"), "{error}");
    let failure = bsm_core::SdkFailure::find_in(&error).unwrap();
    assert_eq!(failure.endpoint(), Some("http://127.0.0.1:9"));
}

#[tokio::test]
async fn the_error_of_the_sdk_is_handed_out_on_request() {
    use aws_sdk_sts::error::SdkError;
    use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;

    let playground = Playground::start().await;
    let bsm = playground.builder().keys("AKIAIOSFODNN7EXAMPLE", "secret");
    let error = bsm.build().caller_identity().await.unwrap_err();
    let shared = error.clone();
    // A clone shares the cause.
    let error = error.into_sdk_error().unwrap_err();
    drop(shared);
    let original = error.into_sdk_error().expect("STS was asked");
    let original = original.downcast::<SdkError<GetCallerIdentityError>>();
    assert!(matches!(*original.unwrap(), SdkError::ServiceError(_)));

    let none = playground.profile("none").credentials().await.unwrap_err();
    let none = none.into_sdk_error().unwrap_err();
    assert!(none.is_profile_not_found());
}

#[tokio::test]
async fn a_role_that_does_not_trust_the_caller_is_reported() {
    let playground = Playground::start().await;
    let role = "arn:aws:iam::222222222222:role/Nobody";
    let error = playground
        .profile("default")
        .assume_role(role)
        .load()
        .await
        .unwrap_err();

    assert!(error.is_access_denied(), "{error:?}");
    assert!(error.to_string().contains(role), "{error}");
}

#[tokio::test]
async fn an_arn_of_another_resource_than_a_role_is_rejected_before_any_request() {
    let playground = Playground::start().await;
    let error = playground
        .profile("default")
        .assume_role("arn:aws:iam::222222222222:user/dev")
        .load()
        .await
        .unwrap_err();

    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(playground.aws.calls().is_empty());
}

#[tokio::test]
async fn an_unexpected_account_is_rejected_before_any_other_request() {
    let playground = Playground::start().await;
    let bsm = playground
        .builder()
        .profile_name("staging")
        .expect_account("333333333333")
        .build();
    let dynamodb = bsm.client(aws_sdk_dynamodb::Client::new).await.unwrap();
    let failed = dynamodb.list_tables().send().await.unwrap_err();

    let error = bsm_core::Error::find_in(&failed).expect("the error of the session");
    assert!(error.is_account_mismatch());
    assert!(error.to_string().contains("222222222222"), "{error}");
    let operations: Vec<_> = playground
        .aws
        .calls()
        .into_iter()
        .map(|call| call.operation)
        .collect();
    assert_eq!(operations, ["AssumeRole", "GetCallerIdentity"]);
}
