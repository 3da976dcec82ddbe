//! Proxies: which requests go through which one.
//!
//! The SDK's own rules read the process's environment, know no port in `NO_PROXY`, and connect
//! directly if a proxy is malformed.

use std::fmt;
use std::net::IpAddr;

use crate::endpoint::{self, Form, Setting};
use crate::error::Error;

/// The proxies of an environment, and the hosts that are reached without one.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Proxies {
    http: Option<Box<str>>,
    https: Option<Box<str>>,
    exceptions: Box<[Exception]>,
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Exception {
    hosts: Hosts,
    /// `None` stands for every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Hosts {
    All,
    /// A domain, in lower case, with all its subdomains.
    Domain(Box<str>),
    Network {
        address: IpAddr,
        prefix: u32,
    },
}

impl Proxies {
    /// Reads the proxies of an environment. `var` returns a variable even if it is empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) that names the variable.
    pub(crate) fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        // As in curl and the SDK, the first name takes precedence, even if it is empty.
        let first = |names: &[&'static str]| {
            let found = names.iter().find_map(|name| Some((*name, var(name)?)))?;
            (!found.1.is_empty()).then_some(found)
        };
        let proxy = |names| match first(names) {
            Some((name, url)) => checked(name, &url),
            None => Ok(None),
        };
        let all = proxy(&["ALL_PROXY", "all_proxy"])?;
        // In a CGI program, HTTP_PROXY is the `Proxy` header of the request.
        let http = match var("REQUEST_METHOD") {
            Some(_) => proxy(&["http_proxy"])?,
            None => proxy(&["HTTP_PROXY", "http_proxy"])?,
        };
        let https = proxy(&["HTTPS_PROXY", "https_proxy"])?;
        let exceptions = first(&["NO_PROXY", "no_proxy"]);
        let exceptions = exceptions.map(|(_, list)| Exception::parse_all(&list));
        Ok(Self {
            http: http.or_else(|| all.clone()),
            https: https.or(all),
            exceptions: exceptions.unwrap_or_default(),
        })
    }

    /// Returns every proxy there is.
    pub(super) fn urls(&self) -> impl Iterator<Item = &str> {
        let https = self.https.as_deref();
        let http = self.http.as_deref().filter(|http| Some(*http) != https);
        https.into_iter().chain(http)
    }

    /// Returns the proxy for a request, if it goes through one.
    pub(super) fn of(&self, url: &str) -> Option<&str> {
        let (proxy, default_port) = match url.split_once("://")?.0 {
            "http" => (self.http.as_deref()?, 80),
            "https" => (self.https.as_deref()?, 443),
            _ => return None,
        };
        let (host, port) = endpoint::host_and_port(url)?;
        let port = port.unwrap_or(default_port);
        let is_exception = self
            .exceptions
            .iter()
            .any(|exception| exception.matches(host, port));
        (!is_exception).then_some(proxy)
    }
}

/// Returns the URL of a proxy, with its scheme.
fn checked(variable: &'static str, url: &str) -> Result<Option<Box<str>>, Error> {
    // The SDK has no client for these.
    if url.starts_with("socks") {
        tracing::debug!(variable, "SOCKS proxies are not supported, and are ignored");
        return Ok(None);
    }
    endpoint::check(url, Form::Proxy, Setting::Variable(variable))?;
    Ok(Some(match url.contains("://") {
        true => url.into(),
        false => format!("http://{url}").into(),
    }))
}

impl Exception {
    /// Reads a list as curl, Python and Go do: names, addresses, networks, each also with a port,
    /// and `*`.
    fn parse_all(list: &str) -> Box<[Self]> {
        let entries = list.split([',', ' ']).map(str::trim);
        entries
            .filter(|entry| !entry.is_empty())
            .map(Self::parse)
            .collect()
    }

    fn parse(entry: &str) -> Self {
        if let Some(network) = Hosts::network(entry) {
            return Self {
                hosts: network,
                port: None,
            };
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => (entry, None),
            },
            None => (entry, None),
        };
        Self {
            hosts: Hosts::parse(host),
            port,
        }
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|only| only == port) && self.hosts.contain(host)
    }
}

impl Hosts {
    fn parse(host: &str) -> Self {
        if host == "*" {
            return Self::All;
        }
        Self::network(host).unwrap_or_else(|| {
            let domain = host.strip_prefix('*').unwrap_or(host);
            let domain = domain.trim_matches('.').to_ascii_lowercase();
            Self::Domain(domain.into())
        })
    }

    /// Reads an address, which may be in brackets, or a network such as `10.0.0.0/8`.
    fn network(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
            None => (text, None),
        };
        let address = address.strip_prefix('[').unwrap_or(address);
        let address: IpAddr = address.strip_suffix(']').unwrap_or(address).parse().ok()?;
        let bits = bits(address).1;
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self::Network { address, prefix })
    }

    fn contain(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Domain(domain) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let parent = host.strip_suffix(&**domain);
                parent.is_some_and(|parent| parent.is_empty() || parent.ends_with('.'))
            }
            Self::Network { address, prefix } => {
                let host = host.strip_prefix('[').unwrap_or(host);
                let host = host.strip_suffix(']').unwrap_or(host);
                let Ok(host) = host.parse::<IpAddr>() else {
                    return false;
                };
                let ((ours, length), (theirs, other)) = (bits(*address), bits(host));
                // A shift by the whole length would overflow.
                length == other && (*prefix == 0 || (ours ^ theirs) >> (length - prefix) == 0)
            }
        }
    }
}

/// Returns the bits of an address and their number.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

/// Shows no URL: it can contain a password.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("exceptions", &self.exceptions)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, Error> {
        Proxies::read(|name| {
            let found = variables.iter().find(|(set, _)| *set == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_request_goes_through_the_proxy_of_its_scheme() {
        let both = proxies(&[("HTTP_PROXY", "one:1"), ("https_proxy", "https://two:2")]).unwrap();
        assert_eq!(both.of("http://x/"), Some("http://one:1"));
        assert_eq!(both.of("https://x/"), Some("https://two:2"));
        let all = proxies(&[("ALL_PROXY", "http://all:3")]).unwrap();
        assert_eq!(all.of("http://x/"), Some("http://all:3"));
        assert_eq!(all.urls().count(), 1);
        let off = proxies(&[("HTTPS_PROXY", ""), ("https_proxy", "http://two:2")]).unwrap();
        assert_eq!(off.of("https://x/"), None);
        let socks = proxies(&[("ALL_PROXY", "socks5://x:1")]).unwrap();
        assert_eq!(socks.of("https://x/"), None);
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil:1")];
        assert_eq!(proxies(&cgi).unwrap().of("http://x/"), None);
    }

    #[test]
    fn exceptions_are_names_addresses_networks_and_ports() {
        for (list, url, is_exception) in [
            ("*", "http://x/", true),
            ("y,*", "http://x/", true),
            ("x", "http://x/", true),
            ("x", "http://X./", true),
            ("x", "http://xx/", false),
            ("x", "http://a.x:8080/", true),
            (".x", "http://a.x/", true),
            (".x", "http://x/", true),
            ("*.x", "http://a.x/", true),
            ("x:8080", "http://x:8080/", true),
            ("x:8080", "http://x:8081/", false),
            ("x:80", "http://x/", true),
            ("x:443", "http://x/", false),
            (" 127.0.0.1 , y", "http://127.0.0.1:9/", true),
            ("127.0.0.1:9", "http://127.0.0.1:9/", true),
            ("127.0.0.1:9", "http://127.0.0.1:8/", false),
            ("127.0.0.0/8", "http://127.1.2.3/", true),
            ("127.0.0.0/8", "http://128.1.2.3/", false),
            ("0.0.0.0/0", "http://128.1.2.3/", true),
            ("0.0.0.0/0", "http://name/", false),
            ("::1", "http://[::1]:9/", true),
            ("[::1]:9", "http://[::1]:9/", true),
            ("[::1]:9", "http://[::1]:8/", false),
            ("fd00::/8", "http://[fd00:ec2::254]/", true),
            ("10.0.0.0/99", "http://10.0.0.1/", false),
            ("", "http://x/", false),
        ] {
            let found = proxies(&[("HTTP_PROXY", "http://p:1"), ("NO_PROXY", list)]).unwrap();
            assert_eq!(found.of(url).is_none(), is_exception, "{list:?} {url}");
        }
    }

    #[test]
    fn a_malformed_proxy_is_an_error_that_names_the_variable() {
        for name in ["HTTP_PROXY", "https_proxy", "ALL_PROXY"] {
            for url in ["::::", "http://", "ftp://x", "x:port"] {
                let error = proxies(&[(name, url)]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidConfig);
                assert!(error.to_string().starts_with(name), "{error}");
            }
        }
    }

    #[test]
    fn no_password_is_shown() {
        let found = proxies(&[("HTTP_PROXY", "http://me:hunter22@p:1")]).unwrap();
        assert!(!format!("{found:?}").contains("hunter22"));
    }
}
