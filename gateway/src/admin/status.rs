//! What the gateway says of itself on the admin listener: each route's last minute, each breaker.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::{
    admin::Desk,
    gateway::Gateway,
    route::{Route, Target},
    stats::Summary,
};

#[derive(Serialize)]
struct Status<'a> {
    instance: &'a str,
    zone: &'a str,
    version: &'a str,
    uptime_s: u64,
    in_flight: i64,
    routes: Vec<RouteStatus<'a>>,
    upstreams: Vec<BreakerStatus>,
}

#[derive(Serialize)]
struct RouteStatus<'a> {
    name: &'a str,
    path: &'a str,
    methods: String,
    upstream: Option<&'a str>,
    /// An operator has closed it.
    maintenance: bool,
    /// The last minute.
    #[serde(flatten)]
    summary: Summary,
}

#[derive(Serialize)]
struct BreakerStatus {
    name: String,
    #[serde(flatten)]
    breaker: upstream::status::Breaker,
}

/// `GET /gateway/status`.
pub async fn status(desk: web::Data<Desk>) -> HttpResponse {
    let gateway = &desk.gateway;
    let now = Instant::now();
    let breakers = gateway.upstreams.values().map(|upstream| {
        let status = upstream.pool.status(now);
        BreakerStatus {
            name: status.name,
            breaker: status.breaker,
        }
    });
    let uptime: Duration = now.duration_since(gateway.stats.started());
    HttpResponse::Ok().json(Status {
        instance: &desk.identity.instance,
        zone: &desk.identity.zone,
        version: desk.identity.version,
        uptime_s: uptime.as_secs(),
        in_flight: gateway.metrics.in_flight.get(),
        routes: gateway
            .routes
            .iter()
            .map(|route| RouteStatus::of(route, gateway, now))
            .collect(),
        upstreams: breakers.collect(),
    })
}

impl<'a> RouteStatus<'a> {
    fn of(route: &'a Route, gateway: &Gateway, now: Instant) -> Self {
        let upstream = match &route.target {
            Target::Upstream { name, .. } => Some(&**name),
            Target::Aggregate(_) => None,
        };
        Self {
            name: &route.name,
            path: &route.template,
            methods: route.methods.to_string(),
            upstream,
            maintenance: gateway.maintenance.retry_after(route).is_some(),
            summary: gateway.stats.summary(route.index, now),
        }
    }
}
