//! Two services in this process: orders, which calls inventory over a real socket.

use std::net::SocketAddr;

use actix_web::{HttpRequest, HttpResponse, web};
use telemetry::{
    http::{Attempt, Peer, name_error},
    propagation, span,
};

use crate::{
    sink::Collected,
    world::{serve, world},
};

fn peer(address: SocketAddr) -> Peer<'static> {
    Peer {
        instance: "inventory-1",
        zone: "b",
        address,
        pick_reason: "spill_load",
        breaker_state: "closed",
        local: false,
    }
}

pub fn inventory(routes: &mut web::ServiceConfig) {
    routes
        .route(
            "/inventory/items/{sku}",
            web::get().to(|| async { HttpResponse::Ok().body("[]") }),
        )
        .route("/missing", web::get().to(HttpResponse::NotFound))
        .route(
            "/broken",
            web::get().to(|request: HttpRequest| async move {
                name_error(&request, "no_endpoint");
                HttpResponse::ServiceUnavailable().finish()
            }),
        );
}

/// Calls the path that its own tail names: once in vain, then really.
async fn order(path: web::Path<(u16, String)>) -> HttpResponse {
    let (port, target) = path.into_inner();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    drop(span::internal("pick"));
    tracing::info_span!("price").in_scope(|| tracing::error!("a bad price, and no failure"));
    let refused = Attempt::start(&world().client, "inventory", "GET", &peer(address), 0);
    refused.finish(Err("connection_refused"));
    let attempt = Attempt::start(&world().client, "inventory", "GET", &peer(address), 1);
    let mut request = awc::Client::default().get(format!("http://{address}/{target}"));
    for header in attempt.headers() {
        request = request.insert_header(header);
    }
    let mut response = request.send().await.unwrap();
    let status = response.status().as_u16();
    response.body().await.unwrap();
    attempt.finish(Ok(status));
    span::Span::current()
        .database("sqlite", "INSERT", Some("orders"))
        .run(async {})
        .await;
    HttpResponse::Ok().body(propagation::trace_id().unwrap_or_default())
}

fn orders(routes: &mut web::ServiceConfig) {
    routes.route("/orders/{port}/{target:.*}", web::get().to(order));
}

/// All but the last two digits of a test's trace id.
pub const TRACE: &str = "0af7651916cd43dd8448eb211c8031";

/// Calls orders, which calls `target` at inventory; the spans of that trace.
pub async fn trace_of(target: &str, trace: &str) -> Vec<Collected> {
    let (front, back) = (serve(true, orders), serve(true, inventory));
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let mut response = awc::Client::default()
        .get(format!("http://{front}/orders/{}/{target}", back.port()))
        .insert_header(("traceparent", parent))
        .insert_header(("tracestate", "vendor=x"))
        .send()
        .await
        .unwrap();
    let said = response
        .headers()
        .get("traceresponse")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(said.split('-').nth(1), Some(trace));
    assert_eq!(
        response.body().await.unwrap(),
        trace.as_bytes(),
        "the handler knows its trace"
    );
    world().sink.trace(trace, 7)
}
