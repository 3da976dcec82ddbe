//! Endpoint URLs: checked where a setting is read, and safe to print.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::Ipv6Addr;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_types::service_config::ServiceConfigKey;

use crate::error::{Error, ErrorKind};

/// How much of a value a message shows. Anything longer is a quoting mistake, not an endpoint.
const MAX_SHOWN: usize = 200;

/// Where a URL was set, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Setting<'a> {
    Variable(&'a str),
    Profile { key: &'a str, profile: &'a str },
    ServicesSection { service: &'a str, section: &'a str },
    Builder { method: &'a str },
    BuilderService { service: &'a str },
    SdkConfig,
}

/// What a URL may consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A scheme, a host, and an optional port and path, to which the SDK adds an operation's own path.
    Endpoint,
    /// The same with a query, because nothing is added to it.
    Complete,
    /// An address of a proxy, whose scheme may be left out, as in curl.
    Proxy,
}

/// Checks a URL that was read from a setting.
///
/// The SDK itself finds a malformed endpoint only when it sends a request, and its error then
/// prints the whole request.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] for a value of the builder, else [`ErrorKind::InvalidConfig`].
pub(crate) fn check(url: &str, form: Form, setting: Setting<'_>) -> Result<(), Error> {
    match flaw(url, form) {
        None => Ok(()),
        Some(flaw) => Err(setting.error(url, &flaw)),
    }
}

/// Stands in for the endpoint of a service that cannot be used, where only a URL can be returned.
///
/// The SDK asks for a service's endpoint while it creates a client, where nothing can fail. Without
/// an endpoint it would send the requests to AWS instead. The name cannot exist (RFC 2606), and the
/// managers' HTTP clients refuse it before they look it up.
pub(crate) const UNUSABLE: &str = "http://unusable-endpoint-setting.invalid";

/// Returns `true` if a request to this URL would go to [`UNUSABLE`].
///
/// The SDK puts the name of a bucket and the prefix of an operation in front of the host.
pub(crate) fn is_unusable(url: &str) -> bool {
    let unusable = authority(UNUSABLE.trim_start_matches("http://"));
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = authority(rest);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    // The placeholder is a name, so a colon can only begin a port.
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let prefix = host
        .strip_suffix('.')
        .unwrap_or(host)
        .strip_suffix(unusable);
    prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

thread_local! {
    /// Why a client that this thread is creating has no usable endpoint.
    static REFUSED: Cell<Option<Error>> = const { Cell::new(None) };
}

/// Returns the URL of a service if it can be used, and otherwise [`UNUSABLE`].
pub(crate) fn usable(url: String, setting: Setting<'_>) -> String {
    match check(&url, Form::Endpoint, setting) {
        Ok(()) => url,
        Err(error) => {
            tracing::warn!(%error, "the endpoint of a service cannot be used");
            REFUSED.set(Some(error));
            UNUSABLE.to_owned()
        }
    }
}

/// Creates a client, unless [`usable`] had to return [`UNUSABLE`] for it.
pub(crate) fn refuse_unusable<C>(new: impl FnOnce() -> C) -> Result<C, Error> {
    // A client that was created elsewhere may have left an error on this thread.
    REFUSED.take();
    let client = new();
    match REFUSED.take() {
        None => Ok(client),
        Some(error) => Err(error),
    }
}

/// Returns the error of a request to [`UNUSABLE`], by a client that no manager created.
pub(crate) fn unusable() -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        "an endpoint setting of this service cannot be used; create the client with \
         BotoSesManager::client() to see which one",
    )
}

/// Returns a URL as a message may show it: without user, password and query.
pub(crate) fn shown(url: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(url);
    // A password may contain an unescaped `/`, so everything up to the last `@` is hidden, whatever
    // part of the URL that is in.
    if let Some((before, host)) = url.rsplit_once('@') {
        let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
        let separator = if scheme.is_empty() { "" } else { "://" };
        shown = format!("{scheme}{separator}***@{host}").into();
    }
    if let Some(query) = shown.find('?') {
        shown = format!("{}?***", &shown[..query]).into();
    }
    match shown.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &shown[..end]).into(),
        None => shown,
    }
}

/// Returns the scheme, host and port of a request's URL.
pub(crate) fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = authority(rest);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    Some(format!("{scheme}://{host}"))
}

/// Returns the host and the port of a request's URL. An IPv6 address is in brackets.
pub(crate) fn host_and_port(url: &str) -> Option<(&str, Option<u16>)> {
    let authority = authority(url.split_once("://")?.1);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    // A colon inside the brackets is part of the IPv6 address.
    let port_at = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    match port_at {
        Some(at) => Some((&host[..at], Some(host[at + 1..].parse().ok()?))),
        None => Some((host, None)),
    }
}

fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Returns what is wrong with a URL, and what to do about it.
fn flaw(url: &str, form: Form) -> Option<String> {
    const EXAMPLE: &str = "use a URL such as \"http://localhost:8000\"";
    if url.is_empty() {
        return Some(format!("is empty; {EXAMPLE}, or leave the setting out"));
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let trimmed = url.trim();
        return Some(
            match trimmed.len() < url.len() && flaw(trimmed, form).is_none() {
                true => format!("has whitespace around it; use {:?}", shown(trimmed)),
                false => "contains whitespace or a control character; remove it".to_owned(),
            },
        );
    }
    let (scheme, rest) = match url.split_once("://") {
        Some(parts) => parts,
        None if form == Form::Proxy => ("http", url),
        None => return Some(no_scheme(url)),
    };
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Some("has a scheme other than http and https; use one of them".to_owned());
    }
    let authority = authority(rest);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if let Some(flaw) = host_flaw(host) {
        return Some(flaw);
    }
    // A password with an unescaped "/" ends the authority: the rest of it would be sent as a path.
    if form != Form::Complete && rest[authority.len()..].contains('@') {
        return Some("has an \"@\" after its host; write %2F for a \"/\" in a password".into());
    }
    if form == Form::Endpoint && rest.contains(['?', '#']) {
        return Some("has a query or a fragment, which an endpoint cannot have; remove it".into());
    }
    // The SDK's parser has the last word: what it refuses must not reach a request.
    let with_scheme = format!("{scheme}://{rest}");
    let mut request = HttpRequest::new(SdkBody::empty());
    match request.uri_mut().set_endpoint(&with_scheme) {
        Ok(()) => None,
        Err(_) => Some(format!("is not a URL; {EXAMPLE}")),
    }
}

fn no_scheme(url: &str) -> String {
    // A slip of the pen, such as http//host or http:/host, is not part of the host.
    let slip = |scheme: &'static str| {
        let rest = url.strip_prefix(scheme)?;
        let host = rest.trim_start_matches([':', '/']);
        (host.len() < rest.len() && host_flaw(authority(host)).is_none())
            .then(|| format!("{scheme}://{}", shown(host)))
    };
    if let Some(intended) = slip("https").or_else(|| slip("http")) {
        return format!("is not a URL; use {intended:?}");
    }
    let host = url.trim_start_matches('/');
    let name = authority(host);
    let name = name.rsplit_once('@').map_or(name, |(_, name)| name);
    match host_flaw(name) {
        // AWS's own hosts take TLS only; what has a port is a server for development.
        None if name.ends_with(".amazonaws.com") => {
            format!("has no scheme; use \"https://{}\"", shown(host))
        }
        None => format!("has no scheme; use \"http://{}\"", shown(host)),
        Some(_) => "has no scheme; use a URL such as \"http://localhost:8000\"".to_owned(),
    }
}

/// Returns what is wrong with a host and its port.
fn host_flaw(host_and_port: &str) -> Option<String> {
    let (host, port) = match host_and_port.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else {
                return Some("has no \"]\" after its IPv6 address; add it".to_owned());
            };
            if address.parse::<Ipv6Addr>().is_err() {
                return Some("has no IPv6 address in its brackets; correct it".to_owned());
            }
            match port.strip_prefix(':') {
                None if !port.is_empty() => {
                    return Some("has text between its host and its port; remove it".to_owned());
                }
                port => (None, port),
            }
        }
        None => match host_and_port.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Some("has an IPv6 address without brackets; add them".to_owned());
            }
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(host_and_port), None),
        },
    };
    if let Some(host) = host {
        if host.is_empty() {
            return Some("has no host; use a URL such as \"http://localhost:8000\"".to_owned());
        }
        // No host name in DNS has an underscore, but containers in a Docker network may.
        let allowed = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
        let labels = host.strip_suffix('.').unwrap_or(host).split('.');
        if !host.chars().all(allowed) || labels.into_iter().any(str::is_empty) {
            return Some("has an invalid host name; correct it".to_owned());
        }
    }
    match port {
        // `parse` accepts a leading plus sign.
        Some(port) if port.parse::<u16>().is_err() || port.starts_with('+') => {
            Some("has a port that is not a number up to 65535; correct it".to_owned())
        }
        _ => None,
    }
}

impl Setting<'_> {
    fn error(self, url: &str, flaw: &str) -> Error {
        let value = shown(url);
        let (kind, what) = match self {
            Self::Variable(name) => (ErrorKind::InvalidConfig, format!("{name} {value:?}")),
            Self::Profile { key, profile } => (
                ErrorKind::InvalidConfig,
                format!("{key} {value:?} in profile {profile:?}"),
            ),
            Self::ServicesSection { service, section } => (
                ErrorKind::InvalidConfig,
                format!("endpoint_url {value:?} of {service} in section [services {section}]"),
            ),
            Self::Builder { method } => (
                ErrorKind::InvalidInput,
                format!("{method} {value:?} given to the builder"),
            ),
            Self::BuilderService { service } => (
                ErrorKind::InvalidInput,
                format!("service_endpoint_url {value:?} given to the builder for {service}"),
            ),
            Self::SdkConfig => (
                ErrorKind::InvalidConfig,
                format!("endpoint_url {value:?} of the SdkConfig"),
            ),
        };
        Error::new(kind, format!("{what} {flaw}"))
    }
}

/// Returns the endpoint of a service in a configuration, as the SDK's clients ask for it.
pub(crate) fn of_service(service: &str, config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    config.service_config()?.load_config(key.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(url: &str) -> String {
        let setting = Setting::Profile {
            key: "endpoint_url",
            profile: "dev",
        };
        let error = check(url, Form::Endpoint, setting).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        error.to_string()
    }

    #[test]
    fn usable_endpoints_pass() {
        for url in [
            "http://localhost:8000",
            "HTTP://LOCALHOST:8000/",
            "https://dynamodb.eu-west-1.amazonaws.com",
            "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com/path/of/a%20gateway/",
            "http://127.0.0.1",
            "http://[::1]:4566",
            "http://user:password@proxy_host.:8080",
        ] {
            check(url, Form::Endpoint, Setting::SdkConfig).expect(url);
        }
    }

    #[test]
    fn a_flaw_is_named_with_its_remedy() {
        for (url, flaw) in [
            (
                "localhost:8000",
                "\"localhost:8000\" in profile \"dev\" has no scheme; use \"http://localhost:8000\"",
            ),
            (
                "127.0.0.1:8000",
                "has no scheme; use \"http://127.0.0.1:8000\"",
            ),
            ("localhost", "has no scheme; use \"http://localhost\""),
            (
                "//localhost:8000",
                "has no scheme; use \"http://localhost:8000\"",
            ),
            (
                "sts.eu-west-1.amazonaws.com",
                "has no scheme; use \"https://sts.eu-west-1.amazonaws.com\"",
            ),
            ("http//x", "is not a URL; use \"http://x\""),
            ("http:/x:1/path", "is not a URL; use \"http://x:1/path\""),
            ("https:x", "is not a URL; use \"https://x\""),
            ("http://", "has no host; use"),
            ("http:///path", "has no host; use"),
            ("http://:8000", "has no host; use"),
            ("", "is empty; use"),
            (" http://x", "has whitespace around it; use \"http://x\""),
            (
                "http://x\n",
                "\"http://x\\n\" in profile \"dev\" has whitespace around it; use \"http://x\"",
            ),
            ("http://x y", "contains whitespace"),
            ("  ", "contains whitespace"),
            ("not a url", "contains whitespace"),
            ("ftp://x", "has a scheme other than http and https"),
            ("http://[::1", "has no \"]\""),
            ("http://[::x]", "has no IPv6 address"),
            ("http://[::1]8", "has text between its host and its port"),
            ("http://::1", "without brackets"),
            ("http://x:", "has a port that is not a number"),
            ("http://x:99999", "has a port that is not a number"),
            ("http://x:y", "has a port that is not a number"),
            ("http://$HOST", "has an invalid host name"),
            ("http://a..b", "has an invalid host name"),
            ("http://x?a=b", "has a query"),
            ("http://me:1234/pa@host", "has an \"@\" after its host"),
            ("http://x/#a", "has a query or a fragment"),
            ("http://x/\u{e4}\"<>", "is not a URL"),
        ] {
            let message = message(url);
            assert!(message.contains(flaw), "{url:?}: {message}");
        }
    }

    #[test]
    fn user_password_and_query_are_never_shown() {
        for url in [
            "user:hunter22@localhost:8000",
            "http//user:hunter22@x",
            "http://user:hunter22@",
            "http://user:hunter22@x y",
            " http://user:hunter22@x ",
            "http://user:hunt/hunter22@x",
            "http://user:hunter22?@x",
            "http://x?token=hunter22",
            "ftp://user:hunter22@x",
        ] {
            let message = message(url);
            assert!(!message.contains("hunter22"), "{message}");
        }
        assert_eq!(shown("http://u:p@x:1/p?q"), "http://***@x:1/p?***");
        assert_eq!(origin("http://u:p@x:1/p?q").as_deref(), Some("http://x:1"));
    }

    #[test]
    fn the_placeholder_is_recognised_with_any_prefix() {
        for url in [
            UNUSABLE,
            "http://unusable-endpoint-setting.invalid:80/?x",
            "http://bucket.unusable-endpoint-setting.invalid/key",
        ] {
            assert!(is_unusable(url), "{url}");
        }
        for url in [
            "http://localhost/unusable-endpoint-setting.invalid",
            "http://unusable-endpoint-setting.invalid.example.com/",
            "http://not-unusable-endpoint-setting.invalid/",
        ] {
            assert!(!is_unusable(url), "{url}");
        }
    }

    #[test]
    fn a_value_of_the_builder_is_invalid_input() {
        let setting = Setting::Builder {
            method: "endpoint_url",
        };
        let error = check("x:1", Form::Endpoint, setting).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_proxy_needs_no_scheme() {
        let setting = Setting::Variable("HTTPS_PROXY");
        check("proxy:3128", Form::Proxy, setting).unwrap();
        let error = check("proxy:port", Form::Proxy, setting).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("HTTPS_PROXY \"proxy:port\" has")
        );
    }
}
