//! Instance metadata, version 2: credentials and the region.
//!
//! Source: the page [Use the Instance Metadata Service](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html).

use chrono::Utc;
use hyper::header::HeaderName;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::json;

use super::answer::Answer;
use super::source::Source;
use crate::lifetime::rfc3339;

const TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");

/// The longest life of a token, as in EC2: 6 hours.
const MAX_TTL: u32 = 21_600;

/// The name of the role that clients see. It decides nothing.
const ROLE: &str = "bsm";

const CREDENTIALS: &str = "latest/meta-data/iam/security-credentials/";

pub(super) async fn answer(
    source: &Source,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Answer {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if path == "latest/api/token" {
        let ttl = header(TTL).and_then(|ttl| ttl.parse().ok());
        return match ttl {
            Some(1..=MAX_TTL) if method == Method::PUT => {
                // The token itself does not expire, because the path is as secret. Clients obey the
                // TTL.
                let seconds = ttl.unwrap_or(MAX_TTL).to_string();
                Answer::text(source.metadata_token.expose()).with_header(TTL, seconds)
            }
            // EC2 also answers 400 if the TTL is missing or invalid.
            _ => Answer::empty(StatusCode::BAD_REQUEST),
        };
    }
    // Version 1 needs no token, and a redirect or a proxy is enough to misuse it.
    if method != Method::GET || !header(TOKEN).is_some_and(|it| source.metadata_token.is(it)) {
        // After 401, clients fetch a new token and repeat the request.
        return Answer::empty(StatusCode::UNAUTHORIZED);
    }
    if let Some(role) = path.strip_prefix(CREDENTIALS) {
        return match role {
            "" => Answer::text(ROLE),
            ROLE => credentials(source).await,
            _ => Answer::empty(StatusCode::NOT_FOUND),
        };
    }
    match path {
        "latest/meta-data/placement/region" => region(source, Answer::text).await,
        // Clients that know no better cut the last letter off.
        "latest/meta-data/placement/availability-zone" => {
            region(source, |region| Answer::text(region + "a")).await
        }
        "latest/dynamic/instance-identity/document" => {
            region(source, |region| Answer::json(&json!({ "region": region }))).await
        }
        _ => Answer::empty(StatusCode::NOT_FOUND),
    }
}

async fn credentials(source: &Source) -> Answer {
    match source.credentials().await {
        Ok(issued) => Answer::json(&json!({
            "Code": "Success",
            "LastUpdated": rfc3339(Utc::now()),
            "Type": "AWS-HMAC",
            "AccessKeyId": issued.credentials.access_key_id(),
            "SecretAccessKey": issued.credentials.secret_access_key(),
            "Token": issued.credentials.session_token(),
            "Expiration": issued.expiration,
        })),
        Err(error) => Answer::unavailable(&error),
    }
}

async fn region(source: &Source, answer: impl FnOnce(String) -> Answer) -> Answer {
    match source.region().await {
        Ok(region) => answer(region),
        Err(_) => Answer::empty(StatusCode::NOT_FOUND),
    }
}
