use std::time::Duration;

use bsm_core::ErrorKind;

use crate::support::{ADMIN, READER, assume_role_calls, playground, request};

#[tokio::test]
async fn every_field_reaches_sts() {
    let playground = playground();
    let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
    let bsm = playground
        .profile("dev")
        .assume_role(READER)
        .role_session_name("nightly")
        .duration(Duration::from_secs(7_200))
        .policy(policy)
        .policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess")
        .tag("Team", "blue")
        .tag("Cost", "1 2")
        .transitive_tag_key("team")
        .external_id("the-id")
        .source_identity("me@example.com")
        .region("eu-west-1")
        .load()
        .await
        .unwrap();
    assert_eq!(bsm.aws_region().await.unwrap(), "eu-west-1");
    let [session] = &playground.aws.sessions()[..] else {
        panic!("one session was expected");
    };
    assert_eq!(session.session_name.as_deref(), Some("nightly"));
    assert_eq!(session.duration(), Duration::from_secs(7_200));
    assert_eq!(session.policy.as_deref(), Some(policy));
    assert_eq!(
        session.policy_arns,
        ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    );
    assert_eq!(session.tags["Team"], "blue");
    assert_eq!(session.tags["Cost"], "1 2");
    assert_eq!(session.transitive_tag_keys, ["Team"]);
    assert_eq!(session.external_id.as_deref(), Some("the-id"));
    assert_eq!(session.source_identity.as_deref(), Some("me@example.com"));
}

#[tokio::test]
async fn roles_chain_and_each_is_assumed_once() {
    let playground = playground();
    let reader = playground
        .profile("dev")
        .assume_role(ADMIN)
        .build()
        .assume_role(READER)
        .build();
    for _ in 0..20 {
        assert!(
            request(&reader)
                .await
                .contains("333333333333:assumed-role/Reader/")
        );
    }
    assert_eq!(assume_role_calls(&playground), 2);
    let profile = playground.profile("reader");
    assert!(
        request(&profile)
            .await
            .contains("333333333333:assumed-role/Reader/")
    );
    assert_eq!(assume_role_calls(&playground), 4);
}

#[tokio::test]
async fn a_chained_role_for_more_than_an_hour_is_refused_before_sts_is_asked() {
    let playground = playground();
    let two_hours = Duration::from_secs(7_200);
    for parent in [
        playground.profile("admin"),
        playground.profile("dev").assume_role(ADMIN).build(),
    ] {
        let error = parent
            .assume_role(READER)
            .duration(two_hours)
            .load()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("one hour at most"), "{error}");
    }
    assert_eq!(assume_role_calls(&playground), 0);
    let dev = playground.profile("dev");
    dev.assume_role(ADMIN)
        .duration(two_hours)
        .load()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_role_that_does_not_trust_the_caller_is_access_denied() {
    let playground = playground();
    let dev = playground.profile("dev");
    let error = dev.assume_role(READER).load().await.unwrap_err();
    assert!(error.is_access_denied(), "{error:?}");
    assert!(error.to_string().contains(READER), "{error}");
    dev.assume_role(READER)
        .external_id("the-id")
        .load()
        .await
        .unwrap();
}

#[tokio::test]
async fn the_retries_of_the_user_apply_to_assume_role() {
    for attempts in [1, 3, 4] {
        let playground = playground();
        let throttled = bsm_local_aws::Fault::throttling()
            .operation("AssumeRole")
            .times(attempts - 1);
        playground.aws.faults().add(throttled);
        let retry = aws_config::retry::RetryConfig::standard()
            .with_max_attempts(attempts as u32)
            .with_initial_backoff(Duration::from_millis(1));
        let admin = playground.builder().profile_name("admin");
        admin
            .retry_config(retry)
            .build()
            .credentials()
            .await
            .unwrap();
        assert_eq!(assume_role_calls(&playground), attempts as usize);
    }
}

#[tokio::test]
async fn a_transient_failure_of_sts_is_not_felt() {
    let playground = playground();
    let once = bsm_local_aws::Fault::dropped_connection()
        .operation("AssumeRole")
        .times(1);
    playground.aws.faults().add(once);
    playground.profile("admin").credentials().await.unwrap();
    assert_eq!(assume_role_calls(&playground), 2);
}
