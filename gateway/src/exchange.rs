//! What is learned about one request on its way through, and what the answer says of it.
//!
//! Every answer, good or bad, carries the request's id, what is left of its limit, and where the time went; with `debug_headers`, who served it and why.
//! One line is logged for each request, here, and a failure nowhere else; the live page's memory (`recent.rs`) is written beside it.
//! That happens when the head of the answer is known, or when there will be none because the client left; how a long body ended is for the span and the metric.

pub mod request_id;

use std::{
    cell::RefCell,
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
use telemetry::propagation::Here;
use upstream::{EndpointId, Zone};

use self::request_id::{REQUEST_ID, RequestId};
use crate::{
    aggregate::gaps::X_GATEWAY_COMPLETE,
    auth::Principal,
    client::{self, Client},
    error::Error,
    forward::upload::Source,
    gateway::Gateway,
    limit::quota::Allowance,
    recent::{Seen, Step},
    route::{self, Route},
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
    request: &'g HttpRequest,
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
    /// The answer is that of somebody else who asked the same.
    pub shared: bool,
    /// Branches of an aggregate note theirs side by side.
    steps: RefCell<Vec<Step>>,
    allowance: Option<Allowance>,
    trace: Here,
    noted: bool,
}

/// What became of it.
struct Ended {
    status: u16,
    code: Option<&'static str>,
    /// The limit that refused it.
    limit: Option<Arc<str>>,
    partial: bool,
    took: Duration,
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
    pub fn begin(gateway: &'g Gateway, request: &'g HttpRequest) -> Self {
        /// Only a socket without an address family of the internet's has no peer address.
        const NOWHERE: std::net::SocketAddr =
            std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        let peer = request.peer_addr().unwrap_or(NOWHERE);
        Self {
            gateway,
            request,
            started: Instant::now(),
            request_id: RequestId::of(request.headers()),
            client: client::identify(peer, request.headers(), &gateway.edge.trusted_proxies),
            route: None,
            subject: None,
            place: None,
            served: None,
            stood_in: None,
            shared: false,
            steps: RefCell::default(),
            allowance: None,
            trace: Here::now(),
            noted: false,
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
    pub fn routed(&mut self, route: &'g Route) {
        telemetry::http::name_route(self.request, route.template.to_string());
        self.route = Some(route);
    }

    /// Notes who makes the request.
    pub fn identified(&mut self, principal: Option<&Principal>) {
        self.subject = principal.map(|principal| principal.subject.clone());
    }

    /// Notes an attempt that is over.
    pub fn tried(&self, step: Step) {
        let mut steps = self.steps.borrow_mut();
        // Most requests need one, and a vector that grows by itself begins with four.
        steps.reserve_exact(1);
        steps.push(step);
    }

    /// Completes the answer, counts it, logs it and remembers it.
    pub fn finish(mut self, outcome: Result<HttpResponse, Error>, source: Source) -> HttpResponse {
        let hidden = self.stood_in.map(|(_, code)| code);
        let code = outcome.as_ref().err().map(Error::label).or(hidden);
        let limit = match &outcome {
            Err(Error::Limited { group, .. }) => Some(group.clone()),
            _ => None,
        };
        let mut answer = outcome.unwrap_or_else(|error| {
            telemetry::http::name_error(self.request, error.label());
            self.gateway.metrics.refused(error.label());
            error.to_response(&source)
        });
        let took = self.started.elapsed();
        self.write_headers(answer.headers_mut(), took);
        self.note(Ended {
            status: answer.status().as_u16(),
            code,
            limit,
            partial: is_partial(&answer),
            took,
        });
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

    /// Counts it, logs it, remembers it.
    fn note(&mut self, ended: Ended) {
        self.noted = true;
        if let Some(route) = self.route {
            let now = Instant::now();
            let stats = &self.gateway.stats;
            stats.record(route.index, ended.status, ended.took, now);
        }
        self.log(&ended);
        self.remember(ended);
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

    /// What the live page shows of it: nothing that a client wrote.
    fn remember(&self, ended: Ended) {
        self.gateway.recent.record(Seen {
            started: self.started,
            took: ended.took,
            method: route::method::known(self.request.method().as_str()).unwrap_or("other"),
            route: self.route.map(|route| route.index),
            status: ended.status,
            code: ended.code,
            limit: ended.limit,
            fallback: self.stood_in.map(|(source, _)| source),
            shared: self.shared,
            partial: ended.partial,
            steps: self.steps.take(),
            trace: telemetry::propagation::trace_number(),
        });
    }

    fn log(&self, ended: &Ended) {
        let served = self.served.as_ref();
        tracing::info!(
            method = self.request.method().as_str(),
            route = self.route.map(|route| &*route.template),
            status = ended.status,
            code = ended.code,
            took_ms = (millis(ended.took) * 1000.0).round() / 1000.0,
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

/// Who drops it before its answer is known has lost the client, or the thread.
impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        /// What the span and the metric of such a request say too.
        const LEFT: (u16, &str) = (499, "cancelled");
        if self.noted {
            return;
        }
        let _current = self.trace.enter();
        let (status, code) = match std::thread::panicking() {
            true => (500, "panic"),
            false => LEFT,
        };
        self.note(Ended {
            status,
            code: Some(code),
            limit: None,
            partial: false,
            took: self.started.elapsed(),
        });
    }
}

/// Whether an aggregate says that parts of it are missing.
fn is_partial(answer: &HttpResponse) -> bool {
    let complete = answer.headers().get(X_GATEWAY_COMPLETE);
    complete.is_some_and(|complete| complete == "false")
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
