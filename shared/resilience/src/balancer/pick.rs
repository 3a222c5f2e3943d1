//! What is asked of a balancer, and what it answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::node::{Node, Seat};
use crate::breaker::{Permit, Receipt, Transition};
use crate::endpoint::{Endpoint, EndpointId};

/// What a call needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// Endpoints that this request has been sent to already: avoided while there is another.
    pub tried: &'a [EndpointId],
    /// Whether it may be made twice: only such a request is used as a probe while there is another endpoint.
    pub idempotent: bool,
}

/// Why an endpoint was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PickReason {
    /// It is in the caller's zone.
    Local,
    /// The local zone is too small for its callers.
    SpillCapacity,
    /// The local zone is too busy.
    SpillLoad,
    /// Nobody local could be picked.
    NoLocal,
    /// Nobody is eligible; better a chance than none.
    Panic,
}

/// An endpoint with a slot taken on it. Dropping it frees the slot, and the permit if it was not settled.
#[derive(Debug)]
pub struct Pick {
    seat: Arc<Seat>,
    reason: PickReason,
    permit: Option<Permit>,
    receipt: Receipt,
    probe: bool,
    transition: Option<Transition>,
    started: Instant,
}

/// Why nobody could be picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEndpoint {
    /// Why.
    pub reason: NoEndpointReason,
    /// When another try makes sense.
    pub retry_after: Duration,
}

/// Kinds of [`NoEndpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEndpointReason {
    /// Nobody is registered.
    Unknown,
    /// Nobody is eligible, and nobody ever was.
    Unhealthy,
    /// Everybody is ejected.
    Ejected,
}

impl Pick {
    pub(super) fn new(
        seat: &Arc<Seat>,
        reason: PickReason,
        permit: Permit,
        transition: Option<Transition>,
        now: Instant,
        stamp: u64,
    ) -> Self {
        seat.node.in_flight.fetch_add(1, Ordering::Relaxed);
        seat.node.latency.touch(stamp);
        Self {
            seat: Arc::clone(seat),
            reason,
            receipt: permit.receipt(),
            probe: permit.is_probe(),
            permit: Some(permit),
            transition,
            started: now,
        }
    }

    /// Where the call goes.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.seat.endpoint
    }

    /// Why there.
    #[must_use]
    pub fn reason(&self) -> PickReason {
        self.reason
    }

    /// Whether it finds out if an ejected endpoint is well again.
    #[must_use]
    pub fn probe(&self) -> bool {
        self.probe
    }

    /// The change of the endpoint's breaker that made it a probe, if this was the first.
    #[must_use]
    pub fn transition(&self) -> Option<&Transition> {
        self.transition.as_ref()
    }

    /// When its time began: when it was picked, unless it was told otherwise.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// So long the caller kept the endpoint waiting: it is no part of its time.
    pub fn kept_waiting(&mut self, time: Duration) {
        self.started += time;
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.seat.node
    }

    pub(super) fn receipt(&self) -> Receipt {
        self.receipt
    }

    pub(super) fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        self.seat.node.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PickReason {
    /// Every reason, in the order of preference.
    pub const ALL: [Self; 5] = [
        Self::Local,
        Self::SpillCapacity,
        Self::SpillLoad,
        Self::NoLocal,
        Self::Panic,
    ];

    /// The name, as metrics and headers write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::SpillCapacity => "spill_capacity",
            Self::SpillLoad => "spill_load",
            Self::NoLocal => "no_local",
            Self::Panic => "panic",
        }
    }
}
