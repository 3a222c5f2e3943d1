//! The last requests as the admin listener tells them, the newest first.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::{
    admin::Desk,
    gateway::Gateway,
    recent::{Numbered, PLACES, Step},
};

#[derive(Serialize)]
struct Requests<'a> {
    /// Whose numbers these are: another process counts from 1 again.
    instance: &'a str,
    /// The most that is remembered.
    kept: usize,
    /// Since the start.
    seen: u64,
    requests: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    number: u64,
    /// Since its answer.
    ago_ms: u128,
    took_ms: f64,
    method: &'static str,
    /// None where no route was found, or the request did not come so far.
    route: Option<&'a str>,
    path: Option<&'a str>,
    status: u16,
    code: Option<&'static str>,
    limit: Option<&'a str>,
    fallback: Option<&'static str>,
    shared: bool,
    partial: bool,
    /// 32 hexadecimal digits.
    trace_id: Option<String>,
    attempts: Vec<Attempt<'a>>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    upstream: &'a str,
    instance: &'a str,
    zone: &'a str,
    reason: &'static str,
    probe: bool,
    status: Option<u16>,
    error: Option<&'static str>,
    took_ms: f64,
    /// Why no other followed.
    last: Option<&'static str>,
}

/// `GET /gateway/requests`.
pub async fn requests(desk: web::Data<Desk>) -> HttpResponse {
    let gateway = &desk.gateway;
    let now = Instant::now();
    let remembered = gateway.recent.newest_first();
    HttpResponse::Ok().json(Requests {
        instance: &desk.identity.instance,
        kept: PLACES,
        seen: gateway.recent.count(),
        requests: remembered
            .iter()
            .map(|one| Told::of(one, gateway, now))
            .collect(),
    })
}

impl<'a> Told<'a> {
    fn of(Numbered { number, seen }: &'a Numbered, gateway: &'a Gateway, now: Instant) -> Self {
        let route = seen.route.and_then(|index| gateway.routes.get(index));
        Self {
            number: *number,
            ago_ms: now
                .saturating_duration_since(seen.started + seen.took)
                .as_millis(),
            took_ms: millis(seen.took),
            method: seen.method,
            route: route.map(|route| &*route.name),
            path: route.map(|route| &*route.template),
            status: seen.status,
            code: seen.code,
            limit: seen.limit.as_deref(),
            fallback: seen.fallback,
            shared: seen.shared,
            partial: seen.partial,
            trace_id: seen.trace.map(|trace| format!("{trace:032x}")),
            attempts: seen.steps.iter().map(Attempt::of).collect(),
        }
    }
}

impl<'a> Attempt<'a> {
    fn of(step: &'a Step) -> Self {
        Self {
            upstream: &step.upstream,
            instance: step.instance.as_str(),
            zone: step.zone.as_str(),
            reason: step.reason,
            probe: step.probe,
            status: step.ended.ok(),
            error: step.ended.err(),
            took_ms: millis(step.took),
            last: step.last,
        }
    }
}

/// To the microsecond.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
