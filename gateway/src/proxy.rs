//! The life of a request: read this first. The statements of `serve` are its phases, in order.
//!
//! A request is read once, charged to its address, routed, given a place, authenticated, charged to its principal, and answered by an upstream or by the gateway itself.
//! Whatever fails ends here as one error; `error.rs` says what each means, `exchange.rs` writes what every answer carries.

use std::{rc::Rc, time::SystemTime};

use actix_web::{HttpRequest, HttpResponse, web};

use crate::{
    aggregate,
    auth::Principal,
    edge,
    edge::Sent,
    error::Error,
    exchange::Exchange,
    fallback,
    forward::upload::Source,
    forward::{again, hop::Hop, hop::Way},
    gateway::Worker,
    kept::key::Key,
    route::{Route, Target},
};

/// What is asked once it is known who asks: the same for every hop of a request.
pub struct Asked<'a> {
    pub request: &'a HttpRequest,
    pub sent: &'a Sent<'a>,
    pub route: &'a Route,
    pub principal: Option<&'a Principal>,
    /// What it has in common with reads whose answers it may have.
    pub key: Option<Key>,
}

/// Answers one request, whatever happens.
pub async fn handle(
    worker: Rc<Worker>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let source = Source::of(&request, payload);
    let mut exchange = Exchange::begin(&worker.gateway, &request);
    let outcome = match edge::asks_the_server(&request) {
        Some(answer) => Ok(answer),
        None => serve(&worker, &request, &source, &mut exchange).await,
    };
    exchange.finish(outcome, source)
}

async fn serve<'g>(
    worker: &'g Rc<Worker>,
    request: &HttpRequest,
    source: &Source,
    exchange: &mut Exchange<'g>,
) -> Result<HttpResponse, Error> {
    let gateway = &*worker.gateway;
    exchange.charge(gateway.limits.address(&exchange.client))?;
    let sent = edge::guard(request, &gateway.edge)?;
    let found = gateway
        .routes
        .find(sent.path.path(), request.method().as_str())?;
    exchange.routed(found.route);
    gateway.maintenance.admit(found.route)?;
    exchange.place = Some(Rc::new(gateway.shed.admit(found.route.priority)?));
    let known = gateway
        .authenticate(found.route, request.headers(), SystemTime::now())
        .await?;
    let principal = known.as_deref();
    exchange.identified(principal);
    exchange.charge(
        gateway
            .limits
            .principal(&found.route.limit, principal, &exchange.client),
    )?;
    let asked = Asked {
        request,
        sent: &sent,
        route: found.route,
        principal,
        key: Key::of(found.route, request, &sent, principal, source),
    };
    let answer = match &found.route.target {
        Target::Upstream { name, strip } => {
            let way = Way::own(name, *strip, &sent, exchange.started);
            let deadline = gateway.deadline_of_first(found.route, exchange.started);
            let hop = Hop::new(worker, &asked, way, deadline);
            // Boxed, both: their states are kilobytes, and the layers around a handler move its future several times.
            Box::pin(again::forward(&hop, source, asked.key.as_ref(), exchange)).await
        }
        Target::Aggregate(kind) => {
            let answer = aggregate::answer(worker, *kind, &found, principal, exchange);
            again::remember_own(gateway, &asked, Box::pin(answer).await)
        }
    };
    fallback::or(answer, worker, &asked, exchange).await
}
