//! The client's header block: what is refused in it, and what of it upstream gets to see.
//!
//! The upstream request is written afresh: end-to-end headers are copied one by one, hop-by-hop ones and everything that the gateway itself says (who the client is, its address, the request's name, the trace) are not.
//! The way back is `answer.rs`.

use std::net::IpAddr;

use actix_web::{
    dev::RequestHead,
    http::{
        Version,
        header::{HOST, HeaderMap, UPGRADE, VIA},
    },
};
use bytes::BytesMut;
use http::{HeaderName, HeaderValue, header};

use crate::{client::Client, config::Edge, error::Error, hop, hop::Named, request_id::RequestId};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_AUTH_SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const X_AUTH_SCOPES: HeaderName = HeaderName::from_static("x-auth-scopes");

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
    let authority: http::uri::Authority = host
        .parse()
        .map_err(|_| Error::Host("Host is not an authority"))?;
    if host.contains('@') || authority.host().is_empty() {
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

/// What the gateway itself says to upstream about a request.
pub struct Introduction<'a> {
    pub client: &'a Client,
    pub host: &'a str,
    pub request_id: &'a RequestId,
    pub subject: Option<&'a str>,
    pub scopes: &'a str,
    /// The logical name of the upstream: what it gets as `Host`.
    pub upstream: &'a HeaderValue,
    /// Our own hop for `Via`.
    pub via: &'a HeaderValue,
}

/// The upstream request's headers, except for the trace context, the deadline and the length, which differ by attempt.
pub fn upstream_headers(
    sent: &HeaderMap,
    named: &Named,
    introduction: &Introduction<'_>,
) -> http::HeaderMap {
    let mut headers = http::HeaderMap::with_capacity(sent.len() + 8);
    // One buffer for all copied values: the two header crates cannot share theirs.
    let mut arena = BytesMut::with_capacity(sent.iter().map(|(_, value)| value.len()).sum());
    for (name, value) in sent {
        let text = name.as_str();
        if stays_here(text) || named.contains(text) {
            continue;
        }
        arena.extend_from_slice(value.as_bytes());
        let value =
            HeaderValue::from_maybe_shared(arena.split().freeze()).expect("it was a header value");
        headers.append(
            HeaderName::from_bytes(text.as_bytes()).expect("it was a header name"),
            value,
        );
    }
    introduce(&mut headers, sent, introduction);
    headers
}

fn stays_here(name: &str) -> bool {
    hop::is_hop_by_hop(name)
        || hop::is_ours_to_set(name)
        || matches!(name, "host" | "content-length" | "expect" | "x-api-key")
}

fn introduce(headers: &mut http::HeaderMap, sent: &HeaderMap, introduction: &Introduction<'_>) {
    let text =
        |text: &str| HeaderValue::from_str(text).expect("it was checked to be visible ASCII");
    headers.insert(header::HOST, introduction.upstream.clone());
    headers.insert(X_REQUEST_ID, introduction.request_id.to_upstream());
    headers.insert(X_FORWARDED_FOR, address_value(introduction.client.address));
    headers.insert(X_FORWARDED_HOST, text(introduction.host));
    headers.insert(
        X_FORWARDED_PROTO,
        HeaderValue::from_static(protocol(sent, introduction.client)),
    );
    for hop in sent.get_all(VIA) {
        headers.append(
            header::VIA,
            HeaderValue::from_bytes(hop.as_bytes()).expect("it was a header value"),
        );
    }
    headers.append(header::VIA, introduction.via.clone());
    if let Some(subject) = introduction.subject {
        headers.insert(X_AUTH_SUBJECT, text(subject));
        headers.insert(X_AUTH_SCOPES, text(introduction.scopes));
    }
}

/// The protocol that the client spoke: ours has no TLS yet, but a trusted proxy before us may have.
fn protocol(sent: &HeaderMap, client: &Client) -> &'static str {
    let said = sent
        .get("x-forwarded-proto")
        .filter(|_| client.trusted_peer);
    if said.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https")) {
        "https"
    } else {
        "http"
    }
}

fn address_value(address: IpAddr) -> HeaderValue {
    HeaderValue::try_from(address.to_string()).expect("an address is visible ASCII")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::{client, config};

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

    #[test]
    fn upstream_learns_who_asks_from_the_gateway_alone() {
        let request = request(
            "/",
            &[
                ("host", "shop"),
                ("accept", "a/b"),
                ("x-auth-subject", "root"),
                ("x-forwarded-for", "6.6.6.6"),
                ("forwarded", "for=6.6.6.6"),
                ("x-request-timeout-ms", "999999"),
                ("x-api-key", "demo.secret"),
                ("connection", "x-hop"),
                ("x-hop", "1"),
                ("te", "trailers"),
                ("expect", "100-continue"),
                ("traceparent", "00-1-1-01"),
                ("via", "1.0 front"),
            ],
        );
        let edge = config::shipped().edge;
        let checked = check(request.head(), &edge).unwrap();
        let client = client::identify("192.0.2.7:99".parse().unwrap(), request.headers(), &[]);
        let introduction = Introduction {
            client: &client,
            host: checked.host,
            request_id: &RequestId::of(request.headers()),
            subject: Some("ada"),
            scopes: "",
            upstream: &HeaderValue::from_static("users"),
            via: &HeaderValue::from_static("1.1 lictor"),
        };
        let headers = upstream_headers(request.headers(), &checked.named, &introduction);
        let mut lines: Vec<String> = headers
            .iter()
            .filter(|(name, _)| *name != X_REQUEST_ID)
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "accept: a/b",
                "host: users",
                "via: 1.0 front",
                "via: 1.1 lictor",
                "x-auth-scopes: ",
                "x-auth-subject: ada",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: shop",
                "x-forwarded-proto: http",
            ]
        );
    }
}
