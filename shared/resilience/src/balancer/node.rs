//! What a balancer knows about one endpoint.
//!
//! A [`Node`] is its state and lives as long as its id is known; a [`Seat`] is that state with one description of the
//! endpoint, and is replaced when the description changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::EndpointStatus;
use super::latency::Latency;
use crate::breaker::{Breaker, BreakerConfig};
use crate::ejection::Limit;
use crate::endpoint::{Endpoint, EndpointId};

/// A zero for instants, so that they fit into atomics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(Instant);

#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: EndpointId,
    pub(super) breaker: Arc<Breaker>,
    pub(super) in_flight: AtomicU32,
    pub(super) latency: Latency,
    since: Option<Instant>,
    rest_until: AtomicU64,
    drain_until: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) endpoint: Endpoint,
    pub(super) node: Arc<Node>,
    weight: f64,
}

/// Where slow start begins: enough for a first sample, too little to hurt.
const RAMP_FROM: f64 = 0.1;

impl Node {
    /// A new endpoint; `since` is the start of its slow start, none when the caller itself is what is new.
    pub(super) fn new(
        id: EndpointId,
        ejection: &BreakerConfig,
        limit: &Arc<Limit>,
        since: Option<Instant>,
        latency: Option<f64>,
        now: Instant,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            breaker: Breaker::limited(ejection.clone(), limit),
            in_flight: AtomicU32::new(0),
            latency: Latency::new(latency, now),
            since,
            rest_until: AtomicU64::new(0),
            drain_until: AtomicU64::new(0),
        })
    }

    pub(super) fn rest_until(&self, stamp: u64) {
        self.rest_until.fetch_max(stamp, Ordering::Relaxed);
    }

    pub(super) fn drain_until(&self, stamp: u64) {
        self.drain_until.store(stamp, Ordering::Relaxed);
    }

    /// The stamp at which its rest ends, if it rests.
    pub(super) fn resting(&self, stamp: u64) -> Option<u64> {
        let until = self
            .rest_until
            .load(Ordering::Relaxed)
            .max(self.drain_until.load(Ordering::Relaxed));
        (until > stamp).then_some(until)
    }

    /// How much of its weight counts, from a tenth to 1.
    pub(super) fn ramp(&self, now: Instant, slow_start: Duration) -> f64 {
        let Some(since) = self.since else { return 1.0 };
        let age = now.saturating_duration_since(since);
        if age >= slow_start {
            return 1.0;
        }
        RAMP_FROM + (1.0 - RAMP_FROM) * age.as_secs_f64() / slow_start.as_secs_f64()
    }
}

impl Seat {
    pub(super) fn new(endpoint: Endpoint, node: Arc<Node>) -> Arc<Self> {
        let weight = f64::from(endpoint.weight().max(1));
        Arc::new(Self {
            endpoint,
            node,
            weight,
        })
    }

    /// Its weight now, slow start included.
    pub(super) fn weight(&self, now: Instant, slow_start: Duration) -> f64 {
        self.weight * self.node.ramp(now, slow_start)
    }

    pub(super) fn status(&self, stamp: u64, now: Instant, slow_start: Duration) -> EndpointStatus {
        let breaker = self.node.breaker.status(now);
        EndpointStatus {
            endpoint: self.endpoint.clone(),
            state: breaker.state,
            last: breaker.last,
            opens_for: breaker.opens_for,
            in_flight: self.node.in_flight.load(Ordering::Relaxed),
            latency: self.node.latency.read(now).map(Duration::from_secs_f64),
            resting: self
                .node
                .resting(stamp)
                .map(|until| Duration::from_nanos(until - stamp)),
            ramp: self.node.ramp(now, slow_start),
        }
    }
}

impl Epoch {
    pub(super) fn new(zero: Instant) -> Self {
        Self(zero)
    }

    /// Nanoseconds since the epoch: 584 years fit.
    pub(super) fn stamp(self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.0).as_nanos()).unwrap_or(u64::MAX)
    }
}
