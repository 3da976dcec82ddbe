//! SDK clients, and tables to use them with.

use std::error::Error as StdError;
use std::fmt::Debug;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb as ddb;
use aws_sdk_sts as sts;
use bsm_local_aws::{LocalAws, standard};
use ddb::config::http::HttpResponse;
use ddb::error::{ProvideErrorMetadata, SdkError};
use ddb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};

pub(crate) const US: &str = "us-east-1";
pub(crate) const EU: &str = "eu-west-1";

/// The standard user's credentials.
pub(crate) fn dev() -> Credentials {
    keys(standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY)
}

pub(crate) fn keys(id: &str, secret: &str) -> Credentials {
    Credentials::new(id, secret, None, None, "test")
}

/// The settings of all clients: the server's endpoint and clock, and no retries.
macro_rules! config {
    ($service:ident, $aws:expr, $credentials:expr, $region:expr) => {
        $service::Config::builder()
            .behavior_version(::aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .endpoint_url($aws.endpoint_url())
            .time_source($aws.clock())
            .retry_config(::aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
            .region(::aws_sdk_dynamodb::config::Region::new($region))
            .credentials_provider($credentials)
    };
}
pub(crate) use config;

pub(crate) fn sts(aws: &LocalAws, credentials: Credentials) -> sts::Client {
    sts::Client::from_conf(config!(sts, aws, credentials, US).build())
}

pub(crate) fn dynamodb(aws: &LocalAws, credentials: Credentials) -> ddb::Client {
    dynamodb_in(aws, credentials, US)
}

pub(crate) fn dynamodb_in(
    aws: &LocalAws,
    credentials: Credentials,
    region: &'static str,
) -> ddb::Client {
    ddb::Client::from_conf(config!(ddb, aws, credentials, region).build())
}

pub(crate) fn streams(aws: &LocalAws, credentials: Credentials) -> aws_sdk_dynamodbstreams::Client {
    use aws_sdk_dynamodbstreams as streams;
    streams::Client::from_conf(config!(streams, aws, credentials, US).build())
}

#[cfg(feature = "s3")]
pub(crate) fn s3(aws: &LocalAws, credentials: Credentials) -> aws_sdk_s3::Client {
    use aws_sdk_s3 as s3;
    s3::Client::from_conf(config!(s3, aws, credentials, US).build())
}

/// Turns on point-in-time recovery.
pub(crate) async fn recover(client: &ddb::Client, table: &str) {
    let on = ddb::types::PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true)
        .build();
    client
        .update_continuous_backups()
        .table_name(table)
        .point_in_time_recovery_specification(on.unwrap())
        .send()
        .await
        .unwrap();
}

/// Assumes a role for its credentials.
pub(crate) async fn assume(aws: &LocalAws, credentials: Credentials, role: &str) -> Credentials {
    let request = sts(aws, credentials)
        .assume_role()
        .role_arn(role)
        .role_session_name("test");
    session(request.send().await.unwrap().credentials.unwrap())
}

/// Converts credentials of an STS response to those of a provider.
pub(crate) fn session(credentials: sts::types::Credentials) -> Credentials {
    let sts::types::Credentials {
        access_key_id,
        secret_access_key,
        session_token,
        ..
    } = credentials;
    Credentials::new(
        access_key_id,
        secret_access_key,
        Some(session_token),
        None,
        "test",
    )
}

/// An error response.
#[derive(Debug, PartialEq)]
pub(crate) struct ErrorResponse {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Returns the error response of a failed call.
#[track_caller]
pub(crate) fn error_response<T, E>(result: Result<T, SdkError<E, HttpResponse>>) -> ErrorResponse
where
    T: Debug,
    E: ProvideErrorMetadata + StdError + 'static,
{
    let error = result.unwrap_err();
    let status = error.raw_response().unwrap().status().as_u16();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    ErrorResponse {
        status,
        code: text(error.code()),
        message: text(error.message()),
    }
}

/// Creates a table with a string hash key `id`.
pub(crate) async fn create_table(client: &ddb::Client, name: &str) {
    let key = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash);
    let attribute = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S);
    client
        .create_table()
        .table_name(name)
        .key_schema(key.build().unwrap())
        .attribute_definitions(attribute.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Puts an item that contains only its key.
pub(crate) async fn put(client: &ddb::Client, table: &str, id: &str) {
    client
        .put_item()
        .table_name(table)
        .item("id", text(id))
        .send()
        .await
        .unwrap();
}
