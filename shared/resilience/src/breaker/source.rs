//! Whose doing it is: whether the service is sick, or one of its endpoints.
//!
//! One sick instance must not open the circuit of nine well ones; taking it out is [`crate::ejection`]'s work.
//! So what one endpoint did opens the service's breaker only when that endpoint has no peer in use, or when another one
//! does the same.
//! Nothing takes a slow endpoint out, and its peers may be in another zone and never be asked: there, peers count only
//! when one of them has answered in time since.

use std::time::{Duration, Instant};

use super::Reason;
use crate::endpoint::EndpointId;
use crate::window::SECONDS;

/// Who stands behind the result of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// The endpoints that the call went to, in turn; none in an endpoint's own breaker.
    pub endpoints: &'a [EndpointId],
    /// Whether the service has another endpoint in use.
    pub peers: bool,
}

/// What is remembered of who did what.
#[derive(Debug, Default)]
pub(super) struct Sources {
    failing: Row,
    slowing: Row,
    failed: Recent,
    slowed: Recent,
    well: Recent,
}

/// Whose the calls at hand were that ended alike, one after the other.
#[derive(Debug, Default)]
struct Row {
    began: Option<Instant>,
    first: Option<EndpointId>,
    several: bool,
}

/// Which endpoint did something last, and when last another one did.
#[derive(Debug, Default)]
struct Recent {
    latest: Option<(EndpointId, Instant)>,
    other: Option<Instant>,
}

impl Sources {
    pub(super) fn failed(&mut self, source: Source<'_>, now: Instant) {
        for endpoint in source.endpoints {
            self.failing.add(endpoint, now);
            self.failed.note(endpoint, now);
        }
    }

    /// A call is slow that went up at `began`; who had it last made it so.
    pub(super) fn slow(&mut self, source: Source<'_>, began: Instant, now: Instant) {
        if let Some(endpoint) = source.endpoints.last() {
            self.slowing.add(endpoint, began);
            self.slowed.note(endpoint, now);
        }
    }

    /// A call succeeded in time.
    pub(super) fn well(&mut self, source: Source<'_>, now: Instant) {
        if let Some(endpoint) = source.endpoints.last() {
            self.well.note(endpoint, now);
        }
    }

    pub(super) fn no_failure(&mut self) {
        self.failing = Row::default();
    }

    pub(super) fn not_slow(&mut self) {
        self.slowing = Row::default();
    }

    /// Whether the service is behind that, as far as one can know: several of its endpoints, or one without peers.
    /// `source` is who was called last.
    pub(super) fn confirm(&self, reason: Reason, source: Source<'_>, now: Instant) -> bool {
        let window = now.checked_sub(Duration::from_secs(SECONDS as u64));
        let in_window = |at: &Instant| window.is_none_or(|window| *at > window);
        // Whoever was called and is not accused is a peer in use.
        let alone = |one: &EndpointId| !source.peers && source.endpoints.contains(one);
        let well_but = |one: &EndpointId| self.well.but(one).filter(in_window);
        match reason {
            Reason::ConsecutiveFailures => self.failing.several || self.failing.is_by(alone),
            Reason::FailureRate => {
                self.failed.other.is_some_and(|at| in_window(&at)) || self.failed.is_by(alone)
            }
            Reason::ConsecutiveSlow => {
                let no_peer_since = |one: &EndpointId| {
                    alone(one) || well_but(one).is_none_or(|well| Some(well) < self.slowing.began)
                };
                self.slowing.several || self.slowing.is_by(no_peer_since)
            }
            Reason::SlowRate => {
                let no_peer = |one: &EndpointId| alone(one) || well_but(one).is_none();
                self.slowed.other.is_some_and(|at| in_window(&at)) || self.slowed.is_by(no_peer)
            }
            _ => true,
        }
    }
}

impl Row {
    fn add(&mut self, endpoint: &EndpointId, began: Instant) {
        self.began = Some(self.began.map_or(began, |first| first.min(began)));
        let first = self.first.get_or_insert_with(|| endpoint.clone());
        self.several |= first != endpoint;
    }

    fn is_by(&self, which: impl FnOnce(&EndpointId) -> bool) -> bool {
        self.first.as_ref().is_some_and(which)
    }
}

impl Recent {
    fn note(&mut self, endpoint: &EndpointId, now: Instant) {
        match &mut self.latest {
            Some((latest, at)) if latest == endpoint => *at = now,
            latest => {
                let before = latest.replace((endpoint.clone(), now));
                self.other = before.map(|(_, at)| at);
            }
        }
    }

    fn is_by(&self, which: impl FnOnce(&EndpointId) -> bool) -> bool {
        self.latest
            .as_ref()
            .is_some_and(|(latest, _)| which(latest))
    }

    /// When somebody else did it last.
    fn but(&self, endpoint: &EndpointId) -> Option<Instant> {
        match &self.latest {
            Some((latest, at)) if latest != endpoint => Some(*at),
            _ => self.other,
        }
    }
}
