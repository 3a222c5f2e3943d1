//! The upstream request, built from parts for one attempt.
//!
//! Nothing is copied wholesale: the path comes from the canonical spelling, the headers from `forward/introduction.rs`, the framing from the body that is sent, the trace context from this attempt's span, the deadline from what is left of the route's.

use std::time::Instant;

use http::{HeaderName, HeaderValue, Method, Request, Uri, uri::PathAndQuery};
use telemetry::http::Attempt;
use upstream::stream::RequestBody;

use crate::{
    exchange::Exchange,
    forward::hop::Hop,
    forward::introduction::{Introduction, upstream_headers},
};

const X_REQUEST_TIMEOUT_MS: HeaderName =
    HeaderName::from_static(resilience::deadline::REQUEST_TIMEOUT_MS);

/// One attempt's request.
pub fn request(
    hop: &Hop<'_>,
    exchange: &Exchange<'_>,
    span: &Attempt,
    body: RequestBody,
    now: Instant,
) -> Request<RequestBody> {
    let introduction = Introduction {
        client: &exchange.client,
        host: hop.sent.checked.host,
        request_id: &exchange.request_id,
        subject: hop.principal.map(|principal| &*principal.subject),
        scopes: hop.principal.map_or("", |principal| &principal.scopes),
        upstream: &hop.upstream.host,
        via: &hop.gateway.via,
    };
    let mut headers = upstream_headers(
        hop.request.headers(),
        &hop.sent.checked.named,
        &introduction,
    );
    for (name, value) in span.headers() {
        let value = HeaderValue::try_from(value).expect("trace context is visible ASCII");
        headers.insert(HeaderName::from_static(name), value);
    }
    let left = hop.deadline.hand_on(now).unwrap_or_default();
    headers.insert(X_REQUEST_TIMEOUT_MS, HeaderValue::from(left));
    let mut request = Request::new(body);
    *request.method_mut() = method(hop.request.method());
    *request.uri_mut() = target(hop);
    *request.headers_mut() = headers;
    request
}

fn target(hop: &Hop<'_>) -> Uri {
    let path = PathAndQuery::from_maybe_shared(hop.path.clone())
        .expect("the canonical spelling is a valid path");
    Uri::from(path)
}

fn method(sent: &actix_web::http::Method) -> Method {
    Method::from_bytes(sent.as_str().as_bytes()).expect("both header crates know the same methods")
}
