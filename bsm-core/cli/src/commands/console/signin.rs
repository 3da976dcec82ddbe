//! The federation endpoint: a token for temporary credentials, and the address that uses it.
//!
//! Source: the page [Enable custom identity broker access](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html).

use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use bsm_core::adapter;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::partition::Partition;
use crate::failure::{Class, Failure};

const PATH: &str = "/federation";

/// How long the endpoint may take. A person waits for it.
const TIME_LIMIT: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    signin_token: Zeroizing<String>,
}

/// The answer's status and body. Its `Debug` form shows no token.
struct Reply {
    status: u16,
    body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Asks for a sign-in token.
pub(super) async fn token(
    config: &SdkConfig,
    partition: Partition,
    credentials: &Credentials,
    duration: Option<Duration>,
) -> Result<Zeroizing<String>, Failure> {
    let session = Zeroizing::new(
        json!({
            "sessionId": credentials.access_key_id(),
            "sessionKey": credentials.secret_access_key(),
            "sessionToken": credentials.session_token(),
        })
        .to_string(),
    );
    let mut query = Zeroizing::new(format!(
        "{PATH}?Action=getSigninToken&Session={}",
        escaped(&session)
    ));
    if let Some(duration) = duration {
        query.push_str(&format!("&SessionDuration={}", duration.as_secs()));
    }
    let reply = get(config, &origin(config, partition), query).await?;
    if reply.status != 200 {
        let repair = match duration {
            Some(_) => "use a --duration that the role allows, or leave it out",
            None => "`bsm whoami` with the same options shows whether they are valid",
        };
        return Err(Failure::new(
            Class::Failed,
            format!(
                "the federation endpoint of AWS refused the credentials with status {}: {repair}",
                reply.status
            ),
        ));
    }
    let answer: Option<Answer> = serde_json::from_slice(&reply.body).ok();
    answer.map(|answer| answer.signin_token).ok_or_else(|| {
        let message = "the federation endpoint of AWS answered without a token: try again";
        Failure::new(Class::Failed, message)
    })
}

/// Returns the address that signs a browser in and leads to `destination`.
pub(super) fn login_url(
    config: &SdkConfig,
    partition: Partition,
    destination: &str,
    token: &str,
) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "{}{PATH}?Action=login&Issuer=bsm&Destination={}&SigninToken={}",
        origin(config, partition),
        escaped(destination),
        escaped(token)
    ))
}

/// A session whose requests go to a local AWS must not send its credentials to AWS.
fn origin(config: &SdkConfig, partition: Partition) -> String {
    match config.endpoint_url() {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => partition.signin_origin(),
    }
}

fn escaped(text: &str) -> String {
    // A token is base64, and the endpoint would decode its `+` as a space.
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Sends a request through the session's HTTP client, so that its proxies and certificates apply.
async fn get(config: &SdkConfig, origin: &str, query: Zeroizing<String>) -> Result<Reply, Failure> {
    let unreachable = || {
        let message = format!("{origin} could not be reached: check the network and the proxies");
        Failure::new(Class::Failed, message)
    };
    let client = adapter::bounded(config).http_client();
    let client = client.ok_or_else(unreachable)?;
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(TIME_LIMIT)
        .build();
    let mut operation = Operation::builder()
        .service_name("signin")
        .operation_name("GetSigninToken")
        .http_client(client)
        .endpoint_url(origin)
        // The endpoint reads the credentials from the query, and expects no signature.
        .no_auth()
        .no_retry()
        .timeout_config(timeouts);
    // Without the sleep implementation, the runtime cannot enforce the timeout.
    if let Some(sleep) = config.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    if let Some(time) = config.time_source() {
        operation = operation.time_source(time);
    }
    let operation = operation
        .serializer(move |()| {
            let mut request = HttpRequest::new(SdkBody::empty());
            request.set_uri(query.as_str())?;
            Ok(request)
        })
        .deserializer::<_, std::convert::Infallible>(|response: &HttpResponse| {
            let body = response.body().bytes().unwrap_or_default();
            Ok(Reply {
                status: response.status().as_u16(),
                body: Zeroizing::new(body.to_vec()),
            })
        })
        .build();
    // The SDK's error shows the request, with the secrets in its query.
    operation.invoke(()).await.map_err(|_| unreachable())
}
