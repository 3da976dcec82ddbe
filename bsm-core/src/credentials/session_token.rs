//! Session tokens: temporary credentials of a user, which STS issues with GetSessionToken.
//!
//! Source: the page of
//! [GetSessionToken](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html).

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::attributes::AccountId;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::SharedTimeSource;
use aws_types::SdkConfig;
use futures_core::future::BoxFuture;

use super::Refresher;
use super::assume_role::{Issue, is_wrong_code, time_of, without_retries};
use super::mfa::{self, TokenCodes, TokenRequest};
use super::provider::CredentialProvider;
use super::role_request::check_mfa_serial;
use crate::error::{Error, ErrorKind};
use crate::transport::server_clock::ServerClock;
use crate::transport::{self, time_limits};

/// 15 minutes to 36 hours, as the API documents. Those of a root user last an hour at most.
const SECONDS: std::ops::RangeInclusive<u64> = 900..=129_600;

/// The parameters of GetSessionToken.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionTokenRequest {
    pub(crate) duration: Option<Duration>,
    pub(crate) mfa_serial: Option<String>,
}

impl SessionTokenRequest {
    /// Checks the limits of STS. `is_role` is `true` if the parent's credentials are those of a role.
    fn check(&self, is_role: bool) -> Result<(), Error> {
        let refused = |message| Err(Error::new(ErrorKind::InvalidInput, message));
        // STS answers AccessDenied, which reads like a missing permission.
        if is_role {
            return refused(
                "a session token needs the access keys of a user, and these credentials are a \
                 role's: assume the next role with them directly"
                    .to_owned(),
            );
        }
        check_mfa_serial(self.mfa_serial.as_deref())?;
        match self.duration.map(|duration| duration.as_secs()) {
            Some(seconds) if !SECONDS.contains(&seconds) => refused(format!(
                "a session token cannot be valid for {seconds} s: use 900 s (15 minutes) to 129600 \
                 s (36 hours)"
            )),
            _ => Ok(()),
        }
    }
}

/// The provider of a session token.
#[derive(Debug)]
pub(crate) struct SessionTokenProvider {
    request: SessionTokenRequest,
    parent: Refresher,
    sts: SdkConfig,
    mfa: Option<TokenCodes>,
}

impl SessionTokenProvider {
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for parameters that STS would reject.
    pub(crate) fn new(
        request: SessionTokenRequest,
        parent: &Refresher,
        sts: &SdkConfig,
        mfa: Option<&TokenCodes>,
    ) -> Result<Self, Error> {
        request.check(parent.is_role())?;
        Ok(Self {
            sts: match request.mfa_serial {
                Some(_) => without_retries(sts),
                None => sts.clone(),
            },
            request,
            parent: parent.clone(),
            mfa: mfa.cloned(),
        })
    }

    pub(super) fn request(&self) -> &SessionTokenRequest {
        &self.request
    }

    pub(super) fn parent(&self) -> &Refresher {
        &self.parent
    }

    pub(super) fn time(&self) -> SharedTimeSource {
        time_of(&self.sts)
    }

    pub(super) async fn get(&self) -> Result<Credentials, Error> {
        // Outside the call to STS: its time-out must not include the parent's refresh, or a prompt.
        let parent = self.parent.credentials().await?;
        let sts = self
            .sts
            .to_builder()
            // Not the refresher: an error is scrubbed of the very credentials that signed.
            .credentials_provider(SharedCredentialsProvider::new(parent.clone()))
            .build();
        // Before the prompt: the user must not enter a code that cannot be sent.
        let sts = transport::client(&sts, aws_sdk_sts::Client::new)?;
        let serial = self.request.mfa_serial.as_deref();
        let code = match serial {
            Some(serial) => {
                let request = TokenRequest::new(serial, None, &self.sts);
                Some(mfa::code(self.mfa.as_ref(), request).await?)
            }
            None => None,
        };
        tracing::debug!(mfa_serial = serial, "getting a session token");
        let seconds = self
            .request
            .duration
            // `check` has limited it to 129,600 s.
            .map(|duration| duration.as_secs() as i32);
        let call = sts
            .get_session_token()
            .set_duration_seconds(seconds)
            .set_serial_number(self.request.mfa_serial.clone())
            .set_token_code(code.clone());
        let clock = ServerClock::default();
        let call = call.customize().interceptor(clock.clone());
        let answer = transport::unlogged(call.send()).await.map_err(|error| {
            let secrets: Vec<_> = code
                .as_deref()
                .into_iter()
                .chain(transport::secrets_of(&parent))
                .collect();
            let is_wrong_code = is_wrong_code(&error);
            let error = transport::failed("get a session token", error, &secrets);
            match serial {
                Some(serial) if is_wrong_code => {
                    mfa::rejected(serial, "the session token").with_source(error)
                }
                _ => error,
            }
        })?;
        let issue = Issue {
            purpose: "the session token",
            // The response names no account: it is that of the user.
            account: parent.account_id().map(AccountId::as_str),
            provider: "GetSessionToken",
            skew: clock.skew(),
        };
        issue.of(answer.credentials)
    }
}

impl CredentialProvider for SessionTokenProvider {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.get())
    }

    fn step(&self) -> String {
        "the session token".to_owned()
    }

    fn limit(&self) -> Duration {
        let code = mfa::limit(self.request.mfa_serial.as_deref());
        self.parent
            .limit()
            .saturating_add(code)
            .saturating_add(time_limits::of_request(&self.sts))
    }

    fn may_prompt(&self) -> bool {
        mfa::may_prompt(self.request.mfa_serial.as_deref(), self.mfa.as_ref())
            || self.parent.may_prompt()
    }

    fn check_source(&self) -> Result<(), Error> {
        self.parent.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_checked_before_the_call() {
        let request = |seconds, serial: Option<&str>| SessionTokenRequest {
            duration: Some(Duration::from_secs(seconds)),
            mfa_serial: serial.map(str::to_owned),
        };
        for (seconds, serial, is_role, is_accepted) in [
            (900, None, false, true),
            (129_600, Some("GAHT12345678"), false, true),
            (899, None, false, false),
            (129_601, None, false, false),
            (900, Some("short"), false, false),
            (900, None, true, false),
        ] {
            let outcome = request(seconds, serial).check(is_role);
            let kind = outcome.map_err(|error| error.kind());
            let expected = is_accepted.then_some(()).ok_or(ErrorKind::InvalidInput);
            assert_eq!(kind, expected, "{seconds} {serial:?} {is_role}");
        }
    }
}
