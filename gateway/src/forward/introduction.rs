//! How a request is introduced to upstream: written afresh, header by header.
//!
//! End-to-end headers are copied one by one; hop-by-hop ones and everything that the gateway itself says (who the client is, its address, the request's name, the trace) are not.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, VIA};
use bytes::BytesMut;
use http::{HeaderName, HeaderValue, header};

use crate::{client::Client, edge::hop, edge::hop::Named, exchange::request_id::RequestId};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_AUTH_SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const X_AUTH_SCOPES: HeaderName = HeaderName::from_static("x-auth-scopes");

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
        || matches!(
            name,
            "host" | "content-length" | "expect" | "x-api-key" | "authorization"
        )
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
    use crate::{client, config, edge::headers};

    #[test]
    fn upstream_learns_who_asks_from_the_gateway_alone() {
        let request = [
            ("host", "shop"),
            ("accept", "a/b"),
            ("x-auth-subject", "root"),
            ("x-forwarded-for", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("x-request-timeout-ms", "999999"),
            ("x-api-key", "demo.secret"),
            ("authorization", "Bearer a.b.c"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("traceparent", "00-1-1-01"),
            ("via", "1.0 front"),
        ]
        .into_iter()
        .fold(TestRequest::default(), TestRequest::append_header)
        .to_http_request();
        let edge = config::shipped().edge;
        let checked = headers::check(request.head(), &edge).unwrap();
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
