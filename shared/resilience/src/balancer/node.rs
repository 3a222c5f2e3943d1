//! What a balancer knows about one endpoint.
//!
//! A [`Node`] is its state and lives as long as its id is known; a [`Seat`] is that state with one description of the
//! endpoint, and is replaced when the description changes.
//! A [`Candidate`] is what drawing looks at: among fifty thousand endpoints every further pointer is a cache miss.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::EndpointStatus;
use super::latency::Latency;
use crate::breaker::Breaker;
use crate::endpoint::{Endpoint, EndpointId};

/// A zero for instants, so that they fit into atomics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(Instant);

#[derive(Debug)]
pub(super) struct Node {
    pub(super) latency: Latency,
    pub(super) in_flight: AtomicU32,
    /// Whether its breaker was closed when it last changed; the breaker itself decides.
    in_use: AtomicBool,
    /// The stamp at which its slow start began.
    since: Option<u64>,
    rest_until: AtomicU64,
    drain_until: AtomicU64,
    pub(super) id: EndpointId,
    pub(super) breaker: Arc<Breaker>,
}

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) endpoint: Endpoint,
    pub(super) node: Arc<Node>,
}

#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) node: Arc<Node>,
    weight: f64,
    pub(super) seat: Arc<Seat>,
}

/// Where slow start begins: enough for a first sample, too little to hurt.
const RAMP_FROM: f64 = 0.1;

impl Node {
    /// A new endpoint; `since` is the start of its slow start, none when the caller itself is what is new.
    pub(super) fn new(
        id: EndpointId,
        breaker: Arc<Breaker>,
        since: Option<u64>,
        latency: Option<f64>,
        stamp: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            breaker,
            in_flight: AtomicU32::new(0),
            latency: Latency::new(latency, stamp),
            in_use: AtomicBool::new(true),
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

    pub(super) fn in_use(&self) -> bool {
        self.in_use.load(Ordering::Relaxed)
    }

    /// Brings what drawing sees in line with the breaker; whether it is closed.
    pub(super) fn look_at_breaker(&self) -> bool {
        let closed = self.breaker.is_closed();
        self.in_use.store(closed, Ordering::Relaxed);
        closed
    }

    /// How much of its weight counts, from a tenth to 1.
    pub(super) fn ramp(&self, stamp: u64, slow_start: u64) -> f64 {
        let Some(since) = self.since else { return 1.0 };
        let age = stamp.saturating_sub(since);
        if age >= slow_start {
            return 1.0;
        }
        RAMP_FROM + (1.0 - RAMP_FROM) * age as f64 / slow_start as f64
    }
}

impl Seat {
    pub(super) fn new(endpoint: Endpoint, node: Arc<Node>) -> Arc<Self> {
        Arc::new(Self { endpoint, node })
    }

    pub(super) fn status(&self, stamp: u64, now: Instant, slow_start: u64) -> EndpointStatus {
        let breaker = self.node.breaker.status(now);
        let latency = self.node.latency.read(stamp);
        EndpointStatus {
            endpoint: self.endpoint.clone(),
            state: breaker.state,
            last: breaker.last,
            opens_for: breaker.opens_for,
            in_flight: self.node.in_flight.load(Ordering::Relaxed),
            latency: latency.map(Duration::from_secs_f64),
            resting: self
                .node
                .resting(stamp)
                .map(|until| Duration::from_nanos(until - stamp)),
            ramp: self.node.ramp(stamp, slow_start),
        }
    }
}

impl Candidate {
    /// `unit` is the weight that counts as one.
    pub(super) fn new(seat: &Arc<Seat>, unit: f64) -> Self {
        Self {
            node: Arc::clone(&seat.node),
            // Only panic uses those without weight: all alike.
            weight: f64::from(seat.endpoint.weight().max(1)) / unit,
            seat: Arc::clone(seat),
        }
    }

    /// Its weight now, slow start included.
    pub(super) fn weight(&self, stamp: u64, slow_start: u64) -> f64 {
        self.weight * self.node.ramp(stamp, slow_start)
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
