//! What is learned about one request on its way through, and what the answer says of it.
//!
//! Every answer, good or bad, carries the request's id, what is left of its limit, and where the time went; with `debug_headers`, who served it and why.
//! One line is logged for each request, here, and a failure nowhere else.

pub mod request_id;

use std::{
    fmt::Write as _,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::header::{HeaderMap, HeaderName, HeaderValue},
};
use bytes::Bytes;
use upstream::{EndpointId, Zone};

use self::request_id::{REQUEST_ID, RequestId};
use crate::{
    auth::Principal,
    client::{self, Client},
    error::Error,
    forward::upload::Source,
    gateway::Gateway,
    limit::quota::Allowance,
    route::Route,
    shed::Place,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static(REQUEST_ID);
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const X_LICTOR_INSTANCE: HeaderName = HeaderName::from_static("x-lictor-instance");
const X_LICTOR_ZONE: HeaderName = HeaderName::from_static("x-lictor-zone");
const X_LICTOR_REASON: HeaderName = HeaderName::from_static("x-lictor-reason");
const X_LICTOR_ATTEMPTS: HeaderName = HeaderName::from_static("x-lictor-attempts");

/// One request on its way through the gateway.
pub struct Exchange<'g> {
    gateway: &'g Gateway,
    pub started: Instant,
    pub request_id: RequestId,
    pub client: Client,
    route: Option<&'g Route>,
    subject: Option<Arc<str>>,
    /// Held until the answer's head is written; a body that flows holds it on.
    pub place: Option<Rc<Place>>,
    /// Who answered.
    pub served: Option<Served>,
    /// Which fallback answered, and the code of what had failed.
    pub stood_in: Option<(&'static str, &'static str)>,
    allowance: Option<Allowance>,
}

/// The instance that answered, and how it came to that.
#[derive(Debug, Clone)]
pub struct Served {
    pub instance: EndpointId,
    pub zone: Zone,
    pub reason: &'static str,
    pub attempts: u32,
    /// From the first attempt to the answer's head.
    pub took: Duration,
}

impl<'g> Exchange<'g> {
    /// A request that has just arrived.
    pub fn begin(gateway: &'g Gateway, request: &HttpRequest) -> Self {
        /// Only a socket without an address family of the internet's has no peer address.
        const NOWHERE: std::net::SocketAddr =
            std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        let peer = request.peer_addr().unwrap_or(NOWHERE);
        Self {
            gateway,
            started: Instant::now(),
            request_id: RequestId::of(request.headers()),
            client: client::identify(peer, request.headers(), &gateway.edge.trusted_proxies),
            route: None,
            subject: None,
            place: None,
            served: None,
            stood_in: None,
            allowance: None,
        }
    }

    /// Notes what a limit said; the last one asked is the one that the client hears of, and a refusal ends it.
    pub fn charge(
        &mut self,
        (allowance, verdict): (Allowance, Result<(), Error>),
    ) -> Result<(), Error> {
        self.allowance = Some(allowance);
        verdict
    }

    /// Notes the route, for spans and metrics too.
    pub fn routed(&mut self, request: &HttpRequest, route: &'g Route) {
        telemetry::http::name_route(request, route.template.to_string());
        self.route = Some(route);
    }

    /// Notes who makes the request.
    pub fn identified(&mut self, principal: Option<&Principal>) {
        self.subject = principal.map(|principal| principal.subject.clone());
    }

    /// Completes the answer, counts it and logs it.
    pub fn finish(
        self,
        request: &HttpRequest,
        outcome: Result<HttpResponse, Error>,
        source: Source,
    ) -> HttpResponse {
        let hidden = self.stood_in.map(|(_, code)| code);
        let code = outcome.as_ref().err().map(Error::label).or(hidden);
        let mut answer = outcome.unwrap_or_else(|error| {
            telemetry::http::name_error(request, error.label());
            self.gateway.metrics.refused(error.label());
            error.to_response(&source)
        });
        let took = self.started.elapsed();
        let status = answer.status().as_u16();
        if let Some(route) = self.route {
            self.gateway
                .stats
                .record(route.index, status, took, Instant::now());
        }
        self.write_headers(answer.headers_mut(), took);
        self.log(request, status, code, took);
        if source.is_empty() {
            return answer;
        }
        answer.map_body(|_, body| {
            BoxBody::new(Holding {
                body,
                _source: source,
            })
        })
    }

    fn write_headers(&self, headers: &mut HeaderMap, took: Duration) {
        headers.insert(X_REQUEST_ID, self.request_id.to_answer());
        if let Some(allowance) = &self.allowance {
            allowance.write(headers);
        }
        headers.insert(SERVER_TIMING, self.timing(took));
        if let Some(served) = self
            .served
            .as_ref()
            .filter(|_| self.gateway.edge.debug_headers)
        {
            let text =
                |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("?"));
            headers.insert(X_LICTOR_INSTANCE, text(served.instance.as_str()));
            headers.insert(X_LICTOR_ZONE, text(served.zone.as_str()));
            headers.insert(X_LICTOR_REASON, HeaderValue::from_static(served.reason));
            headers.insert(X_LICTOR_ATTEMPTS, HeaderValue::from(served.attempts));
        }
    }

    fn timing(&self, took: Duration) -> HeaderValue {
        let mut text = String::with_capacity(48);
        let written = match &self.served {
            Some(served) => write!(
                text,
                "total;dur={:.1}, upstream;dur={:.1}",
                millis(took),
                millis(served.took)
            ),
            None => write!(text, "total;dur={:.1}", millis(took)),
        };
        written.expect("a string takes everything");
        HeaderValue::try_from(text).expect("numbers are visible ASCII")
    }

    fn log(&self, request: &HttpRequest, status: u16, code: Option<&str>, took: Duration) {
        let served = self.served.as_ref();
        tracing::info!(
            method = request.method().as_str(),
            route = self.route.map(|route| &*route.template),
            status,
            code,
            took_ms = (millis(took) * 1000.0).round() / 1000.0,
            client = %self.client.address,
            subject = self.subject.as_deref(),
            request_id = self.request_id.as_str(),
            instance = served.map(|served| served.instance.as_str()),
            attempts = served.map(|served| served.attempts),
            fallback = self.stood_in.map(|(source, _)| source),
            "request answered"
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// An answer's body that keeps the request's body from being dropped before its own end.
struct Holding {
    body: BoxBody,
    _source: Source,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
