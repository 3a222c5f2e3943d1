//! An upstream as an operator sees it: one JSON object, read once, changing nothing.

use crate::pool::Pool;
use resilience::breaker::Transition;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Instant;

/// One upstream.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Its name in Consul.
    pub name: String,
    /// Whether Consul has told of it yet.
    pub synced: bool,
    /// Age of the last accepted answer, in ms.
    pub snapshot_age_ms: Option<u128>,
    /// Attempts that run now in this process.
    pub in_flight: i64,
    /// The service's own breaker.
    pub breaker: Breaker,
    /// Where calls go, the own zone first.
    pub zones: Vec<Zone>,
    /// Its instances.
    pub endpoints: Vec<Instance>,
}

/// One zone that has instances in use.
#[derive(Debug, Clone, Serialize)]
pub struct Zone {
    /// Its name.
    pub zone: String,
    /// How much it can take, in ordinary instances.
    pub capacity: f64,
    /// The part of the calls that goes there, 0 to 1.
    pub share: f64,
    /// Calls in flight from here, per ordinary instance.
    pub load: f64,
}

/// A breaker.
#[derive(Debug, Clone, Serialize)]
pub struct Breaker {
    /// `closed`, `half_open`, `open`.
    pub state: &'static str,
    /// `auto` unless an operator said otherwise.
    pub mode: &'static str,
    /// While open: time until a probe may pass, in ms.
    pub opens_for_ms: Option<u128>,
    /// The last change.
    pub last_transition: Option<Change>,
}

/// A change of state.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// From this state.
    pub from: &'static str,
    /// To this one.
    pub to: &'static str,
    /// Because of this.
    pub reason: &'static str,
    /// So long ago, in ms.
    pub ago_ms: u128,
}

/// One instance.
#[derive(Debug, Clone, Serialize)]
pub struct Instance {
    /// Consul's id.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its zone.
    pub zone: String,
    /// Its version.
    pub version: String,
    /// What Consul's checks say.
    pub health: &'static str,
    /// Whether it is ejected here.
    pub ejection: &'static str,
    /// While ejected: time until a probe may pass, in ms.
    pub opens_for_ms: Option<u128>,
    /// The last change of its ejection.
    pub last_transition: Option<Change>,
    /// Time for which it is the last choice because it asked to be, in ms.
    pub resting_ms: Option<u128>,
    /// Calls that run now.
    pub in_flight: u32,
    /// Mean latency, in microseconds.
    pub latency_us: Option<u128>,
    /// Share of its weight while it starts slowly, 0 to 1.
    pub ramp: f64,
}

impl Status {
    pub(crate) fn of(pool: &Pool, now: Instant) -> Self {
        let breaker = pool.breaker.status(now);
        let zones = pool.balancer.zones(now).into_iter().map(|seen| Zone {
            zone: seen.zone.to_string(),
            capacity: seen.capacity,
            share: seen.share,
            load: seen.load,
        });
        let endpoints = pool.balancer.status(now).into_iter().map(|seen| Instance {
            id: seen.endpoint.id.to_string(),
            address: seen.endpoint.address,
            zone: seen.endpoint.zone.to_string(),
            version: seen.endpoint.version.to_string(),
            health: seen.endpoint.health.as_str(),
            ejection: seen.state.as_str(),
            opens_for_ms: seen.opens_for.map(|wait| wait.as_millis()),
            last_transition: seen.last.as_ref().map(|change| Change::of(change, now)),
            resting_ms: seen.resting.map(|rest| rest.as_millis()),
            in_flight: seen.in_flight,
            latency_us: seen.latency.map(|mean| mean.as_micros()),
            ramp: seen.ramp,
        });
        Self {
            name: pool.name().to_owned(),
            synced: pool.view().synced(),
            snapshot_age_ms: pool.view().age(now).map(|age| age.as_millis()),
            in_flight: pool.meter.in_flight().get(),
            breaker: Breaker {
                state: breaker.state.as_str(),
                mode: breaker.mode.as_str(),
                opens_for_ms: breaker.opens_for.map(|wait| wait.as_millis()),
                last_transition: breaker.last.as_ref().map(|change| Change::of(change, now)),
            },
            zones: zones.collect(),
            endpoints: endpoints.collect(),
        }
    }
}

impl Change {
    fn of(transition: &Transition, now: Instant) -> Self {
        Self {
            from: transition.from.as_str(),
            to: transition.to.as_str(),
            reason: transition.reason.as_str(),
            ago_ms: now.saturating_duration_since(transition.at).as_millis(),
        }
    }
}
