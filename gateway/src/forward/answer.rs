//! The upstream's answer head on its way out: end-to-end headers pass, what belongs to a connection or to the gateway does not.
//!
//! The body's framing is written afresh: a known length stays a known length, everything else is chunked, or ends with the connection for clients of HTTP/1.0.
//! HEAD, 204 and 304 carry no body, whatever the upstream's headers say of one.

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::{
        ConnectionType, Method, StatusCode, Version,
        header::{CONTENT_LENGTH, HeaderName, HeaderValue},
    },
};
use bytes::{Bytes, BytesMut};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use crate::edge::hop::{self, Named};

/// How the answer's body is framed towards the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body follows; the length is said where the upstream said it.
    Nothing(Option<u64>),
    Known(u64),
    Unknown,
}

impl Framing {
    /// From what was asked and what was answered; `announced` is what the head says where no body follows.
    pub fn of(
        method: &Method,
        status: StatusCode,
        length: Option<u64>,
        announced: Option<u64>,
    ) -> Self {
        match status {
            StatusCode::NO_CONTENT => Self::Nothing(None),
            StatusCode::NOT_MODIFIED => Self::Nothing(announced),
            _ if method == Method::HEAD => Self::Nothing(announced),
            _ => length.map_or(Self::Unknown, Self::Known),
        }
    }
}

impl Framing {
    /// The length that is known to come.
    pub fn known(self) -> usize {
        match self {
            Self::Known(length) => usize::try_from(length).unwrap_or(usize::MAX),
            Self::Nothing(_) | Self::Unknown => 0,
        }
    }
}

/// The head of the client's answer; the body is still to come.
/// A `Location` within the upstream gets back what was stripped from the front of the path, so that the client can follow it.
pub fn head(status: StatusCode, headers: &http::HeaderMap, stripped: &str) -> HttpResponse {
    let named = Named::by_upstream(headers);
    let mut response = HttpResponse::new(status);
    let out = response.headers_mut();
    // One buffer for all copied values: the two header crates cannot share theirs.
    let mut arena = BytesMut::with_capacity(headers.values().map(http::HeaderValue::len).sum());
    for (name, value) in headers {
        let text = name.as_str();
        if stays_here(text) || named.contains(text) {
            continue;
        }
        if name == http::header::LOCATION && is_own_path(value.as_bytes()) {
            arena.extend_from_slice(stripped.as_bytes());
        }
        arena.extend_from_slice(value.as_bytes());
        let value =
            HeaderValue::from_maybe_shared(arena.split().freeze()).expect("it was a header value");
        out.append(
            HeaderName::from_bytes(text.as_bytes()).expect("it was a header name"),
            value,
        );
    }
    response
}

/// `/orders/7`, but neither `//elsewhere/7` nor a whole URL.
fn is_own_path(location: &[u8]) -> bool {
    location.starts_with(b"/") && !location.starts_with(b"//")
}

/// Puts the body under the head.
pub fn with_body(
    mut response: HttpResponse,
    framing: Framing,
    version: Version,
    body: impl MessageBody + 'static,
) -> HttpResponse {
    match framing {
        Framing::Nothing(length) => {
            if let Some(length) = length.filter(|_| response.status() == StatusCode::NOT_MODIFIED) {
                response
                    .headers_mut()
                    .insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            let length = length.filter(|_| response.status() != StatusCode::NOT_MODIFIED);
            response.set_body(BoxBody::new(Announced { length, held: body }))
        }
        Framing::Known(_) => response.set_body(BoxBody::new(body)),
        Framing::Unknown => {
            if version < Version::HTTP_11 {
                // No chunks in HTTP/1.0: the end of the connection ends the body.
                response.head_mut().no_chunking(true);
                response
                    .head_mut()
                    .set_connection_type(ConnectionType::Close);
            }
            response.set_body(BoxBody::new(body))
        }
    }
}

fn stays_here(name: &str) -> bool {
    hop::is_hop_by_hop(name)
        || hop::is_ours_to_set(name) && name != "via"
        || matches!(
            name,
            "content-length" | "traceresponse" | "server-timing" | "x-service-draining"
        )
        || name.starts_with("ratelimit-")
}

/// The length of a body that is not sent. It holds on to what the body would have held.
struct Announced<B> {
    length: Option<u64>,
    #[allow(
        dead_code,
        reason = "held until the answer is written, for what its drop gives back"
    )]
    held: B,
}

impl<B> MessageBody for Announced<B> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.length.map_or(BodySize::None, BodySize::Sized)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_connection_or_to_the_gateway_stays_behind() {
        let mut headers = http::HeaderMap::new();
        for (name, value) in [
            ("content-type", "a/b"),
            ("etag", "\"1\""),
            ("content-encoding", "gzip"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("x-request-id", "upstream's own"),
            ("x-gateway-fallback", "cache"),
            ("x-service-draining", "1"),
            ("ratelimit-limit", "7"),
            ("traceresponse", "00-1-1-01"),
        ] {
            headers.append(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            );
        }
        let response = head(StatusCode::OK, &headers, "/api");
        let mut names: Vec<&str> = response.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["content-encoding", "content-type", "etag", "set-cookie"]
        );
        assert_eq!(response.headers().get_all("set-cookie").count(), 2);
    }

    #[test]
    fn a_location_within_the_upstream_can_be_followed_by_the_client() {
        for (sent, told) in [
            ("/orders/7", "/api/orders/7"),
            ("//elsewhere.example/7", "//elsewhere.example/7"),
            ("https://elsewhere.example/7", "https://elsewhere.example/7"),
        ] {
            let mut headers = http::HeaderMap::new();
            headers.insert("location", http::HeaderValue::from_static(sent));
            let response = head(StatusCode::CREATED, &headers, "/api");
            assert_eq!(response.headers().get("location").unwrap(), told);
        }
    }

    #[test]
    fn framing_follows_from_method_status_and_length() {
        for (method, status, length, expected) in [
            (Method::GET, StatusCode::OK, Some(5), Framing::Known(5)),
            (Method::GET, StatusCode::OK, None, Framing::Unknown),
            (
                Method::HEAD,
                StatusCode::OK,
                Some(5),
                Framing::Nothing(Some(5)),
            ),
            (Method::HEAD, StatusCode::OK, None, Framing::Nothing(None)),
            (
                Method::GET,
                StatusCode::NO_CONTENT,
                Some(5),
                Framing::Nothing(None),
            ),
            (
                Method::GET,
                StatusCode::NOT_MODIFIED,
                Some(5),
                Framing::Nothing(Some(5)),
            ),
        ] {
            assert_eq!(
                Framing::of(
                    &method,
                    status,
                    length.filter(|_| expected != Framing::Nothing(length)),
                    length
                ),
                expected,
                "{method} {status} {length:?}"
            );
        }
    }
}
