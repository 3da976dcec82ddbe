//! Authentication failures, and operations that do not exist.

use std::time::Duration;

use aws_sdk_dynamodb as ddb;
use aws_sdk_iam as iam;
use aws_sdk_sts as sts;
use bsm_local_aws::{Clock, LocalAws, standard};

use crate::support::{self, *};

fn rejected(status: u16, code: &str, message: &str) -> ErrorResponse {
    ErrorResponse {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

#[tokio::test]
async fn a_wrong_secret_is_rejected() {
    let aws = LocalAws::start().await.unwrap();
    let wrong = keys(standard::ACCESS_KEY_ID, "not/the/secret");
    let message = "The request signature we calculated does not match the signature you provided. \
                   Check your AWS Secret Access Key and signing method. Consult the service \
                   documentation for details.";
    let error = error_response(
        support::sts(&aws, wrong.clone())
            .get_caller_identity()
            .send()
            .await,
    );
    assert_eq!(error, rejected(403, "SignatureDoesNotMatch", message));
    let error = error_response(dynamodb(&aws, wrong).list_tables().send().await);
    assert_eq!(error, rejected(400, "InvalidSignatureException", message));
}

#[tokio::test]
async fn an_unknown_key_is_rejected() {
    let aws = LocalAws::start().await.unwrap();
    let unknown = keys("AKIALOCALNOBODY00001", "whatever");
    let message = "The security token included in the request is invalid.";
    let error = error_response(
        support::sts(&aws, unknown.clone())
            .get_caller_identity()
            .send()
            .await,
    );
    assert_eq!(error, rejected(403, "InvalidClientTokenId", message));
    let error = error_response(dynamodb(&aws, unknown.clone()).list_tables().send().await);
    assert_eq!(error, rejected(400, "UnrecognizedClientException", message));
    let client = iam::Client::from_conf(config!(iam, aws, unknown, US).build());
    let error = error_response(client.list_account_aliases().send().await);
    assert_eq!(error, rejected(403, "InvalidClientTokenId", message));
}

#[tokio::test]
async fn temporary_credentials_require_their_own_session_token() {
    let aws = LocalAws::start().await.unwrap();
    let good = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let other = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    for token in [
        None,
        other.session_token().map(str::to_owned),
        Some("made-up".to_owned()),
    ] {
        let (id, secret) = (good.access_key_id(), good.secret_access_key());
        let bad = ddb::config::Credentials::new(id, secret, token, None, "test");
        let error = error_response(dynamodb(&aws, bad).list_tables().send().await);
        assert_eq!(error.code, "UnrecognizedClientException");
    }
}

#[tokio::test]
async fn a_request_signed_at_another_time_is_rejected() {
    let aws = LocalAws::start().await.unwrap();
    let wrong_clock = Clock::new();
    wrong_clock.set(aws.clock().now() - Duration::from_secs(600));
    // The time is checked before the key.
    for credentials in [dev(), keys("AKIALOCALNOBODY00001", "whatever")] {
        let config = config!(ddb, aws, credentials, US)
            .time_source(wrong_clock.clone())
            .disable_clock_skew_correction(true);
        let client = ddb::Client::from_conf(config.build());
        let error = error_response(client.list_tables().send().await);
        assert_eq!(
            (error.status, error.code.as_str()),
            (400, "InvalidSignatureException")
        );
        assert!(
            error.message.starts_with("Signature expired: "),
            "{}",
            error.message
        );
        assert!(error.message.ends_with(" - 5 min.)"), "{}", error.message);
    }

    wrong_clock.advance(Duration::from_secs(1200));
    let config = config!(sts, aws, dev(), US)
        .time_source(wrong_clock)
        .disable_clock_skew_correction(true);
    let error = error_response(
        sts::Client::from_conf(config.build())
            .get_caller_identity()
            .send()
            .await,
    );
    assert_eq!(
        (error.status, error.code.as_str()),
        (403, "SignatureDoesNotMatch")
    );
    assert!(
        error.message.starts_with("Signature not yet current: "),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_client_with_the_machines_time_reaches_a_server_with_a_moved_clock() {
    let aws = LocalAws::start().await.unwrap();
    aws.clock().advance(Duration::from_secs(86_400));
    let config = config!(ddb, aws, dev(), US).time_source(Clock::new());
    let client = ddb::Client::from_conf(config.disable_clock_skew_correction(true).build());
    client.list_tables().send().await.unwrap();
}

#[tokio::test]
async fn every_response_is_dated_by_the_servers_clock() {
    // SDK clients correct their own clocks by it.
    let aws = LocalAws::start().await.unwrap();
    aws.clock().advance(Duration::from_secs(86_400));
    let head = raw(&aws, "GET /_local/clock HTTP/1.1\r\n", "").await;
    let tomorrow = chrono::DateTime::<chrono::Utc>::from(aws.clock().now());
    let date = format!("date: {}", tomorrow.format("%a, %d %b %Y"));
    assert!(head.contains(&date), "{head}");
}

#[tokio::test]
async fn an_unsigned_request_is_rejected() {
    let aws = LocalAws::start().await.unwrap();
    let answer = raw(
        &aws,
        "POST / HTTP/1.1\r\nx-amz-target: DynamoDB_20120810.ListTables\r\n",
        "{}",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("MissingAuthenticationTokenException"),
        "{answer}"
    );
    let answer = raw(&aws, "POST / HTTP/1.1\r\n", "Action=GetCallerIdentity").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(
        answer.contains("<Code>MissingAuthenticationToken</Code>"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_malformed_authorization_header_is_rejected() {
    let aws = LocalAws::start().await.unwrap();
    for mangled in [
        "AWS4-HMAC-SHA256 Credential=AKIA",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20300101/us-east-1/sts/aws4_request, SignedHeaders=host, \
         Signature=00",
    ] {
        let head = format!("POST / HTTP/1.1\r\nauthorization: {mangled}\r\n");
        let answer = raw(&aws, &head, "Action=GetCallerIdentity").await;
        assert!(
            answer.contains("<Code>IncompleteSignature</Code>"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn an_unknown_operation_is_rejected() {
    let aws = LocalAws::start().await.unwrap();
    // Operations of AWS that the server does not emulate.
    let error = error_response(dynamodb(&aws, dev()).list_backups().send().await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "UnknownOperationException")
    );
    let error = error_response(
        support::sts(&aws, dev())
            .get_federation_token()
            .name("x1")
            .send()
            .await,
    );
    assert_eq!((error.status, error.code.as_str()), (400, "InvalidAction"));
    let client = iam::Client::from_conf(config!(iam, aws, dev(), US).build());
    let error = error_response(client.list_users().send().await);
    assert_eq!((error.status, error.code.as_str()), (400, "InvalidAction"));
}

#[tokio::test]
async fn a_body_that_is_not_json_is_rejected() {
    let aws = LocalAws::start().await.unwrap();
    // With a valid signature, so that it reaches the engine.
    let error = error_response(signed_garbage(&aws).await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "SerializationException")
    );
    assert_eq!(error.message, "");
}

/// Sends a request whose body is replaced before it is signed.
async fn signed_garbage(
    aws: &LocalAws,
) -> Result<
    ddb::operation::list_tables::ListTablesOutput,
    ddb::error::SdkError<
        ddb::operation::list_tables::ListTablesError,
        ddb::config::http::HttpResponse,
    >,
> {
    dynamodb(aws, dev())
        .list_tables()
        .customize()
        .mutate_request(|request| {
            *request.body_mut() = "garbage".into();
            request.headers_mut().insert("content-length", "7");
        })
        .send()
        .await
}

/// Sends a raw request and returns the complete response.
async fn raw(aws: &LocalAws, head: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let address = aws.endpoint_url().strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{head}host: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
