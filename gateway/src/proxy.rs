//! The life of a request: read this first. The statements of `serve` are its phases, in order.
//!
//! A request is read once, charged to its address, routed, authenticated, charged to its principal, given a place, and answered by an upstream or by the gateway itself.
//! Whatever fails ends here as one error; `error.rs` says what each means, `exchange.rs` writes what every answer carries.

use std::rc::Rc;

use actix_web::{HttpRequest, HttpResponse, web};

use crate::{
    aggregate, edge,
    error::Error,
    exchange::Exchange,
    forward::upload::Source,
    forward::{self, Hop},
    gateway::Worker,
    route::Target,
};

/// Answers one request, whatever happens.
pub async fn handle(
    worker: Rc<Worker>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    if let Some(answer) = edge::asks_the_server(&request) {
        return answer;
    }
    let source = Source::of(&request, payload);
    let mut exchange = Exchange::begin(&worker.gateway, &request);
    let outcome = serve(&worker, &request, &source, &mut exchange).await;
    exchange.finish(&request, outcome, source)
}

async fn serve<'g>(
    worker: &'g Worker,
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
    exchange.routed(request, found.route);
    let principal = gateway.authenticate(found.route, request.headers())?;
    exchange.identified(principal);
    exchange.charge(
        gateway
            .limits
            .principal(&found.route.limit, principal, &exchange.client),
    )?;
    exchange.place = Some(gateway.shed.admit(found.route.priority)?);
    let answer = match &found.route.target {
        Target::Upstream { name, strip } => {
            let hop = Hop::new(
                worker,
                request,
                &sent,
                found.route,
                (name, *strip),
                principal,
                exchange.started,
            );
            // Boxed, both: their states are kilobytes, and the layers around a handler move its future several times.
            Box::pin(forward::forward(&hop, source, exchange)).await
        }
        Target::Aggregate(kind) => {
            Box::pin(aggregate::answer(
                worker, *kind, &found, principal, exchange,
            ))
            .await
        }
    };
    gateway
        .fallbacks
        .or(answer, found.route, request.method().as_str())
}
