//! The parameters of AssumeRole, and AWS's limits on them.

use std::time::Duration;

use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use bsm_local_aws::{Account, LocalAws, Role, Trust, standard};

use crate::support::*;

fn staging(aws: &LocalAws) -> AssumeRoleFluentBuilder {
    let request = sts(aws, dev()).assume_role();
    request
        .role_arn(standard::STAGING_ROLE_ARN)
        .role_session_name("test")
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

async fn rejected(request: AssumeRoleFluentBuilder) -> ErrorResponse {
    error_response(request.send().await)
}

fn validation_error(message: &str) -> ErrorResponse {
    ErrorResponse {
        status: 400,
        code: "ValidationError".to_owned(),
        message: message.to_owned(),
    }
}

#[tokio::test]
async fn a_session_lasts_one_hour_by_default() {
    let aws = LocalAws::start().await.unwrap();
    staging(&aws).send().await.unwrap();
    staging(&aws).duration_seconds(900).send().await.unwrap();
    let durations: Vec<_> = aws
        .sessions()
        .iter()
        .map(|session| session.duration())
        .collect();
    assert_eq!(
        durations,
        [Duration::from_secs(3600), Duration::from_secs(900)]
    );
}

#[tokio::test]
async fn a_session_lasts_at_least_900_seconds() {
    let aws = LocalAws::start().await.unwrap();
    assert_eq!(
        rejected(staging(&aws).duration_seconds(899)).await,
        validation_error(
            "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy \
             constraint: Member must have value greater than or equal to 900"
        )
    );
}

#[tokio::test]
async fn a_session_lasts_at_most_twelve_hours() {
    let aws = LocalAws::start().await.unwrap();
    assert_eq!(
        rejected(staging(&aws).duration_seconds(43_201)).await,
        validation_error(
            "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy \
             constraint: Member must have value less than or equal to 43200"
        )
    );
}

#[tokio::test]
async fn a_session_lasts_no_longer_than_the_role_allows() {
    let role = Role::new("Long")
        .trust(Trust::principal(standard::USER_ARN))
        .max_session_duration(Duration::from_secs(7200));
    let account = Account::new("444444444444").role(role);
    let aws = LocalAws::standard().account(account).start().await.unwrap();
    let long = || staging(&aws).role_arn("arn:aws:iam::444444444444:role/Long");
    long().duration_seconds(7200).send().await.unwrap();
    assert_eq!(
        rejected(long().duration_seconds(7201)).await,
        validation_error(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    );
}

#[tokio::test]
async fn a_chained_session_lasts_at_most_an_hour() {
    let role = Role::new("Hop")
        .trust(Trust::principal("222222222222"))
        .max_session_duration(Duration::from_secs(43_200));
    let account = Account::new("444444444444").role(role);
    let aws = LocalAws::standard().account(account).start().await.unwrap();
    let first = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let hop = || {
        let request = sts(&aws, first.clone())
            .assume_role()
            .role_session_name("test");
        request.role_arn("arn:aws:iam::444444444444:role/Hop")
    };
    hop().duration_seconds(3600).send().await.unwrap();
    assert_eq!(
        rejected(hop().duration_seconds(3601)).await,
        validation_error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining."
        )
    );
}

#[tokio::test]
async fn a_session_name_must_match_its_pattern() {
    let aws = LocalAws::start().await.unwrap();
    staging(&aws)
        .role_session_name("a_b+c=d,e.f@g-1")
        .send()
        .await
        .unwrap();
    assert_eq!(
        rejected(staging(&aws).role_session_name("with/slash")).await,
        validation_error(
            r"1 validation error detected: Value 'with/slash' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*"
        )
    );
    for (name, bound) in [
        ("x".to_owned(), "greater than or equal to 2"),
        ("x".repeat(65), "less than or equal to 64"),
    ] {
        let error = rejected(staging(&aws).role_session_name(name)).await;
        assert!(
            error
                .message
                .ends_with(&format!("Member must have length {bound}")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn one_error_reports_all_violations() {
    let aws = LocalAws::start().await.unwrap();
    let error = error_response(
        sts(&aws, dev())
            .assume_role()
            .duration_seconds(1)
            .send()
            .await,
    );
    assert_eq!(
        error,
        validation_error(
            "3 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: \
             Member must not be null; Value null at 'roleSessionName' failed to satisfy \
             constraint: Member must not be null; Value '1' at 'durationSeconds' failed to satisfy \
             constraint: Member must have value greater than or equal to 900"
        )
    );
}

#[tokio::test]
async fn a_malformed_role_arn_is_reported() {
    let aws = LocalAws::start().await.unwrap();
    for arn in [
        "arn:aws:iam::222222222222:user/NotARole",
        "arn:aws:iam::22222222222:role/OneDigitShort",
        "arn:aws:s3::222222222222:role/WrongService",
        "222222222222:role/NoArnAtAll",
    ] {
        let error = rejected(staging(&aws).role_arn(arn)).await;
        assert_eq!(error, validation_error(&format!("{arn} is invalid")));
    }
}

#[tokio::test]
async fn tag_keys_that_differ_only_in_case_are_duplicates() {
    let aws = LocalAws::start().await.unwrap();
    let request = staging(&aws).tags(tag("Team", "a")).tags(tag("team", "b"));
    let error = rejected(request).await;
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "InvalidParameterValue")
    );
    assert_eq!(
        error.message,
        "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    );
}

#[tokio::test]
async fn tags_are_limited_in_number_and_length() {
    let aws = LocalAws::start().await.unwrap();
    let many = |count| {
        (0..count)
            .map(|n| tag(&format!("k{n}"), "v"))
            .collect::<Vec<_>>()
    };
    staging(&aws).set_tags(Some(many(50))).send().await.unwrap();
    let error = rejected(staging(&aws).set_tags(Some(many(51)))).await;
    assert_eq!(error.code, "ValidationError");
    assert!(error.message.contains("at 'tags' failed"), "{error:?}");
    let error = rejected(staging(&aws).tags(tag(&"k".repeat(129), "v"))).await;
    assert!(
        error.message.contains("at 'tags.1.member.key' failed"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_transitive_key_must_be_the_key_of_a_tag() {
    let aws = LocalAws::start().await.unwrap();
    let error = rejected(staging(&aws).tags(tag("a", "1")).transitive_tag_keys("b")).await;
    assert_eq!(error.code, "InvalidParameterValue");
    assert!(
        error
            .message
            .contains("must be included in the requested tags"),
        "{error:?}"
    );
}

#[tokio::test]
async fn chained_sessions_inherit_transitive_tags_and_the_source_identity() {
    let role = Role::new("Hop").trust(Trust::principal(standard::STAGING_ROLE_ARN));
    let account = Account::new("444444444444").role(role);
    let aws = LocalAws::standard().account(account).start().await.unwrap();
    let answer = staging(&aws)
        .tags(tag("team", "a"))
        .tags(tag("stage", "dev"))
        .transitive_tag_keys("team")
        .source_identity("alice")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.source_identity(), Some("alice"));
    let first = session(answer.credentials.unwrap());
    let hop = || {
        let request = sts(&aws, first.clone())
            .assume_role()
            .role_session_name("test");
        request.role_arn("arn:aws:iam::444444444444:role/Hop")
    };

    let answer = hop().tags(tag("more", "b")).send().await.unwrap();
    assert_eq!(answer.source_identity(), Some("alice"));
    let last = aws.sessions().pop().unwrap();
    let tags: Vec<_> = last
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(tags, [("more", "b"), ("team", "a")]);
    assert_eq!(last.transitive_tag_keys, ["team"]);

    let error = rejected(hop().tags(tag("Team", "other"))).await;
    assert_eq!(error.code, "InvalidParameterValue");
    assert!(
        error
            .message
            .contains("conflicts with a transitive tag key"),
        "{error:?}"
    );
    let error = rejected(hop().source_identity("mallory")).await;
    let message = "The source identity is already set for this assume role session";
    assert_eq!(error, validation_error(message));
}

#[tokio::test]
async fn session_policies_are_validated_and_recorded() {
    let aws = LocalAws::start().await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let arn = "arn:aws:iam::222222222222:policy/Small";
    let managed = PolicyDescriptorType::builder().arn(arn).build();
    staging(&aws)
        .policy(policy)
        .policy_arns(managed)
        .send()
        .await
        .unwrap();
    let session = aws.sessions().pop().unwrap();
    assert_eq!(session.policy.as_deref(), Some(policy));
    assert_eq!(session.policy_arns, [arn]);

    assert_eq!(
        rejected(staging(&aws).policy("{")).await.code,
        "MalformedPolicyDocument"
    );
    let long = format!(r#"{{"Statement":["{}"]}}"#, "x".repeat(2048));
    assert_eq!(
        rejected(staging(&aws).policy(long)).await.code,
        "PackedPolicyTooLarge"
    );
}

#[tokio::test]
async fn a_minimum_session_token_size_is_respected() {
    let aws = LocalAws::start().await.unwrap();
    let answer = staging(&aws)
        .minimum_session_token_size(4096)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.session_token_size(), Some(4096));
    assert_eq!(answer.session_token_utilization(), Some(100));
    let credentials = session(answer.credentials.unwrap());
    assert_eq!(credentials.session_token().unwrap().len(), 4096);
    let error = rejected(staging(&aws).minimum_session_token_size(4097)).await;
    assert!(
        error
            .message
            .contains("at 'minimumSessionTokenSize' failed"),
        "{error:?}"
    );
    sts(&aws, credentials)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
}
