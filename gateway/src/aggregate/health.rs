//! How the services are, from the gateway's own view: nobody is asked, so it answers while they do not.
//!
//! Strangers may look, so counts are told and addresses are not; the admin listener shows every instance.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::header::HeaderValue};
use resilience::endpoint::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{aggregate::gaps::X_GATEWAY_COMPLETE, error::Error, gateway::Gateway};

/// `GET /api/health`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct All {
    status: State,
    services: BTreeMap<String, Service>,
    partial: bool,
    /// Services that nobody can answer for now.
    missing: Vec<String>,
}

/// `GET /api/{service}/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ServiceHealth)]
pub(crate) struct Service {
    service: String,
    status: State,
    healthy: u32,
    registered: u32,
    /// Healthy instances by zone.
    zones: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Every registered instance is well.
    Healthy,
    /// Some are.
    Degraded,
    /// None is.
    Unhealthy,
    /// Consul has not told yet.
    Unknown,
}

/// Every service, and the worst of them.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    responses((status = 200, description = "As the gateway sees them", body = All))
)]
pub fn all(gateway: &Gateway) -> HttpResponse {
    let services = gateway.upstreams.values().map(|upstream| {
        let view = upstream.pool.view();
        (
            upstream.name.to_string(),
            Service::of(&upstream.name, &view.current(), view.synced()),
        )
    });
    let services: BTreeMap<String, Service> = services.collect();
    let missing = services.values().filter(|service| service.healthy == 0);
    let missing: Vec<String> = missing.map(|service| service.service.clone()).collect();
    let worst = services
        .values()
        .map(|service| service.status)
        .max()
        .unwrap_or(State::Unknown);
    let status = if missing.len() < services.len() {
        worst.min(State::Degraded)
    } else {
        worst
    };
    let complete = HeaderValue::from_static(if missing.is_empty() { "true" } else { "false" });
    let body = All {
        status,
        services,
        partial: !missing.is_empty(),
        missing,
    };
    HttpResponse::Ok()
        .insert_header((X_GATEWAY_COMPLETE, complete))
        .json(body)
}

/// One service; 503 when nobody could answer for it.
#[utoipa::path(
    get,
    path = "/service_health",
    operation_id = "service_health",
    params(("service" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Somebody can answer for it", body = Service),
        (status = 404, description = "`no_route`"),
        (status = 503, description = "Nobody can", body = Service),
    )
)]
pub fn one(gateway: &Gateway, name: &str) -> Result<HttpResponse, Error> {
    let upstream = gateway.upstreams.get(name).ok_or(Error::NoRoute)?;
    let view = upstream.pool.view();
    let service = Service::of(name, &view.current(), view.synced());
    let mut answer = if service.healthy > 0 {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    Ok(answer.json(service))
}

impl Service {
    fn of(name: &str, snapshot: &Snapshot, synced: bool) -> Self {
        let mut zones = BTreeMap::new();
        for endpoint in snapshot.endpoints() {
            *zones.entry(endpoint.zone.to_string()).or_insert(0) += u32::from(endpoint.eligible());
        }
        let registered = u32::try_from(snapshot.endpoints().len()).unwrap_or(u32::MAX);
        let healthy = zones.values().sum();
        let status = match healthy {
            _ if !synced => State::Unknown,
            0 => State::Unhealthy,
            some if some < registered => State::Degraded,
            _ => State::Healthy,
        };
        Self {
            service: name.to_owned(),
            status,
            healthy,
            registered,
            zones,
        }
    }
}
