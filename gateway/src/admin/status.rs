//! What the gateway says of itself on the admin listener: how fresh its picture is, each route's last minute, each breaker, each limit.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use serde::Serialize;

use consul::{View, view::Condition};

use crate::{
    admin::Desk,
    gateway::Gateway,
    limit,
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
    consul: Picture,
    routes: Vec<RouteStatus<'a>>,
    upstreams: Vec<BreakerStatus>,
    limits: limit::status::Status<'a>,
}

/// What Consul has told of the services behind the gateway, at its worst.
#[derive(Serialize)]
struct Picture {
    /// `current`, `waiting` (no answer yet), `held` (it says what is not believed yet), `failing` (it cannot be asked).
    condition: &'static str,
    /// Since the oldest of the answers was confirmed; about a minute in quiet times.
    oldest_ms: Option<u128>,
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
        consul: Picture::of(gateway, now),
        routes: gateway
            .routes
            .iter()
            .map(|route| RouteStatus::of(route, gateway, now))
            .collect(),
        upstreams: breakers.collect(),
        limits: gateway.limits.status(),
    })
}

impl Picture {
    fn of(gateway: &Gateway, now: Instant) -> Self {
        let views = || gateway.upstreams.values().map(|one| one.pool.view());
        let worst = views().map(View::condition).max_by_key(|condition| {
            let order = [
                Condition::Current,
                Condition::Waiting,
                Condition::Held,
                Condition::Failing,
            ];
            order.iter().position(|one| one == condition)
        });
        Self {
            condition: worst.unwrap_or(Condition::Waiting).as_str(),
            oldest_ms: views()
                .filter_map(|view| view.age(now))
                .max()
                .map(|age| age.as_millis()),
        }
    }
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
