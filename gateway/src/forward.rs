//! One request's way through an upstream: admission, attempts, and the answer that is passed on.
//!
//! The service's breaker is asked once, an endpoint is leased for each attempt, and `resilience::retry` says whether there is another one.
//! A retry's endpoint is leased before the answer at hand is given up: a bad answer is better than none.
//! The client hears of an answer only after that; from its first byte on nothing is tried again.
//! What goes up is written by `forward/shape.rs`, what comes down flows through `forward/download.rs`.

pub mod answer;
pub mod attempt;
pub mod download;
pub mod guarded;
pub mod introduction;
pub mod shape;
pub mod upload;

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use resilience::retry::{self, Attempted};
use tokio::time::timeout_at;
use upstream::{
    Call, Deadline, EndpointId, Lease,
    stream::{Connections, Failure, FailureKind},
};

use self::{
    answer::Framing,
    attempt::Tried,
    download::{Download, Held},
    guarded::Complaint,
    upload::{Source, Upload},
};
use crate::{
    auth::Principal,
    edge::Sent,
    error::Error,
    exchange::{Exchange, Served},
    gateway::{Gateway, Upstream, Worker},
    route::Route,
};

/// Everything that stays the same over a request's attempts.
pub struct Hop<'a> {
    pub gateway: &'a Gateway,
    pub request: &'a HttpRequest,
    pub sent: &'a Sent<'a>,
    pub upstream: &'a Upstream,
    /// Bytes that come off the front of the path.
    pub strip: usize,
    pub principal: Option<&'a Principal>,
    pub deadline: Deadline,
    pub connections: &'a Connections,
    /// The request may be made twice.
    pub idempotent: bool,
    body_limit: u64,
}

/// Sends the request upstream and passes the answer on.
pub async fn forward(
    hop: &Hop<'_>,
    source: &Source,
    exchange: &mut Exchange<'_>,
) -> Result<HttpResponse, Error> {
    let reading = Upload::read(hop.request, source, hop.body_limit, &hop.gateway.edge);
    let read = timeout_at(hop.deadline.at().into(), reading).await;
    let (mut upload, complaint) = read.unwrap_or(Err(Error::BodyTooSlow))?;
    let started = Instant::now();
    hop.upstream.pool.budget().request(started);
    let mut call = hop
        .upstream
        .pool
        .admit(started)
        .map_err(|error| hop.failed(error))?;
    let mut tried = Vec::new();
    let mut lease = call
        .lease(&tried, hop.idempotent, started)
        .map_err(|error| hop.failed(error))?;
    let last = loop {
        let over = hop
            .attempt(lease, &mut upload, &mut call, exchange, tried.len())
            .await;
        tried.push(over.lease.endpoint().id.clone());
        match hop.another(&over, &call, &upload, &tried).await {
            Some(next) => lease = next,
            None => break over,
        }
        over.give_up();
    };
    call.settle(&last.outcome, Instant::now());
    exchange.served = Some(served(&last.lease, tried.len(), started));
    hop.deliver(last, &complaint, exchange)
}

impl<'a> Hop<'a> {
    /// A routed request's hop; the deadline counts from when the request arrived.
    pub fn new(
        worker: &'a Worker,
        request: &'a HttpRequest,
        sent: &'a Sent<'a>,
        route: &'a Route,
        (name, strip): (&str, usize),
        principal: Option<&'a Principal>,
        started: Instant,
    ) -> Self {
        let (upstream, transport) = worker.upstream(name);
        Self {
            gateway: &worker.gateway,
            request,
            sent,
            upstream,
            strip,
            principal,
            deadline: Deadline::after(started, route.timeout),
            connections: &transport.connections,
            body_limit: route.body_limit,
            idempotent: is_idempotent(request, route),
        }
    }

    /// The lease for another attempt, after the wait that comes before it, if there is to be one.
    async fn another(
        &self,
        over: &Tried,
        call: &Call,
        upload: &Upload,
        tried: &[EndpointId],
    ) -> Option<Lease> {
        let now = Instant::now();
        let attempted = Attempted {
            idempotent: self.idempotent,
            outcome: &over.outcome,
            written: over
                .answer
                .as_ref()
                .map_or_else(|failure| failure.written, |_| true),
            replayable: upload.at_hand(),
            answer_begun: false,
            attempts: u32::try_from(tried.len()).unwrap_or(u32::MAX),
            remaining: self.deadline.remaining(now).unwrap_or_default(),
        };
        let pool = &self.upstream.pool;
        let wait = self
            .gateway
            .retry
            .decide(&attempted, pool.budget(), now, &mut rand::rng())
            .ok()?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let next = call.lease(tried, self.idempotent, Instant::now()).ok()?;
        pool.retried(over.outcome.error_type().unwrap_or("status"));
        Some(next)
    }

    /// The client's answer: the upstream's, or an error that says why there is none.
    fn deliver(
        &self,
        last: Tried,
        complaint: &Complaint,
        exchange: &mut Exchange<'_>,
    ) -> Result<HttpResponse, Error> {
        let Tried {
            lease,
            mut span,
            answer,
            ..
        } = last;
        let response = match answer {
            Ok(response) => response,
            Err(failure) => {
                span.finish(Err(failure.error_type()));
                return Err(self.explain(&failure, complaint));
            }
        };
        let status = response.status().as_u16();
        span.answered(status);
        let (head, body) = response.into_parts();
        if is_draining(&head.headers) {
            lease.rest_draining(Instant::now());
        }
        let announced = head
            .headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let code = StatusCode::from_u16(status).expect("both header crates know the same statuses");
        let framing = Framing::of(self.request.method(), code, body.length(), announced);
        let held = Held {
            lease,
            span,
            place: exchange.place.take(),
        };
        let body = Download::new(body, framing, status, held, self.gateway.edge.answer_idle());
        Ok(answer::with_body(
            answer::head(code, &head.headers, self.stripped()),
            framing,
            self.request.version(),
            body,
        ))
    }

    /// What came off the front of the path, and has to go back in front of the upstream's own paths.
    fn stripped(&self) -> &str {
        &self.sent.path.path()[..self.strip]
    }

    fn explain(&self, failure: &Failure, complaint: &Complaint) -> Error {
        let name = &*self.upstream.name;
        let why = failure.error_type();
        tracing::debug!(upstream = name, %failure, written = failure.written, "no answer");
        match failure.kind {
            FailureKind::RequestBody => complaint.error(),
            FailureKind::Timeout => self.failed(upstream::Error::timeout(name)),
            FailureKind::BadAnswer => self.failed(upstream::Error::bad_answer(name, why)),
            FailureKind::ConnectRefused | FailureKind::ConnectTimeout | FailureKind::Reset => {
                self.failed(upstream::Error::unreachable(name, why))
            }
        }
    }

    fn failed(&self, error: upstream::Error) -> Error {
        Error::Upstream(error)
    }
}

/// Both headers together: servers close connections for many reasons.
fn is_draining(headers: &http::HeaderMap) -> bool {
    let says = |name: &str, word: &str| {
        headers
            .get(name)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
    };
    says("x-service-draining", "1") && says("connection", "close")
}

fn served(lease: &Lease, attempts: usize, started: Instant) -> Served {
    let endpoint = lease.endpoint();
    Served {
        instance: endpoint.id.clone(),
        zone: endpoint.zone.clone(),
        reason: lease.reason().as_str(),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        took: started.elapsed(),
    }
}

/// Whether this request may be made twice on this route.
fn is_idempotent(request: &HttpRequest, route: &Route) -> bool {
    let keyed = route.idempotent && request.headers().contains_key("idempotency-key");
    retry::idempotent(request.method().as_str(), keyed)
}
