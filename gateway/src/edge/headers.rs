//! The client's header block: what is refused in it.
//!
//! What of it upstream gets to see is `forward/introduction.rs`'s; the way back is `forward/answer.rs`'s.

use std::{net::Ipv6Addr, num::NonZeroU16};

use actix_web::{
    dev::RequestHead,
    http::{
        Version,
        header::{HOST, HeaderMap, UPGRADE, VIA},
    },
};

use crate::{config::Edge, edge::hop::Named, error::Error};

/// The authority that a request was sent to, and what its `Connection` header takes away.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked<'a> {
    /// The checked value of `Host`.
    pub host: &'a str,
    /// The headers that belong to the client's connection.
    pub named: Named,
}

/// Refuses a header block that is too large, ambiguous, looping, or asks for another protocol.
pub fn check<'a>(head: &'a RequestHead, edge: &Edge) -> Result<Checked<'a>, Error> {
    check_size(head.headers(), edge)?;
    if head.headers().contains_key(UPGRADE) {
        return Err(Error::Upgrade);
    }
    if loops(head.headers(), &edge.via) {
        return Err(Error::Loop);
    }
    Ok(Checked {
        host: check_host(head)?,
        named: Named::by_client(head.headers())?,
    })
}

fn check_size(headers: &HeaderMap, edge: &Edge) -> Result<(), Error> {
    const SEPARATORS: usize = ": \r\n".len();
    let mut bytes = 0;
    for (name, value) in headers {
        if name.as_str().contains('_') {
            // CGI and its heirs fold `_` and `-` into one: two names would become one header.
            return Err(Error::Header("a header name contains an underscore"));
        }
        bytes += name.as_str().len() + value.len() + SEPARATORS;
    }
    if headers.len() > edge.header_count || bytes > edge.head_bytes {
        return Err(Error::HeadTooLarge);
    }
    Ok(())
}

/// Whether a proxy of our name has handled this request before.
fn loops(headers: &HeaderMap, own: &str) -> bool {
    let received_by = |hop: &str| {
        hop.split_ascii_whitespace()
            .nth(1)
            .is_some_and(|name| name.eq_ignore_ascii_case(own))
    };
    headers
        .get_all(VIA)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(received_by)
}

fn check_host(head: &RequestHead) -> Result<&str, Error> {
    let mut hosts = head.headers().get_all(HOST);
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Error::Host("there must be exactly one Host header"));
    };
    let host = host.to_str().map_err(|_| Error::Host("Host is not text"))?;
    if !is_host_and_port(host) {
        return Err(Error::Host("Host is not a host and a port"));
    }
    if head.version < Version::HTTP_10 {
        return Err(Error::Host("this version of HTTP is not spoken"));
    }
    match head.uri.authority() {
        Some(target) if !target.as_str().eq_ignore_ascii_case(host) => {
            Err(Error::Host("the request target names another host"))
        }
        _ => Ok(host),
    }
}

/// A name or an IPv4 address, or an IPv6 address in brackets; then a port, or none.
/// RFC 3986 allows more in a name (`,`, `;`, `%`); no host is called that, and programs differ in how they read it.
fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => (true, port),
        Some(_) => return false,
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (end > 0 && text[..end].bytes().all(name), &text[end..])
        }
    };
    let number = port.strip_prefix(':').map(|digits| {
        digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<NonZeroU16>().is_ok()
    });
    host && number.unwrap_or(port.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::config;

    fn request(uri: &str, sent: &[(&'static str, &str)]) -> actix_web::HttpRequest {
        let mut request = TestRequest::with_uri(uri);
        for header in sent {
            request = request.append_header(*header);
        }
        request.to_http_request()
    }

    fn refusal(uri: &str, sent: &[(&'static str, &str)]) -> Option<u16> {
        check(request(uri, sent).head(), &config::shipped().edge)
            .err()
            .map(|error| error.facts().status)
    }

    #[test]
    fn there_is_exactly_one_host_and_the_target_agrees() {
        assert_eq!(refusal("/", &[("host", "shop:8080")]), None);
        assert_eq!(refusal("http://shop/", &[("host", "SHOP")]), None);
        for (uri, hosts) in [
            ("/", &[][..]),
            ("/", &[("host", "a"), ("host", "b")]),
            ("/", &[("host", "")]),
            ("/", &[("host", "user@shop")]),
            ("/", &[("host", "shop/x")]),
            ("/", &[("host", ":80")]),
            ("http://other/", &[("host", "shop")]),
            ("http://user@shop/", &[("host", "shop")]),
        ] {
            assert_eq!(refusal(uri, hosts), Some(400), "{uri} {hosts:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_its_port_a_number() {
        for good in [
            "shop",
            "shop:80",
            "SHOP.example",
            "my_shop:65535",
            "127.0.0.1:8080",
            "[::1]",
            "[2001:db8::1]:443",
        ] {
            assert!(is_host_and_port(good), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a,b",
            "a b",
            "a/b",
            "a@b",
            "shop:",
            "shop:0",
            "shop:65536",
            "shop:+80",
            "shop:80:80",
            "shop:http",
            "a%2eb",
            "[::1",
            "[shop]",
            "[::1]80",
            "[::1]:",
            "::1",
            "a;b",
        ] {
            assert!(!is_host_and_port(bad), "{bad}");
        }
    }

    #[test]
    fn odd_header_blocks_have_their_own_answers() {
        let host = ("host", "shop");
        let long = "x".repeat(40_000);
        assert_eq!(refusal("/", &[host, ("x_forwarded_for", "1")]), Some(400));
        assert_eq!(refusal("/", &[host, ("upgrade", "h2c")]), Some(400));
        assert_eq!(
            refusal("/", &[host, ("via", "1.1 other, 1.1 Lictor (x)")]),
            Some(508)
        );
        assert_eq!(refusal("/", &[host, ("via", "1.1 other")]), None);
        assert_eq!(refusal("/", &[host, ("x-long", &long)]), Some(431));
        let many: Vec<(&'static str, &str)> = std::iter::once(host)
            .chain((0..64).map(|_| ("x-many", "1")))
            .collect();
        assert_eq!(refusal("/", &many), Some(431));
    }
}
