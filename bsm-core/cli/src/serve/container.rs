//! Container credentials, as ECS and EKS offer them.
//!
//! Source: the page [Container credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::json;

use super::answer::Answer;
use super::source::Source;

pub(super) async fn answer(source: &Source, method: &Method, headers: &HeaderMap) -> Answer {
    let token = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    if method != Method::GET || !token.is_some_and(|token| source.has_token(token)) {
        return Answer::empty(StatusCode::FORBIDDEN);
    }
    match source.credentials().await {
        Ok(issued) => Answer::json(&json!({
            "AccessKeyId": issued.credentials.access_key_id(),
            "SecretAccessKey": issued.credentials.secret_access_key(),
            "Token": issued.credentials.session_token(),
            "Expiration": issued.expiration,
            "AccountId": issued.credentials.account_id().map(|id| id.as_str()),
        })),
        Err(error) => Answer::unavailable(&error),
    }
}
