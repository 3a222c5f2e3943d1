//! One hop: a request on its way to one upstream, and what it brings back.
//!
//! A request has one hop, or two where another service stands in for the one that failed.

use std::{sync::Arc, time::Instant};

use actix_web::{HttpRequest, HttpResponse, http::Method};
use bytes::Bytes;
use resilience::retry;
use upstream::{Deadline, stream::Connections};

use crate::{
    auth::Principal,
    edge::Sent,
    gateway::{Gateway, Upstream, Worker},
    kept::Kept,
    proxy::Asked,
    route::Route,
};

/// Everything that stays the same over a request's attempts.
pub struct Hop<'a> {
    pub gateway: &'a Gateway,
    pub request: &'a HttpRequest,
    pub sent: &'a Sent<'a>,
    pub route: &'a Route,
    pub upstream: &'a Upstream,
    /// Path and query as the upstream gets them.
    pub path: Bytes,
    pub stripped: usize,
    pub principal: Option<&'a Principal>,
    pub deadline: Deadline,
    /// When its time began to run. What goes by before the upstream can be asked is not the upstream's: it is the
    /// client's, or the gateway's own, which waits for the keys of tokens and for flights of others.
    pub began: Instant,
    pub connections: &'a Connections,
    /// The request may be made twice.
    pub idempotent: bool,
    /// It has only the time that another hop left: running out of that is nobody's failure.
    pub stands_in: bool,
    /// Answers up to this length that may be given again are read whole.
    pub whole: Option<u64>,
}

/// Where a hop goes.
pub struct Way<'a> {
    pub upstream: &'a str,
    /// Path and query as the upstream gets them.
    pub path: Bytes,
    /// Bytes that came off the front of the client's path.
    pub stripped: usize,
    /// When its time began to run.
    pub began: Instant,
    /// In place of another that failed.
    pub stands_in: bool,
}

/// What a hop brings.
pub enum Answered {
    /// A head, and a body that is still to flow.
    Flowing(HttpResponse),
    /// All of it; it may be given again.
    Whole(Arc<Kept>),
}

impl<'a> Hop<'a> {
    /// A request's hop that way.
    pub fn new(worker: &'a Worker, asked: &Asked<'a>, way: Way<'_>, deadline: Deadline) -> Self {
        let (upstream, transport) = worker.upstream(way.upstream);
        let gateway = &*worker.gateway;
        let shares = asked.key.is_some() && asked.request.method() == Method::GET;
        Self {
            gateway,
            request: asked.request,
            sent: asked.sent,
            route: asked.route,
            upstream,
            path: way.path,
            stripped: way.stripped,
            stands_in: way.stands_in,
            principal: asked.principal,
            deadline,
            began: way.began,
            connections: &transport.connections,
            idempotent: is_idempotent(asked.request, asked.route),
            whole: shares.then_some(gateway.fallbacks.last_good.answer_bytes),
        }
    }
}

impl<'a> Way<'a> {
    /// A route's own: the client's path and query without the first `strip` bytes; it came at `began`.
    pub fn own(upstream: &'a str, strip: usize, sent: &Sent<'_>, began: Instant) -> Self {
        Self {
            upstream,
            path: sent.path.after(strip),
            stripped: strip,
            began,
            stands_in: false,
        }
    }
}

impl Answered {
    /// What the client gets.
    pub fn into_response(self) -> HttpResponse {
        match self {
            Self::Flowing(answer) => answer,
            Self::Whole(kept) => kept.to_response(),
        }
    }
}

/// Whether this request may be made twice on this route.
fn is_idempotent(request: &HttpRequest, route: &Route) -> bool {
    let keyed = route.idempotent && request.headers().contains_key("idempotency-key");
    retry::idempotent(request.method().as_str(), keyed)
}
