//! Who may ask: programs on this machine, and no web page in a browser on it.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HOST;

/// Headers that a browser or a proxy adds, and no AWS client.
///
/// Instance metadata refuses `X-Forwarded-For` for the same reason. Browsers send `Sec-Fetch-Site` with
/// every request to a loopback address, so that a page without an `Origin` is noticed too.
const OF_OTHERS: [&str; 5] = [
    "origin",
    "referer",
    "sec-fetch-site",
    "x-forwarded-for",
    "forwarded",
];

/// Returns `true` if a request may be answered, as far as its headers show.
pub(super) fn is_allowed(headers: &HeaderMap, address: SocketAddr) -> bool {
    // Exactly one: of two, a proxy may have checked the other one.
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let is_ours = host.is_some_and(|host| is_host(host, address));
    is_ours && hosts.next().is_none() && !OF_OTHERS.iter().any(|name| headers.contains_key(*name))
}

/// Returns `true` if a `Host` names this server by its address.
///
/// A page whose own name resolves to a loopback address sends that name.
fn is_host(host: &str, address: SocketAddr) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        // The colons of an IPv6 address are inside the brackets.
        Some((name, port)) if !port.ends_with(']') => (name, port),
        // Clients leave out the default port of HTTP.
        _ => (host, "80"),
    };
    let name = name.strip_prefix('[').unwrap_or(name);
    let name = name.strip_suffix(']').unwrap_or(name);
    let ip = match name {
        "localhost" => return port == address.port().to_string(),
        _ => name.parse::<IpAddr>(),
    };
    let is_ours = match ip {
        Ok(ip) if address.ip().is_loopback() => ip.is_loopback(),
        // One of this machine's addresses; it can have many.
        Ok(_) => true,
        Err(_) => false,
    };
    is_ours && port == address.port().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: hyper::header::HeaderName = name;
            map.append(name, value);
        }
        is_allowed(&map, address.parse().unwrap())
    }

    #[test]
    fn only_programs_that_name_this_machine_are_allowed() {
        const HERE: &str = "127.0.0.1:4000";
        for (address, host) in [
            (HERE, "127.0.0.1:4000"),
            (HERE, "localhost:4000"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("127.0.0.1:80", "localhost"),
            ("[::1]:80", "[::1]"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:4000", "[::1]:4000"),
            ("0.0.0.0:4000", "192.168.1.5:4000"),
        ] {
            assert!(allowed(address, &[("host", host)]), "{host}");
        }
        for (address, host) in [
            (HERE, "127.0.0.1"),
            (HERE, "127.0.0.1:"),
            ("[::1]:4000", "[::1]"),
            ("127.0.0.1:80", "attacker.example"),
            (HERE, "127.0.0.1:80"),
            (HERE, "attacker.example:4000"),
            (HERE, "127.0.0.1.nip.io:4000"),
            (HERE, "192.168.1.5:4000"),
            (HERE, ""),
            ("0.0.0.0:4000", "attacker.example:4000"),
        ] {
            assert!(!allowed(address, &[("host", host)]), "{host}");
        }
        assert!(!allowed(HERE, &[]));
        assert!(!allowed(HERE, &[("host", HERE), ("host", HERE)]));
        for name in OF_OTHERS {
            assert!(!allowed(HERE, &[("host", HERE), (name, "x")]), "{name}");
        }
    }
}
