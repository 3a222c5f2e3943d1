//! Who the client is: the peer of the connection, unless the peer is a proxy that is trusted to say.
//!
//! Behind trusted proxies the client is the right-most hop of `X-Forwarded-For` that is not trusted itself: everything to its left was written by somebody we do not know.
//! Limits are charged to the address, and for IPv6 to its /64, because one subscriber owns all of that.
//! The frameworks' own helpers believe the left-most value and are never used.

pub mod network;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::http::header::HeaderMap;

use self::network::Network;

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The client's own address: what is logged and what upstream is told.
    pub address: IpAddr,
    /// What limits are charged to: the address, or the /64 around it.
    pub key: IpAddr,
    /// The peer may speak for others: its forwarded headers are believed.
    pub trusted_peer: bool,
}

/// Finds the client behind a connection.
pub fn identify(peer: SocketAddr, headers: &HeaderMap, trusted: &[Network]) -> Client {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer.ip().to_canonical();
    let trusted_peer = is_trusted(address);
    if trusted_peer {
        let lines: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .filter_map(|line| line.to_str().ok())
            .collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            // A hop that cannot be read ends the chain: what is further left cannot be vouched for.
            let Some(hop) = parse_hop(hop.trim()) else {
                break;
            };
            address = hop;
            if !is_trusted(hop) {
                break;
            }
        }
    }
    Client {
        address,
        key: limit_key(address),
        trusted_peer,
    }
}

/// Under which address a peer's connections are counted; those of trusted proxies are not, because they carry many clients.
pub fn counted(peer: IpAddr, trusted: &[Network]) -> Option<IpAddr> {
    let exempt = trusted.iter().any(|network| network.contains(peer));
    (!exempt).then(|| limit_key(peer))
}

/// An address, with a port and brackets or without.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<Ipv6Addr>()
            .ok()
            .map(IpAddr::from)
    };
    address
        .or_else(bracketed)
        .map(|address| address.to_canonical())
}

fn limit_key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => {
            const SUBSCRIBER: u128 = u128::MAX << 64;
            IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() & SUBSCRIBER))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> Client {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(
                HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_static(line),
            );
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        identify(peer.parse().unwrap(), &headers, &trusted)
    }

    #[test]
    fn an_untrusted_peer_cannot_speak_for_others() {
        let found = client("203.0.113.9:1234", &["198.51.100.1"], &["10.0.0.0/8"]);
        assert_eq!(found.address.to_string(), "203.0.113.9");
        assert!(!found.trusted_peer);
    }

    #[test]
    fn behind_trusted_proxies_the_right_most_untrusted_hop_is_the_client() {
        for (lines, expected) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            (&["6.6.6.6, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
            (&["6.6.6.6", "198.51.100.1:443"], "198.51.100.1"),
            (&["6.6.6.6, unknown, 10.0.0.7"], "10.0.0.7"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
            (&[], "10.1.2.3"),
        ] {
            let found = client("10.1.2.3:80", lines, &["10.0.0.0/8"]);
            assert_eq!(found.address.to_string(), expected, "{lines:?}");
        }
    }

    #[test]
    fn connections_are_counted_by_subscriber_unless_a_proxy_makes_them() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let key = |peer: &str| counted(peer.parse().unwrap(), &trusted);
        assert_eq!(key("10.1.2.3"), None);
        assert_eq!(key("192.0.2.1"), Some([192, 0, 2, 1].into()));
        assert_eq!(key("2001:db8:1:2::9"), key("2001:db8:1:2:3::"));
        assert_ne!(key("2001:db8:1:2::9"), key("2001:db8:1:3::9"));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client() {
        let one = client("[2001:db8:1:2:3:4:5:6]:1", &[], &[]);
        let two = client("[2001:db8:1:2::9]:2", &[], &[]);
        let other = client("[2001:db8:1:3::9]:2", &[], &[]);
        assert_eq!(one.key, two.key);
        assert_ne!(one.key, other.key);
        assert_eq!(
            client("[::ffff:192.0.2.1]:1", &[], &[]).key,
            client("192.0.2.1:2", &[], &[]).key
        );
    }
}
