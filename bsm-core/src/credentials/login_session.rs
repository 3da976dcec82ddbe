//! Login sessions, which `aws login` makes: credentials for 15 minutes, renewed at AWS Sign-In.
//!
//! The file is the AWS CLI's. A refresh token is good for one use, so one process renews a login, and the
//! others read what it wrote.

mod login_file;
mod proof;

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_signin::operation::create_o_auth2_token::CreateOAuth2TokenError;
use aws_sdk_signin::types::{
    CreateOAuth2TokenRequestBody, CreateOAuth2TokenResponseBody, OAuth2ErrorCode,
};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use futures_core::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

pub(super) use self::login_file::LoginFile;
use self::login_file::{AccessToken, Login};
use self::proof::ProofKey;
use super::provider::CredentialProvider;
use crate::error::{Error, ErrorKind};
use crate::shared_file::{Turn, Unusable};
use crate::time::format_rfc3339;
use crate::transport::{self, time_limits};
use crate::validation;

/// How long before its expiry a login is renewed, as in the SDKs.
const ADVISORY: Duration = Duration::from_secs(300);

/// The longest lifetime of credentials that is believed.
const MAX_LIFETIME: Duration = Duration::from_secs(12 * 3_600);

/// The credentials of a login session.
pub(super) struct LoginSession {
    /// Names the source in errors.
    what: String,
    profile: String,
    file: LoginFile,
    config: SdkConfig,
    time: SharedTimeSource,
    /// The access key that was returned last. A caller that comes back needs other credentials.
    last: Mutex<Option<String>>,
    /// A renewed login that could not be written: its refresh token exists only here.
    unwritten: Mutex<Option<Login>>,
}

impl LoginSession {
    /// `config` is that of the session.
    pub(super) fn new(what: String, profile: &str, file: LoginFile, config: &SdkConfig) -> Self {
        let config = time_limits::with_time_limits(&transport::bounded(config));
        Self {
            what,
            profile: profile.to_owned(),
            file,
            time: config.time_source().unwrap_or_default(),
            config,
            last: Mutex::default(),
            unwritten: Mutex::default(),
        }
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        let found = self.read().await?;
        let login = match self.is_due(&found) {
            true => self.renewed(found).await?,
            false => found,
        };
        *self.last.lock() = Some(login.access_token.access_key_id.clone());
        Ok(login.credentials())
    }

    fn is_due(&self, login: &Login) -> bool {
        login.expires_at() <= self.time.now() + ADVISORY || self.is_last(login)
    }

    fn is_last(&self, login: &Login) -> bool {
        self.last.lock().as_deref() == Some(&login.access_token.access_key_id)
    }

    /// Returns `true` if a login is as good as any for a caller, although it should be renewed.
    fn can_be_used(&self, login: &Login) -> bool {
        self.time.now() < login.expires_at() && !self.is_last(login)
    }

    /// Returns a login in place of one that is due: renewed here, or by another process meanwhile.
    async fn renewed(&self, due: Login) -> Result<Login, Error> {
        // Without one if the user has set no time limit.
        let give_up = Instant::now().checked_add(time_limits::of_request(&self.config));
        let renewed = loop {
            let attempt = self.file.try_lock().await;
            // After the lock: its last holder may have renewed the login.
            let found = self.read().await?;
            if !self.is_due(&found) {
                return Ok(found);
            }
            match attempt.turn(give_up).await {
                Turn::Taken(_lock) => break self.renew(&found).await,
                Turn::Again => {}
                Turn::Late => break Err(self.busy()),
            }
        };
        match renewed {
            Err(error) if self.can_be_used(&due) => {
                tracing::warn!(%error, "a login session could not be renewed; it is still valid");
                Ok(due)
            }
            renewed => renewed,
        }
    }

    async fn renew(&self, old: &Login) -> Result<Login, Error> {
        let key = ProofKey::parse(&old.dpop_key).ok_or_else(|| self.sign_in())?;
        let body = CreateOAuth2TokenRequestBody::builder()
            .client_id(&old.client_id)
            .grant_type("refresh_token")
            .refresh_token(old.refresh_token.as_str())
            .build()
            .map_err(|_| self.sign_in())?;
        let time = self.time.clone();
        let prove = move |request: &mut HttpRequest| {
            // For each attempt: a proof is good for one request.
            if let Some(proof) = key.of_post(request.uri(), time.now()) {
                request.headers_mut().insert("dpop", proof);
            }
        };
        let call = transport::client(&self.config, aws_sdk_signin::Client::new)?
            .create_o_auth2_token()
            .token_input(body)
            .customize()
            .mutate_request(prove);
        let answer = transport::unlogged(call.send()).await.map_err(|error| {
            let is_over = error.as_service_error().is_some_and(is_over);
            let secrets = [old.refresh_token.as_str()];
            let error = transport::failed("renew the login session", error, &secrets);
            match is_over {
                true => self.sign_in().with_source(error),
                false => error,
            }
        })?;
        let now = self.time.now();
        let login = answer
            .token_output
            .and_then(|answer| renewed_from(old, answer, now));
        let login = login.ok_or_else(|| {
            Error::new(
                ErrorKind::Service,
                "AWS Sign-In answered without credentials: check that the endpoint is an AWS endpoint",
            )
        })?;
        tracing::debug!(profile = self.profile, "renewed a login session");
        let written = self.file.write(&login).await;
        if let Err(error) = &written {
            let path = self.file.path().display();
            tracing::warn!(%error, %path, "a renewed login session could not be written");
        }
        *self.unwritten.lock() = written.is_err().then(|| login.clone());
        Ok(login)
    }

    async fn read(&self) -> Result<Login, Error> {
        let found = self.file.read().await;
        // A later one in the file is that of a sign-in, or of another process.
        if let Some(ours) = &*self.unwritten.lock()
            && found
                .as_ref()
                .map_or(true, |found| found.expires_at() < ours.expires_at())
        {
            return Ok(ours.clone());
        }
        found.map_err(|none| match none {
            Unusable::Missing | Unusable::Damaged => self.sign_in(),
            Unusable::Unreadable(error) => self.sign_in().with_source(error),
        })
    }

    fn sign_in(&self) -> Error {
        let message = format!(
            "no credentials from {}: sign in with `aws login --profile {}`",
            self.what, self.profile
        );
        Error::new(ErrorKind::SignInRequired, message)
    }

    fn busy(&self) -> Error {
        Error::new(
            ErrorKind::TimedOut,
            format!(
                "timed out waiting for another process that is renewing the login session of profile {:?}",
                self.profile
            ),
        )
    }
}

/// Returns `true` if a person has to sign in again.
fn is_over(error: &CreateOAuth2TokenError) -> bool {
    let CreateOAuth2TokenError::AccessDeniedException(error) = error else {
        return false;
    };
    matches!(
        error.error(),
        OAuth2ErrorCode::TokenExpired | OAuth2ErrorCode::UserCredentialsChanged
    )
}

fn renewed_from(
    old: &Login,
    answer: CreateOAuth2TokenResponseBody,
    now: SystemTime,
) -> Option<Login> {
    let lifetime = Duration::from_secs(answer.expires_in.max(0).unsigned_abs().into());
    let issued = answer.access_token?;
    // The SDK takes a field that is missing for an empty one.
    let fields = [
        &issued.access_key_id,
        &issued.secret_access_key,
        &issued.session_token,
        &answer.refresh_token,
    ];
    if fields
        .into_iter()
        .any(|field| validation::flaw(field).is_some())
    {
        return None;
    }
    Some(Login {
        access_token: AccessToken {
            access_key_id: issued.access_key_id,
            secret_access_key: Zeroizing::new(issued.secret_access_key),
            session_token: Zeroizing::new(issued.session_token),
            // The answer names no account: it is that of the login.
            account_id: old.access_token.account_id.clone(),
            expires_at: format_rfc3339(now + lifetime.min(MAX_LIFETIME))?,
        },
        refresh_token: Zeroizing::new(answer.refresh_token),
        ..old.clone()
    })
}

impl CredentialProvider for LoginSession {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.credentials())
    }

    fn step(&self) -> String {
        self.what.clone()
    }

    fn limit(&self) -> Duration {
        // The attempt of another process, and then one of our own.
        time_limits::of_request(&self.config).saturating_mul(2)
    }
}

impl fmt::Debug for LoginSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginSession")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
