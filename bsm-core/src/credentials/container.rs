//! The role of a container: a task of ECS, a pod of EKS, or whatever else names an address.
//!
//! Source: the page [Container credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html),
//! and botocore for the hosts that are allowed. aws-config's provider reads the process's environment,
//! whichever one a manager has.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::SdkConfig;
use futures_core::future::BoxFuture;
use zeroize::Zeroizing;

use super::metadata::{InvalidMetadata, Metadata};
use super::provider::CredentialProvider;
use crate::endpoint::{self, Form, Setting};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::small_file;
use crate::transport::{self, FailureStep, Get, Refused, SdkFailure, time_limits};
use crate::validation;

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// The address of ECS, to which the relative URI belongs.
const ECS: &str = "http://169.254.170.2";

/// The hosts that may be asked without TLS, besides loopback addresses: ECS, and EKS with IPv4 and
/// IPv6.
const HOSTS: [&str; 4] = [
    "localhost",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::23",
];

/// Tokens of EKS are JWTs of a few KiB.
const MAX_TOKEN: u64 = 64 * 1024;

/// Returns `true` if an environment names a container's credentials.
pub(crate) fn is_configured(environment: &Environment) -> bool {
    [RELATIVE, FULL]
        .iter()
        .any(|name| environment.var(name).is_some())
}

/// Where a container's credentials are, and the token for them.
#[derive(Debug)]
pub(crate) struct Container {
    origin: String,
    /// Never shown: every program that knows it gets the credentials.
    path_and_query: Zeroizing<String>,
    token: Token,
    config: SdkConfig,
}

/// The authorization token of a request.
enum Token {
    None,
    Text(Zeroizing<String>),
    /// Read for each request, because EKS replaces it.
    File(PathBuf),
}

impl Container {
    /// Reads the variables of an environment; `None` if they name no container.
    ///
    /// `http_client` must not use a proxy: the token and the keys would go through it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] that names the variable.
    pub(crate) fn from_environment(
        environment: &Environment,
        config: &SdkConfig,
        http_client: SharedHttpClient,
    ) -> Result<Option<Self>, Error> {
        // ECS sets the relative URI. It takes precedence over the full one, as in botocore.
        let (origin, path_and_query) = if let Some(path) = environment.var(RELATIVE) {
            check_path(&path)?;
            (ECS.to_owned(), path)
        } else if let Some(url) = environment.var(FULL) {
            endpoint::check(&url, Form::Complete, Setting::Variable(FULL))?;
            check_host(&url)?;
            split(&url)
        } else {
            return Ok(None);
        };
        // The file takes precedence over the text, as in botocore.
        let token = match (environment.var(TOKEN_FILE), environment.var(TOKEN)) {
            // EKS replaces the token in the file. The file takes precedence over the variable, as in botocore.
            (Some(path), _) => Token::File(path.into()),
            (None, Some(text)) => {
                // A header cannot contain the line break that tools leave behind the token.
                let text = Zeroizing::new(text.trim_end().to_owned());
                if let Some(flaw) = validation::flaw(&text) {
                    return Err(invalid(format!("{TOKEN} {flaw}")));
                }
                Token::Text(text)
            }
            (None, None) => Token::None,
        };
        let config = config.to_builder().http_client(http_client).build();
        Ok(Some(Self {
            origin,
            path_and_query: Zeroizing::new(path_and_query),
            token,
            config: transport::bounded(&config),
        }))
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        // Read for each request, because the token in a file expires.
        let token = self.token().await?;
        tracing::debug!(
            origin = self.origin,
            has_token = token.is_some(),
            "asking the container's endpoint for credentials"
        );
        let request = Get {
            service: "container",
            origin: &self.origin,
            path_and_query: &self.path_and_query,
            authorization: token.as_ref().map(|token| token.as_str()),
        };
        let metadata = transport::unlogged(request.send(&self.config, read)).await;
        let metadata = metadata.map_err(|error| {
            let token = token.as_ref().map(|token| token.as_str());
            // The path is one of the secrets: it is all that ECS asks for.
            let secrets: Vec<_> = token.into_iter().chain([&**self.path_and_query]).collect();
            self.failed(SdkFailure::without(error, &secrets))
        })?;
        Ok(metadata.0)
    }

    async fn token(&self) -> Result<Option<Zeroizing<String>>, Error> {
        let path = match &self.token {
            Token::None => return Ok(None),
            Token::Text(text) => return Ok(Some(text.clone())),
            Token::File(path) => path,
        };
        let shown = path.display();
        let file = path.clone();
        let text = small_file::blocking(move || small_file::read(&file, MAX_TOKEN)).await?;
        let text = text.map_err(|error| {
            let message = format!(
                "the file {shown} that {TOKEN_FILE} names cannot be read: check its path and \
                 permissions"
            );
            invalid(message).with_source(error)
        })?;
        let token = Zeroizing::new(text.trim().to_owned());
        match validation::flaw(&token) {
            None => Ok(Some(token)),
            Some(flaw) => Err(invalid(format!(
                "the file {shown} that {TOKEN_FILE} names {flaw}"
            ))),
        }
    }

    fn failed(&self, failure: Result<SdkFailure, Error>) -> Error {
        let failure = match failure {
            Ok(failure) => failure,
            Err(ours) => return ours,
        };
        let kind = match failure.step() {
            FailureStep::Service => ErrorKind::CredentialsUnavailable,
            FailureStep::Build | FailureStep::Endpoint => ErrorKind::InvalidConfig,
            _ => ErrorKind::Unreachable,
        };
        let why = match (failure.step(), failure.code(), failure.status()) {
            (FailureStep::Service, Some(code), Some(status)) => {
                format!("it answered {code} with status {status}; check that the task has a role")
            }
            // `read` refuses a 200 whose body has no credentials.
            (FailureStep::Service, None, Some(200)) => {
                format!("its response has no credentials; check {FULL}")
            }
            (FailureStep::Service, None, Some(status)) => {
                format!("it answered with status {status}; check that the task has a role")
            }
            _ => failure.advice(),
        };
        let message = format!(
            "no credentials from the container at {}: {why}",
            self.origin
        );
        Error::new(kind, message).with_source(failure.in_message())
    }
}

/// Credentials whose `Debug` form shows nothing: the SDK's log may print it.
struct Hidden(Credentials);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Reads a response. As in botocore, one that is no JSON is worth another try.
fn read(response: &HttpResponse) -> Result<Hidden, Refused> {
    let body = response.body().bytes().unwrap_or_default();
    let status = response.status();
    if !status.is_success() {
        // Any other status is a wrong token or a task without a role: a retry gets the same answer.
        let may_pass = status.is_server_error() || status.as_u16() == 429;
        return Err(Refused::new(Metadata::error_code(body), may_pass));
    }
    let credentials = Metadata::parse(body)
        .and_then(|found| found.into_credentials("Container", |expiry| expiry));
    credentials.map(Hidden).map_err(|flaw| match flaw {
        // The response may have been cut off.
        InvalidMetadata::Malformed => Refused::new(None, true),
        InvalidMetadata::Refused(code) => Refused::new(Some(code), false),
    })
}

fn check_path(path: &str) -> Result<(), Error> {
    let is_path =
        path.starts_with('/') && !path.contains(|c: char| c.is_whitespace() || c.is_control());
    match is_path {
        true => Ok(()),
        false => Err(invalid(format!(
            "{RELATIVE} is not a path; it must begin with / and contain no spaces"
        ))),
    }
}

/// Checks that a URL has TLS, or a host to which no stranger can listen.
fn check_host(url: &str) -> Result<(), Error> {
    let host = endpoint::host_and_port(url).map(|(host, _)| host);
    // `IpAddr` and `HOSTS` have IPv6 addresses without brackets.
    let host = host.unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let is_https = url
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    if is_https || is_local || HOSTS.contains(&host) {
        return Ok(());
    }
    Err(invalid(format!(
        "{FULL} has the host {host:?}, which may not be asked for credentials without TLS: use https, \
         a loopback address, or the address of ECS or EKS"
    )))
}

fn split(url: &str) -> (String, String) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?', '#']);
    let (origin, path) = url.split_at(end.map_or(url.len(), |end| authority + end));
    // A fragment is never part of a request.
    let path = path.split('#').next().unwrap_or_default();
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    (origin.to_owned(), path)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

impl CredentialProvider for Container {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.credentials())
    }

    fn step(&self) -> String {
        format!("the container at {}", self.origin)
    }

    fn limit(&self) -> Duration {
        let request = time_limits::of_request(&self.config);
        match &self.token {
            Token::File(_) => request.saturating_add(small_file::LIMIT),
            Token::None | Token::Text(_) => request,
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Text(_) => "Text(..)",
            Self::File(_) => "File(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_asked_without_tls_only_if_no_stranger_can_listen_there() {
        for (url, is_allowed) in [
            ("http://127.0.0.1:1234/x", true),
            ("http://127.9.9.9/x", true),
            ("http://[::1]:80/x", true),
            ("http://localhost/x", true),
            ("http://169.254.170.2/x", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("https://anywhere.example.com/x", true),
            ("http://anywhere.example.com/x", false),
            ("http://host.docker.internal/x", false),
            ("http://169.254.169.254/x", false),
            ("http://localhost.example.com/x", false),
            ("http://127.0.0.1@example.com/x", false),
            ("http://[fd00:ec2::24]/x", false),
        ] {
            assert_eq!(check_host(url).is_ok(), is_allowed, "{url}");
        }
    }

    #[test]
    fn a_url_is_split_before_its_path() {
        let (origin, path) = ("http://[::1]:80".to_owned(), "/a?b=c".to_owned());
        assert_eq!(split("http://[::1]:80/a?b=c#d"), (origin.clone(), path));
        assert_eq!(split("http://[::1]:80"), (origin.clone(), "/".to_owned()));
        assert_eq!(split("http://[::1]:80?b"), (origin, "/?b".to_owned()));
    }
}
