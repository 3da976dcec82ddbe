//! The flow with a device code (RFC 8628): a browser on any machine.

use std::time::Duration;

use aws_sdk_ssooidc::error::ProvideErrorMetadata as _;
use zeroize::Zeroizing;

use super::listener::denied;
use super::prompt::SignInRequest;
use super::{Attempt, failed_token};
use crate::credentials::sso::Token;
use crate::credentials::sso::registration::{Grant, Registration};
use crate::error::{Error, ErrorKind};
use crate::transport;

/// The time between two polls if the answer names none, and what `slow_down` adds (RFC 8628, section 3.5).
const INTERVAL: Duration = Duration::from_secs(5);

/// How many polls in a row may get no response, each after the SDK's own retries.
const MAX_UNANSWERED: u32 = 3;

impl Attempt<'_> {
    pub(super) async fn with_device_code(&self) -> Result<Token, Error> {
        let client = self.register(Grant::DeviceCode).await?;
        let call = transport::client(&self.access.config, aws_sdk_ssooidc::Client::new)?
            .start_device_authorization()
            .client_id(&client.client_id)
            .client_secret(client.client_secret.as_str())
            .start_url(&self.access.session.start_url);
        let started = transport::unlogged(call.send()).await.map_err(|error| {
            let secrets = [client.client_secret.as_str()];
            transport::failed("start the sign-in", error, &secrets)
        })?;
        let page = started
            // The complete one contains the code, so the user only compares it.
            .verification_uri_complete
            .or(started.verification_uri);
        let (Some(device_code), Some(url)) = (started.device_code, page) else {
            return Err(Error::new(
                ErrorKind::Service,
                "SSO OIDC answered without a device code: check that the endpoint is an AWS \
                 endpoint",
            ));
        };
        let interval = match u64::try_from(started.interval) {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
            _ => INTERVAL,
        };
        let request = SignInRequest {
            url,
            user_code: started.user_code,
            start_url: self.access.session.start_url.clone(),
        };
        let polls = self.poll(&client, Zeroizing::new(device_code), interval);
        self.prompting(&request, polls).await
    }

    /// Asks for the token until the user has decided.
    async fn poll(
        &self,
        client: &Registration,
        device_code: Zeroizing<String>,
        mut interval: Duration,
    ) -> Result<Token, Error> {
        let oidc = transport::client(&self.access.config, aws_sdk_ssooidc::Client::new)?;
        let mut unanswered = 0;
        loop {
            // Also before the first poll: no user confirms the code at once.
            tokio::time::sleep(interval).await;
            let call = oidc
                .create_token()
                .grant_type(Grant::DeviceCode.as_str())
                .client_id(&client.client_id)
                .client_secret(client.client_secret.as_str())
                .device_code(device_code.as_str());
            let error = match transport::unlogged(call.send()).await {
                Ok(answer) => return self.token(answer, client.clone()),
                Err(error) => error,
            };
            // The user may have the code already, and a network that fails is no decision. RFC 8628, section
            // 3.5, asks for a longer interval.
            if error.as_service_error().is_none() && unanswered < MAX_UNANSWERED {
                unanswered += 1;
                interval += INTERVAL;
                continue;
            }
            unanswered = 0;
            let code = error.as_service_error().and_then(|error| error.code());
            match code.unwrap_or_default() {
                "AuthorizationPendingException" => {}
                "SlowDownException" => interval += INTERVAL,
                "AccessDeniedException" => return Err(denied()),
                "ExpiredTokenException" => {
                    return Err(Error::new(
                        ErrorKind::TimedOut,
                        "the code of the sign-in has expired: sign in again",
                    ));
                }
                _ => {
                    let secrets = [client.client_secret.as_str(), &device_code];
                    return Err(failed_token(error, &secrets));
                }
            }
        }
    }
}
